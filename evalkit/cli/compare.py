"""``evalkit compare``: recovery and verdict from scores that exist already."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, get_args

import click

from evalkit import answers, averages, pairs, report, verdict
from evalkit.answers import Choice
from evalkit.cli.policy_file import asked, with_policy
from evalkit.errors import ConfigError, DataError, near_miss
from evalkit.outcome import outcome
from evalkit.pairs import Side
from evalkit.printable import printable
from evalkit.types import Dialect

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.answers import Found
    from evalkit.pairs import Comparison
    from evalkit.policy import Policy
    from evalkit.types import Json
    from evalkit.verdict import Judgement

_METHODS = {
    "fieller": "Fieller's, on the pairs",
    "score": "score interval, on the pairs: few samples differ",
    "combined": "combined from the tasks' intervals",
}


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
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(base: Path, cand: Path, *, as_json: bool, **given: Any) -> int:
    """Compare the scores in BASE with those in CAND, sample by sample.

    Each is a JSON lines file with `id` and `score` (0-1; optional `cluster`, `question`, `references`), an evalkit
    run or a part of one, lm-eval samples_*.jsonl or their folder, evalplus *_eval_results.json, or mistral-evals
    raw_output_*.json (with --metric).

    Without a policy the exit code is 0 when there was something to compare, otherwise 4. With --min-recovery or
    --policy it is the verdict's: 0 recovered, 1 degraded, 3 undecided, 4 incomplete or not comparable. An average
    over several tasks has to recover; each of its tasks has only not to degrade.
    """
    file = given["policy_file"]
    rules = asked(file, given["min_recovery"], given["max_failed"])
    named = dict(text.partition("=")[::2] for text in given["metrics"] if "=" in text)
    metric = next((text for text in reversed(given["metrics"]) if "=" not in text), None)
    choice = Choice("baseline", metric, given["dialect"], given["tasks"], named)
    baseline = answers.read(base, choice)
    candidate = answers.read(cand, replace(choice, role="candidate"))
    compared = _compared(base, cand, (baseline, candidate), given)
    rows = _judged(compared, baseline.category or "average", rules)
    found = outcome({"candidate": rows}, any_pair=True)
    if file is not None and all(row.rule.min_recovery is None for row in rows):
        # A gate that judges nothing must not look like one that was passed.
        raise ConfigError(f"{file}: the policy judges none of the rows", fix=_row_names(rows))
    notes = _notes(base, cand, rules, rows)
    if as_json:
        click.echo(json.dumps({"outcome": report.outcome_json(found), **_object(rows, notes)}, allow_nan=False))
    else:
        for line in (*found.lines, *_lines(rows, notes)):
            click.echo(printable(line))
    return found.exit_code


def _row_names(rows: Sequence[Judgement]) -> str:
    names = ", ".join(row.comparison.task for row in rows if row.comparison.task)
    return f"set min_recovery for all rows, or for {names}" if names else "set min_recovery for all rows"


# --- reading ---


def _compared(base: Path, cand: Path, found: tuple[Found, Found], given: Mapping[str, Any]) -> list[Comparison]:
    """Every task of either side."""
    baseline, candidate = found
    if baseline.format != candidate.format:
        raise DataError(
            f"{base} is {baseline.format}, {cand} is {candidate.format}: their ids do not name the same samples",
            fix="compare two files of one format",
        )
    sides = _matched(baseline.tasks, candidate.tasks)
    unknown = [name for name in given["tasks"] if name not in sides]
    if unknown:
        raise DataError(f"no task '{unknown[0]}' in {base} or {cand}", fix=near_miss(unknown[0], filter(None, sides)))
    chosen = {name: pair for name, pair in sides.items() if name in given["tasks"] or not given["tasks"]}
    if given["expected"] is not None:
        if len(chosen) > 1:
            raise DataError(f"--expected {given['expected']} with {len(chosen)} tasks", fix="choose one with --task")
        chosen = {name: (_expecting(one, given["expected"]), other) for name, (one, other) in chosen.items()}
    return [pairs.compare(name, *pair, accepted=given["accepted"]) for name, pair in chosen.items()]


def _matched(baseline: Mapping[str, Side], candidate: Mapping[str, Side]) -> dict[str, tuple[Side, Side]]:
    """The sides of each task. A single task on both sides is one pair, whatever the names: a difference says more."""
    if len(baseline) == len(candidate) == 1:
        (name, one), (other, two) = *baseline.items(), *candidate.items()
        return {name or other: (one, two)}
    if "" in {*baseline, *candidate}:
        raise DataError("one side has several tasks, the other does not say which task it is", fix="name two files")
    return {
        name: (baseline.get(name, Side("baseline", {})), candidate.get(name, Side("candidate", {})))
        for name in dict.fromkeys([*baseline, *candidate])
    }


def _expecting(side: Side, expected: int) -> Side:
    if len(side.known) > expected:
        raise DataError(f"{side.label} has {len(side.known)} samples, expected {expected}", fix="correct --expected")
    return replace(side, planned=expected, available=expected)


def _judged(compared: Sequence[Comparison], category: str, rules: Policy) -> list[Judgement]:
    """Every task, and after several of them their average; tested together."""
    several = len(compared) > 1
    rows = [verdict.judge(one, rules.for_task(one.task, averaged=several), rules.max_failed) for one in compared]
    if several:
        rows.append(verdict.judge(averages.average(category, compared), rules.for_average(category), rules.max_failed))
    return verdict.together(rows)


def _notes(base: Path, cand: Path, rules: Policy, rows: Sequence[Judgement]) -> list[str]:
    """What concerns the comparison as a whole."""
    found = []
    if base.resolve() == cand.resolve() and base.is_file():
        found.append("BASE and CAND are the same file")
    names = {row.comparison.task for row in rows}
    unused = [name for name in (*rules.tasks, *rules.averages) if name not in names]
    if unused:
        found.append(f"the policy names what was not compared: {', '.join(unused)}")
    family = verdict.family_sentence(rows)
    return found if family is None else [*found, family]


# --- writing ---


def _object(rows: Sequence[Judgement], notes: Sequence[str]) -> dict[str, Json]:
    """The last row, which is the only task or the average, and the tasks of an average below it."""
    found = _row_object(rows[-1])
    found["reasons"] += notes
    if len(rows) > 1:
        found["tasks"] = [_row_object(row) for row in rows[:-1]]
    return found


def _row_object(row: Judgement) -> dict[str, Json]:
    one, flips = row.comparison, row.comparison.flips
    low, high = one.recovery.low, one.recovery.high
    return {
        "task": one.task or None,
        "n": one.n,
        "planned": one.planned,
        "failed": one.failed,
        "missing": one.missing,
        "baseline": one.baseline,
        "candidate": one.candidate,
        "recovery": one.recovery.percent,
        "interval": None if low is None or high is None else [low, high],
        "interval_method": one.recovery.method,
        "question": one.recovery.question,
        "bounds": None if one.bounds is None else [_finite(value) for value in one.bounds],
        "regressed": flips.regressed if flips else None,
        "improved": flips.improved if flips else None,
        "mcnemar_p": flips.mcnemar_p if flips else None,
        "threshold": row.rule.min_recovery,
        "tier": row.rule.tier,
        "verdict": row.verdict,
        "more_samples": row.more.likely if row.more else None,
        "more_samples_range": [row.more.fewest, row.more.most] if row.more else None,
        "p": row.p,
        "tested": row.tested,
        "differences": [difference.key for difference in one.differences],
        "reasons": list(row.reasons),
    }


def _finite(value: float) -> float | None:
    return None if value == float("inf") else value


def _lines(rows: Sequence[Judgement], notes: Sequence[str]) -> Iterator[str]:
    """The answer first: the average, or the only task; then every task."""
    for row in (rows[-1], *rows[:-1]) if len(rows) > 1 else rows:
        name = row.comparison.task
        if len(rows) > 1:
            kind = f"average of {len(row.comparison.parts)} tasks" if row.comparison.parts else row.rule.tier
            yield f"{name} ({kind})"
        yield verdict.sentence(row)
        yield from (f"  {line}" for line in _details(row))
    yield from (f"  - {note}" for note in notes)


def _details(row: Judgement) -> Iterator[str]:
    one, flips, found = row.comparison, row.comparison.flips, row.comparison.recovery
    shown = verdict.figures(one, row.rule.min_recovery).partition(" ")[0]
    places = report.decimals([(one.baseline, one.candidate, shown)])
    yield f"baseline   {_percent(one.baseline, places)}"
    yield f"candidate  {_percent(one.candidate, places)}"
    yield f"samples    {one.n:,} paired of {one.planned:,} planned"
    if flips is not None:
        chance = "" if flips.mcnemar_p is None else f" (McNemar's exact p = {flips.mcnemar_p:.3g})"
        yield f"flips      {flips.regressed:,} regressed, {flips.improved:,} improved{chance}"
    if found.method is not None:
        clusters = f", {found.clusters:,} clusters" if found.clusters < found.n else ""
        yield f"interval   95 %, {_METHODS[found.method]}{clusters}"
    yield from (f"- {reason}" for reason in row.reasons)


def _percent(value: float | None, places: int) -> str:
    return "–" if value is None else f"{value * 100:.{places}f} %"
