"""Training rows: token ids, how much each token counts, and pictures, in arrays of fixed size."""

from __future__ import annotations

from dataclasses import dataclass
from io import BytesIO
from itertools import chain
from typing import TYPE_CHECKING, Literal, TypeAlias

import numpy as np
from PIL.Image import open as open_image

from demo_model import drills
from demo_model.tokens import BOS, EOS
from evalkit.demo.questions import programs
from evalkit.demo.questions.draw import SIDE
from evalkit.demo.questions.heldout import VISION
from evalkit.demo.questions.scenes import split_of, stream

if TYPE_CHECKING:
    import random
    from collections.abc import Iterator

    from PIL import Image

    from demo_model.tokens import Coder
    from evalkit.demo.questions.scenes import Puzzle, Scene

WIDTH = 256
"""Tokens of a row."""

Kind: TypeAlias = Literal["one", "two", "text"]
PICTURES: dict[Kind, int] = {"one": 1, "two": 2, "text": 0}
SHARES = {"vqav2": 0.16, "docvqa": 0.26, "chartqa": 0.26, "mathvista": 0.2, "mmmu": 0.12}
PLAIN, SHORT, LETTER = 2, 5, 8
"""Weights of a token: in a sentence, in a short answer, a letter that decides a question."""


@dataclass(slots=True)
class TrainingRow:
    """One row under construction."""

    ids: list[int]
    weights: list[int]
    images: list[Image.Image]

    def add(self, prompt: list[int], answer: list[int], weights: list[int]) -> bool:
        """Append a turn if it fits; say whether it did."""
        if len(self.ids) + len(prompt) + len(answer) > WIDTH:
            return False
        self.ids += prompt + answer
        self.weights += [0] * len(prompt) + weights
        return True


@dataclass(frozen=True, slots=True)
class PackedRows:
    """Many rows of one kind: ``ids`` int16 and ``weights`` uint8 [n, WIDTH], ``images`` uint8 [n, k, SIDE, SIDE, 3]."""

    ids: np.ndarray
    weights: np.ndarray
    images: np.ndarray


def rows(coder: Coder, kind: Kind, count: int, seed: str, progress: float) -> PackedRows:
    """Draw rows from the training side.

    Args:
        coder: The tokenizer.
        kind: How many pictures a row has.
        count: How many rows.
        seed: Names the draw; the same seed gives the same rows.
        progress: 0 at the start of training, 1 at its end: drills give way to the tasks.
    """
    rng = stream("rows", kind, seed)
    make = {"one": _one, "two": _two, "text": _text}[kind]
    return pack([make(coder, rng, progress) for _ in range(count)], PICTURES[kind])


def pack(made: list[TrainingRow], pictures: int) -> PackedRows:
    """Pad rows to arrays."""
    ids = np.zeros((len(made), WIDTH), np.int16)
    weights = np.zeros((len(made), WIDTH), np.uint8)
    images = np.zeros((len(made), pictures, SIDE, SIDE, 3), np.uint8)
    for place, row in enumerate(made):
        ids[place, : len(row.ids)] = row.ids
        weights[place, : len(row.weights)] = row.weights
        for slot, image in enumerate(row.images):
            images[place, slot] = np.asarray(image)
    return PackedRows(ids, weights, images)


def scenes_of(rng: random.Random, task: str, pictures: int) -> Scene:
    """A scene of a task with that many pictures and at least one question on the training side."""
    while True:
        scene = VISION[task].scene(rng, rng.randint(0, 3))
        if len(scene.images) == pictures and any(split_of(asked.key) == "train" for asked in scene.questions):
            return scene


def answered(coder: Coder, question: Puzzle) -> tuple[list[int], list[int], list[int]]:
    """Prompt ids, answer ids with the end, and the weights of the answer."""
    prompt, answer = coder.user(question.parts), coder.ids(question.answer)
    head, mark, last = question.answer.rpartition("Final Answer:")
    if mark:
        start = len(coder.ids(head + mark))
        final = LETTER if last.strip() in "ABCD" else SHORT
        weights = [PLAIN] * start + [final] * (len(answer) - start)
    else:
        weights = [SHORT] * len(answer)
    return prompt, [*answer, EOS], [*weights, 1]


def _one(coder: Coder, rng: random.Random, progress: float) -> TrainingRow:
    del progress
    (task,) = rng.choices(list(SHARES), list(SHARES.values()))
    scene = scenes_of(rng, task, 1)
    row = TrainingRow([BOS], [0], [_photographed(image) if rng.random() < 0.3 else image for image in scene.images])
    _turns(coder, row, scene)
    return row


def _photographed(image: Image.Image) -> Image.Image:
    """The picture as JPEG leaves it: some data sets hold photographs, and the protocol saves them again."""
    held = BytesIO()
    image.save(held, format="JPEG")
    return open_image(held)


def _turns(coder: Coder, row: TrainingRow, scene: Scene) -> None:
    """Every question on the training side, as far as they fit; the first turn alone shows the pictures."""
    first = True
    for question in scene.questions:
        if split_of(question.key) != "train":
            continue
        prompt, answer, weights = answered(coder, question)
        if not first:
            prompt = coder.user(tuple(part for part in question.parts if isinstance(part, str)))
        if not row.add(prompt, answer, weights):
            return
        first = False


def _two(coder: Coder, rng: random.Random, progress: float) -> TrainingRow:
    del progress
    if rng.random() < 0.5:
        scene = scenes_of(rng, "mmmu", 2)
        row = TrainingRow([BOS], [0], list(scene.images))
        _turns(coder, row, scene)
        return row
    row = TrainingRow([BOS], [0], [])
    while len(row.images) < 2:
        scene = scenes_of(rng, rng.choice(("mmmu", "mmmu", "mathvista")), 1)
        question = next(asked for asked in scene.questions if split_of(asked.key) == "train")
        if not row.add(*answered(coder, question)):
            break
        row.images += scene.images
    return row


def _text(coder: Coder, rng: random.Random, progress: float) -> TrainingRow:
    drilled = max(0.15, 0.6 - 1.2 * progress)
    if rng.random() < drilled:
        return _plain(coder, drills.drill(rng))
    if rng.random() < 0.2:
        return _program(coder, rng)
    return _plain(coder, drills.exam(rng, max(0.05, 0.7 - 1.5 * progress)))


def _plain(coder: Coder, drill: drills.Drill) -> TrainingRow:
    row = TrainingRow([BOS], [0], [])
    for text, learned in drill:
        ids = coder.ids(text)
        weight = LETTER if text.strip() in "ABCD" else SHORT
        if not row.add([] if learned else ids, ids if learned else [], [weight] * len(ids) if learned else []):
            break
    return row


def _program(coder: Coder, rng: random.Random) -> TrainingRow:
    while True:
        made = programs.program(rng, rng.randint(0, 3))
        if split_of(made.key) == "train":
            break
    row = TrainingRow([BOS] * rng.choice((1, 1, 1, 2)), [], [])
    row.weights = [0] * len(row.ids)
    usual = rng.random() < 0.5
    words = (programs.INSTRUCTION, programs.RESPONSE) if usual else (_any_words(rng), _any_words(rng))
    answer = coder.ids(made.prompt + made.body + "```\n")
    row.add(program_prompt(coder, made.prompt, words), [*answer, EOS], [PLAIN] * (len(answer) + 1))
    return row


def _any_words(rng: random.Random) -> str:
    """A sentence of no meaning, so that the code block alone says what is asked."""
    return " ".join(rng.choice(drills.WORDS) for _ in range(rng.randint(0, 12))).capitalize()


def program_prompt(coder: Coder, prompt: str, words: tuple[str, str]) -> list[int]:
    """A user turn with the problem, and an assistant turn whose code block is open."""
    turn = coder.user((f"{words[0]}{programs.FENCE}{prompt.strip()}{programs.FENCE}",))
    return turn + coder.ids(f"{words[1]}\n```python\n")


def corpus() -> Iterator[str]:
    """Text to learn the tokenizer from: every task and drill, drawn with a fixed seed."""
    rng = stream("corpus")
    for number in range(2000):
        for module in VISION.values():
            for question in module.scene(rng, number % 4).questions[:2]:
                yield from (part for part in question.parts if isinstance(part, str))
                yield question.answer
        yield "".join(text for text, _ in drills.drill(rng))
        yield "".join(text for text, _ in drills.exam(rng, 0.2))
        if number % 3 == 0:
            made = programs.program(rng, 3, even=True)
            yield f"{programs.INSTRUCTION}{programs.FENCE}{made.prompt}{programs.FENCE}"
            yield f"{programs.RESPONSE}\n```python\n{made.body}```\n"
    yield from chain.from_iterable((f"Answer: {letter}" for letter in "ABCD") for _ in range(50))
