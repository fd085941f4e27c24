"""Held-out questions as training rows, and written functions judged, for the training program's own scores."""

from __future__ import annotations

import contextlib
import io
import signal
from typing import TYPE_CHECKING

from demo_model.rows import LETTER, WIDTH, TrainingRow, answered, program_prompt
from demo_model.tokens import BOS, EOS
from evalkit.demo.questions import mmlu, programs
from evalkit.demo.questions.heldout import SEED, SHOTS, quizzes, vision
from evalkit.demo.questions.scenes import LETTERS, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from demo_model.tokens import Coder

ATTEMPTS = 10
"""Of the training program at each held-out function."""


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
