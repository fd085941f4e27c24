"""``evalkit score --task``: answers that another tool has left, scored as a run scores them."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING

import click

from evalkit.base import printable
from evalkit.base.errors import UsageError
from evalkit.cli.ending import notice
from evalkit.comparison.score import Tally
from evalkit.harnesses import Reading, harness
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Answer, Json, Sample, Task
    from evalkit.harnesses import Checker

_LOOK_EVERY_S = 0.5


def score_task(file: Path, name: str, *, data: Path | None, sanitize: bool, unsafe_exec: bool, as_json: bool) -> None:
    """Score the answers in ``file`` by the rules of a task, and print the metrics.

    Raises:
        UsageError: The task is not one whose answers other tools leave.
    """
    (task,) = registry.chosen((name,), None)
    held = harness(task)
    found = held.answers(file, task, Reading(data, notice, sanitize=sanitize, unsafe=unsafe_exec))
    if found is None:
        fix = f"use --metric {task.headline} on JSON lines with `answer` and `reference`"
        raise UsageError(f"no other tool's answers to {name} can be read", fix=fix)
    answered = found.answers if found.checker is None else _judged(found.answers, found.checker, as_json=as_json)
    tally = Tally(found.task, file.name, held)
    judgements = []
    for sample, answer in answered:
        tally.add(sample, answer)
        if answer.judgement is not None:
            judgements.append({"id": sample.id, **answer.judgement})
    _show(found.task, tally, judgements, as_json=as_json)


def _judged(
    answers: Iterable[tuple[Sample, Answer]], checker: Checker, *, as_json: bool
) -> list[tuple[Sample, Answer]]:
    from evalkit.cli.display import one_bar  # noqa: PLC0415

    waiting: dict[str, tuple[Sample, Answer]] = {}
    judged: dict[str, tuple[Sample, Answer]] = {}
    try:
        for number, (sample, answer) in enumerate(answers):
            waiting[str(number)] = (sample, answer)
            checker.submit(str(number), sample, answer.text or "")
        total = len(waiting)
        with one_bar(as_json=as_json) as progress:
            bar = progress.add_task(f"judging {printable.counted(total, 'program')}", total=total)
            while waiting:
                for key, judgement in checker.ready(_LOOK_EVERY_S):
                    sample, answer = waiting.pop(key)
                    progress.advance(bar)
                    judged[key] = (sample, replace(answer, judgement=judgement))
    finally:
        checker.close()
    # In the order of the file: they come as they are finished.
    return [judged[key] for key in sorted(judged, key=int)]


def _show(task: Task, tally: Tally, judgements: Sequence[Mapping[str, Json]], *, as_json: bool) -> None:
    found = tally.task_score()
    if as_json:
        told: dict[str, Json] = {"task": task.name, "n": found.scored, "problems": len(tally.paired)}
        told["metrics"] = dict(found.metrics)
        if judgements:
            # ``id`` is the problem and the number of the attempt at it; a status is pass, fail or timeout.
            told["judgements"] = list(judgements)
        click.echo(json.dumps(told))
        return
    counted = f"{printable.counted(found.scored, 'answer')} to {printable.counted(len(tally.paired), 'question')}"
    for name, value in found.metrics.items():
        click.echo(f"{task.name} {name}: {'–' if value is None else f'{value * 100:.2f} %'} ({counted})")
    for note, count in found.notes.items():
        click.echo(f"  {printable.counted(count, 'answer')}: {note}")
