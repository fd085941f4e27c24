from evalkit.cards import card, together

HEAD = "| Task | {} | {} | Recovery |\n|---|---|---|---|\n"
ROWS = "| MMLU | {} | 79.0 | 98.75 |\n| MuSR (0-shot) | 60.0 | 59.0 | 98.33 |\n| DROP | 70.1 | 69.0 | 98.43 |\n"


def one(base="acme/Nova-8B", cand="acme/Nova-8B-FP8", mmlu="80.00", head=""):
    return card(head + HEAD.format(base, cand) + ROWS.format(mmlu))


def test_one_baseline_has_one_figure():
    found = together({"a.md": one(), "b.md": one(cand="acme/Nova-8B-W4A16", mmlu="80.09")})
    assert found.checked == 3
    (finding,) = found.findings
    assert (finding.card, finding.row, finding.printed, finding.severity) == ("b.md", "MMLU", "80.09", "wrong")
    assert [ref.text for ref in finding.rests] == ["80.00", "80.09"]


def test_figures_with_other_decimals_agree():
    assert together({"a": one(mmlu="80.00"), "b": one(cand="acme/Nova-8B-W4A16", mmlu="80.0")}).findings == ()


def test_columns_that_name_no_model_are_not_compared():
    found = together({"a": one(base="base", cand="base-FP8"), "b": one(base="base", cand="base-FP8", mmlu="50.00")})
    assert (found.checked, found.findings) == (0, ())
    assert together({"a": one(base="BF16", cand="FP8"), "b": one(base="BF16", cand="FP8", mmlu="50.00")}).checked == 0


def test_the_head_of_a_card_names_its_baseline():
    head = "---\nbase_model:\n  - acme/Nova-8B\n---\n"
    found = together({"a": one("BF16", "FP8", head=head), "b": one(cand="acme/Nova-8B-W4A16", mmlu="81.00")})
    assert [finding.printed for finding in found.findings] == ["81.00"]


def test_other_baselines_and_other_settings_are_other_rows():
    assert together({"a": one(), "b": one(base="acme/Orion-8B", cand="acme/Orion-8B-FP8", mmlu="50")}).checked == 0
    text = HEAD.format("acme/Nova-8B", "acme/Nova-8B-FP8") + "| MMLU (0-shot) | 50.00 | 49.00 | 98.00 |\n"
    assert together({"a": one(), "b": card(text)}).findings == ()


def test_two_quantizations_with_the_same_scores_are_pointed_out():
    found = together({"a.md": one(), "b.md": one(cand="acme/Nova-8B-W4A16")})
    (doubt,) = found.doubts
    assert (doubt.kind, doubt.severity, doubt.card) == ("identical", "doubtful", "b.md")
    assert together({"a.md": one(), "b.md": one()}).doubts == ()  # the same model on two cards


def test_a_table_across_the_cards():
    ((baseline, candidates, rows),) = together({"a": one(), "b": one(cand="acme/Nova-8B-W4A16")}).tables
    assert baseline == "nova-8b"
    assert candidates == ("acme/Nova-8B-FP8 [a]", "acme/Nova-8B-W4A16 [b]")
    assert [(row.row, row.baseline) for row in rows][:2] == [("MMLU", "80.00"), ("MuSR (0-shot)", "60.0")]
    assert [round(one, 2) for one in rows[0].recoveries] == [98.75, 98.75]
