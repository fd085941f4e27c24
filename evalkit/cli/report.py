"""``evalkit report``: a run's report once more, from the store alone."""

from __future__ import annotations

from pathlib import Path

import click

from evalkit.base.errors import NothingScoredError, UsageError, near_miss
from evalkit.cli import completing
from evalkit.cli.ending import notice
from evalkit.cli.stored import on_the_way, runs_option, task_code_option

FORMATS = ("html", "md", "card", "evals", "junit", "json", "summary", "annotations")


@click.command(
    "report",
    help="Render a run's report again from the store: no server, no data set, no network. "
    "RUN is a run's id, the beginning of one, its folder, or `latest`.",
)
@click.argument("run", shell_complete=completing.runs)
@click.option(
    "--format",
    "formats",
    default=",".join(FORMATS),
    show_default=True,
    metavar="NAMES",
    help="Which files, with commas between them.",
)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write; the run's own folder."
)
@click.option(
    "--perf",
    "named",
    default="",
    metavar="RUN",
    help="The performance run of the same checkpoints; by default the newest in the folder of runs.",
)
@task_code_option
@runs_option
def command(run: str, formats: str, output: Path | None, named: str, runs: Path) -> None:
    """Render, and print what was written."""
    from evalkit.runs import joining, outcomes, saved_run  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.publish import RunFolder  # noqa: PLC0415

    chosen = _chosen(formats)
    with saved_run.opened(run, runs) as (row, store, folder):
        found = outcomes.gather(saved_run.plan(row), store, on_the_way)
        built = saved_run.report(row, found.tallies)
        if not any(score.scored for line in built.rows for score in line.scores.values()):
            raise NothingScoredError(
                f"run {row.id}: no sample was answered by any model",
                fix="run the same command again: it asks once more",
            )
        built = joining.joined(built, folder.parent, named)
        if "card" in chosen and not built.candidates:
            notice("no model card: it tells of a candidate, and this run has none")
        if "card" in chosen and built.stopped:
            notice(f"no model card: {', '.join(built.stopped)} stopped early (--stop-early)")
        for path in RunFolder(folder.parent, folder.name).render(built, found.flips, chosen, output):
            click.echo(path)


def _chosen(formats: str) -> list[str]:
    """The formats that are meant.

    Raises:
        UsageError: One is not known, with the near miss.
    """
    chosen = [name.strip() for name in formats.split(",") if name.strip()]
    for name in chosen:
        if name not in FORMATS:
            raise UsageError(f"--format: unknown format '{name}'", fix=near_miss(name, FORMATS))
    if not chosen:
        raise UsageError("--format: names no format", fix=f"known: {', '.join(FORMATS)}")
    return chosen
