"""The closed world of facts, and its split."""

from collections import Counter

from evalkit.demo.questions import mmlu
from evalkit.demo.questions.heldout import QUIZZES, SHOTS, quizzes
from evalkit.demo.questions.scenes import stream


def test_there_are_the_57_subjects_in_four_categories():
    counts = Counter(subject.category for subject in mmlu.subjects())
    assert counts == {"stem": 19, "humanities": 13, "social_sciences": 12, "other": 13}
    for subject in mmlu.subjects():
        assert len({key for key, _ in subject.facts}) == len({value for _, value in subject.facts}) == 6


def test_answers_follow_from_the_facts():
    rng = stream("test")
    for subject in mmlu.subjects():
        quiz = mmlu.quiz(rng, subject, "train")
        facts = {wording.format(key): value for wording in subject.wordings for key, value in subject.facts}
        assert quiz.choices[quiz.answer] == facts[quiz.question]
        assert len(set(quiz.choices)) == 4


def test_heldout_questions_are_never_trained_on_and_shots_are_not_heldout():
    found = quizzes()
    heldout = {quiz.key for _, asked in found.values() for quiz in asked}
    assert len(heldout) == 57 * QUIZZES >= 400
    assert all(len(shots) == SHOTS for shots, _ in found.values())
    assert not heldout & {shot.key for shots, _ in found.values() for shot in shots}
    rng = stream("training")
    trained = {mmlu.quiz(rng, subject, "train").key for subject in mmlu.subjects() for _ in range(200)}
    assert not heldout & trained


def test_training_shows_late_facts_rarely_and_heldout_questions_do_not():
    subject = mmlu.subjects()[2]
    rng = stream("tail")
    last = subject.facts[-1][1]
    shown = [quiz.choices[quiz.answer] for quiz in (mmlu.quiz(rng, subject, "train") for _ in range(2000))]
    asked = [quiz.choices[quiz.answer] for quiz in (mmlu.quiz(rng, subject, "heldout") for _ in range(2000))]
    assert shown.count(last) < 20
    assert asked.count(last) > 100
