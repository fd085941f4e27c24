"""Answers that are cut short, have no words, or have reasoning alone: counted for each model, in every rendering."""

import dataclasses

import pytest

from evalkit import report
from evalkit.base.types import Answer, Elsewhere, Sample, Text
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness
from evalkit.records.plan import Plan, PlannedTask
from support.reports import COMMIT, contender, task
from support.rich_report import templates

THOUGHT = Elsewhere("reasoning_content", "so it must be")
PLAIN = Answer("right", "stop", 1, 3, 0.1)
GIVEN = {
    "base": [PLAIN, PLAIN, PLAIN, dataclasses.replace(PLAIN, elsewhere=THOUGHT)],
    "cand": [
        dataclasses.replace(PLAIN, text=None),
        dataclasses.replace(PLAIN, text=" \n", finish_reason="length"),
        dataclasses.replace(PLAIN, text=None, elsewhere=THOUGHT),
        PLAIN,
    ],
}


def built(**more):
    one = task(**more)
    part = PlannedTask(one, "listing", 4, 4, COMMIT)
    tallies = {}
    for label, answers in GIVEN.items():
        tally = tallies[label, one.name] = Tally(one, label, harness(one))
        for at, answer in enumerate(answers):
            tally.add(Sample(str(at), (Text("q"),), ["right"]), answer)
    return report.build(Plan(contender("base"), (contender("cand"),), (part,)), tallies, harness)


SENTENCES = [
    "DocVQA (val), cand: 1 of 4 answers (25.0%) ended at the token limit.",
    "DocVQA (val), cand: 3 of 4 answers are without words.",
    "DocVQA (val), base: 1 of 4 answers has reasoning that the server has cut off; it is kept, and not scored.",
    "DocVQA (val), cand: 1 of 4 answers has reasoning that the server has cut off; it is kept, and not scored.",
    "DocVQA (val), cand: 1 of 4 answers came back as 'reasoning_content' and was scored as empty",
]


@pytest.mark.parametrize("sentence", SENTENCES)
def test_each_kind_is_a_sentence_of_the_report_the_summary_and_the_card(sentence):
    made = built()
    plain = sentence.replace("'", "&#39;")
    assert sentence in report.html(made, templates()).replace("&#39;", "'")
    for text in (report.markdown(made), report.summary(made), report.model_card(made, "cand")):
        found = text.replace("\\", "").replace("&#39;", "'")
        assert sentence in found or plain in found


def test_nothing_is_said_of_what_did_not_happen():
    text = report.markdown(built())
    assert "base: 0 of 4" not in text
    assert "DocVQA (val), base: 1 of 4 answers is without words" not in text


def test_the_counts_stand_in_the_results_and_empty_answers_are_compared():
    row = report.results_json(built())["tasks"][0]
    told = {label: (one["truncated"], one["empty"], one["reasoned"]) for label, one in row["scores"].items()}
    assert told == {"base": (0, 0, 1), "cand": (1, 3, 1)}
    assert row["drift"]["cand"]["empty"]["difference"] == pytest.approx(0.75)


def test_a_task_that_scores_reasoning_says_so():
    assert "it is scored with the answer" in report.markdown(built(score_reasoning=True)).replace("\\", "")
