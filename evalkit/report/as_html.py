"""A report as ``report.html``: one file that asks the network for nothing and runs nothing from the data.

How it is kept from running anything is told in `pages`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.report import above_chance, accuracy, categories, first_screen, forest, how_asked, origin, tradeoff, words
from evalkit.report.as_perf import perf_facts
from evalkit.report.flip_cards import Evidence, decks
from evalkit.report.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.report.facts import Published, Report


def html(report: Report, templates: Mapping[str, str], evidence: Evidence | None = None) -> str:
    """The page.

    Args:
        report: What is shown.
        templates: The texts of the folder ``reports/`` by file name.
        evidence: Flips and pictures to show of single samples.
    """
    facts = {
        **_facts(report),
        "decks": decks(report, evidence or Evidence()),
        "run": (evidence or Evidence()).run,
        **({"performance": None} if report.performance is None else perf_facts(report.performance)),
        "planes": tradeoff.planes(report),
    }
    return page("report.html.j2", facts, templates)


def _facts(report: Report) -> dict[str, Json]:
    """What the templates are filled with."""
    axis = forest.axis(report)
    table, groups = first_screen.lines(report, axis), categories.tables(report)
    return {
        "baseline": report.baseline,
        "labels": [one.model.label for one in report.plan.contenders],
        "names": list(report.candidates),
        "smoke": report.plan.smoke,
        "outcomes": report.outcome.lines,
        "doubts": report.doubts,
        "axis": axis,
        "table": table,
        "judged": any(cell.stamp for line in table for cell in line.cells),
        "many": first_screen.many(report, table),
        "thresholds": sorted({one.rule.min_recovery for one in report.judgements if one.rule.min_recovery is not None}),
        "candidates": first_screen.candidates(report, table, groups),
        "grounds": first_screen.grounds(report),
        "sentences": words.sentences(report),
        "cautions": words.completeness(report),
        "rows": report.rows,
        "weights": words.weights_table(report),
        "models": origin.models(report),
        "normalised": (above_chance.title(report), above_chance.table(report), above_chance.sentences(report)),
        "drift": words.drift_table(report),
        "noise": words.noise_table(report),
        "published": words.published_table(report),
        "sources": sorted({one.source for found in _all_published(report) for one in found.values()}),
        "differences": words.differences(report),
        "equalities": origin.equalities(report),
        "data": origin.data(report),
        "flags": origin.flags(report),
        "versions": origin.versions(report.provenance),
        "commands": origin.commands(report),
        "provenance": origin.rest(report.provenance),
        "groups": groups,
        "held": [(row.part.task.title, how_asked.sentences(row)) for row in report.rows if row.exams or row.checks],
        "percent": words.percent,
        "pair": accuracy.pair,
        "recovery": words.recovery_text,
    }


def _all_published(report: Report) -> Iterator[Mapping[str, Published]]:
    yield from (row.published for row in report.rows)
    yield from (average.published for average in report.averages)
