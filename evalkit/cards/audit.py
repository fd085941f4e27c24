"""A card becomes an `Audit`: what does not follow, what could not be checked, and which differences are noise."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.cards.arithmetic import Finding, accuracy_figures, judge
from evalkit.cards.costs import Saving, reductions, savings
from evalkit.cards.noise import Noise, noise
from evalkit.cards.prices import Price, pricing

if TYPE_CHECKING:
    from evalkit.cards.published import Card


@dataclass(frozen=True, slots=True)
class Audit:
    """Everything that a card's figures say about each other."""

    checked: int
    """How many figures others determine."""
    findings: tuple[Finding, ...]
    unchecked: tuple[str, ...]
    """Figures that others would determine, had they been printed, and what is missing."""
    noise: tuple[Noise, ...]
    prices: tuple[Price, ...]
    savings: tuple[Saving, ...]
    notices: tuple[str, ...]


def audit(card: Card) -> Audit:
    """Recompute every recovery, average, cost reduction and queries-per-dollar figure of a card."""
    figures = [figure for table in card.accuracy for figure in accuracy_figures(table)]
    figures += [figure for table in card.costs for figure in reductions(table)]
    priced = pricing(card.costs)
    figures += priced.figures
    determined = [figure for figure in figures if figure.expected]
    return Audit(
        checked=len(determined) + len(priced.clashes),
        findings=(*(finding for figure in determined if (finding := judge(figure))), *priced.clashes),
        unchecked=tuple(
            f"{figure.table}, {figure.row}, {figure.column}: {figure.lacks}"
            for figure in figures
            if not figure.expected
        ),
        noise=tuple(one for table in card.accuracy for one in noise(table)),
        prices=priced.prices,
        savings=tuple(one for table in card.costs for one in savings(table)),
        notices=card.notices,
    )
