"""A comparison becomes JSON, Markdown and HTML; the only place that rounds."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit.compare import average, recovery

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.plan import Plan, PlannedTask
    from evalkit.score import Tally
    from evalkit.types import Json, Recovery, TaskScore

SCHEMA_VERSION = 1
AVERAGE = "Average Score"
"""The published name of the average row."""


@dataclass(frozen=True, slots=True)
class Row:
    """One task in the table: every model's score, and every candidate's recovery."""

    part: PlannedTask
    scores: Mapping[str, TaskScore]
    """By model label, the baseline first."""
    recoveries: Mapping[str, Recovery]
    """By candidate label."""


@dataclass(frozen=True, slots=True)
class Average:
    """The average row of one category."""

    category: str
    baseline: float | None
    """Mean of the baseline's task scores; None when a task has none."""
    recoveries: Mapping[str, Recovery]


@dataclass(frozen=True, slots=True)
class Report:
    """Everything that a rendering needs; equal reports render to equal bytes."""

    plan: Plan
    rows: tuple[Row, ...]
    averages: tuple[Average, ...]
    notices: tuple[str, ...] = ()
    provenance: Mapping[str, Json] = field(default_factory=dict)

    @property
    def baseline(self) -> str:
        """The baseline's label."""
        return self.plan.baseline.model.label

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates' labels."""
        return tuple(one.model.label for one in self.plan.candidates)

    @property
    def incomplete(self) -> bool:
        """Whether any planned sample of any model has no answer."""
        return any(score.failed for row in self.rows for score in row.scores.values())


def build(
    plan: Plan,
    tallies: Mapping[tuple[str, str], Tally],
    *,
    notices: Sequence[str] = (),
    provenance: Mapping[str, Json] | None = None,
) -> Report:
    """The report of a finished plan; ``tallies`` are by (model label, task name)."""
    base = plan.baseline.model.label
    rows = []
    for part in plan.tasks:
        name = part.task.name
        rows.append(
            Row(
                part,
                {one.model.label: tallies[one.model.label, name].task_score() for one in plan.contenders},
                {
                    one.model.label: recovery(tallies[base, name], tallies[one.model.label, name])
                    for one in plan.candidates
                },
            )
        )
    return Report(plan, tuple(rows), tuple(_averages(plan, rows)), tuple(notices), provenance or {})


def _averages(plan: Plan, rows: Sequence[Row]) -> list[Average]:
    """One average row for each category that has several tasks, as the published tables print it."""
    found = []
    for category in dict.fromkeys(row.part.task.category for row in rows):
        members = [row for row in rows if row.part.task.category == category]
        if len(members) > 1:
            labels = [one.model.label for one in plan.candidates]
            own = [row.scores[plan.baseline.model.label].score for row in members]
            base = None if None in own else fmean(score for score in own if score is not None)
            parts = {label: average([row.recoveries[label] for row in members]) for label in labels}
            found.append(Average(category, base, parts))
    return found


# --- JSON ---------------------------------------------------------------------------------------


def results(report: Report) -> dict[str, Json]:
    """The numbers, for programs: scores 0-1, recovery in percent, unrounded, and nothing that a rerun would change."""
    return {
        "schema_version": SCHEMA_VERSION,
        "smoke": report.plan.smoke,
        "baseline": report.baseline,
        "candidates": list(report.candidates),
        "models": {
            one.model.label: {
                "source": one.model.source,
                "digest": one.model.digest,
                "engine": {**asdict(one.engine), "numerics": dict(one.engine.numerics)},
            }
            for one in report.plan.contenders
        },
        "tasks": [_row_json(row) for row in report.rows],
        "averages": [
            {
                "category": one.category,
                "baseline": one.baseline,
                "recovery": {label: asdict(value) for label, value in one.recoveries.items()},
            }
            for one in report.averages
        ],
    }


def _row_json(row: Row) -> dict[str, Json]:
    task = row.part.task
    return {
        "task": task.name,
        "title": task.title,
        "category": task.category,
        "metric": task.headline,
        "dialect": task.dialect,
        "images": task.images,
        "planned": row.part.planned,
        "available": row.part.available,
        "revision": row.part.revision,
        "scores": {label: _score_json(score) for label, score in row.scores.items()},
        "recovery": {label: asdict(value) for label, value in row.recoveries.items()},
    }


def _score_json(score: TaskScore) -> dict[str, Json]:
    return {key: value for key, value in asdict(score).items() if key not in {"task", "model"}}


def results_text(report: Report) -> str:
    """``results.json``."""
    return json.dumps(results(report), indent=2, sort_keys=True, allow_nan=False) + "\n"


# --- rounding, once for every rendering -----------------------------------------------------------


def percent(value: float | None) -> str:
    """A 0-1 score as the published tables print it: in percent, two decimals; a dash where there is none."""
    return "–" if value is None else f"{value * 100:.2f}"


def recovery_text(value: Recovery) -> str:
    """A recovery as the published tables print it; a dash where it is undefined."""
    return "–" if value.percent is None else f"{value.percent:.2f}%"


def sentences(report: Report) -> list[str]:
    """The answer, in one sentence for each candidate."""
    prefix = "Smoke run (--limit): " if report.plan.smoke else ""
    found = []
    for label in report.candidates:
        named = [(f"the {one.category} average", one.recoveries[label]) for one in report.averages]
        named = named or [(row.part.task.title, row.recoveries[label]) for row in report.rows]
        parts = [
            f"its recovery on {name} is undefined ({value.reason})"
            if value.percent is None
            else f"it keeps {recovery_text(value)} on {name}"
            for name, value in named
        ]
        found.append(f"{prefix}{label} beside {report.baseline}: {', '.join(parts)}.")
    return found


def table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body of the accuracy table, in the shape of the published one."""
    head = ["Category", "Metric", report.baseline]
    for label in report.candidates:
        head += [label, "Recovery (%)"]
    body: list[list[str]] = []
    closing = {one.category: one for one in report.averages}
    for at, row in enumerate(report.rows):
        task = row.part.task
        cells = [task.category, f"{task.title} {task.headline}", _baseline_cell(row, report)]
        for label in report.candidates:
            value = row.recoveries[label]
            cells += [_paired_cell(row.scores[label].score, value.candidate), recovery_text(value)]
        body.append(cells)
        last = all(other.part.task.category != task.category for other in report.rows[at + 1 :])
        if last and task.category in closing:
            body.append(_average_cells(closing[task.category]))
    return head, body


def _baseline_cell(row: Row, report: Report) -> str:
    """The baseline's score on the paired samples when all candidates pair the same ones, else on its own."""
    paired = {row.recoveries[label].baseline for label in report.candidates}
    return _paired_cell(row.scores[report.baseline].score, paired.pop() if len(paired) == 1 else None)


def _paired_cell(own: float | None, paired: float | None) -> str:
    return percent(own if paired is None else paired)


def _average_cells(one: Average) -> list[str]:
    bases = {value.baseline for value in one.recoveries.values()}
    cells = [one.category, AVERAGE, percent(bases.pop() if len(bases) == 1 else one.baseline)]
    for value in one.recoveries.values():
        cells += [percent(value.candidate), recovery_text(value)]
    return cells


# --- Markdown -------------------------------------------------------------------------------------


def markdown(report: Report) -> str:
    """``report.md``: the sentence, the table, and what a reader must know to believe it."""
    head, body = table(report)
    lines = ["# Accuracy recovery", "", *map(_escaped, sentences(report)), ""]
    lines += [_line(head), _line(["---"] * len(head)), *map(_line, body), ""]
    lines += [f"- {_escaped(text)}" for text in completeness(report)]
    return "\n".join(lines) + "\n"


def completeness(report: Report) -> list[str]:
    """One sentence for each thing that limits what the table says."""
    found = [*report.notices, *_how_served(report)]
    for row in report.rows:
        for label, score in row.scores.items():
            if score.failed:
                kinds = ", ".join(f"{count} {kind}" for kind, count in score.failures.items())
                found.append(
                    f"{row.part.task.title}, {label}: {score.failed} of {score.planned} samples have no answer "
                    f"({kinds}); they are not scored as wrong."
                )
            if score.truncated:
                found.append(
                    f"{row.part.task.title}, {label}: {score.truncated} of {score.scored} answers "
                    f"({score.truncated / score.scored:.1%}) ended at the token limit."
                )
        for label, value in row.recoveries.items():
            if value.paired < value.planned:
                text = f"{row.part.task.title}, {label}: compared on {value.paired} of {value.planned} samples"
                if value.bounds:
                    low, high = value.bounds
                    text += f"; counting the others as worst and best puts recovery between {low:.2f}% and {high:.2f}%"
                found.append(f"{text}.")
            if value.percent is None:
                found.append(f"{row.part.task.title}, {label}: recovery is undefined, {value.reason}.")
    return found


def _how_served(report: Report) -> list[str]:
    """What a reader must know of the servers."""
    found = []
    for one in report.plan.contenders:
        label = one.model.label
        if one.model.endpoint:
            found.append(
                f"{label} was asked on a server that evalkit did not start; its weights are known by name only."
            )
        if one.engine.numerics.get("trust-remote-code"):
            found.append(f"{label}: code from the model's repository was allowed to run (trust_remote_code).")
    return found


def _line(cells: Sequence[str]) -> str:
    return "| " + " | ".join(_escaped(cell) for cell in cells) + " |"


def _escaped(text: str) -> str:
    """Text that came from outside, with the characters that Markdown or HTML would act on made harmless."""
    for mark in "\\`*[]<>|!":
        text = text.replace(mark, "\\" + mark)
    return " ".join(text.split())


# --- HTML -----------------------------------------------------------------------------------------


def html(report: Report, templates: Mapping[str, str]) -> str:
    """``report.html``: one file that asks the network for nothing.

    ``templates`` are the texts of the folder ``reports/`` by file name. Every value is escaped by Jinja.
    """
    # Imported here because the terminal's --help must not wait for it.
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415

    page = Environment(
        loader=DictLoader(dict(templates)), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    ).get_template("report.html.j2")
    head, body = table(report)
    return page.render(
        baseline=report.baseline,
        labels=[one.model.label for one in report.plan.contenders],
        smoke=report.plan.smoke,
        sentences=sentences(report),
        head=head,
        body=body,
        complete=not report.incomplete,
        cautions=completeness(report),
        rows=report.rows,
        contenders=report.plan.contenders,
        provenance=json.dumps(report.provenance, indent=2, sort_keys=True),
        percent=percent,
        style=templates["report.css"],
    )
