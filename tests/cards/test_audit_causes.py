"""Every cause of a false alarm and of silence that published cards showed, each as a small table."""

import time

import pytest

from evalkit.cards import audit, card

AVERAGE_IN_A_NAME = """
| Benchmark | base/model | base/model-FP8 | Recovery (%) |
|---|---|---|---|
| MMLU-ProX (avg over langs) | 59.50 | 59.60 | 100.17 |
| TydiQA average/f1 | 61.20 | 60.10 | 98.20 |
| Tau2 (average over 3) | 40.00 | 41.00 | 102.50 |
| GSM8K | 90.07 | 89.01 | 98.82 |
"""
METRIC_NAMED_AVERAGE = """
| Benchmark | Metric | base | base-FP8 | Recovery |
|---|---|---|---|---|
| Fleurs | average | 59.50 | 59.60 | 100.17 |
| GSM8K | acc | 90.07 | 89.01 | 98.82 |
"""
SHORT_HEADING = """
<table><tr><td><b>Benchmark</b></td><td><b>base</b></td><td><b>base-w8a8</b></td><td><b>Recovery</b></td></tr>
<tr><td rowspan="2">OpenLLM v1</td><td>MMLU (5-shot)</td><td>74.24</td><td>73.84</td><td>99.5%</td></tr>
<tr><td>GPQA (0-shot)</td><td>33.07</td><td>33.74</td><td>102.0%</td></tr></table>
"""
AFTER_AN_AVERAGE = """
| Category | Benchmark | base | base-FP8 | Recovery |
|---|---|---|---|---|
| OpenLLM v1 | MMLU | 80.00 | 79.00 | 98.8% |
| | ARC-C | 60.07 | 60.07 | 100.0% |
| | Average | 70.04 | 69.54 | 99.3% |
| | MMLU-Pro | 50.00 | 49.00 | 98.0% |
"""
NO_TASKS_AMONG_THE_COLUMNS = """
| Model | Parameters | Embedding Size | docs/sec | Retrieval | Ranking | Average |
|---|---|---|---|---|---|---|
| embed | 335 | 1024 | 88.0 | 54.00 | 60.00 | 57.00 |
| embed-int8 | 335 | 1024 | 190.0 | 53.00 | 59.50 | 56.25 |
"""
WORD_ERRORS = """
| Benchmark | Language | base | base-FP8 | Recovery |
|---|---|---|---|---|
| Fleurs WER | English | 3.89% | 3.95% | 99.9% |
| Fleurs WER | French | 5.07% | 4.86% | 100.2% |
"""
WORD_ERRORS_OVER_THE_TABLE = """
## Word error rate (lower is better)

| Language | base | base-FP8 | Recovery |
|---|---|---|---|
| English | 4.00 | 4.20 | 95.2 |
| French | 5.00 | 4.80 | 104.2 |
"""
ABOVE_THE_LINE = """
| Task | base | base-FP8 | Recovery |
|---|---|---|---|
| MMLU | 80.00 | 79.00 | 98.75 |
| **Reasoning** | | | |
| MuSR | 60.00 | 60.00 | 100.00 |
| Average | 70.00 | 69.50 | 99.29 |
"""
BASELINES_DOWN_THE_ROWS = """
| Model | Precision | MMLU | MuSR | Average | Recovery |
|---|---|---|---|---|---|
| Nova-8B | BF16 | 80.00 | 60.00 | 70.00 | 100 |
| | FP8 | 79.00 | 60.00 | 69.50 | 99.29 |
| Nova-70B | BF16 | 88.00 | 70.00 | 79.00 | 100 |
| | FP8 | 88.00 | 69.00 | 78.50 | 99.37 |
"""
MEAN_TOKENS = """
| Task | base | base-FP8 | Recovery |
|---|---|---|---|
| MMLU | 80.00 | 79.00 | 98.75 |
| long (mean tokens) | 512.20 | 498.10 | |
| Average | 80.00 | 79.00 | 98.75 |
"""


FALSE_ALARMS = {
    "AVERAGE_IN_A_NAME": (AVERAGE_IN_A_NAME, 4),
    "METRIC_NAMED_AVERAGE": (METRIC_NAMED_AVERAGE, 2),
    "SHORT_HEADING": (SHORT_HEADING, 2),
    "AFTER_AN_AVERAGE": (AFTER_AN_AVERAGE, 6),
    "NO_TASKS_AMONG_THE_COLUMNS": (NO_TASKS_AMONG_THE_COLUMNS, 2),
    "WORD_ERRORS": (WORD_ERRORS, 2),
    "WORD_ERRORS_OVER_THE_TABLE": (WORD_ERRORS_OVER_THE_TABLE, 2),
    "ABOVE_THE_LINE": (ABOVE_THE_LINE, 5),
    "BASELINES_DOWN_THE_ROWS": (BASELINES_DOWN_THE_ROWS, 8),
    "MEAN_TOKENS": (MEAN_TOKENS, 4),
}


@pytest.mark.parametrize(("text", "checked"), FALSE_ALARMS.values(), ids=FALSE_ALARMS)
def test_no_false_alarm(text, checked):
    found = audit(card(text))
    assert (found.findings, found.doubts) == ((), ())
    assert found.checked == checked


@pytest.mark.parametrize(
    ("text", "old", "new"),
    [
        (AVERAGE_IN_A_NAME, "100.17", "101.17"),
        (SHORT_HEADING, "102.0%", "102.3%"),
        (AFTER_AN_AVERAGE, "70.04", "71.04"),
        (NO_TASKS_AMONG_THE_COLUMNS, "56.25", "57.25"),
        (WORD_ERRORS, "100.2%", "101.2%"),
        (ABOVE_THE_LINE, "69.50", "69.40"),
        (BASELINES_DOWN_THE_ROWS, "99.37", "99.07"),
    ],
)
def test_what_the_false_alarms_hid_is_found(text, old, new):
    assert [one.printed for one in audit(card(text.replace(old, new))).findings] == [new]


def findings(text):
    return [(one.row, one.printed, one.right, one.cause) for one in audit(card(text)).findings]


def test_a_recovery_in_brackets_is_checked():
    found = findings(
        "| Metric | base | base-FP8 (recovery) |\n|---|---|---|\n| GSM8K | 80.06 | 40.03 (99.9%) |\n"
        "| MMLU | 60.00 | 60.00 (100.0%) |\n| Average Score | 70.03 | 50.02 (99.9%) |\n"
    )
    assert [(row, printed, right) for row, printed, right, _ in found] == [
        ("GSM8K", "99.9%", "50.0%"),
        ("Average Score", "99.9%", "71.4%"),
    ]


def test_no_cell_vanishes():
    found = audit(
        card(
            "| Benchmark | A | B | Recovery |\n|---|---|---|---|\n| HS | 80.1 | 79.9 | 42.00 (-0.2) |\n"
            "| WG | 80,10 | 79,90 | 42,00 % |\n| TQA | 80.1 | 79.9 | 42.00 ↓ |\n| MMLU | 69.31 | 69.02 | 99.58 |\n"
            "| Odd | 80.1 | 79.9 | 99.8 or so |\n"
        )
    )
    assert [one.row for one in found.findings] == ["WG", "HS", "TQA"]
    assert found.checked == 5  # four recoveries and the difference beside the first
    assert ("Odd", "99.8 or so") in [(one.row, one.printed) for one in found.unchecked]


def test_an_average_before_its_tasks_is_read_without_a_recovery():
    head = "| Method | avg | MMLU | gsm8k |\n|---|---|---|---|\n"
    found = audit(card(head + "| BF16 | 70.03 | 80.0 | 60.05 |\n| W4A16 | 75.0 | 79.0 | 59.06 |\n"))
    assert [(one.row, one.printed, one.right) for one in found.findings] == [("W4A16", "75.0", "69.0")]
    assert {one.row for one in found.noise} == {"avg", "MMLU", "gsm8k"}


def test_precision_by_task_gets_intervals_and_says_that_nothing_was_checked():
    found = audit(
        card("| Precision | MMLU | ARC Challenge |\n|---|---|---|\n| BF16 | 80.0 | 60.07 |\n| FP8 | 79.9 | 59.98 |\n")
    )
    assert found.checked == 0
    assert {(one.row, one.candidate) for one in found.noise} == {("MMLU", "FP8"), ("ARC Challenge", "FP8")}
    assert {one.reason for one in found.unchecked} == {"no other figure of the card rests on it"}
    assert len(found.unchecked) == 4


def test_a_speedup_follows_from_its_two_figures():
    head = "| GPU class | Model | Speedup | Code Maximum Throughput (QPS) | Chat Maximum Throughput (QPS) |\n"
    text = head + "|---|---|---|---|---|\n| A6000 | m | | 5.1 | {} |\n| A6000 | m-w8a8 | 1.39 | 7.0 | 14.0 |\n"
    assert findings(text.format("10.0")) == []
    ((row, printed, right, cause),) = findings(text.format("0.3"))
    assert (row, printed, right) == ("A6000, m-w8a8", "1.39", "24.02")
    assert cause == "it is the mean without Chat Maximum Throughput (QPS), where 14.0 beside 0.3 make 46.67"


RECOVERY = "| Benchmark | base | base-FP8 | Recovery |\n|---|---|---|---|\n"


@pytest.mark.parametrize(
    ("rows", "cause"),
    [
        ("| GSM8K-Platinum (0-shot) | 95.53 | 95.37 | 100.2% |\n", "it is the inverse ratio"),
        ("| GSM-8K | 76.26 | 76.87 | 100.7% |\n", "truncated instead of rounded"),
        ("| MuSR | 60.0 | 57.0 | 95.0 |\n| DROP | 70.0 | 69.0 | 95.0 |\n", "copied from MuSR, recovery of base-FP8"),
        ("| MuSR | 60.00 | 57.00 | 95.00 |\n| DROP | 70.00 | 69.10 | 98.17 |\n", "two digits changed places"),
        ("| MuSR | 60.00 | 57.00 | 9.50 |\n", "the decimal point is in the wrong place"),
        ("| MuSR | 60.00 | 57.00 | 5.00 |\n", "it is the drop, not the recovery"),
    ],
)
def test_a_mistake_with_a_name_is_named(rows, cause):
    assert [found[3] for found in findings(RECOVERY + rows)] == [cause]


def test_a_stale_average_names_the_row_that_it_lacks():
    rows = "| MuSR | 60.0 | 57.0 | 95.0 |\n| DROP | 70.0 | 69.0 | 98.6 |\n"
    rows += "| New | 80.0 | 78.0 | 97.5 |\n| IFBench | 50.0 | 49.0 | 98.0 |\n"
    found = audit(card(RECOVERY + rows + "| Average | 60.0 | 58.3 | 97.2 |\n"))
    averages = [one for one in found.findings if one.kind == "average"]
    assert [one.right for one in averages] == ["65.0", "63.2"]
    assert all("without New" in one.because and one.cause.startswith("stale") for one in averages)


def test_one_cell_that_explains_everything_is_named_with_its_value():
    rows = "| ARC-C | 65.59 | 64.93 | 98.4 |\n| BoolQ | 80.00 | 79.02 | 98.8 |\n| Average | 72.98 | 71.98 | 98.6 |\n"
    (repair,) = audit(card(RECOVERY + rows)).repairs
    assert (repair.row, repair.column, repair.printed, repair.value) == ("ARC-C", "base", "65.59", "65.96")
    assert (repair.count, repair.n) == (773, 1172)
    assert audit(card(RECOVERY + rows.replace("65.59", "65.96"))).findings == ()


def test_a_score_that_cannot_be_is_repaired_by_the_count_that_makes_its_recovery_follow():
    (repair,) = audit(card(RECOVERY + "| ARC-C | 65.59 | 64.93 | 98.4 |\n")).repairs
    assert (repair.column, repair.value, repair.count, repair.explains) == ("base", "65.96", 773, 1)
    assert audit(card(RECOVERY + "| ARC-C | 65.53 | 64.93 | 98.4 |\n")).repairs == ()  # 768 of 1,172 can be


def test_columns_that_changed_places_are_named():
    rows = "| ARC-C | 64.93 | 65.96 | 98.4 |\n| BoolQ | 79.02 | 80.00 | 98.8 |\n| MuSR | 57.0 | 60.0 | 95.0 |\n"
    causes = {one.cause for one in audit(card(RECOVERY + rows)).findings}
    assert causes == {"it is the inverse ratio, as in every row: the two columns changed places"}


def test_two_scores_that_changed_places_are_named():
    rows = "| MuSR | 57.00 | 60.00 | 95.00 |\n| DROP | 70.00 | 69.00 | 98.57 |\n| Average | 65.00 | 63.00 | 96.92 |\n"
    (repair,) = audit(card(RECOVERY + rows)).repairs
    assert (repair.row, [ref.text for ref in repair.swapped]) == ("MuSR", ["57.00", "60.00"])


def test_the_same_scores_in_two_columns_are_pointed_out():
    text = (
        "| Task | BF16 | FP8 | INT4 |\n|---|---|---|---|\n| MuSR | 60.01 | 57.02 | 57.02 |\n"
        "| DROP | 70.03 | 69.04 | 69.04 |\n| MMLU | 80.05 | 79.06 | 79.06 |\n"
    )
    (doubt,) = audit(card(text)).doubts
    assert (doubt.kind, doubt.severity, doubt.row) == ("identical", "doubtful", "INT4")
    assert audit(card(text.replace("| 79.06 |\n", "| 79.07 |\n"))).doubts == ()


def test_a_column_that_follows_from_nothing_is_one_doubt_and_unchecked():
    rows = "".join(f"| task {at} | 6{at}.0 | 5{at}.0 | {at}7.31 |\n" for at in range(1, 6))
    found = audit(card(RECOVERY + rows))
    assert (found.checked, found.findings) == (0, ())
    assert [(one.kind, one.printed) for one in found.doubts] == [("unclear", "5 figures")]
    assert sum("no reading" in one.reason for one in found.unchecked) == 5


def test_an_inverse_column_of_unknown_models_is_a_formula_with_a_name():
    rows = "| a | 60.0 | 57.0 | 105.3 |\n| b | 70.0 | 77.0 | 90.9 |\n"
    found = audit(card("| Task | one | other | Recovery |\n|---|---|---|---|\n" + rows))
    assert found.findings == ()
    assert found.notices == ("table 1 (line 1): 2 recoveries are baseline / candidate",)


def written(head, *rows):
    """A table of pipes from lines without their outer pipes."""
    return (
        "\n".join([head, "|".join("---" for _ in head.split("|")), *rows]).replace("\n", " |\n| ").join(["| ", " |\n"])
    )


OTHERS = {
    "right answers of questions beside a score": (
        written(
            "Subject | Base | Base-4bit | Change",
            "Algebra | 55.0 (11/20) | 50.0 (10/20) | -5.0",
            "Biology | 80.0 (16/20) | 80.0 (16/20) | 0.0",
        ),
        ("50.0 (10/20)", "50.0 (9/20)"),
    ),
    "differences in points and in percent": (
        written(
            "Category | BF16 | NVFP4 | Δ abs | Δ rel",
            "Code | 61.2 | 60.1 | -1.1 | -1.8%",
            "Math | 80.0 | 79.2 | -0.8 | -1.0%",
            "Chat | 8.92 | 8.85 | -0.07 | -0.8%",
        ),
        ("-1.0%", "-1.9%"),
    ),
    "rates of two models beside each other": (
        written("Batch | BF16 (tok/s) | FP8 (tok/s) | Speedup", "1 | 45.1 | 71.2 | 1.58x", "8 | 310 | 480 | 1.55x"),
        ("1.55x", "1.65x"),
    ),
    "a speedup of the column before it": (
        written(
            "GPU | Model | Prefill (tok/s) | Decode (tok/s) | Speed-up (decode) | Memory",
            "L4 | base | 5000 | 60.0 | 1.0x | 16.1 GB",
            "L4 | AWQ | 4800 | 150.0 | 2.5x | 5.7 GB",
        ),
        ("2.5x", "2.9x"),
    ),
    "an average weighted by the numbers in the headings": (
        written("Model | Avg (6) | Retrieval (4) | STS (2)", "a | 60.00 | 50.00 | 80.00", "b | 61.00 | 51.00 | 81.00"),
        ("61.00", "62.00"),
    ),
    "an overall score without a rating": (
        written(
            "Task | base | base-FP8 | Recovery",
            "MuSR | 60.0 | 57.0 | 95.0",
            "Elo | 1200 | 1180 | ",
            "DROP | 70.0 | 69.0 | 98.6",
            "Overall | 65.0 | 63.0 | 96.9",
        ),
        ("96.9", "95.9"),
    ),
    "an average alone": (
        written("Model | Average score | Recovery", "Nova BF16 | 70.0 | 100%", "Nova FP8 | 69.6 | 99.4%"),
        ("99.4%", "99.9%"),
    ),
}


@pytest.mark.parametrize(("text", "planted"), OTHERS.values(), ids=OTHERS)
def test_other_tables_follow_and_a_planted_figure_is_found(text, planted):
    honest = audit(card(text))
    assert (honest.findings, honest.doubts) == ((), ())
    assert honest.checked > 0
    assert planted[0] in text
    assert len(audit(card(text.replace(*planted))).findings) == 1


def test_a_column_that_is_compared_with_none_does_not_alarm():
    head = "| Task | acme/Nova | acme/Nova-FP8 | Recovery | Experts |\n|---|---|---|---|---|\n"
    rows = "| MuSR | 60.0 | 57.0 | 95.0 | 88.0 |\n| DROP | 70.0 | 69.0 | 98.6 | 91.0 |\n"
    found = audit(card(head + rows + "| Average | 65.0 | 63.0 | 96.9 | 71.0 |\n"))
    assert found.findings == ()
    assert "71.0" in {one.printed for one in found.unchecked}


def test_a_verdict_is_no_recovery():
    text = written("word | exit | when", "RECOVERED | 0 | it kept its threshold", "DEGRADED | 1 | it did not")
    assert audit(card(text)).findings == ()
    text = written("Task | BF16 | FP8", "MuSR | 60.0 | 57.0", "Recovery | 3 | 95.0%")
    assert [one.printed for one in audit(card(text)).unchecked] == ["3"]


def test_a_very_large_table_is_audited_in_time():
    head = "| Task | " + " | ".join(f"model {at}" for at in range(30)) + " |\n|" + "---|" * 31 + "\n"
    rows = [
        f"| {'Average' if at % 2 else f'task {at}'} |" + f" {at / 7:.2f} | 56.78 |" * 30 + "\n" for at in range(500)
    ]
    began = time.process_time()
    audit(card(head + "".join(rows)))
    assert time.process_time() - began < 20  # three seconds; minutes, were every reading of every average tried exactly
