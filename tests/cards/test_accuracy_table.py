import pytest

from evalkit.cards import card
from evalkit.cards.accuracy_table import accuracy_tables


def table(text):
    (found,) = card(text).accuracy
    return found


def texts(figures):
    return tuple(figure and figure.text for figure in figures)


def pipes(*rows):
    rows = [[cell.strip() for cell in row.split("|")] for row in rows]
    return rows[0], rows[1:]


def test_categories_labels_and_kinds():
    found = table(
        "| Category | Metric | base | cand | Recovery (%) |\n|-|-|-|-|-|\n"
        "| Vision | MMMU | 48.00 | 46.22 | 96.29% |\n| | DocVQA | 89.47 | - | |\n"
        "| Vision | **Average Score** | 68.7 | 67.8 | 98.6 |\n| Text | MMLU | 71.4 | 70.5 | 98.74 |\n"
    )
    assert found.models == ("base", "cand")
    assert [(row.name, row.kind, row.group) for row in found.rows] == [
        ("Vision: MMMU", "task", 0),
        ("Vision: DocVQA", "task", 0),
        ("Vision: Average Score", "average", 0),
        ("Text: MMLU", "task", 1),
    ]
    assert texts(found.rows[0].scores + found.rows[0].recoveries) == ("48.00", "46.22", "96.29%")
    assert texts(found.rows[1].scores + found.rows[1].recoveries) == ("89.47", None, None)


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


def test_without_categories_an_average_ends_its_group():
    after = pipes("Task|A|B|Recovery", "a|1|2|3", "Average|1|2|3", "b|1|2|3", "Average|1|2|3")
    before = pipes("Task|A|B|Recovery", "Average|1|2|3", "a|1|2|3", "Average|1|2|3", "b|1|2|3")
    for head, body in (after, before):
        (found,) = accuracy_tables("", head, body)
        assert [row.group for row in found.rows] == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("head", "models"),
    [
        ("Task|base|cand|Recovery", [("base", "cand")]),
        ("Task|base|c1|Recovery|c2|Recovery", [("base", "c1", "c2")]),
        ("Task|base|c1|c2|Recovery c1|Recovery c2", [("base", "c1", "c2")]),
        ("Task|b1|c1|Recovery|b2|c2|Recovery", [("b1", "c1"), ("b2", "c2")]),
        ("Task|x-FP8|x|Recovery", [("x", "x-FP8")]),
        ("Task|n-shot|base|cand|Recovery|Difference", [("base", "cand")]),
    ],
)
def test_which_columns_belong_together(head, models):
    width = head.count("|")
    found = accuracy_tables("", *pipes(head, "MMLU|" + "|".join(str(number) for number in range(1, width + 1))))
    assert [one.models for one in found] == models
    for one in found:
        assert all(one.rows[0].recoveries)


def test_a_recovery_stands_beside_its_candidate():
    (found,) = accuracy_tables("", *pipes("Task|base|c1|c2|Recovery", "MMLU|1|2|3|4"))
    assert texts(found.rows[0].recoveries) == (None, "4")


def test_a_table_of_models_by_tasks_is_turned_round():
    found = table(
        "Model | MMLU | GSM8K | Average | Recovery\n-|-|-|-|-\n"
        "base | 60.0 | 40.0 | 50.0 | 100.0\nint8 | 59.0 | 40.0 | 49.5 | 99.0\n"
    )
    assert found.models == ("base", "int8")
    assert [(row.label, row.kind) for row in found.rows] == [
        ("MMLU", "task"),
        ("GSM8K", "task"),
        ("Average", "average"),
        ("Recovery", "recovery"),
    ]


def test_scores_of_known_benchmarks_are_read_without_a_recovery():
    assert table("Task | A | B\n-|-|-\nMMLU (5-shot) | 71.4 | 70.5\n").models == ("A", "B")


def test_other_tables_are_passed_over_and_named():
    found = card("Setting | Value\n-|-\nmax tokens | 4096\n\nTask | A | B\n-|-|-\nMMLU | 1 | 2\n")
    assert len(found.accuracy) == 1
    assert found.notices == (
        "table 1 (line 1): passed over, no recovery, average or queries per dollar in it (Setting, Value)",
    )
