"""The held-out questions of every task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.demo.questions import charts, docs, exams, maths, mmlu, programs, vqa
from evalkit.demo.questions.scenes import split_of, stream

if TYPE_CHECKING:
    from evalkit.demo.questions.scenes import Puzzle, Scene

SEED = "heldout-1"
VISION = {"vqav2": vqa, "docvqa": docs, "chartqa": charts, "mathvista": maths, "mmmu": exams}
"""Task to the module that draws its scenes."""
COUNTS = {"vqav2": 240, "docvqa": 240, "chartqa": 240, "mathvista": 240, "mmmu": 240}
QUIZZES = 8
"""MMLU questions of each of the 57 subjects."""
SHOTS = 5
PROBLEMS = 40
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
