"""``evalkit score``: the metrics alone, on answers made elsewhere."""

from __future__ import annotations

import json
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, cast

import click

from evalkit import metrics
from evalkit.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.types import Dialect, Json


@click.command(
    "score", help="Score the answers in FILE: JSON lines with `answer` and `reference`, and an optional `id`."
)
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--metric", required=True, help="Such as anls or vqa_match.")
@click.option("--dialect", default="neuralmagic", show_default=True, help="neuralmagic, mistral or official.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object: scores (a line each, in order) and mean.")
def command(file: Path, metric: str, dialect: str, *, as_json: bool) -> None:
    """Score every line and print the mean."""
    spoken = cast("Dialect", dialect)  # metrics.score refuses what is not one
    found = [metrics.score(metric, line["answer"], line["reference"], spoken) for line in _lines(file)]
    if not found:
        raise DataError(f"{file}: no lines", fix="write one JSON object a line, with `answer` and `reference`")
    mean = fmean(score.value for score in found)
    notes = {at: score.note for at, score in enumerate(found, 1) if score.note}
    if as_json:
        click.echo(
            json.dumps(
                {
                    "metric": metric,
                    "dialect": dialect,
                    "n": len(found),
                    "mean": mean,
                    "scores": [score.value for score in found],
                    "notes": notes,
                }
            )
        )
        return
    click.echo(f"{metric} ({dialect}): {mean * 100:.2f} % of {len(found)} answers")
    for at, note in notes.items():
        click.echo(f"  line {at}: scored 0, {note}")


def _lines(file: Path) -> Iterator[dict[str, Json]]:
    with file.open(encoding="utf-8") as stream:
        for number, text in enumerate(stream, 1):
            if not text.strip():
                continue
            place = f"{file}:{number}"
            try:
                line = json.loads(text)
            except ValueError as error:
                raise DataError(f"{place}: not JSON ({error})", fix="write one JSON object a line") from error
            if not isinstance(line, dict):
                raise DataError(f"{place}: not a JSON object", fix="write one JSON object a line")
            for key in ("answer", "reference"):
                if key not in line:
                    raise DataError(f"{place}: no key '{key}'", fix=f"it has {', '.join(sorted(line)) or 'no keys'}")
            yield line
