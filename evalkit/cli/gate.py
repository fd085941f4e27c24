"""``evalkit gate``: a stored run judged anew, without asking anything."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from evalkit.base.errors import ConfigError, NothingScoredError, UsageError
from evalkit.base.printable import printable
from evalkit.cli import completing
from evalkit.cli.policy_file import asked, with_policy
from evalkit.cli.stored import on_the_way, runs_option, task_code_option

if TYPE_CHECKING:
    from evalkit.config.policy import Policy


@click.command(
    "gate",
    help="Judge a stored run anew: no server, no data set, no network, and nothing is written unless -o says where. "
    "RUN is a run's id, the beginning of one, its folder, or `latest`. Without a policy the run's own holds; "
    "where that judges no row, one has to be given (exit 2): a gate that asks nothing is none. "
    "--min-recovery is the threshold of every row without its own; --policy replaces the run's policy with a file's. "
    "The exit code is as that of `run`: 0 fine, 1 degraded, 3 undecided, 4 not comparable or incomplete, "
    "5 a model could not be served.",
)
@click.argument("run", shell_complete=completing.runs)
@with_policy
@click.option("-o", "--output", type=click.Path(path_type=Path), metavar="FOLDER", help="Write the report there, too.")
@click.option("--json", "as_json", is_flag=True, help="Print results.json as this policy makes it.")
@task_code_option
@runs_option
def command(run: str, output: Path | None, runs: Path, *, as_json: bool, **given: Any) -> int:
    """Judge, and print what the run comes to."""
    from evalkit import report  # noqa: PLC0415 - --help must not wait for these
    from evalkit.config.run_config import check_policy  # noqa: PLC0415
    from evalkit.runs import outcomes, saved_run  # noqa: PLC0415 - --help must not wait for these
    from evalkit.runs.publish import FORMATS, RunFolder  # noqa: PLC0415

    with saved_run.opened(run, runs) as (row, store, folder):
        file, own = given["policy_file"], saved_run.terms(row).policy
        rules = asked(file, given["min_recovery"], given["max_failed"], own)
        found = outcomes.gather(saved_run.plan(row), store, on_the_way)
        built = saved_run.report(row, found.tallies, policy=rules)
        names = [*(one.part.task.name for one in built.rows), *(one.task for one in built.imported)]
        if file is not None:
            check_policy(rules, names, [one.category for one in built.averages], f"{file}: policy")
        if not any(score.scored for line in built.rows for score in line.scores.values()):
            raise NothingScoredError(
                f"run {row.id}: no sample was answered by any model",
                fix="run the same command again: it asks once more",
            )
        if not built.candidates:
            raise UsageError(f"run {row.id} has no candidate to judge", fix="name a run with a candidate")
        if all(one.rule.min_recovery is None for one in built.judgements):
            # A gate that judges nothing must not look like one that was passed.
            where = f"{file}: the policy judges" if file else f"run {row.id}: its own policy judges"
            raise ConfigError(
                f"{where} none of the rows", fix="give --min-recovery 99, or a [policy] with min_recovery"
            )
        place = RunFolder(folder.parent, folder.name)
        written = place.render(built, found.flips, FORMATS, output) if output else []
    if as_json:
        click.echo(report.results_text(built), nl=False)
    else:
        kept = _kept(rules) if given["min_recovery"] is not None else []
        for line in [*built.outcome.lines, *kept, *report.sentences(built), *map(str, written)]:
            click.echo(printable(line))
    return built.outcome.exit_code


def _kept(rules: Policy) -> list[str]:
    """What --min-recovery leaves: it is the threshold of rows without their own, here as in a policy file."""
    rows = [f"{place} {value:g} %" for place, value in rules.own.items()]
    return (
        [f"a threshold of its own stays: {', '.join(rows)} (--policy FILE replaces the whole policy)"] if rows else []
    )
