import pytest

from evalkit.cards import card
from evalkit.cards.roles.averages import average_in


def table(text):
    (found,) = card(text).accuracy
    return found


def texts(figures):
    return tuple(figure and figure.text for figure in figures)


def stated(row):
    return tuple(one.printed.text for one in row.stated)


def test_categories_labels_and_kinds():
    found = table(
        "| Category | Metric | base | cand | Recovery (%) |\n|-|-|-|-|-|\n"
        "| Vision | MMMU | 48.00 | 46.22 | 96.29% |\n| | DocVQA | 89.47 | - | |\n"
        "| Vision | **Average Score** | 68.7 | 67.8 | 98.6 |\n| Text | MMLU | 71.4 | 70.5 | 98.74 |\n"
    )
    assert (found.models, found.bases) == (("base", "cand"), (None, 0))
    assert [(row.name, row.kind, row.group) for row in found.rows] == [
        ("Vision: MMMU", "task", 0),
        ("Vision: DocVQA", "task", 0),
        ("Vision: Average Score", "average", 0),
        ("Text: MMLU", "task", 1),
    ]
    assert texts(found.rows[0].scores) + stated(found.rows[0]) == ("48.00", "46.22", "96.29%")
    assert texts(found.rows[1].scores) + stated(found.rows[1]) == ("89.47", None)


def test_an_html_card_with_titles_between_the_rows():
    found = table(
        "<table><tr><td><strong>Benchmark</strong></td><td><strong>Base</strong></td>"
        "<td><strong>Base-quantized.w8a8 (this model)</strong></td><td><strong>Recovery</strong></td></tr>"
        '<tr><td colspan="4"><strong>Leaderboard one</strong></td></tr>'
        "<tr><td>ARC (25-shot)</td><td>60.0</td><td>59.0</td><td>98.3%</td></tr>"
        "<tr><td><strong>Average</strong></td><td><strong>60.0</strong></td><td>59.0</td><td>98.3%</td></tr>"
        '<tr><td colspan="4">Coding</td></tr>'
        "<tr><td>HumanEval pass@1</td><td>50.0</td><td>49.0</td><td>98.0%</td></tr></table>"
    )
    assert found.models == ("Base", "Base-quantized.w8a8 (this model)")
    assert [(row.name, row.group) for row in found.rows] == [
        ("Leaderboard one: ARC (25-shot)", 0),
        ("Leaderboard one: Average", 0),
        ("Coding: HumanEval pass@1", 1),
    ]


@pytest.mark.parametrize(
    ("head", "pairs"),
    [
        ("Task|base|cand|Recovery", [("base", "cand")]),
        ("Task|base|c1|Recovery|c2|Recovery", [("base", "c1"), ("base", "c2")]),
        ("Task|base|c1|c2|Recovery c1|Recovery c2", [("base", "c1"), ("base", "c2")]),
        ("Task|base|c1|c2|Recovery c2|Recovery c1", [("base", "c2"), ("base", "c1")]),
        ("Task|b1|c1|Recovery|b2|c2|Recovery", [("b1", "c1"), ("b2", "c2")]),
        ("Task|x-FP8|x|Recovery", [("x", "x-FP8")]),
        ("Task|BF16|Recovery|FP8|Recovery", [("BF16", "BF16"), ("BF16", "FP8")]),
        ("Task|n-shot|base|cand|Recovery|Difference", [("base", "cand"), ("base", "cand")]),
        ("Task|base|c1|c2|Recovery", [("base", "c2")]),
        ("Task|Nova-8B|Orion-9B|Nova-8B-FP8|Recovery", [("Nova-8B", "Nova-8B-FP8")]),
    ],
)
def test_which_columns_belong_together(head, pairs):
    cells = "|".join(str(number) for number in range(1, head.count("|") + 1))
    found = table(f"{head}\n{'|'.join('-' * (head.count('|') + 1))}\nMMLU|{cells}\n")
    names = [(found.models[one.base], found.models[one.model]) for one in found.rows[0].stated]
    assert names == pairs


def test_a_table_of_models_by_tasks_is_turned_round():
    found = table(
        "Model | MMLU | GSM8K | Average | Recovery\n-|-|-|-|-\n"
        "base | 60.0 | 40.0 | 50.0 | 100.0\nint8 | 59.0 | 40.0 | 49.5 | 99.0\n"
    )
    assert (found.models, found.bases) == (("base", "int8"), (None, 0))
    assert [(row.label, row.kind) for row in found.rows] == [
        ("MMLU", "task"),
        ("GSM8K", "task"),
        ("Average", "average"),
    ]
    assert stated(found.rows[2]) == ("100.0", "99.0")


def test_the_long_form_becomes_a_column_for_each_model():
    found = table(
        "Benchmark | Precision | Score | Recovery\n-|-|-|-\n"
        "MMLU | BF16 | 60.0 | -\n| | FP8 | 59.0 | 98.3 |\n| GSM8K | BF16 | 40.0 | - |\n| | FP8 | 40.0 | 100.0 |\n"
    )
    assert (found.models, [row.label for row in found.rows]) == (("BF16", "FP8"), ["MMLU", "GSM8K"])


def test_each_family_has_its_own_baseline():
    found = table(
        "Model | Precision | MMLU | Recovery\n-|-|-|-\nNova | BF16 | 60.0 | 100.0\n| | FP8 | 59.0 | 98.3 |\n"
        "| Orion | BF16 | 80.0 | 100.0 |\n| | FP8 | 79.0 | 98.8 |\n"
    )
    assert found.models == ("Nova BF16", "Nova FP8", "Orion BF16", "Orion FP8")
    assert found.bases == (None, 0, None, 2)


def test_scores_of_known_benchmarks_are_read_without_a_recovery():
    assert table("Task | A | B\n-|-|-\nMMLU (5-shot) | 71.4 | 70.5\n").models == ("A", "B")


def test_metrics_of_one_model_are_no_models():
    assert not card("Task | acc | acc_norm\n-|-|-\nMMLU | 71.4 | 70.5\n").accuracy


def test_other_tables_are_passed_over_and_named():
    found = card("Setting | Value\n-|-\nmax tokens | 4096\n\nTask | A | B\n-|-|-\nMMLU | 1 | 2\n")
    assert len(found.accuracy) == 1
    assert found.notices == (
        "table 1 (line 1): passed over, no comparison, average, speed or cost in it (Setting, Value)",
    )


@pytest.mark.parametrize(
    ("label", "section", "sureness"),
    [
        ("Average", "", "yes"),
        ("Average Score", "", "yes"),
        ("Avg.", "", "yes"),
        ("Mean accuracy", "", "yes"),
        ("Overall average (6 tasks)", "", "yes"),
        ("Average of 5", "", "yes"),
        ("OpenLLM v1 Average Score", "", "yes"),
        ("Vision average", "", "yes"),
        ("Nova suite average", "Nova suite", "yes"),
        ("Recovery of the average", "", "yes"),
        ("MMLU-ProX (avg over langs)", "", "no"),
        ("TydiQA average/f1", "", "no"),
        ("Tau2 (average over 3)", "", "no"),
        ("Tau2 average of 3", "", "no"),
        ("AIME25 avg@16", "", "no"),
        ("LiveBench mean", "", "no"),
        ("mean tokens", "", "no"),
        ("Average of 4 runs", "", "no"),
        ("GSM8K", "", "no"),
        ("MGSM average", "", "perhaps"),
        ("Fleurs average", "", "perhaps"),
    ],
)
def test_what_makes_a_row_an_average(label, section, sureness):
    assert average_in(label, section) == sureness
