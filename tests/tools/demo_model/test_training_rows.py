"""Training rows: what fits, what counts, and that the ids are those of the chat template."""

import numpy as np
import pytest

from demo_model import drills, rows
from demo_model.tokens import BOS, EOS, IMG, PATCHES, picture
from evalkit.demo.questions import mmlu
from evalkit.demo.questions.heldout import VISION, vision
from evalkit.demo.questions.programs import RESPONSE
from evalkit.demo.questions.scenes import split_of, stream


def test_letters_and_digits_are_single_tokens(coder):
    for text in (*(f" {letter}" for letter in "ABCD"), *"0123456789"):
        assert len(coder.ids(text)) == 1
    assert len(coder.ids("1234")) == 4


def test_a_picture_is_its_patches_and_a_mark_a_line():
    ids = picture()
    assert ids.count(IMG) == PATCHES == 64
    assert len(ids) == 72


@pytest.mark.parametrize(("kind", "pictures"), [("one", 1), ("two", 2), ("text", 0)])
def test_rows_have_their_pictures_and_something_to_learn(coder, kind, pictures):
    made = rows.rows(coder, kind, 40, "seed", 0.5)
    assert made.ids.shape == made.weights.shape == (40, rows.WIDTH)
    assert made.images.shape == (40, pictures, 128, 128, 3)
    assert (made.ids[:, 0] == BOS).all()
    assert ((made.weights > 0).sum(1) > 0).all()
    assert ((made.ids == IMG).sum(1) <= pictures * PATCHES).all()
    assert not made.weights[made.ids == IMG].any()


def test_the_same_seed_draws_the_same_rows(coder):
    one, again, other = (rows.rows(coder, "one", 5, seed, 0.5) for seed in ("a", "a", "b"))
    assert np.array_equal(one.ids, again.ids)
    assert np.array_equal(one.images, again.images)
    assert not np.array_equal(one.ids, other.ids)


def test_what_is_learned_of_a_chat_is_its_answers(coder):
    made = rows.rows(coder, "one", 20, "seed", 0.5)
    for ids, weights in zip(made.ids.tolist(), made.weights.tolist(), strict=True):
        learned = [token for token, weight in zip(ids, weights, strict=True) if weight]
        assert learned[-1] == EOS
        assert "?" not in coder.text(learned)


def test_drills_give_way_to_the_tasks(coder):
    def heading(progress):
        made = rows.rows(coder, "text", 200, "seed", progress)
        return sum("multiple choice" in coder.text(ids) for ids in made.ids.tolist())

    assert heading(1.0) > 1.4 * heading(0.0)


def test_a_drill_is_right():
    rng = stream("adding")
    for _ in range(20):
        for (asked, _), (said, learned) in zip(*[iter(drills._adding(rng))] * 2, strict=False):
            if learned and "+" in asked:
                left, _, right = asked.rstrip(" =").rpartition(" + ")
                assert int(left.rpartition("\n")[2]) + int(right) == int(said)


def test_a_program_prompt_leaves_the_code_block_open(coder):
    ids = rows.program_prompt(coder, "def f(xs):\n", ("Write this function.", RESPONSE))
    assert coder.text(ids).endswith(f"{RESPONSE}\n```python\n")


def test_an_easy_question_names_its_answer():
    rng = stream("easy")
    for subject in mmlu.subjects():
        quiz = drills.easy_quiz(rng, subject)
        assert quiz.choices[quiz.answer] in quiz.question


@pytest.mark.parametrize("task", list(rows.SHARES))
def test_training_never_shows_a_heldout_question(task):
    heldout = {one.question.key for one in vision(task)}
    rng = stream("training", task)
    shown = set()
    for _ in range(400):
        scene = rows.scenes_of(rng, task, 1)
        shown |= {one.key for one in scene.questions if split_of(one.key) == "train"}
    assert len(shown) > 150
    assert not heldout & shown
    # Nor in other words: the whole user turn together with the picture's content is the key's text.
    assert all(key.startswith(f"{task}|") for key in heldout | shown)


def test_every_task_has_a_share():
    assert set(rows.SHARES) == set(VISION)
    assert sum(rows.SHARES.values()) == pytest.approx(1)
