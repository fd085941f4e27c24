"""How tasks were asked and judged, in words."""

import pytest

from evalkit import report
from evalkit.harnesses.evalplus.checker import DIFFERS
from evalkit.harnesses.lm_eval.canary import Canary
from evalkit.harnesses.lm_eval.facts import LikelihoodFacts
from evalkit.records.terms import Terms
from evalkit.report.how_asked import cautions, sentences
from support.reports import RIGHT, built, task

FAST = LikelihoodFacts(method="fast", cut=0).compared(Canary(16, 0.001, 0.02, 0.07, 1, 0, 0)).stored()
CHECKS = {
    "sandbox": "bubblewrap",
    "find_zero": "published",
    "limits": {"min_time_limit_s": 1.0, "gt_time_factor": 4.0, "memory_mib": 4096},
    "answers": 1640,
    "programs": 1200,
    "retried": 3,
    "timeouts": 2,
    "differs": list(DIFFERS),
}


def whole(*, benchmark="mmlu", exams=None, checks=None):
    """A report on one task, of which a run has kept these facts."""
    terms = Terms(exams={label: {"t": facts} for label, facts in (exams or {}).items()}, checks={"t": checks or {}})
    one = task("t", "MMLU (5-shot)", "Text", benchmark=benchmark)
    return built({"base": [RIGHT], "cand": [RIGHT]}, tasks=[one], terms=terms)


def row(**kept):
    return whole(**kept).rows[0]


def test_what_holds_for_every_model_is_told_once():
    told = sentences(row(exams={"base": FAST, "cand": FAST}))
    assert all(text.startswith("every model: ") for text in told)
    assert any("asked the fast way" in text for text in told)
    (canary,) = [text for text in told if "16 questions were asked both ways" in text]
    assert "at most 0.02" in canary
    assert "itself by 0.001" in canary
    assert "by 0.07 where the prefix cache is read" in canary
    assert "0 of the answers differ (1 of the exact way's own)" in canary
    assert "every model: prompts that were cut: 0" in told


def test_ways_that_differ_are_told_for_each_and_are_a_caution():
    found = whole(exams={"base": FAST, "cand": {"method": "echo", "reason": "the canary sang"}})
    spoilt = found.rows[0]
    told = sentences(spoilt)
    assert any(text.startswith("cand: asked the exact way") and "(because the canary sang)" in text for text in told)
    assert any(text.startswith("base: asked the fast way") for text in told)
    caution = "MMLU (5-shot): not all models were asked alike: base the fast way, cand the exact way."
    assert list(cautions(spoilt)) == [caution]
    assert caution in report.completeness(found)
    assert not list(cautions(row(exams={"base": FAST, "cand": FAST})))


def test_a_model_asked_in_both_ways_is_told_apart_from_one_asked_in_one():
    mixed = row(exams={"base": FAST, "cand": {**FAST, "method": "both", "reason": "it is old"}})
    assert any(
        text == "cand: asked the fast way in one part of the run and the exact way in another (because it is old)"
        for text in sentences(mixed)
    )
    assert list(cautions(mixed)) == [
        "MMLU (5-shot): not all models were asked alike: base the fast way, cand partly the fast way."
    ]


def test_how_programs_were_judged_is_told_whole():
    text = "\n".join(sentences(row(benchmark="humaneval", checks=CHECKS)))
    for words in (
        "walled off by bubblewrap",
        "HumanEval/32 (find_zero) counts as published",
        "4 times the CPU time of the problem's own solution, and 1 s in any case",
        "4,096 MiB",
        "1,640 different answers were judged, 1,200 different programs; 3 of these ran out of time",
        *(f"unlike evalplus: {one}" for one in DIFFERS),
    ):
        assert words in text
    assert "{" not in text


@pytest.mark.parametrize(
    "facts",
    [
        {"sandbox": "chroot"},
        {"bos": [1]},
        {"method": {}},
        {"limits": {"memory_mib": "x"}},
        {"limits": [1]},
        {"differs": "no"},
        {"answers": None},
    ],
)
def test_a_fact_without_words_is_told_by_its_name(facts):
    (text,) = sentences(row(benchmark="humaneval", checks=facts))
    assert text.startswith((*facts, "differs"))


def test_the_page_and_the_markdown_tell_it():
    text = report.markdown(whole(benchmark="humaneval", checks=CHECKS))
    assert "## How MMLU (5-shot) was asked and judged" in text
    assert "walled off by bubblewrap" in text
