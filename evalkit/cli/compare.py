"""``evalkit compare``: recovery and verdict from scores that exist already."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from evalkit import answers, harnesses, report
from evalkit.answers import MetricChoice
from evalkit.answers.sides import judged, matched
from evalkit.base.errors import ConfigError, UsageError, near_miss
from evalkit.base.printable import printable
from evalkit.base.types import Dialect
from evalkit.cli.compare_output import as_object, lines
from evalkit.cli.policy_file import asked, with_policy
from evalkit.comparison import comparability, verdict
from evalkit.comparison.outcome import outcome
from evalkit.config.given import refuse_second
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.answers.sides import Compared
    from evalkit.comparison.pairs import Side
    from evalkit.comparison.verdict import Judgement
    from evalkit.config.policy import Policy

    Sides = Mapping[str, tuple[Side, Side]]


@click.command("compare")
@click.argument("base", type=click.Path(exists=True, path_type=Path))
@click.argument("cand", type=click.Path(exists=True, path_type=Path))
@with_policy
@click.option(
    "--expected",
    type=click.IntRange(min=1),
    metavar="N",
    help="Samples that the task has, where the files cannot tell.",
)
@click.option("--task", "tasks", multiple=True, metavar="TASK", help="Only this task of a folder; repeat it.")
@click.option(
    "--metric",
    "metrics",
    multiple=True,
    metavar="[TASK=]METRIC",
    help="Such as acc, or exact_match,strict-match, where a file has several; for one task of a folder TASK=METRIC.",
)
@click.option(
    "--dialect",
    type=click.Choice(get_args(Dialect)),
    default="neuralmagic",
    help="Of --metric, for answers that are scored here.",
)
@click.option(
    "--accept-difference", "accepted", multiple=True, metavar="KEY", help="A difference that is intended; repeat it."
)
@click.option("--baseline-model", metavar="LABEL", help="Of several models in BASE, the one that is the baseline.")
@click.option("--candidate-model", metavar="LABEL", help="Of several models in CAND, the one that is the candidate.")
@click.option(
    "--published",
    multiple=True,
    metavar="FILE",
    help="A card or TOML table with published figures of the baseline, to hold its scores against; repeat it.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(base: Path, cand: Path, *, as_json: bool, **given: Any) -> int:
    """Compare the scores in BASE with those in CAND, sample by sample.

    Each is JSON lines, CSV or parquet with `id` and `score` (0-1; optional `task`, `model`, `problem`, `cluster`,
    `question`, `references`), such as `evalkit export` writes, an evalkit run or a part of one, lm-eval samples_*.jsonl
    or their folder, evalplus *_eval_results.json, or mistral-evals raw_output_*.json (with --metric).

    Without a policy the exit code is 0 when there was something to compare, otherwise 4. With --min-recovery or
    --policy it is the verdict's: 0 recovered, 1 degraded, 3 undecided, 4 incomplete or not comparable. Averages are
    those that the run itself has: such an average has to recover, each of its tasks has only not to degrade.
    """
    file = given["policy_file"]
    rules = asked(file, given["min_recovery"], given["max_failed"])
    metric, named = _metrics(given["metrics"])
    choice = MetricChoice(
        "baseline", metric, given["dialect"], given["tasks"], named, given["baseline_model"], harnesses.groups
    )
    baseline = answers.read(base, choice)
    candidate = answers.read(cand, replace(choice, role="candidate", model=given["candidate_model"]))
    sides = matched((str(base), str(cand)), (baseline, candidate), given["tasks"], given["expected"])
    _refuse_unknown(sides, named, given["accepted"])
    found = judged(sides, baseline.averages or candidate.averages, rules, given["accepted"])
    ended = outcome({"candidate": found.rows}, any_pair=True)
    if file is not None and all(row.rule.min_recovery is None for row in found.rows):
        # A gate that judges nothing must not look like one that was passed.
        raise ConfigError(f"{file}: the policy judges none of the rows", fix=_row_names(found.rows))
    doubts, unused = _doubts(sides, found, given["published"])
    found = replace(found, doubts=doubts, notes=[*_notes(base, cand, sides), *unused, *_of_policy(rules, found.rows)])
    if as_json:
        click.echo(json.dumps({"outcome": report.outcome_json(ended), **as_object(found)}, allow_nan=False))
    else:
        for line in (*ended.lines, *lines(found)):
            click.echo(printable(line))
    return ended.exit_code


def _row_names(rows: Sequence[Judgement]) -> str:
    names = ", ".join(row.comparison.task for row in rows if row.comparison.task)
    return f"set min_recovery for all rows, or for {names}" if names else "set min_recovery for all rows"


def _metrics(given: Sequence[str]) -> tuple[str | None, dict[str, str]]:
    """The metric of every task, and of those that have one of their own.

    Raises:
        UsageError: One of them is given two.
    """
    found: dict[str, str] = {}
    for text in given:
        task, metric = text.split("=", 1) if "=" in text else ("", text)
        refuse_second(found, task, metric, "--metric" if task else "--metric without a task")
        found[task] = metric
    return found.pop("", None), found


def _refuse_unknown(sides: Sides, metrics: Mapping[str, str], accepted: Sequence[str]) -> None:
    """Refuse names that would do nothing: a slip of the pen must not pass for a decision.

    Raises:
        UsageError: A metric is for a task that is not there, or a difference is accepted that cannot be.
    """
    for name in metrics:
        if name not in sides:
            raise UsageError(f"--metric {name}=...: no task '{name}'", fix=near_miss(name, filter(None, sides)))
    known = {key for pair in sides.values() for key in comparability.keys(*pair)}
    comparability.refuse_unknown(accepted, known)


def _doubts(sides: Sides, found: Compared, files: Sequence[str]) -> tuple[list[str], list[str]]:
    """What speaks against the baseline as a measure; and the files that tell nothing of it."""
    doubts: list[str] = []
    held: set[str] = set()
    for name, (side, _) in sides.items():
        tables = registry.published(files, side.model)
        card = report.own_card(name, str(side.settings.get("metric", "")), side.model, side.scores.values(), tables)
        if card is not None and not side.smoke:
            held.add(card.source)
            doubts += report.outside(name, side.label, card)
    labels = {name: pair[1].label for name, pair in sides.items()}
    for row in found.rows:
        one = row.comparison
        where = f"the {one.task} average" if one.parts else one.task or "the task"
        doubts += report.better(where, labels.get(one.task) or next(iter(labels.values())), row)
    own = {table.source for table in registry.published(files)[: len(files)]}
    unused = [f"{source}: no figure of a task and metric that were compared" for source in sorted(own - held)]
    return doubts, unused


def _notes(base: Path, cand: Path, sides: Sides) -> list[str]:
    """What concerns the comparison as a whole."""
    same = all(one.label == other.label for one, other in sides.values())
    return ["BASE and CAND are the same file"] if base.resolve() == cand.resolve() and base.is_file() and same else []


def _of_policy(rules: Policy, rows: Sequence[Judgement]) -> list[str]:
    """What the policy names in vain, and how many rows it is held against."""
    names = {row.comparison.task for row in rows}
    unused = [name for name in (*rules.tasks, *rules.averages) if name not in names]
    found = [f"the policy names what was not compared: {', '.join(unused)}"] if unused else []
    family = verdict.family_sentence(rows)
    return found if family is None else [*found, family]
