"""Scores inside training agree with what the tasks' own rules say in plain cases."""

from demo_model import answers
from evalkit.demo.questions.heldout import VISION, vision


def test_the_reference_scores_one_and_nonsense_scores_nothing():
    for task in VISION:
        asked = vision(task)[0]
        assert answers.score(task, asked.question.answer, asked) == 1
        assert answers.score(task, "???", asked) < 0.2


def test_similarity_is_one_minus_the_share_of_edits():
    assert answers.similarity("abcde", "abxyz") == 0.4
    assert answers.similarity("", "") == 1
    assert answers.similarity("abc", "") == 0


def test_a_near_number_counts_in_charts_alone():
    chart = next(
        one
        for one in vision("chartqa")
        if one.question.row["answer"].isdigit() and int(one.question.row["answer"]) >= 20
    )
    number = int(chart.question.row["answer"])
    assert answers.score("chartqa", f"Final Answer: {number + 1}", chart) == 1
    assert answers.score("chartqa", f"Final Answer: {number + 3}", chart) == 0


def test_scores_are_means_over_a_task():
    asked = sorted(vision("docvqa"), key=lambda one: len(one.scene.images))
    half = [one.question.answer if place % 2 else "" for place, one in enumerate(asked)]
    assert answers.scores({"docvqa": half}) == {"docvqa": 0.5}
