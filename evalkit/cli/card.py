"""``evalkit card``: a candidate's model card, with all the parts of a published one that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import click

from evalkit.base.errors import NothingScoredError, UsageError, near_miss
from evalkit.cli.ending import notice
from evalkit.cli.stored import on_the_way, runs_option, task_code_option


@click.command(
    "card",
    help="Write a candidate's model card: how it was made (where the checkpoint holds recipe.yaml), what it kept, and "
    "what it saves (where `evalkit perf` has measured the same checkpoints). RUN is a run's id, the beginning of one, "
    "its folder, or `latest`.",
)
@click.argument("run")
@click.option(
    "--perf",
    "named",
    default="",
    metavar="RUN",
    help="The performance run; by default the newest of the same checkpoints in the folder of runs.",
)
@click.option("--candidate", metavar="LABEL", help="Whose card; a card of each by default.")
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Where to write; the run's own folder."
)
@task_code_option
@runs_option
def command(run: str, named: str, candidate: str | None, output: Path | None, runs: Path) -> None:
    """Write, and print what was written."""
    from evalkit.runs import joining, outcomes, saved_run  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.publish import RunFolder  # noqa: PLC0415

    with saved_run.opened(run, runs) as (row, store, folder):
        found = outcomes.gather(saved_run.plan(row), store, on_the_way)
        built = saved_run.report(row, found.tallies)
        if not any(score.scored for line in built.rows for score in line.scores.values()):
            raise NothingScoredError(
                f"run {row.id}: no sample was answered by any model",
                fix="run the same command again: it asks once more",
            )
        if not built.candidates:
            raise UsageError(f"run {row.id} has no candidate, and a card tells of one", fix="name another run")
        if candidate is not None and candidate not in built.candidates:
            raise UsageError(f"run {row.id}: no candidate '{candidate}'", fix=near_miss(candidate, built.candidates))
        built = joining.joined(built, folder.parent, named)
        if candidate is not None:
            chosen = tuple(one for one in built.plan.candidates if one.model.label == candidate)
            built = replace(built, plan=replace(built.plan, candidates=chosen))
        if built.performance is None:
            notice("no performance in the card: `evalkit perf` has not measured these checkpoints here")
        for path in RunFolder(folder.parent, folder.name).render(built, found.flips, ("card",), output):
            click.echo(path)
