"""``evalkit tasks new`` and ``evalkit tasks check``: a task of one's own without Python, and a look at it."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit.base.errors import DataError, ExitCode, OutputError, UsageError, unwritable
from evalkit.base.printable import counted, printable
from evalkit.base.types import Answer, Image
from evalkit.cli.ending import notice
from evalkit.cli.stored import task_code_option
from evalkit.files.textfile import short, shown

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Sample, Task
    from evalkit.harnesses import Harness

_TOLD = 5
"""Rows that cannot be asked, told one by one."""
_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")


def _more_folders(context: click.Context, _: click.Parameter, value: tuple[Path, ...]) -> None:
    """Behind the subcommand a folder counts like one in front of it."""
    context.obj = (*(context.obj or ()), *value)


tasks_dir_option = click.option(
    "--tasks-dir",
    multiple=True,
    type=click.Path(path_type=Path),
    expose_value=False,
    callback=_more_folders,
    help="A folder with tasks of your own.",
)


@click.command("new", help="Write a task file for a table of your own, guessed from its columns.")
@click.argument("name")
@click.option("--from", "data", required=True, type=click.Path(path_type=Path), help="Parquet, CSV or JSON lines.")
@click.option("--output", type=click.Path(path_type=Path), help="The task file; NAME.toml beside the data if left out.")
def new(name: str, data: Path, output: Path | None) -> None:
    """Write the file, and say what was guessed."""
    from evalkit.tasks import guess, registry, task_file  # noqa: PLC0415 - --help must not wait for them

    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} cannot be a name", fix="use small letters, digits, '-', '_' and '.', 100 at most")
    output = output or data.parent / f"{name}.toml"
    if output.exists():
        raise OutputError(f"{output}: is there already", fix="choose another --output, or remove it")
    found = guess.task_file(name, data)
    if not data.resolve().is_relative_to(output.resolve().parent):
        raise UsageError(
            f"{output} does not lie above {data}",
            fix="a task file names its rows from its own folder: put it beside them",
        )
    found.file = data.resolve().relative_to(output.resolve().parent).as_posix()
    text = found.text()
    try:
        output.write_text(text, encoding="utf-8")
    except OSError as error:
        raise unwritable(output, error, "choose another --output") from error
    task_file.task(registry.toml(output), short(output), output.parent)
    click.echo(f"{short(output)}: written; guessed were")
    for sentence in found.told:
        click.echo(f"  {printable(sentence)}")
    click.echo(f"look at it with: evalkit tasks check {short(output)}")


@click.command("check", help="Show a task's first rows as they are asked, and how a right and a wrong answer score.")
@click.argument("name")
@click.option("--data", type=click.Path(path_type=Path), help="Rows to read in place of the task's own.")
@click.option("--rows", default=3, show_default=True, type=click.IntRange(1), help="How many rows are shown.")
@click.option("--answer", "answers", multiple=True, metavar="TEXT", help="An answer to score too; repeat it.")
@tasks_dir_option
@task_code_option
@click.pass_obj
def check(tasks_dir: tuple[Path, ...], name: str, data: Path | None, rows: int, answers: tuple[str, ...]) -> int:
    """Read every row, show the first ones; not fine where a row or a score is not as it should be."""
    from evalkit import harnesses  # noqa: PLC0415
    from evalkit.tasks import registry  # noqa: PLC0415

    (task,) = registry.find([name], tasks_dir)
    # Rows are looked at, each once, however often a run asks it.
    task = replace(task, decoding=replace(task.decoding, n=1))
    held = harnesses.harness(task)
    questions = held.questions(task, data, notice)
    bad: list[str] = []
    good: list[Sample] = []
    ids: set[str] = set()
    for sample, request in questions.samples(None):
        if not request:
            bad.append(sample.text)
        elif sample.id in ids:
            bad.append(f"two rows have the id {shown(sample.id)}: pairs are made by id")
        elif len(good) < rows:
            good.append(sample)
        ids.add(sample.id)
    click.echo(f"{task.name}: {counted(questions.available, 'row')}, {_state(bad, questions.available)}")
    for line in bad[:_TOLD]:
        click.echo(f"  {printable(line)}")
    if len(bad) > _TOLD:
        click.echo(f"  and {len(bad) - _TOLD:,} more")
    scoring = None if questions.checker else held
    doubts = [doubt for sample in good for doubt in _show(sample, task, scoring, answers)]
    for doubt in dict.fromkeys(doubts):
        notice(doubt)
    if not good:
        raise DataError(f"{task.name}: no row can be asked", fix="correct the columns of the task file")
    return ExitCode.USAGE if bad or doubts else ExitCode.FINE


def _state(bad: list[str], available: int) -> str:
    return f"{len(bad):,} of which cannot be asked:" if bad else "all can be asked" if available else "none"


def _show(sample: Sample, task: Task, held: Harness | None, answers: tuple[str, ...]) -> Iterator[str]:
    """Print a sample with its answers; what is doubtful of the scores."""
    from evalkit.tasks import trial  # noqa: PLC0415

    click.echo(f"\n{printable(sample.id)}" + (f" (with {printable(sample.cluster[:20])})" if sample.cluster else ""))
    for part in sample.content:
        for line in [_picture(part)] if isinstance(part, Image) else part.text.splitlines():
            click.echo(f"  | {printable(line)}")
    click.echo(f"  compared with: {printable(shown(sample.references))}")
    if held is None:
        click.echo("  answers are judged in a process of their own: none is tried here")
        return
    right, wrong = trial.right(task, sample), trial.wrong(task, sample)
    if right is None:
        click.echo("  no right answer can be made of this by itself: give one with --answer")
    for said in filter(None, (right, wrong, *answers)):
        scores = held.score(task, sample, Answer(said, "stop", None, None, 0.0))
        words = ", ".join(f"{name} {score.value:g}" for name, score in scores.items())
        click.echo(f"  answer {printable(shown(said))}: {words}")
        value = scores[task.headline].value
        if said is right and value < 1:
            yield f"a right answer does not score 1 by {task.headline}, but {value:g}"
        if said is wrong and right is not None and value >= 1:
            yield f"a wrong answer scores 1 by {task.headline}"


def _picture(part: Image) -> str:
    from evalkit.tasks import images  # noqa: PLC0415

    kind, _ = images.sendable(part.data, "original")
    width, height = images.weight(part.data)
    return f"[picture, {width} x {height}, {kind.upper()}]"
