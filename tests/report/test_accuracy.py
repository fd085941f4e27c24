"""The accuracy table: dividing its scores gives its recovery, and an audit of it finds nothing."""

import dataclasses
import random
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import cards, report
from evalkit.base.types import Decoding
from evalkit.report.accuracy import decimals
from support.commands import evalkit
from support.reports import built, judged, task, whole

THREE = (task(), task("chartqa", "ChartQA (test, CoT)"), task("mathvista", "Mathvista (testmini, CoT)"))
CODE = dataclasses.replace(
    task("humaneval", "HumanEval", "Text", benchmark="humaneval", metrics=("pass@1",), headline="pass@1"),
    decoding=Decoding(10, n=5),
)


def drawn(seed, count, right=0.7, lost=0.0):
    chance = random.Random(seed)
    return [None if chance.random() < lost else chance.random() < right for _ in range(count)]


def made(labels=("base", "a"), lost=(0.0, 0.1, 0.05), count=173, tasks=(*THREE, CODE)):
    outcomes = {
        label: [
            drawn(f"{label}{at}", 5 * 31 if one.decoding.n > 1 else count + at, 0.7 - at / 9, lost[number])
            for at, one in enumerate(tasks)
        ]
        for number, label in enumerate(labels)
    }
    return built(outcomes, tasks=tasks, terms=judged(98.0))


def several():
    return made(("base", "a", "b"))


REPORTS = {
    "one side failed": made,
    "both failed": lambda: made(lost=(0.2, 0.1)),
    "two candidates": several,
    "nothing failed": lambda: made(lost=(0.0, 0.0)),
    "everything": whole,
}


@pytest.mark.parametrize("name", REPORTS)
def test_dividing_the_printed_scores_gives_the_printed_recovery(name):
    one = REPORTS[name]()
    head, body = report.table(one)
    at = [place for place, text in enumerate(head) if text == "Recovery (%)"]
    apart = head.count(one.baseline) > 1
    for cells in body:
        for place in at:
            base = float(cells[place - 2] if apart else cells[2])
            assert f"{float(cells[place - 1]) / base * 100:.2f}%" == cells[place].partition(" ")[0]
    assert apart == (name in {"two candidates", "everything"})


@pytest.mark.parametrize("name", REPORTS)
def test_the_audit_finds_nothing_in_what_evalkit_wrote_itself(name, tmp_path):
    one = REPORTS[name]()
    texts = {"report.md": report.markdown(one)}
    texts |= {f"model_card.{at}.md": report.model_card(one, label) for at, label in enumerate(one.candidates)}
    for file, text in texts.items():
        (tmp_path / file).write_text(text, encoding="utf-8")
        done = evalkit("audit", tmp_path / file, "--json")
        # The ends of an interval are told to be unchecked: only the samples give them. So are recoveries that stand
        # beside published ones, without the scores that they are of.
        told = [one for one in done.json["unchecked"] if "interval" not in one["reason"]]
        left = [one for one in told if one["column"] not in {"Published recovery", "Measured recovery"}]
        assert (done.code, done.json["findings"], left) == (0, [], []), (file, done.out)
        assert done.json["checked"] > len(one.rows)
        # Nothing but scores is read as scores, with as many samples as the file says.
        titles = {row.part.task.title: row.judgements for row in one.rows}
        for found in done.json["noise"]:
            assert found["source"] == "the card"
            place = next((title for title in titles if title in found["row"]), None)
            assert place or report.AVERAGE in found["row"], found
            if place:
                assert found["n"] in {judgement.comparison.n for judgement in titles[place].values()}


def test_an_own_mean_that_differs_stands_beside_the_paired_one():
    one = built({"base": [[True, True, False, False]], "cand": [[None, True, False, False]]})
    head, body = report.table(one)
    assert head[-1] == "On all answered"
    assert body[0][-1] == "base 50.00 (4 answers)"
    assert "on all answered: base 50.00 (4 answers)" in re.sub(r"<[^>]+>", "", html(one))
    assert "On all answered" not in report.table(built({"base": [[True] * 4], "cand": [[True] * 4]}))[0]


def html(one):
    from support.rich_report import templates

    return report.html(one, templates())


def test_rows_that_are_no_scores_are_left_alone():
    text = (
        "| Task | base | cand | Recovery (%) | n |\n|-|-|-|-|-|\n| MMLU | 70.00 | 69.00 | 98.57% | 500 |\n"
        "| MMLU latency (ms) | 70.00 | 35.00 | | |\n| MMLU unparsed answers | 1.00 | 2.00 | | 500 |\n"
        "| Average | 70.00 | 69.00 | 98.57% | |\n"
    )
    found = cards.audit(cards.card(text))
    assert not found.findings
    assert [(one.row, one.n) for one in found.noise] == [("MMLU", 500), ("Average", 500)]


@given(st.integers(1, 4000).flatmap(lambda n: st.tuples(st.just(n), st.integers(1, n), st.integers(0, n))))
@settings(max_examples=200)
def test_as_few_decimals_as_the_recovery_takes(sizes):
    n, right, kept = sizes
    base, cand, shown = right / n, kept / n, f"{100 * kept / right:.2f}"
    places = decimals([(base, cand, shown)])
    printed = [float(f"{100 * value:.{places}f}") for value in (base, cand)]
    assert f"{printed[1] / printed[0] * 100:.2f}" == shown or places == 6
