"""Scores of written answers to the held-out vision questions, by evalkit's own metrics where it has them."""

from __future__ import annotations

from evalkit.demo.questions import heldout


def scores(written: dict[str, list[str]]) -> dict[str, float]:
    """Mean score of each task, answers in the order in which the trainer writes them."""
    found = {}
    for task, answers in written.items():
        asked = sorted(heldout.vision(task), key=lambda one: len(one.scene.images))
        values = [score(task, answer, one) for answer, one in zip(answers, asked, strict=True)]
        found[task] = round(sum(values) / len(values), 4)
    return found


def score(task: str, answer: str, asked: heldout.HeldOut) -> float:
    """One answer's score: agreement with people, closeness to the text, or the last line's correctness."""
    row = asked.question.row
    if task == "vqav2":
        agreeing = sum(one["answer"] == answer.strip().lower() for one in row["answers"])
        return min(1.0, agreeing / 3)
    if task == "docvqa":
        return max(similarity(answer.strip().lower(), one.lower()) for one in row["answers"])
    said = answer.rpartition("Final Answer:")[2].strip()
    right = asked.question.answer.rpartition("Final Answer:")[2].strip()
    if task == "chartqa" and right.isdigit() and said.isdigit():
        return float(abs(int(said) - int(right)) <= 0.05 * int(right))
    return float(said == right)


def similarity(one: str, two: str) -> float:
    """One minus the edit distance over the longer length (ANLS without a threshold)."""
    line = list(range(len(two) + 1))
    for row, left in enumerate(one, 1):
        before, line[0] = line[0], row
        for column, right in enumerate(two, 1):
            before, line[column] = line[column], min(line[column] + 1, line[column - 1] + 1, before + (left != right))
    return 1 - line[-1] / max(len(one), len(two), 1)
