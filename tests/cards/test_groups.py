"""Rows that are means over the rows of a benchmark's parts: checked by the rule that shows, else counted."""

import pytest

from evalkit.cards import audit, card
from evalkit.cards.sizes import known, part_size

BY_SAMPLES = (
    "| Task | Metric | BF16 | W4A16 |\n|---|---|---|---|\n| mmlu | acc | {} | 67.01 |\n"
    "| - humanities | acc | 64.30 | 63.11 |\n| - other | acc | 73.90 | 72.80 |\n"
    "| - social sciences | acc | 78.10 | 77.05 |\n| - stem | acc | 58.20 | 57.30 |\n"
)
OVER = (
    "| Group | BF16 | INT8 |\n|---|---|---|\n| **STEM** | {} | 55.4 |\n| anatomy | 56.5 | 55.6 |\n"
    "| astronomy | 56.1 | 55.2 |\n| **Humanities** | 83.1 | 83.1 |\n| philosophy | 80.1 | 79.7 |\n"
    "| world_religions | 86.0 | 86.5 |\n"
)
BEHIND = (
    "| Task | BF16 | INT8 |\n|---|---|---|\n| BBH | {} | 75.7 |\n| bbh_snarks | 75.8 | 75.3 |\n"
    "| bbh_web_of_lies | 77.0 | 76.1 |\n"
)
DOWN = (
    "| Model | MMLU | MMLU STEM | MMLU Humanities | MMLU Social | MMLU Other |\n|---|---|---|---|---|---|\n"
    "| Nova-8B | {} | 57.31 | 61.20 | 76.90 | 70.50 |\n| Nova-8B-AWQ | 65.30 | 56.00 | 60.10 | 75.60 | 69.50 |\n"
    "| Nova-8B-FP8 | 66.45 | 57.29 | 61.15 | 76.88 | 70.48 |\n"
)
WRONG = {
    "by numbers of samples": (BY_SAMPLES, "68.08", "68.48", "68.08"),
    "groups above their subjects": (OVER, "56.3", "57.3", "56.3"),
    "models down the rows": (DOWN, "66.48", "66.98", "66.48"),
}


@pytest.mark.parametrize(("text", "printed", "planted", "right"), WRONG.values(), ids=WRONG)
def test_a_mean_over_parts_is_checked(text, printed, planted, right):
    assert audit(card(text.format(printed))).findings == ()
    (finding,) = audit(card(text.format(planted))).findings
    assert (finding.kind, finding.printed, finding.right) == ("average", planted, right)


def test_a_mean_by_weights_that_nobody_knows_is_counted():
    assert audit(card(BEHIND.format("76.4"))).checked == 2
    found = audit(card(BEHIND.format("71.4").replace("75.7", "70.9")))
    assert (found.checked, found.findings) == (0, ())
    assert {(one.row, one.printed) for one in found.unchecked if "weights" in one.reason} == {
        ("BBH", "71.4"),
        ("BBH", "70.9"),
    }


def test_an_average_may_be_of_the_parts_or_of_what_stands_for_them():
    tops, leaves = "| Average | 69.7 | 69.3 |\n", "| Average | 69.7 | 69.2 |\n"
    for row in (tops, leaves):
        assert audit(card(OVER.format("56.3") + row)).findings == ()
    assert len(audit(card(OVER.format("56.3") + "| Average | 75.1 | 69.3 |\n")).findings) == 1


def test_names_that_begin_alike_are_no_parts():
    text = (
        "| Task | BF16 | INT8 |\n|---|---|---|\n| MMLU | 70.0 | 70.0 |\n| MMLU-Redux | 80.0 | 79.0 |\n"
        "| MMLU-ProX | 60.0 | 61.0 |\n"
    )
    assert {one.reason for one in audit(card(text)).unchecked} == {"no other figure of the card rests on it"}


def test_the_parts_of_a_benchmark_make_its_size():
    for size in known():
        for parts in (size.groups, size.parts):
            distinct = {name: n for name, n in parts.items() if name not in {"socialscience", "social", "others"}}
            assert not parts or size.part or sum(distinct.values()) == size.n
    assert (part_size("BBH", "bbh_snarks"), part_size("BBH", "web_of_lies")) == (178, 250)
    assert (part_size("MMLU", "MMLU STEM"), part_size("STEM", "anatomy"), part_size("GSM8K", "anatomy")) == (
        3153,
        135,
        None,
    )
