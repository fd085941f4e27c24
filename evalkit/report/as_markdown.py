"""A report as ``report.md``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.report import above_chance, accuracy, how_asked, markup, words
from evalkit.report.as_perf import perf_section

if TYPE_CHECKING:
    from evalkit.report.facts import Report


def markdown(report: Report) -> str:
    """The answer, the table, and what a reader must know to believe it."""
    lines = ["# Accuracy recovery", ""]
    for text in report.outcome.lines:
        lines += [f"**{markup.escaped(text)}**", ""]
    for text in report.doubts:
        lines += [f"Before you read on: {markup.escaped(text)}", ""]
    lines += map(_item, words.sentences(report))
    lines += ["", *markup.table(*accuracy.table(report, sizes=True)), ""]
    lines += map(_item, words.completeness(report))
    tables = {above_chance.title(report): above_chance.table(report)} if report.normalised else {}
    for title, (head, body) in {
        **tables,
        "How answers came out": words.drift_table(report),
        "Noise floor": words.noise_table(report),
        "Published beside measured": words.published_table(report),
        "What was compared": words.weights_table(report),
    }.items():
        if body:
            lines += ["", f"## {title}", "", *markup.table(head, body)]
    lines += ["", *map(_item, above_chance.sentences(report))] if report.normalised else []
    differences = words.differences(report)
    lines += ["", *map(_item, differences)] if differences else []
    for row in report.rows:
        if row.exams or row.checks:
            lines += ["", f"## How {markup.escaped(row.part.task.title)} was asked and judged", ""]
            lines += map(_item, how_asked.sentences(row))
    if report.performance is not None:
        lines += ["", "## Inference performance", "", *perf_section(report.performance, "###")]
    return "\n".join(lines).rstrip("\n") + "\n"


def _item(text: str) -> str:
    return f"- {markup.escaped(text)}"
