"""``evalkit compare`` as a user meets it: what it prints, and with which exit code it leaves."""

import json
import re
import subprocess
import sys

import pytest

from support.commands import evalkit, scored, write_json, write_lines

ASKED = {
    "n", "planned", "baseline", "candidate", "recovery", "interval", "regressed", "improved", "mcnemar_p",
    "verdict", "reasons",
}  # fmt: skip


def files(tmp_path, baseline, candidate):
    return (
        write_lines(tmp_path / "base.jsonl", scored(baseline)),
        write_lines(tmp_path / "cand.jsonl", scored(candidate)),
    )


UNDECIDED = [1] * 500 + [0] * 400, [0] * 20 + [1] * 480 + [1] * 10 + [0] * 390
RECOVERED = [1] * 3000 + [0] * 1000, [1] * 3000 + [0] * 1000
DEGRADED = [1] * 3000 + [0] * 1000, [0] * 300 + [1] * 2700 + [0] * 1000


def test_json_is_one_object_with_the_promised_keys(tmp_path):
    ended = evalkit("compare", *files(tmp_path, *UNDECIDED), "--json")
    assert ended.code == 0
    found = ended.json
    assert found.keys() >= ASKED
    assert (found["n"], found["planned"]) == (900, 900)
    assert (found["baseline"], found["candidate"]) == (500 / 900, 490 / 900)
    assert found["recovery"] == pytest.approx(98.0)
    low, high = found["interval"]
    assert low < 98 < high
    assert (found["regressed"], found["improved"]) == (20, 10)
    assert found["mcnemar_p"] == pytest.approx(0.0987, abs=1e-4)
    assert found["verdict"] is None
    assert found["reasons"][0].startswith("not judged")


@pytest.mark.parametrize(
    ("pair", "code", "verdict"),
    [(RECOVERED, 0, "recovered"), (DEGRADED, 1, "degraded"), (UNDECIDED, 3, "undecided")],
)
def test_with_a_threshold_the_verdict_is_the_exit_code(tmp_path, pair, code, verdict):
    ended = evalkit("compare", *files(tmp_path, *pair), "--min-recovery", 99, "--json")
    assert (ended.code, ended.json["verdict"]) == (code, verdict)
    assert (ended.json["more_samples"] is not None) == (verdict == "undecided")
    assert (ended.json["p"] is not None) == (verdict == "degraded")
    assert (ended.json["question"], ended.json["tested"]) == ("for questions like these", 1)


def test_the_words_lead_with_the_answer(tmp_path):
    ended = evalkit("compare", *files(tmp_path, *UNDECIDED), "--min-recovery", 99)
    outcome, first, *rest = ended.out.splitlines()
    assert outcome == "UNDECIDED (exit 3): nothing degraded; the task has too few samples to show 99 %."
    assert re.fullmatch(
        r"RECOVERY 98\.0 % \[\d+\.\d, \d+\.\d\] undecided at >= 99 % "
        r"\(n = 900; about [\d,]+ more samples would decide in 50 of 100 such cases, [\d,]+ in 80; "
        r"whether there are so many is not known\)",
        first,
    )
    text = "\n".join(rest)
    assert "baseline   55.56 %" in text
    assert "flips      20 regressed, 10 improved (McNemar's exact p = 0.0987)" in text
    assert "interval   95 %, for questions like these: " in text


def test_a_zero_baseline_is_reported_and_compared(tmp_path):
    ended = evalkit("compare", *files(tmp_path, [0] * 50, [1] * 50), "--json")
    assert (ended.code, ended.json["recovery"], ended.json["interval"]) == (0, None, None)
    assert "the baseline scored 0" in ended.json["reasons"]
    assert evalkit("compare", *files(tmp_path, [0] * 50, [1] * 50), "--min-recovery", 99).code == 3


def test_infinite_bounds_are_null_in_json(tmp_path):
    ended = evalkit("compare", *files(tmp_path, [0] * 49, [1] * 50), "--json")
    assert ended.json["bounds"][1] is None


def test_without_a_threshold_only_what_cannot_be_compared_is_an_error(tmp_path):
    base, cand = files(tmp_path, [1, 0] * 50, [1, 0] * 10)
    assert evalkit("compare", base, cand).code == 0
    other = write_lines(tmp_path / "other.jsonl", [{"id": "x", "score": 1}])
    ended = evalkit("compare", base, other, "--json")
    assert (ended.code, ended.json["verdict"]) == (4, "not_comparable")
    nothing = write_lines(tmp_path / "nothing.jsonl", [{"id": "q0", "score": None}])
    ended = evalkit("compare", base, nothing, "--json")
    assert (ended.code, ended.json["verdict"], ended.json["n"]) == (4, "incomplete", 0)


def test_a_difference_can_be_declared_intended(tmp_path):
    base = write_lines(tmp_path / "base.jsonl", scored([1, 0] * 20, prompt="a"))
    cand = write_lines(tmp_path / "cand.jsonl", scored([1, 0] * 20, prompt="b"))
    ended = evalkit("compare", base, cand, "--json")
    assert (ended.code, ended.json["differences"]) == (4, ["prompt"])
    ended = evalkit("compare", base, cand, "--json", "--accept-difference", "prompt")
    assert (ended.code, ended.json["recovery"]) == (0, 100.0)
    assert any("accepted difference" in reason for reason in ended.json["reasons"])


@pytest.mark.parametrize(
    ("texts", "said"),
    [(("x", "x"), "no answer changed"), (("x", "y"), "no score changed"), ((None, None), "no score changed")],
)
def test_what_did_not_change_are_the_answers_or_only_their_scores(tmp_path, texts, said):
    pair = []
    for name, text in zip(("a.jsonl", "b.jsonl"), texts, strict=True):
        more = {} if text is None else {"answer": text}
        pair.append(write_lines(tmp_path / name, scored([1, 1, 0] * 40, **more)))
    outcome, sentence, *_ = evalkit("compare", *pair).out.splitlines()
    assert f"the task: {said}, 100.0 % [" in outcome
    assert sentence.startswith(f"{said}: RECOVERY")


def test_clusters_are_counted(tmp_path):
    base = [{**line, "cluster": f"page {at // 4}"} for at, line in enumerate(scored([1, 1, 0, 1] * 100))]
    cand = [{**line, "score": 0} if at % 40 < 4 else line for at, line in enumerate(base)]
    ended = evalkit("compare", write_lines(tmp_path / "a.jsonl", base), write_lines(tmp_path / "b.jsonl", cand))
    assert "100 clusters" in ended.out


def test_the_same_file_twice_is_said(tmp_path):
    base, _ = files(tmp_path, *RECOVERED)
    assert "BASE and CAND are the same file" in evalkit("compare", base, base).out


# --- what speaks against the baseline as a measure ---

TABLE = """
name = "t"
baseline = "any"
candidate = "c"
source = "a page"
[[rows]]
task = "pages"
title = "Pages"
baseline = "{baseline}"
candidate = "80.00"
"""


@pytest.mark.parametrize(("printed", "told"), [("75.00", False), ("76.1", False), ("60.00", True), ("90.00", True)])
def test_a_baseline_outside_of_its_published_figure_is_told_before_the_recoveries(run, printed, told):
    (run / "card.toml").write_text(TABLE.format(baseline=printed))
    words = ("compare", run, run, "--task", "pages", "--published", run / "card.toml")
    found = evalkit(*words, "--json").json
    assert [f"and {printed} stands on its card (a page)" in text for text in found["doubts"]] == [True] * told
    assert found["notes"] == []
    assert (evalkit(*words).out.splitlines()[1].startswith("before you read on: b scores 75.00 [")) is told


def test_a_published_figure_of_nothing_that_was_compared_is_told(run):
    (run / "card.toml").write_text(TABLE.format(baseline="10.00"))
    found = evalkit("compare", run, run, "--task", "charts", "--published", run / "card.toml", "--json").json
    assert found["doubts"] == []
    assert found["notes"] == ["a page: no figure of a task and metric that were compared"]
    ended = evalkit("compare", run, run, "--published", run / "nothing.md")
    assert (ended.code, "cannot be read" in ended.err) == (2, True)


def test_a_shipped_card_is_held_against_the_model_that_it_is_of(tmp_path):
    row = {"task": "docvqa", "category": "Vision", "metric": "anls", "planned": 400, "available": 5349}
    models = {"b": {"source": "mgoin/pixtral-12b"}}
    write_json(tmp_path / "results.json", {"baseline": "b", "candidates": ["c"], "tasks": [row], "models": models})
    for label in ("b", "c"):
        write_lines(tmp_path / f"samples/{label}/docvqa.jsonl", scored([1] * 300 + [0] * 100))
    (doubt,) = evalkit("compare", tmp_path, tmp_path, "--json").json["doubts"]
    assert doubt.startswith("b scores 75.00 [")
    assert "89.47 stands on its card" in doubt


@pytest.mark.parametrize(("right", "told"), [(350, False), (365, False), (385, True)])
def test_a_candidate_that_is_much_better_than_its_baseline_is_told(tmp_path, right, told):
    pair = files(tmp_path, [1] * 350 + [0] * 50, [1] * right + [0] * (400 - right))
    found = evalkit("compare", *pair, "--json").json["doubts"]
    assert ["scores 96.25 on the task beside its baseline's 87.50" in text for text in found] == [True] * told


# --- what goes wrong ---


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("promt", "did you mean 'prompt'? valid: cluster, content, dtype, "),
        ("datatype", "valid: cluster, content, dtype, "),
        ("samples", "valid: cluster, "),
    ],
)
def test_a_difference_that_cannot_be_is_not_accepted(tmp_path, key, said):
    write_json(
        tmp_path / "results.json",
        {
            "baseline": "b",
            "candidates": [],
            "tasks": [{"task": "t", "comparability": {"settings": {"b": {"dtype": "half"}}}}],
        },
    )
    path = write_lines(tmp_path / "samples/b/t.jsonl", scored([1, 0]))
    ended = evalkit("compare", path, path, "--accept-difference", key)
    assert ended.code == 2
    assert f"--accept-difference {key}: no such difference can be" in ended.err
    assert said in ended.err
    assert evalkit("compare", path, path, "--accept-difference", "dtype").code == 0


def test_a_metric_for_a_task_that_is_not_there_is_refused(run):
    ended = evalkit("compare", run, run, "--metric", "page=anls")
    assert (ended.code, "no task 'page'; did you mean 'pages'?" in ended.err) == (2, True)


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "score": 70.5}', "score is 70.5, outside 0 to 1; divide percentages by 100"),
        ('{"id": 1, "score": NaN}', "NaN"),
        ('{"score": 1}', "no key 'id'"),
        ("", "the file is empty"),
        ('{"id": 1', "not JSON"),
    ],
)
def test_bad_input_is_one_line_with_the_place_and_exit_code_2(tmp_path, line, said):
    base, _ = files(tmp_path, [1], [1])
    bad = tmp_path / "bad.jsonl"
    bad.write_text(line + "\n")
    ended = evalkit("compare", base, bad, "--json")
    assert (ended.code, ended.out) == (2, "")
    assert ended.err.count("\n") == 1
    assert said in ended.err
    assert str(bad) in ended.err


def test_two_formats_are_not_paired(tmp_path):
    base, _ = files(tmp_path, [1], [1])
    cand = write_lines(tmp_path / "samples.jsonl", [{"doc_id": 0, "acc": 1}])
    ended = evalkit("compare", base, cand)
    assert ended.code == 2
    assert "compare two files of one format" in ended.err


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (("--min-recovery", "0.99"), "write 99"),
        (("--min-recovery", "nan"), "must be a percentage"),
        (("--max-failed", "5"), "must be a share"),
        (("--expected", "1"), "expected 1"),
        (("--task", "mmmu"), "no task 'mmmu'"),
        (("--metric", "anls"), "no metric 'anls'"),
    ],
)
def test_options_that_make_no_sense(tmp_path, options, said):
    ended = evalkit("compare", *files(tmp_path, *UNDECIDED), *options)
    assert ended.code == 2
    assert said in ended.err


# --- formats ---


def test_lm_eval_samples_of_two_tasks_are_not_comparable(tmp_path):
    date = "2026-01-02T03-04-05.678901"
    lines = [{"doc_id": at, "acc": 1.0, "doc_hash": str(at)} for at in range(20)]
    base = write_lines(tmp_path / "b" / f"samples_mmlu_anatomy_{date}.jsonl", lines)
    cand = write_lines(tmp_path / "c" / f"samples_mmlu_virology_{date}.jsonl", lines)
    ended = evalkit("compare", base, cand, "--json")
    assert (ended.code, ended.json["differences"]) == (4, ["task"])
    assert evalkit("compare", base, base.rename(tmp_path / "b" / "renamed.jsonl")).code == 2  # it has moved
    ended = evalkit("compare", tmp_path / "b" / "renamed.jsonl", cand, "--json")
    assert (ended.code, ended.json["n"]) == (0, 20)


def test_a_shuffled_lm_eval_file_is_noticed(tmp_path):
    base = [{"doc_id": at, "acc": at % 2, "doc_hash": f"d{at}"} for at in range(20)]
    cand = [{**line, "doc_hash": f"d{19 - at}"} for at, line in enumerate(base)]
    ended = evalkit(
        "compare", write_lines(tmp_path / "b.jsonl", base), write_lines(tmp_path / "c.jsonl", cand), "--json"
    )
    assert (ended.code, ended.json["differences"]) == (4, ["question"])


def test_evalplus_problems_are_paired(tmp_path):
    def results(name, passes):
        problems = {
            f"HumanEval/{at}": [{"base_status": "pass" if at < passes else "fail", "plus_status": None}] * 5
            for at in range(164)
        }
        return write_json(tmp_path / f"{name}_eval_results.json", {"eval": problems})

    ended = evalkit("compare", results("b", 120), results("c", 115), "--json")
    assert (ended.code, ended.json["n"], ended.json["regressed"]) == (0, 164, 5)
    assert ended.json["recovery"] == pytest.approx(100 * 115 / 120)


def test_mistral_evals_answers_are_scored_and_paired_by_content(tmp_path):
    def output(name, answers):
        rows = {
            str(at): {
                "request": {"messages": [{"role": "user", "content": question}]},
                "model_answer": answer,
                "reference_answer": "yes",
            }
            for at, (question, answer) in enumerate(answers)
        }
        return write_json(tmp_path / name, rows)

    base = output("b.json", [(f"q{at}", "yes") for at in range(10)])
    cand = output("c.json", [(f"q{at}", "yes" if at else "#####") for at in reversed(range(10))])
    ended = evalkit("compare", base, cand, "--metric", "anls", "--json")
    assert (ended.code, ended.json["n"], ended.json["regressed"], ended.json["candidate"]) == (0, 10, 1, 0.9)
    assert evalkit("compare", base, cand).code == 2


# --- runs and policies ---


@pytest.fixture
def run(tmp_path):
    """A run of two tasks: ``pages`` is recovered, ``charts`` is undecided."""
    folder = tmp_path / "run"
    rows = [
        {"task": task, "category": "Vision", "metric": "anls", "planned": planned, "available": planned}
        for task, planned in (("pages", 4000), ("charts", 900))
    ]
    means = [{"category": "Vision"}]
    write_json(
        folder / "results.json",
        {"baseline": "b", "candidates": ["c"], "smoke": False, "tasks": rows, "averages": means},
    )
    for label, at in (("b", 0), ("c", 1)):
        write_lines(folder / "samples" / label / "pages.jsonl", scored(RECOVERED[at]))
        write_lines(folder / "samples" / label / "charts.jsonl", scored(UNDECIDED[at]))
    return folder


def test_a_run_is_compared_with_itself_task_by_task_and_on_average(run):
    ended = evalkit("compare", run, run, "--json")
    assert ended.code == 0
    found = ended.json
    assert (found["task"], found["n"], found["planned"]) == ("Vision", 4900, 4900)
    assert found["baseline"] == pytest.approx((0.75 + 500 / 900) / 2)
    assert {one["task"]: one["recovery"] for one in found["tasks"]} == {"pages": 100.0, "charts": pytest.approx(98)}
    assert found["mcnemar_p"] is None


def test_one_task_of_a_run(run):
    ended = evalkit("compare", run, run, "--task", "pages", "--min-recovery", 99, "--json")
    assert (ended.code, ended.json["task"], ended.json["verdict"]) == (0, "pages", "recovered")


def test_the_average_carries_the_claim_and_its_tasks_only_must_not_degrade(run):
    ended = evalkit("compare", run, run, "--min-recovery", 98, "--json")
    assert ended.json["verdict"] == "recovered"
    assert [one["verdict"] for one in ended.json["tasks"]] == ["undecided", "recovered"]
    assert ended.code == 0


def test_the_average_comes_first_in_words(run):
    ended = evalkit("compare", run, run, "--min-recovery", 98)
    lines = ended.out.splitlines()
    assert lines[0].startswith("RECOVERED (exit 0): Vision average 99.1 % [98.2, 100.1] (20 answers lost, 10 gained)")
    assert lines[1] == "Vision (average of 2 tasks)"
    assert lines[2].startswith("RECOVERY 99.")
    assert "charts (supporting)" in lines


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("min_recovery = 98", 0),
        ('min_recovery = 98\n[policy.tasks.charts]\ntier = "critical"', 3),
        ("[policy.tasks.charts]\nmin_recovery = 99.99", 0),
    ],
)
def test_a_policy_file_for_tasks_that_hold(run, tmp_path, policy, code):
    file = tmp_path / "policy.toml"
    file.write_text(f"[policy]\n{policy}\n")
    assert evalkit("compare", run, run, "--policy", file).code == code


@pytest.mark.parametrize(
    ("policy", "code"),
    [
        ("[policy.tasks.pages]\nmin_recovery = 99", 1),
        ('[policy.tasks.pages]\nmin_recovery = 99\ntier = "advisory"', 0),
        ("[policy.averages.Vision]\nmin_recovery = 99", 1),
    ],
)
def test_a_policy_file_by_task_average_and_tier(run, tmp_path, policy, code):
    lose(run)
    file = tmp_path / "policy.toml"
    file.write_text(f"[policy]\n{policy}\n")
    assert evalkit("compare", run, run, "--policy", file).code == code


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("min_recovery = 99", "no [policy] table"),
        ("[policy]\nmin_recover = 99", "did you mean 'min_recovery'?"),
        ("[policy", "policy.toml: "),
        ("[policy.tasks.mmlu]\nmin_recovery = 99", "judges none of the rows"),
    ],
)
def test_a_policy_file_that_would_judge_nothing_is_refused(run, tmp_path, text, said):
    file = tmp_path / "policy.toml"
    file.write_text(text)
    ended = evalkit("compare", run, run, "--policy", file)
    assert ended.code == 2
    assert said in ended.err


def test_a_policy_that_names_what_is_not_there_is_said(run, tmp_path):
    file = tmp_path / "policy.toml"
    file.write_text("[policy]\nmin_recovery = 90\n[policy.tasks.mmlu]\nmin_recovery = 99\n")
    assert "the policy names what was not compared: mmlu" in evalkit("compare", run, run, "--policy", file).out


def test_a_task_that_one_side_lacks_is_incomplete(run):
    (run / "samples" / "c" / "charts.jsonl").unlink()
    write_lines(run / "samples" / "c" / "more.jsonl", scored([1, 0]))
    ended = evalkit("compare", run, run, "--min-recovery", 90, "--json")
    assert ended.code == 4
    verdicts = {one["task"]: one["verdict"] for one in ended.json["tasks"]}
    assert verdicts == {"charts": "incomplete", "pages": "recovered", "more": "incomplete"}
    assert ended.json["verdict"] == "incomplete"


def test_a_smoke_run_never_recovers(run):
    results = run / "results.json"
    results.write_text(results.read_text().replace('"smoke": false', '"smoke": true'))
    ended = evalkit("compare", run, run, "--task", "pages", "--min-recovery", 50, "--json")
    assert (ended.code, ended.json["verdict"]) == (3, "undecided")
    assert "smoke run" in ended.json["reasons"][0]


def test_a_part_says_what_it_is_also_beside_a_smoke_run(run):
    results = run / "results.json"
    found = json.loads(results.read_text())
    for row, limit in zip(found["tasks"], ("drawn", "smoke"), strict=True):
        row[limit] = True
    results.write_text(json.dumps(found))
    lose(run)
    ended = evalkit("compare", run, run, "--policy", write_policy(run, "[policy.tasks.pages]\nmin_recovery = 99"))
    (line,) = (line for line in ended.out.splitlines() if line.startswith("DEGRADED (exit 1)"))
    assert "pages (drawn at random) 90.0 % [" in line
    assert "1 of 2 tasks: a smoke run, of the first questions in stored order; 1 of 2 tasks on a part of the " in line


def lose(folder):
    """The candidate gets a tenth of the pages wrong that it had right."""
    write_lines(folder / "samples" / "c" / "pages.jsonl", scored(DEGRADED[1]))


def write_policy(folder, text):
    (folder / "policy.toml").write_text(f"[policy]\n{text}\n")
    return folder / "policy.toml"


def test_two_runs_under_other_conditions_are_not_comparable(run, tmp_path):
    results = (run / "results.json").read_text()
    other = tmp_path / "other"
    for path in (run / "samples").rglob("*.jsonl"):
        copy = other / path.relative_to(run)
        copy.parent.mkdir(parents=True, exist_ok=True)
        copy.write_text(path.read_text())
    (other / "results.json").write_text(results.replace('"anls"', '"vqa_match"'))
    ended = evalkit("compare", run, other, "--json")
    assert (ended.code, ended.json["verdict"]) == (4, "not_comparable")
    assert "pages: metric: b has anls, c has vqa_match" in ended.json["reasons"][0]


def test_the_command_is_listed_and_costs_the_help_nothing():
    heavy = "{'torch', 'vllm', 'datasets', 'pandas', 'lm_eval'}"
    script = f"import sys; import evalkit.cli.compare; sys.exit(bool({heavy} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
    assert "compare" in evalkit("--help").out


def test_scores_with_a_rounding_error_beyond_their_bounds_are_compared(tmp_path):
    base = write_lines(tmp_path / "base.jsonl", scored([1.0000000000000002, -1e-17, 1.0000001, 0.5] * 5))
    ended = evalkit("compare", base, base, "--json")
    assert ended.code == 0, ended.err
    assert (ended.json["baseline"], ended.json["recovery"]) == (0.625, 100.0)


def subjects(values):
    return [{"id": f"q{at}", "score": value, "stratum": f"subject {at % 57}"} for at, value in enumerate(values)]


@pytest.mark.parametrize("flips", [0, 1])
def test_two_identical_models_on_all_of_mmlu_recover_at_99(tmp_path, flips):
    base = [int(at % 3 > 0) for at in range(14_042)]
    cand = [0 if 0 < at <= flips else score for at, score in enumerate(base)]
    pair = [write_lines(tmp_path / name, subjects(values)) for name, values in (("a.jsonl", base), ("b.jsonl", cand))]
    ended = evalkit("compare", *pair, "--min-recovery", 99, "--json")
    low, high = ended.json["interval"]
    assert (ended.code, ended.json["verdict"]) == (0, "recovered")
    assert 99.9 <= low < 100.0 <= high <= 100.1


def test_rows_of_a_folder_are_tested_together(tmp_path):
    """Six tasks that kept everything, and one that is barely below: p = 0.01 is not beyond the chance of seven rows."""
    for name, lost in [("a", 75), *((letter, 10) for letter in "bcdefg")]:
        base = [1] * 4000 + [0] * 1000
        cand = [0] * lost + [1] * (4000 - lost) + [1] * (15 if lost == 75 else 10) + [0] * (985 if lost == 75 else 990)
        for side, values in (("base", base), ("cand", cand)):
            write_lines(tmp_path / f"samples/{side}/{name}.jsonl", scored(values))
    folders = tmp_path / "samples/base", tmp_path / "samples/cand"
    alone = evalkit("compare", *folders, "--task", "a", "--min-recovery", 99, "--json")
    assert (alone.json["verdict"], alone.json["tested"]) == ("degraded", 1)
    ended = evalkit("compare", *folders, "--min-recovery", 99)
    assert "7 rows were tested for a loss together (Holm)" in ended.out
    assert "below 99 %, but 7 rows were tested" in ended.out
    assert ended.code == 3


def test_samples_whose_references_are_at_fault_count_on_neither_side(tmp_path):
    faulty = [{"id": "q9", "score": None, "left_out": "reference is not text"}]
    base = write_lines(tmp_path / "base.jsonl", [*scored([1, 1, 0, 1, 1]), *faulty])
    cand = write_lines(tmp_path / "cand.jsonl", [*scored([1, 1, 0, 1, 1]), {"id": "q9", "score": 0}])
    found = evalkit("compare", base, cand, "--json").json
    assert (found["n"], found["planned"], found["failed"], found["missing"]) == (5, 5, 0, 0)
    assert found["candidate"] == found["baseline"] == 0.8
    assert any("left out on both sides" in reason and "q9" in reason for reason in found["reasons"])


def test_score_leaves_faulty_references_out(tmp_path):
    lines = [{"answer": "seven", "reference": ["seven"]}, {"answer": "seven", "reference": ["seven", None]}]
    path = write_lines(tmp_path / "a.jsonl", lines)
    found = evalkit("score", "--metric", "anls", path, "--json").json
    assert (found["n"], found["left_out"], found["mean"], found["scores"]) == (1, 1, 1.0, [1.0, None])
    assert "line 2: left out, reference is not text" in evalkit("score", "--metric", "anls", path).out


@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_score_of_nothing_is_no_success(tmp_path, more):
    path = write_lines(tmp_path / "a.jsonl", [{"answer": "seven", "reference": "seven"}] * 3)
    ended = evalkit("score", "--metric", "acc", path, *more)
    assert ended.code == 4
    assert "none of 3 answers could be scored by acc (no references); name the metric that fits" in ended.err
    assert evalkit("score", "--metric", "anls", path, *more).code == 0


def test_each_task_of_a_folder_has_its_metric(tmp_path):
    for task, metric in (("one", "acc"), ("two", "exact_match")):
        line = {"doc_id": 0, "filter": "none", "metrics": [metric, "other"], metric: 1.0, "other": 0.0}
        write_lines(tmp_path / f"samples_{task}_2026-11-26T18-03-22.333549.jsonl", [line])
    words = ["compare", tmp_path, tmp_path, "--metric", "one=acc", "--metric", "two=other", "--json"]
    found = {row["task"]: row["baseline"] for row in evalkit(*words).json["tasks"]}
    assert found == {"one": 1.0, "two": 0.0}


def attempts(tmp_path, name, counts):
    """A file of problems, each solved in all of its attempts."""
    lines = [
        {"id": f"p{at}#{no}", "problem": f"p{at}", "score": 1} for at, count in enumerate(counts) for no in range(count)
    ]
    return write_lines(tmp_path / f"{name}.jsonl", lines)


@pytest.mark.parametrize(
    ("base", "cand", "kind"),
    [
        # Attempts that crashed and left no line are lost all the same, whichever side lacks them.
        ([10] * 200, [10, *[6] * 199], "incomplete"),
        ([10, *[6] * 199], [10] * 200, "incomplete"),
        ([10] * 200, [*[10] * 190, *[9] * 10], "undecided"),
        # Fewer at the same problems on both sides, or an even number of fewer, is how it was asked.
        ([10, *[6] * 199], [10, *[6] * 199], "recovered"),
        ([10] * 200, [5] * 200, "recovered"),
    ],
)
def test_attempts_that_a_file_does_not_mention_are_lost(tmp_path, base, cand, kind):
    ended = evalkit(
        "compare", attempts(tmp_path, "b", base), attempts(tmp_path, "c", cand), "--min-recovery", 98, "--json"
    )
    assert ended.json["verdict"] == kind
    assert (ended.json["bounds"] is None) == (kind == "recovered")
    if kind == "undecided":
        assert ended.json["reasons"][0] == "the 10 lost attempts could decide: ask them again"
