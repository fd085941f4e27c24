"""An audit as a comment for a pull request."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.base.printable import one_line
from evalkit.cards.output.fitted import Block, fitted
from evalkit.cards.output.lines import priced, repaired, saved
from evalkit.cards.output.report import by_reason, doubt, more, place, told, tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.auditing import Audit
    from evalkit.cards.checks.figure import AuditFinding
    from evalkit.cards.output.report import AuditReport
    from evalkit.cards.siblings import Across

_SPECIAL = re.compile(r"([\\`*_{}\[\]<>()#|~&!$])")
_MOST_REFS = 4
_MENTION = re.compile(r"@(?=\w)")
_ADDRESS = re.compile(r"(?<=\w)(://)|\b(www)\.", re.IGNORECASE)
_MOST_ROWS = 50
"""Findings and intervals of one card that a comment lists."""


def as_markdown(report: AuditReport) -> str:
    """The report as one comment: counts first, then what does not follow, the rest folded.

    A comment holds 65,536 characters. Where that is not enough, it ends at a whole finding, those of all cards before
    anything else, and says how many are left out.
    """
    blocks: list[Block] = []
    for name, audit in report.audits:
        if len(report.audits) > 1:
            counts = told(audit.checked, len(audit.findings), len(audit.unchecked))
            blocks.append(Block(not audit.findings, (f"### {escaped(name)}", "", counts, "")))
        blocks += _card(audit)
    if report.across is not None:
        blocks += _across(report.across)
    return "\n".join([f"**{report.summary}**", "", *fitted(blocks)]).rstrip() + "\n"


def escaped(text: str) -> str:
    """A card's words in one line, without markup, mentions or links."""
    plain = _SPECIAL.sub(r"\\\1", one_line(text))
    plain = _MENTION.sub("@\N{WORD JOINER}", plain)
    return _ADDRESS.sub(lambda found: f"\N{WORD JOINER}{found[0]}\N{WORD JOINER}", plain)


def _card(audit: Audit) -> Iterator[Block]:
    yield from _findings(audit.findings)
    yield Block(False, (), [f"- {escaped(repaired(one))}" for one in audit.repairs], ("",))
    doubts = [f"- {escaped(place(one))}: {escaped(doubt(one))}" for one in audit.doubts[:_MOST_ROWS]]
    yield Block(True, ("To be asked after:", ""), doubts, (*_not_listed(audit.doubts), ""))
    yield _folded("Not checked", (), list(_left(audit)))
    costs = [priced(one) for one in audit.prices[:_MOST_ROWS]] + [saved(one) for one in audit.savings[:_MOST_ROWS]]
    rest = (*_not_listed(audit.prices), *_not_listed(audit.savings))
    yield _folded("Prices and savings that the cost figures imply", (), [f"- {escaped(one)}" for one in costs], rest)
    rows = [
        f"| {escaped(one.row)} | {escaped(one.candidate)} | {one.n:,} | {one.recovery:.2f} % "
        f"[{one.low:.1f}, {one.high:.1f}] | {'could be noise' if one.is_noise else 'more than noise'} |"
        for one in audit.noise[:_MOST_ROWS]
    ]
    head = ("| Row | Model | n | Recovery, 95 %, unpaired | |", "| --- | --- | ---: | --- | --- |")
    yield _folded("What chance alone could do", head, rows, _not_listed(audit.noise))


def _not_listed(lines: Sequence[object]) -> tuple[str, ...]:
    """How many of some lines are left out, after an empty line, which ends a table; none where all are listed."""
    return ("", f"{len(lines) - _MOST_ROWS:,} more are not listed.") if len(lines) > _MOST_ROWS else ()


def _findings(findings: Sequence[AuditFinding]) -> Iterator[Block]:
    head = ("| Severity | Where | Printed | Follows | From | Likely |", "| --- | --- | --- | --- | --- | --- |")
    lines = []
    for one in findings[:_MOST_ROWS]:
        allowed = tolerance(one)
        rests = "; ".join(map(str, one.rests[:_MOST_REFS])) + more(len(one.rests), _MOST_REFS)
        basis = ". ".join(part for part in (one.because, allowed, rests) if part)
        cells = (one.severity, place(one), one.printed, one.right, basis, one.cause)
        lines.append(f"| {' | '.join(escaped(cell) for cell in cells)} |")
    yield Block(False, head, lines, (*_not_listed(findings), ""))


def _left(audit: Audit) -> Iterator[str]:
    for reason, count, first in by_reason(audit.unchecked):
        yield f"- {count:,}: {escaped(reason)} ({escaped(first)})"
    yield from (f"- {escaped(one)}" for one in audit.notices)


def _folded(title: str, head: Sequence[str], lines: list[str], rest: Sequence[str] = ()) -> Block:
    start = (f"<details><summary>{title}</summary>", "", *head)
    return Block(True, start, lines, (*rest, "", "</details>", ""))


def _across(across: Across) -> Iterator[Block]:
    yield Block(not across.findings, ("### All cards together", ""))
    yield from _findings(across.findings)
    doubts = [f"- {escaped(place(one))}: {escaped(doubt(one))}" for one in across.doubts[:_MOST_ROWS]]
    yield Block(True, (), doubts, (*_not_listed(across.doubts), ""))
    for baseline, candidates, rows in across.tables:
        head = (
            f"Recoveries beside {escaped(baseline)}, in percent, from the printed scores:",
            "",
            f"| Row | Baseline | {' | '.join(escaped(name) for name in candidates)} |",
            "| --- | ---: |" + " ---: |" * len(candidates),
        )
        lines = []
        for row in rows[:_MOST_ROWS]:
            cells = ["" if one is None else f"{one:.2f}" for one in row.recoveries]
            lines.append(f"| {escaped(row.row)} | {escaped(row.baseline)} | {' | '.join(cells)} |")
        yield Block(True, head, lines, (*_not_listed(rows), ""))
