"""What was audited together, and the counts that all outputs tell."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base.printable import agreeing, counted, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.auditing import Audit
    from evalkit.cards.checks.figure import AuditFinding
    from evalkit.cards.nouns import Unchecked
    from evalkit.cards.siblings import Across

_EXAMPLES = 3


@dataclass(frozen=True, slots=True)
class AuditReport:
    """The audits of one or several cards, by name, and what the cards say together."""

    audits: tuple[tuple[str, Audit], ...]
    across: Across | None = None

    @property
    def checked(self) -> int:
        """Figures that others determine, those that several cards share included."""
        return sum(one.checked for _, one in self.audits) + (self.across.checked if self.across else 0)

    @property
    def wrong(self) -> int:
        """Figures that do not follow."""
        return sum(len(one.findings) for _, one in self.audits) + (len(self.across.findings) if self.across else 0)

    @property
    def unchecked(self) -> int:
        """Figures of comparisons that could not be checked."""
        return sum(len(one.unchecked) for _, one in self.audits)

    @property
    def summary(self) -> str:
        """The counts of all cards together."""
        return told(self.checked, self.wrong, self.unchecked)


def told(checked: int, wrong: int, unchecked: int) -> str:
    """``N figures checked, M follow, K do not, U not checked``."""
    follow = f"{checked - wrong:,} {agreeing(checked - wrong, 'follows', 'follow')}"
    not_so = f"{wrong:,} {agreeing(wrong, 'does', 'do')} not"
    return f"{counted(checked, 'figure')} checked, {follow}, {not_so}, {unchecked:,} not checked"


def tolerance(one: AuditFinding) -> str:
    """What rounding allows, with one decimal more than the figure has; empty where nothing was computed."""
    if one.low is None or one.high is None or one.tolerance is None:
        return ""
    _, point, decimals = one.right.rstrip("%").rpartition(".")
    places = len(decimals) + 1 if point else 1
    return f"rounding allows {one.low:.{places}f} to {one.high:.{places}f}, tolerance {one.tolerance:.{places + 1}f}"


def by_reason(unchecked: Sequence[Unchecked]) -> list[tuple[str, int, str]]:
    """Reasons with their numbers of figures and the first of them, the most frequent first."""
    found: defaultdict[str, list[Unchecked]] = defaultdict(list)
    for one in unchecked:
        found[one.reason].append(one)
    lines = []
    for reason, some in sorted(found.items(), key=lambda pair: -len(pair[1])):
        first = "; ".join(_example(one) for one in some[:_EXAMPLES])
        lines.append((reason, len(some), first + more(len(some), _EXAMPLES)))
    return lines


def place(one: AuditFinding) -> str:
    """Where a figure stands; of several cards, on which."""
    return ", ".join(part for part in (one_line(one.card), one.table, one.row, one.column) if part)


def doubt(one: AuditFinding) -> str:
    """What is to be asked after, in words."""
    return f"{one.printed}: {one.because}" if one.printed else one.because


def more(count: int, most: int) -> str:
    """How many of a list are not shown; empty where all are."""
    return f"; {count - most:,} more" if count > most else ""


def _example(one: Unchecked) -> str:
    """Place and figure; of a row or table that was not read there is only the place."""
    place = ", ".join(part for part in (one.row, one.column) if part)
    return f"{place}: {one.printed}" if one.printed else place
