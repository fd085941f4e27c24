"""An audit as a comment for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.base.printable import one_line
from evalkit.cards.output.lines import repaired
from evalkit.cards.output.report import by_reason, doubt, more, place, told, tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.audit import Audit
    from evalkit.cards.checks.figure import AuditFinding
    from evalkit.cards.output.report import AuditReport
    from evalkit.cards.siblings import Across

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#|~&!$])")
_MOST_REFS = 4
_MENTION = re.compile(r"@(?=\w)")
_ADDRESS = re.compile(r"(?<=\w)(://)|\b(www)\.", re.IGNORECASE)
_MOST_ROWS = 50
"""Findings and intervals of one card that a comment lists; a comment is limited to 65,536 characters."""


def as_markdown(report: AuditReport) -> str:
    """The report as one comment: counts first, then what does not follow, the rest folded."""
    lines = [f"**{report.summary}**", ""]
    for name, audit in report.audits:
        if len(report.audits) > 1:
            lines += [f"### {escaped(name)}", "", told(audit.checked, len(audit.findings), len(audit.unchecked)), ""]
        lines += _card(audit)
    if report.across is not None:
        lines += _across(report.across)
    return "\n".join(lines).rstrip() + "\n"


def escaped(text: str) -> str:
    """A card's words in one line, without markup, mentions or links."""
    plain = _SPECIAL.sub(r"\\\1", one_line(text))
    plain = _MENTION.sub("@\N{WORD JOINER}", plain)
    return _ADDRESS.sub(lambda found: f"\N{WORD JOINER}{found[0]}\N{WORD JOINER}", plain)


def _card(audit: Audit) -> Iterator[str]:
    yield from _findings(audit.findings)
    for one in audit.repairs:
        yield from (f"- {escaped(repaired(one))}", "")
    if audit.doubts:
        yield from ("To be asked after:", "")
        yield from (f"- {escaped(place(one))}: {escaped(doubt(one))}" for one in _cut(audit.doubts))
        yield from (*_not_listed(audit.doubts), "")
    if audit.unchecked or audit.notices:
        yield from _folded("Not checked", _left(audit))
    if audit.noise:
        rows = [
            f"| {escaped(one.row)} | {escaped(one.candidate)} | {one.n:,} | {one.recovery:.2f} % "
            f"[{one.low:.1f}, {one.high:.1f}] | {'could be noise' if one.is_noise else 'more than noise'} |"
            for one in audit.noise[:_MOST_ROWS]
        ]
        head = ["| Row | Model | n | Recovery, 95 %, unpaired | |", "| --- | --- | ---: | --- | --- |"]
        yield from _folded("What chance alone could do", [*head, *rows, *_not_listed(audit.noise)])


def _cut(findings: Sequence[AuditFinding]) -> Sequence[AuditFinding]:
    return findings[:_MOST_ROWS]


def _not_listed(lines: Sequence[object]) -> list[str]:
    """How many of some lines are left out, after an empty line, which ends a table; none where all are listed."""
    return ["", f"{len(lines) - _MOST_ROWS:,} more are not listed."] if len(lines) > _MOST_ROWS else []


def _findings(findings: Sequence[AuditFinding]) -> Iterator[str]:
    if not findings:
        return
    yield "| Severity | Where | Printed | Follows | From | Likely |"
    yield "| --- | --- | --- | --- | --- | --- |"
    for one in _cut(findings):
        allowed = tolerance(one)
        rests = "; ".join(map(str, one.rests[:_MOST_REFS])) + more(len(one.rests), _MOST_REFS)
        basis = ". ".join(part for part in (one.because, allowed, rests) if part)
        cells = (one.severity, place(one), one.printed, one.right, basis, one.cause)
        yield f"| {' | '.join(escaped(cell) for cell in cells)} |"
    yield from (*_not_listed(findings), "")


def _left(audit: Audit) -> Iterator[str]:
    for reason, count, first in by_reason(audit.unchecked):
        yield f"- {count:,}: {escaped(reason)} ({escaped(first)})"
    yield from (f"- {escaped(one)}" for one in audit.notices)


def _folded(title: str, lines: Iterator[str] | Sequence[str]) -> Iterator[str]:
    yield from (f"<details><summary>{title}</summary>", "", *lines, "", "</details>", "")


def _across(across: Across) -> Iterator[str]:
    yield from ("### All cards together", "")
    yield from _findings(across.findings)
    yield from (f"- {escaped(place(one))}: {escaped(doubt(one))}" for one in _cut(across.doubts))
    for baseline, candidates, rows in across.tables:
        yield from ("", f"Recoveries beside {escaped(baseline)}, in percent, from the printed scores:", "")
        yield f"| Row | Baseline | {' | '.join(escaped(name) for name in candidates)} |"
        yield "| --- | ---: |" + " ---: |" * len(candidates)
        for row in rows[:_MOST_ROWS]:
            cells = ["" if one is None else f"{one:.2f}" for one in row.recoveries]
            yield f"| {escaped(row.row)} | {escaped(row.baseline)} | {' | '.join(cells)} |"
        yield from (*_not_listed(rows), "")
