"""An audit for a reader at a terminal: what is wrong first, then the counts, then what else is worth knowing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.printable import agreeing, counted, one_line, part_of
from evalkit.cards.output.report import by_reason, doubt, more, place, told, tolerance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards.auditing import Audit
    from evalkit.cards.causes import Repair
    from evalkit.cards.checks.costs import Saving
    from evalkit.cards.checks.figure import AuditFinding, Severity
    from evalkit.cards.checks.noise import Noise
    from evalkit.cards.checks.prices import Price
    from evalkit.cards.output.report import AuditReport
    from evalkit.cards.siblings import Across

_TITLES: dict[Severity, str] = {
    "wrong": "Does not follow:",
    "last digit": "Off in the last digit:",
    "doubtful": "No error of arithmetic, but to be asked after:",
}
_MOST_REFS = 8


def as_lines(report: AuditReport) -> Iterator[str]:
    """The lines of a report; of several cards each has its name as a title."""
    several = len(report.audits) > 1
    for name, audit in report.audits:
        if several:
            yield f"== {one_line(name)}"
        yield from _card(audit)
        if several:
            yield ""
    if report.across is not None:
        yield from _across(report.across)
        yield f"{counted(len(report.audits), 'card')}: {report.summary}"


def _card(audit: Audit) -> Iterator[str]:
    yield from _findings(audit.findings)
    yield from (f"  {repaired(one)}" for one in audit.repairs)
    yield told(audit.checked, len(audit.findings), len(audit.unchecked))
    for reason, count, first in by_reason(audit.unchecked):
        yield f"  {count:,} not checked: {reason} ({first})"
    yield from (f"  note: {one}" for one in audit.notices)
    if audit.doubts:
        yield ""
        yield from _findings(audit.doubts)
    yield from _costs(audit)
    yield from _noise(audit.noise)


def _findings(findings: Sequence[AuditFinding]) -> Iterator[str]:
    for severity, title in _TITLES.items():
        some = [one for one in findings if one.severity == severity]
        if some:
            yield title
        for one in some:
            yield f"  {_finding(one)}"
            if one.cause:
                yield f"    likely: {one.cause}"
            if one.rests:
                refs = "; ".join(str(ref) for ref in one.rests[:_MOST_REFS])
                yield f"    rests on {refs}{more(len(one.rests), _MOST_REFS)}"


def _finding(one: AuditFinding) -> str:
    if one.severity == "doubtful":
        return f"{place(one)}: {doubt(one)}"
    if one.kind == "sibling":
        return f"{place(one)}: printed {one.printed}, and {one.right} on another card: {one.because}"
    allowed = f" ({tolerance(one)})" if one.tolerance is not None else ""
    return f"{place(one)}: printed {one.printed}, but {one.right} follows{allowed}: {one.because}"


def repaired(one: Repair) -> str:
    """What one other score would put right."""
    if one.swapped:
        first, second = one.swapped
        return (
            f"{one.table}, {one.row}: with {first.text} ({first.column}) and {second.text} ({second.column}) in each "
            f"other's place all {one.explains} follow"
        )
    count = "" if one.count is None or one.n is None else f" ({one.count:,} of {one.n:,})"
    what, follow = ("it", "it follows") if one.explains == 1 else (f"{one.explains} of them", "all follow")
    return (
        f"one score explains {what}: {one.table}, {one.row}, {one.column} is printed {one.printed}; "
        f"with {one.value}{count} {follow}"
    )


def _costs(audit: Audit) -> Iterator[str]:
    if audit.prices:
        yield from ("", "Price of an hour that the cost figures imply:")
        yield from (f"  {priced(one)}" for one in audit.prices)
    if audit.savings:
        yield from ("", "Cost reduction is a mean of ratios; one query of each use case costs so much less:")
        yield from (f"  {saved(one)}" for one in audit.savings)


def priced(one: Price) -> str:
    """The price of an hour that cost figures imply."""
    where = ", ".join(filter(None, (one.table, one.hardware))) or "all"
    agree = part_of(one.agree, one.figures, "figure", ("agrees", "agree"))
    return f"{where}: ${one.low:.4f} to ${one.high:.4f} ({agree})"


def saved(one: Saving) -> str:
    """A cost reduction as a mean of ratios, and of all queries together."""
    share = f"{abs(one.cheaper_percent):.0f} % {'cheaper' if one.cheaper_percent >= 0 else 'dearer'}"
    where = ", ".join(filter(None, (one.table, one.hardware, one.model)))
    return f"{where}: mean ratio {one.mean_ratio:.2f}, all together {one.pooled_ratio:.2f} ({share})"


def _noise(rows: Sequence[Noise]) -> Iterator[str]:
    """The table of unpaired intervals."""
    if not rows:
        return
    several = len({one.candidate for one in rows}) > 1
    names = [f"{one.row}, {one.candidate}" if several else one.row for one in rows]
    width = max(map(len, names))
    yield ""
    yield "Interval of each recovery by its number of samples (95 %, unpaired); a row that holds 100 % could be noise:"
    for name, one in zip(names, rows, strict=True):
        said = "could be noise" if one.is_noise else "more than noise"
        yield f"  {name:<{width}}  n = {one.n:>7,}  {one.recovery:6.2f} % [{one.low:.1f}, {one.high:.1f}]  {said}"
    yield "  Pairing the samples usually makes an interval two to three times narrower; a card has no samples."


def _across(across: Across) -> Iterator[str]:
    stands = agreeing(across.checked, "stands", "stand")
    yield f"== all cards: {counted(across.checked, 'figure')} of a baseline {stands} on more than one of them"
    yield from _findings(across.findings)
    yield from _findings(across.doubts)
    for baseline, candidates, rows in across.tables:
        yield ""
        yield f"Recoveries beside {baseline}, from the printed scores:"
        yield from (f"  [{number}] {name}" for number, name in enumerate(candidates, 1))
        width = max([len(row.row) for row in rows], default=0)
        wide = max([len(row.baseline) for row in rows], default=0)
        wide = max(wide, len("baseline"))
        yield f"  {'':<{width}}  {'baseline':>{wide}}" + "".join(
            f"  {f'[{at}]':>8}" for at in range(1, len(candidates) + 1)
        )
        for row in rows:
            cells = "".join(f"  {'-' if one is None else f'{one:.2f}':>8}" for one in row.recoveries)
            yield f"  {row.row:<{width}}  {row.baseline:>{wide}}{cells}"
    yield ""
