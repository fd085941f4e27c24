"""The pictures' questions: right answers, keys that name the question, and no held-out question in training."""

import ast
import hashlib

import pytest

from evalkit.demo.questions import charts, docs, exams, maths, scenes, vqa
from evalkit.demo.questions.heldout import COUNTS, vision

MODULES = [vqa, docs, charts, maths, exams]


def drawn(module, count, seed="test"):
    rng = scenes.stream(seed, module.__name__)
    return [module.scene(rng, number % 4) for number in range(count)]


def test_a_stream_depends_on_its_parts_alone():
    assert scenes.stream("a", 1).random() == scenes.stream("a", 1).random()
    assert scenes.stream("a", 1).random() != scenes.stream("a", 2).random()


def test_about_a_fifth_is_held_out():
    held = sum(scenes.split_of(f"question {number}") == "heldout" for number in range(5000))
    assert 0.17 < held / 5000 < 0.23


@pytest.mark.parametrize("module", MODULES)
def test_the_same_picture_content_and_words_have_the_same_key(module):
    """A key that held anything else (a random number, the order of choices) would put one question on both sides."""
    seen = {}
    for scene in drawn(module, 400):
        for question in scene.questions:
            again = seen.setdefault(question.key, question)
            assert sorted("\n".join(map(str, again.parts))) == sorted("\n".join(map(str, question.parts)))


@pytest.mark.parametrize("task", list(COUNTS))
def test_heldout_questions_are_enough_all_different_and_always_the_same(task):
    asked = vision(task)
    assert len(asked) == COUNTS[task] >= 200
    assert len({one.question.key for one in asked}) == len(asked)
    first, again = (
        [hashlib.sha256(one.scene.images[0].tobytes()).digest() for one in some] for some in (asked, vision(task))
    )
    assert first == again


@pytest.mark.parametrize("module", MODULES)
def test_pictures_are_small_and_not_empty(module):
    for scene in drawn(module, 20):
        for image in scene.images:
            assert image.size == (128, 128)
            assert image.mode == "RGB"
            assert len(image.getcolors(128 * 128)) > 1


def test_chart_answers_follow_from_the_bars():
    checked = 0
    for scene in drawn(charts, 120):
        for question in scene.questions:
            _, content, text = question.key.split("|")
            values = dict(ast.literal_eval(content))
            answer = question.row["answer"]
            assert question.answer.endswith(f"\nFinal Answer: {answer}")
            if text.startswith("What is the value of "):
                assert int(answer) == values[text[len("What is the value of ") : -1]]
            elif "largest" in text:
                assert values[answer] == max(values.values())
            elif text.startswith("How many"):
                bound = int(text.split()[-1].rstrip("?"))
                assert int(answer) == sum(number > bound for number in values.values())
            else:
                continue
            checked += 1
    assert checked > 200


def test_math_letters_point_at_the_answer():
    kinds = set()
    for scene in drawn(maths, 150):
        for question in scene.questions:
            row = question.row
            kinds.add(row["question_type"])
            said = question.answer.rpartition("Final Answer: ")[2]
            wanted = row["answer"] if row["choices"] is None else "ABCD"[row["choices"].index(row["answer"])]
            assert said == wanted
    assert kinds == {"multi_choice", "free_form"}


def test_exam_turns_put_pictures_in_place():
    two = 0
    for scene in drawn(exams, 200):
        (question,) = scene.questions
        assert [part for part in question.parts if isinstance(part, int)] == list(range(len(scene.images)))
        assert question.parts[-1].endswith(exams.PROMPT)
        assert "<image" not in "".join(part for part in question.parts if isinstance(part, str))
        options = ast.literal_eval(question.row["options"])
        assert (question.row["question_type"] == "open") == (not options)
        two += len(scene.images) == 2
    assert two > 30


def test_people_disagree_but_the_answer_has_at_least_six_of_ten():
    disagreeing = 0
    for scene in drawn(vqa, 60):
        for question in scene.questions:
            words = [one["answer"] for one in question.row["answers"]]
            assert len(words) == 10
            assert words.count(question.answer) >= 6
            disagreeing += len(set(words)) > 1
    assert disagreeing > 100


def test_documents_are_asked_for_what_stands_on_them():
    for scene in drawn(docs, 60):
        for question in scene.questions:
            kind, fields = ast.literal_eval(question.key.split("|")[1])
            text = question.row["question"]
            wanted = (
                kind
                if "kind of paper" in text
                else {f"What is the {label.lower()}?": value for label, value in fields}[text]
            )
            assert question.answer == wanted
            assert wanted in question.row["answers"]
