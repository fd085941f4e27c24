"""``evalkit plan``: what a run with the same options would do, without starting anything."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ExitCode, UsageError
from evalkit.base.printable import counted
from evalkit.cli.library_log import library_log
from evalkit.cli.run import Grouped, mapping, options

if TYPE_CHECKING:
    from evalkit.runs.preview import RunPreview


@click.command(
    "plan",
    cls=Grouped,
    help="Say what `evalkit run` with the same options would launch, ask, take and be able to see; and `evalkit perf`, "
    "where the file has a table `perf`. Starts nothing.",
)
@options
@click.option(
    "--discordance",
    type=float,
    metavar="SHARE",
    help="Expected share of samples that change, 0-1; from earlier runs by default, or else 0.1.",
)
def command(config_file: Path | None, *, as_json: bool, discordance: float | None, **given: Any) -> int:
    """Look ahead and show."""
    from evalkit import stats  # noqa: PLC0415 - --help must not wait for these
    from evalkit.cli.display import display  # noqa: PLC0415
    from evalkit.config import run_config  # noqa: PLC0415 - --help must not wait for these
    from evalkit.measuring.preview import preview as preview_of_perf  # noqa: PLC0415
    from evalkit.runs.preview import preview  # noqa: PLC0415

    expected = None if discordance is None else stats.share(discordance)
    if expected is None and discordance is not None:
        raise UsageError(f"--discordance is {discordance:g}", fix="give a share between 0 and 1, such as 0.1")
    file = mapping(config_file)
    settled = run_config.resolved(file, str(config_file), given)
    with library_log(Path(settled.output)), display(as_json=as_json) as say:
        found = preview(settled, say, expected)
        # Whose file has no such table has not asked for speed.
        measured = preview_of_perf(settled, say) if "perf" in file else None
    if as_json:
        click.echo(json.dumps({**_object(found), **({"perf": measured.as_json()} if measured else {})}))
        return ExitCode.FINE
    _show(found)
    if measured:
        click.echo(f"then evalkit perf: {measured.words}; {measured.takes}")
    return ExitCode.FINE


def _object(found: RunPreview) -> dict[str, Any]:
    from evalkit.runs.forecast import average_json, forecast_json  # noqa: PLC0415

    return {
        "smoke": found.smoke,
        "commands": dict(found.commands),
        "window": found.window,
        "placement": list(found.placement),
        "placed_seconds": found.placed_s,
        "tasks": [forecast_json(one) for one in found.forecasts],
        "averages": [average_json(one) for one in found.averages],
        "early": [one.json for one in found.early],
        "warnings": list(found.warnings),
    }


def _parts(found: RunPreview) -> list[str]:
    """What is asked of tasks that are not asked whole."""
    part = [one for one in found.forecasts if one.planned < one.available]
    first = [one.task.title for one in part if one.first_rows]
    drawn = ["a part of each task, drawn at random (--limit)"] if len(part) > len(first) else []
    return drawn + ([f"the first rows alone, so no verdict either way: {', '.join(first)}"] if first else [])


def _show(found: RunPreview) -> None:
    from rich.table import Table  # noqa: PLC0415
    from rich.text import Text  # noqa: PLC0415

    from evalkit.cli.display import results_console  # noqa: PLC0415
    from evalkit.runs import forecast_words  # noqa: PLC0415

    console = results_console()
    for label, words in found.commands.items():
        console.print(Text(f"{label}: {words}"), soft_wrap=True)
    for number, line in enumerate(found.placement, 1):
        console.print(Text(f"turn {number} of {len(found.placement)}: {line}"), soft_wrap=True)
    head, body = forecast_words.table(found.forecasts)
    table = Table(*head, box=None, pad_edge=False)
    for column in table.columns[1:]:
        column.justify = "right"
    for row in body:
        table.add_row(*[Text(cell) for cell in row], style="bold" if row[0] == "All" else "")
    console.print(table)
    placed = found.placed_s
    notes = [
        *([f"in turn on one server each; on these servers ~{forecast_words.duration(placed)}"] if placed else []),
        f"{counted(found.window, 'request')} under way at once; loading the models is not in the time",
        "smallest visible drop: of the score, seen four times in five by the 95 % interval",
        *forecast_words.bases(found.forecasts, found.averages),
        *_parts(found),
        *(["expected of the candidate, stopping early:"] if found.early else []),
        *(f"  {one.text}" for one in found.early),
        *(f"warning: {text}" for text in found.warnings),
    ]
    for text in notes:
        console.print(Text(text))
