"""``evalkit score``: the metrics alone, on answers made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, cast

import click

from evalkit.base import printable
from evalkit.base.errors import DataError, NothingScoredError, UsageError
from evalkit.files import textfile
from evalkit.tasks import metrics

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Dialect, Json, Score


@click.command(
    "score",
    help="Score answers made elsewhere: with --metric a FILE of JSON lines with `answer` and `reference`, with --task "
    "what the tool behind that task leaves: evalplus's sample files, or lm-eval's samples_*.jsonl.",
)
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--metric", help="Such as anls or vqa_match.")
@click.option("--task", "task_name", help="A task that another tool's rules ask, by its name or TOML file.")
@click.option("--dialect", default="neuralmagic", show_default=True, help="neuralmagic, mistral or official.")
@click.option(
    "--data", type=click.Path(exists=True, path_type=Path), help="The task's own data, in place of a download."
)
@click.option("--sanitize", is_flag=True, help="Cut programs out of raw answers first, as evalplus.sanitize does.")
@click.option("--unsafe-exec", is_flag=True, help="Run programs without a sandbox, on a machine that has none.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(file: Path, metric: str | None, task_name: str | None, *, as_json: bool, **given: Any) -> None:
    """Score, and print the mean."""
    if (metric is None) == (task_name is None):
        raise UsageError("what to score by is not clear", fix="name either --metric, such as anls, or --task")
    if task_name is not None:
        from evalkit.cli.score_task import score_task  # noqa: PLC0415 - the harnesses are for those who use them

        score_task(file, task_name, as_json=as_json, **{key: value for key, value in given.items() if key != "dialect"})
        return
    _by_metric(file, str(metric), cast("Dialect", given["dialect"]), as_json=as_json)


def _by_metric(file: Path, metric: str, dialect: Dialect, *, as_json: bool) -> None:
    if file.is_dir():
        raise UsageError(f"{file}: is a folder", fix="name a file of JSON lines with `answer` and `reference`")
    found = [metrics.score(metric, line["answer"], line["reference"], dialect) for line in _lines(file)]
    if not found:
        raise DataError(f"{file}: no lines", fix="write one JSON object a line, with `answer` and `reference`")
    _show(metric, dialect, found, as_json=as_json)
    _refuse_nothing(file, metric, found)


def _show(metric: str, dialect: Dialect, found: Sequence[Score], *, as_json: bool) -> None:
    counted = [score.value for score in found if not score.left_out]
    mean = fmean(counted) if counted else None
    notes = {at: score.note for at, score in enumerate(found, 1) if score.note}
    if as_json:
        click.echo(
            json.dumps(
                {
                    "metric": metric,
                    "dialect": dialect,
                    "n": len(counted),
                    "left_out": len(found) - len(counted),
                    "mean": mean,
                    "scores": [None if score.left_out else score.value for score in found],
                    "notes": notes,
                }
            )
        )
        return
    shown = "no score" if mean is None else f"{mean * 100:.2f} %"
    click.echo(f"{metric} ({dialect}): {shown} of {printable.counted(len(counted), 'answer')}")
    for at, note in notes.items():
        click.echo(f"  line {at}: {'left out' if found[at - 1].left_out else 'scored 0'}, {note}")


def _refuse_nothing(file: Path, metric: str, found: Sequence[Score]) -> None:
    """A mean of nothing must not look like a score."""
    if all(score.left_out for score in found):
        why = ", ".join(sorted({score.note for score in found if score.note}))
        raise NothingScoredError(
            f"{file}: none of {len(found)} answers could be scored by {metric} ({why})",
            fix="name the metric that fits the references, or correct them",
        )


def _lines(file: Path) -> Iterator[dict[str, Json]]:
    for place, line in textfile.objects(file):
        for key in ("answer", "reference"):
            if key not in line:
                raise DataError(f"{place}: no key '{key}'", fix=f"it has {', '.join(sorted(line)) or 'no keys'}")
        answer = line["answer"]
        if answer is not None and not isinstance(answer, str):
            raise DataError(
                f"{place}: answer is {textfile.shown(answer)}", fix="an answer is a text, or null where there was none"
            )
        yield line
