"""A report as ``report.html``: one file that asks the network for nothing and runs nothing from the data.

Every text that is put into the page goes through `shown`: escaped by Jinja, hidden signs written out, long ones cut
with a note. The page's own style and script are named by their sha256 in its Content-Security-Policy, so nothing else
can run even where an escape failed.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit.report import accuracy, first_screen, forest, held, origin, words
from evalkit.report.flip_cards import Evidence, decks
from evalkit.report.marks import cut, visible

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.comparison.pairs import Comparison
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
    }
    return page("report.html.j2", facts, templates)


def page(name: str, facts: Mapping[str, Json], templates: Mapping[str, str]) -> str:
    """A page of one template: whatever the facts say is shown and acts on nothing."""
    # Imported here because the terminal's --help must not wait for it.
    from jinja2 import DictLoader, Environment, StrictUndefined  # noqa: PLC0415
    from markupsafe import Markup  # noqa: PLC0415

    def shown(value: Json) -> Json:
        return value if isinstance(value, Markup) or not isinstance(value, str) else as_shown(value)

    made = Environment(
        loader=DictLoader(dict(templates)),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=shown,
    )
    style, script = templates["report.css"], templates["report.js"]
    return made.get_template(name).render(
        facts,
        policy=Markup(content_policy(style, script)),  # noqa: S704 - made of digests alone
        style=Markup(style),  # noqa: S704 - a file of evalkit's own
        script=Markup(script),  # noqa: S704 - a file of evalkit's own
        picture=lambda data: Markup(f"data:image/webp;base64,{data}"),  # noqa: S704 - Base64 has no sign that acts
    )


def as_shown(text: str) -> str:
    """A text as the page holds it, before it is escaped."""
    head, note = cut(text)
    return visible(head) + (f" {note}" if note else "")


def content_policy(style: str, script: str) -> str:
    """The Content-Security-Policy that lets this style and this script in, embedded pictures, and nothing else."""
    allowed = [f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'" for text in (style, script)]
    return (
        f"default-src 'none'; img-src data:; style-src {allowed[0]}; script-src {allowed[1]}; "
        "base-uri 'none'; form-action 'none'"
    )


def _facts(report: Report) -> dict[str, Json]:
    """What the templates are filled with."""
    axis = forest.axis(report)
    table = first_screen.lines(report, axis)
    return {
        "baseline": report.baseline,
        "labels": [one.model.label for one in report.plan.contenders],
        "names": list(report.candidates),
        "smoke": report.plan.smoke,
        "outcomes": report.outcome.lines,
        "doubts": report.doubts,
        "axis": axis,
        "table": table,
        "thresholds": sorted({one.rule.min_recovery for one in report.judgements if one.rule.min_recovery is not None}),
        "candidates": first_screen.candidates(report, table),
        "grounds": first_screen.grounds(report),
        "sentences": words.sentences(report),
        "cautions": words.completeness(report),
        "rows": report.rows,
        "weights": words.weights_table(report),
        "models": origin.models(report),
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
        "provenance": origin.rest(report.provenance) if report.provenance else "",
        "groups": _groups(report),
        "held": [(row.part.task.title, held.sentences(row)) for row in report.rows if row.exams or row.checks],
        "percent": words.percent,
        "pair": accuracy.pair,
        "recovery": words.recovery_text,
    }


def _all_published(report: Report) -> Iterator[Mapping[str, Published]]:
    yield from (row.published for row in report.rows)
    yield from (average.published for average in report.averages)


def _groups(report: Report) -> list[tuple[str, str, list[tuple[str, Comparison]]]]:
    """Task title, candidate, and its groups of samples."""
    return [
        (row.part.task.title, label, list(found.items()))
        for row in report.rows
        for label, found in row.groups.items()
        if found
    ]
