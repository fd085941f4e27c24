"""``evalkit card``: a candidate's model card, with all the parts of a published one that are known."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import NothingScoredError, UsageError, near_miss
from evalkit.base.printable import printable
from evalkit.cli import completing
from evalkit.cli.ending import notice
from evalkit.cli.stored import on_the_way, runs_option, task_code_option

if TYPE_CHECKING:
    from evalkit.report import Report


@click.command(
    "card",
    help="Write a candidate's model card: how it was made (where the checkpoint holds recipe.yaml), what it kept, and "
    "what it saves (where `evalkit perf` has measured the same checkpoints). RUN is a run's id, the beginning of one, "
    "its folder, or `latest`. With --push, show what the card would change in a repository of the Hub; with --yes too, "
    "change it. The token is HF_TOKEN of the environment.",
)
@click.argument("run", shell_complete=completing.runs)
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
@click.option(
    "--push",
    "repo",
    metavar="REPO",
    help="Show what the card and its .eval_results would change in this model's repository on the Hub.",
)
@click.option("--yes", "sure", is_flag=True, help="With --push: make these changes, in one commit.")
@task_code_option
@runs_option
def command(run: str, runs: Path, **given: Any) -> None:
    """Write, and print what was written; or show what would change, and change it."""
    from evalkit.runs import outcomes, saved_run  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.publish import RunFolder  # noqa: PLC0415

    if given["sure"] and not given["repo"]:
        raise UsageError("--yes goes with --push", fix="name the repository: --push OWNER/NAME")
    with saved_run.opened(run, runs) as (row, store, folder):
        found = outcomes.gather(saved_run.plan(row), store, on_the_way)
        built = _chosen(saved_run.report(row, found.tallies), row.id, given["candidate"])
        built = _with_performance(built, folder, given["named"])
        if given["repo"]:
            _push(built, row.id, given["repo"], sure=given["sure"])
            return
        for path in RunFolder(folder.parent, folder.name).render(built, found.flips, ("card",), given["output"]):
            click.echo(path)


def _chosen(built: Report, run: str, candidate: str | None) -> Report:
    """The report of the candidate that is named, or of all.

    Raises:
        UsageError: There is no such candidate, or a task was not asked to its end.
        NothingScoredError: No model answered anything.
    """
    if not any(score.scored for line in built.rows for score in line.scores.values()):
        raise NothingScoredError(
            f"run {run}: no sample was answered by any model", fix="run the same command again: it asks once more"
        )
    if not built.candidates:
        raise UsageError(f"run {run} has no candidate, and a card tells of one", fix="name another run")
    if built.stopped:
        raise UsageError(
            f"run {run}: {', '.join(built.stopped)} stopped early, and what a part comes to is no score for a card",
            fix="run the same command without --stop-early: it asks the rest",
        )
    if candidate is None:
        return built
    if candidate not in built.candidates:
        raise UsageError(f"run {run}: no candidate '{candidate}'", fix=near_miss(candidate, built.candidates))
    chosen = tuple(one for one in built.plan.candidates if one.model.label == candidate)
    return replace(built, plan=replace(built.plan, candidates=chosen))


def _with_performance(built: Report, folder: Path, named: str) -> Report:
    from evalkit.runs import joining  # noqa: PLC0415 - as above

    built = joining.joined(built, folder.parent, named)
    if built.performance is None:
        notice("no performance in the card: `evalkit perf` has not measured these checkpoints here")
    return built


def _push(built: Report, run: str, repo: str, *, sure: bool) -> None:
    """Show what would change on the Hub, and change it where somebody is sure."""
    from evalkit import report  # noqa: PLC0415 - as above
    from evalkit.runs import publish, pushing  # noqa: PLC0415

    if len(built.candidates) > 1:
        raise UsageError("a repository is of one candidate", fix=f"add --candidate {built.candidates[0]}")
    (label,) = built.candidates
    results = report.eval_results(built, label, publish.began(run).isoformat())
    push = pushing.prepared(repo, report.model_card(built, label), results)
    for line in push.diff:
        click.echo(printable(line))
    if not push.changes:
        click.echo(f"{repo}: nothing would change")
    elif sure:
        click.echo(pushing.send(push))
    else:
        notice(f"nothing was changed; to make these changes in {repo}, add --yes")
