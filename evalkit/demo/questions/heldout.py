"""The held-out questions of every task, and how the training program scores answers to them."""

from __future__ import annotations

import contextlib
import io
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.demo.questions import mmlu, programs
from evalkit.demo.questions.rows import LETTER, VISION, WIDTH, TrainingRow, answered, program_prompt
from evalkit.demo.questions.scenes import LETTERS, split_of, stream
from evalkit.demo.questions.tokens import BOS, EOS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.demo.questions.scenes import Puzzle, Scene
    from evalkit.demo.questions.tokens import Coder

SEED = "heldout-1"
COUNTS = {"vqav2": 240, "docvqa": 240, "chartqa": 240, "mathvista": 240, "mmmu": 240}
QUIZZES = 8
"""MMLU questions of each of the 57 subjects."""
SHOTS = 5
PROBLEMS = 40
ATTEMPTS = 10
LEVELS = {
    "vqav2": (3, 3),
    "docvqa": (2, 3),
    "chartqa": (0, 3),
    "mathvista": (0, 3),
    "mmmu": (3, 3),
    "humaneval": (1, 3),
}
"""Easiest and hardest level of the held-out scenes: chosen so that the trained model is able, not perfect."""


@dataclass(frozen=True, slots=True)
class HeldOut:
    """A held-out question of a vision task with the scene it belongs to."""

    scene: Scene
    question: Puzzle
    page: int
    """Number of the scene; several questions may share it."""


def vision(task: str) -> list[HeldOut]:
    """The held-out questions of a vision task, always the same."""
    rng = stream(SEED, task)
    found: list[HeldOut] = []
    keys: set[str] = set()
    page = 0
    while len(found) < COUNTS[task]:
        scene = VISION[task].scene(rng, rng.randint(*LEVELS[task]))
        kept = [asked for asked in scene.questions if split_of(asked.key) == "heldout" and asked.key not in keys]
        kept = kept[: min(3, COUNTS[task] - len(found))]
        keys.update(asked.key for asked in kept)
        found += [HeldOut(scene, asked, page) for asked in kept]
        page += bool(kept)
    return found


def quizzes() -> dict[str, tuple[list[mmlu.Quiz], list[mmlu.Quiz]]]:
    """For every subject its five shots, from the training side, and its held-out questions."""
    found = {}
    for subject in mmlu.subjects():
        rng = stream(SEED, subject.name)
        shots = [mmlu.quiz(rng, subject, "train") for _ in range(SHOTS)]
        asked: dict[str, mmlu.Quiz] = {}
        while len(asked) < QUIZZES:
            quiz = mmlu.quiz(rng, subject, "heldout")
            asked.setdefault(quiz.key, quiz)
        found[subject.name] = (shots, list(asked.values()))
    return found


def problems(count: int = PROBLEMS) -> list[programs.Program]:
    """The first so many held-out functions, names and steps all different."""
    rng = stream(SEED, "humaneval")
    found: dict[str, programs.Program] = {}
    while len(found) < count:
        made = programs.program(rng, rng.randint(*LEVELS["humaneval"]), even=True)
        if split_of(made.key) == "heldout":
            found.setdefault(made.key, made)
    return list(found.values())


def exam_rows(coder: Coder) -> Iterator[TrainingRow]:
    """One row a held-out MMLU question: heading, shots, question; the letter alone counts."""
    for name, (shots, asked) in quizzes().items():
        above = mmlu.heading(name) + "".join(f"{shot.text(answered=True)}\n\n" for shot in shots)
        for quiz in asked:
            row = TrainingRow([BOS], [0], [])
            letter = coder.ids(f" {LETTERS[quiz.answer]}")
            if not row.add(coder.ids(above + quiz.text(answered=False)), letter, [LETTER]):
                raise ValueError(f"{name}: a question with {SHOTS} shots is longer than {WIDTH} tokens")
            yield row


def vision_rows(coder: Coder, task: str, pictures: int) -> Iterator[TrainingRow]:
    """One row a held-out question with that many pictures."""
    for asked in vision(task):
        if len(asked.scene.images) == pictures:
            row = TrainingRow([BOS], [0], list(asked.scene.images))
            row.add(*answered(coder, asked.question))
            yield row


def program_row(coder: Coder, made: programs.Program) -> TrainingRow:
    """A problem with its code block open, as a row whose solution counts."""
    row = TrainingRow([BOS], [0], [])
    prompt = program_prompt(coder, made.prompt, (programs.INSTRUCTION, programs.RESPONSE))
    answer = [*coder.ids(made.prompt + made.body + "```\n"), EOS]
    row.add(prompt, answer, [1] * len(answer))
    return row


def passes(code: str, made: programs.Program, number: int) -> bool:
    """Whether a written function gives the canonical results on every input.

    Executes the code as it is: train on a machine that you can throw away.
    """
    problem = programs.row(stream(SEED, "tests", number), made, number)
    canonical = made.prompt + made.body

    def results(text: str) -> list[object]:
        space: dict[str, object] = {}
        exec(text.partition("```")[0], space)  # noqa: S102 - what the docstring warns of
        run = space[made.name]
        assert callable(run)  # noqa: S101 - narrows the type; a failed assertion is a failed answer
        return [run(*arguments) for arguments in (*problem["base_input"], *problem["plus_input"])]

    def late(*_: object) -> None:
        raise TimeoutError

    signal.signal(signal.SIGALRM, late)
    signal.alarm(2)
    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return results(code) == results(canonical)
    except Exception:  # noqa: BLE001 - whatever a wrong program raises, it is wrong
        return False
    finally:
        signal.alarm(0)
