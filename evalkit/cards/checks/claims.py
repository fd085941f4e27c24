"""Claims of a card's text beside its tables, where only one thing can be meant."""

from __future__ import annotations

import re
from dataclasses import replace
from fractions import Fraction
from typing import TYPE_CHECKING

from evalkit.cards.checks.costs import cost_ratios
from evalkit.cards.checks.figure import Expected, Figure, Ref
from evalkit.cards.checks.scopes import settled
from evalkit.cards.checks.speedups import ratio, with_baselines
from evalkit.cards.checks.subjects import is_of_another
from evalkit.cards.figures import Printed, Range
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.cards.nouns import Card, PrintedClaim, Stated

UNMATCHED = "the tables do not say with certainty what it means"
_FAR = Fraction(1000)
_OF_ALL = re.compile(r"\b(?:average|avg|mean|overall)\b", re.IGNORECASE)
"""What a sentence says that is about an average, so that one row alone does not make it true."""


def claim_figures(card: Card) -> Iterator[Figure]:
    """Every claim of a card that a table confirms or contradicts, and the others as unchecked."""
    for claim in card.claims:
        expected = _EXPECTED[claim.kind](card, claim)
        follows = any(one.range.overlaps(claim.printed.range) for one in expected)
        if not follows and is_of_another(card, claim.sentence):
            expected = ()
        place = f"line {claim.line}"
        lacks = "" if expected else UNMATCHED
        yield Figure("claim", place, f'"{_short(claim.sentence)}"', claim.kind, claim.printed, expected, lacks)


def _short(sentence: str) -> str:
    return sentence if len(sentence) <= 100 else sentence[:97] + "..."


def _recovery(card: Card, claim: PrintedClaim) -> tuple[Expected, ...]:
    """The average recoveries: a claim has to be one of them, and it is clear which where there is only one."""
    averages = _printed_recoveries(card, {"average", "recovery"})
    everything = averages + _printed_recoveries(card, {"task"})
    if claim.bound == "at least":
        wanted = Range(claim.printed.value, _FAR)
        fits = [one for one in averages if one[1].range.high >= claim.printed.value]
        clear = len(averages) == 1
        return (
            tuple(Expected(figure.value, wanted, "at least", (ref,)) for ref, figure in fits[:1])
            if fits
            else (tuple(_as_expected(*one) for one in averages) if clear else ())
        )
    of_all = bool(averages) and bool(_OF_ALL.search(claim.sentence))
    near = [one for one in everything if one in averages or not of_all or one[0].row.lower() in claim.sentence.lower()]
    fits = [one for one in near if one[1].range.overlaps(claim.printed.range)]
    if fits:
        return (_as_expected(*fits[0]),)
    if not averages:
        return _of_averages(card, claim)
    clear = len(averages) == 1 and of_all and not is_benchmark(claim.sentence)
    return (_as_expected(*averages[0]),) if clear else ()


def _of_averages(card: Card, claim: PrintedClaim) -> tuple[Expected, ...]:
    """The ratio of two printed averages where no recovery is: it is clear which where one model has one."""
    found = [
        Expected(
            100 * cand.value / base.value, share.times(100), f"the averages are {base.text} and {cand.text}", (ref,)
        )
        for ref, base, cand in _average_pairs(card)
        if (share := cand.range.over(base.range)) is not None
    ]
    fits = [one for one in found if one.range.overlaps(claim.printed.range)]
    clear = len(found) == 1 and _OF_ALL.search(claim.sentence) and not is_benchmark(claim.sentence)
    return tuple(fits[:1] or (found if clear else []))


def _as_expected(ref: Ref, figure: Printed) -> Expected:
    return Expected(figure.value, figure.range, f"the table has {figure.text} ({ref.row}, {ref.column})", (ref,))


def _printed_recoveries(card: Card, kinds: set[str]) -> list[tuple[Ref, Printed]]:
    """Every printed recovery of rows of these kinds, in percent, without those of baselines beside themselves."""
    return [
        (Ref(row.name, one.place, one.printed.text), one.printed)
        for table in card.accuracy
        for row in table.rows
        if row.kind in kinds
        for one in row.stated
        if one.kind == "recovery" and one.model != one.base and one.printed.value > 3
    ]


def _average(card: Card, claim: PrintedClaim) -> tuple[Expected, ...]:
    """The printed averages: a claim has to be one of them, and it is clear which where one model has one."""
    found = [
        (Ref(row.name, table.models[model], score.text), score, model in dict(table.pairs).values())
        for table in card.accuracy
        for row in settled(table).rows
        if row.kind == "average"
        for model, score in enumerate(row.scores)
        if score is not None
    ]
    fits = [(ref, score) for ref, score, _ in found if score.range.overlaps(claim.printed.range)]
    candidates = [(ref, score) for ref, score, is_candidate in found if is_candidate]
    clear = len(candidates) == 1 and not is_benchmark(claim.sentence)
    return tuple(_as_expected(*one) for one in (fits[:1] or (candidates if clear else [])))


def _drop(card: Card, claim: PrintedClaim) -> tuple[Expected, ...]:
    """The drops of the printed averages, in points or in percent: clear where one model has one average."""
    found = []
    for ref, base, cand in _average_pairs(card):
        points = base.value - cand.value, base.range.minus(cand.range)
        share = cand.range.over(base.range)
        because = f"the averages are {base.text} and {cand.text}"
        ways = [Expected(*points, because, (ref,))]
        if claim.printed.percent and share is not None:
            ways.append(Expected(100 - 100 * cand.value / base.value, share.times(100).below(100), because, (ref,)))
        found.append(ways)
    wanted = Range(-_FAR, claim.printed.value) if claim.bound == "at most" else claim.printed.range
    fits = next((one for ways in found for one in ways if one.range.overlaps(wanted)), None)
    if fits is not None:
        return (replace(fits, range=wanted),)
    return tuple(found[0]) if len(found) == 1 else ()


def _average_pairs(card: Card) -> list[tuple[Ref, Printed, Printed]]:
    """The printed averages of each candidate and its baseline, where higher is better."""
    return [
        (Ref(row.name, table.models[model], cand.text), base, cand)
        for table in card.accuracy
        for row in settled(table).rows
        if row.kind == "average" and row.better != "lower"
        for baseline, model in table.pairs
        if (base := row.scores[baseline]) is not None and (cand := row.scores[model]) is not None and base.value > 3
    ]


def _speedup(card: Card, claim: PrintedClaim) -> tuple[Expected, ...]:
    """The ratios of the tables: a claim has to be one of them, and "up to" has to be reached by one table.

    What contradicts a plain claim is the only ratio that there is; what contradicts "up to", that none is as large.
    """
    ratios = list(dict.fromkeys(found for found in _ratios(card) if found[0] > 0 and found[0] != 1))
    if not ratios:
        return ()
    if any(bounds.overlaps(claim.printed.range) for _, bounds in ratios):
        return (Expected(claim.printed.value, claim.printed.range, "a ratio of the tables"),)
    value, bounds = max(ratios, key=lambda one: one[1].high)
    if claim.bound != "up to":
        alone = all(bounds.overlaps(other) for _, other in ratios)
        return (Expected(value, bounds, "the only speedup of the tables"),) if alone else ()
    if bounds.high >= claim.printed.range.low:
        return ()
    return (Expected(value, bounds, "the largest speedup or ratio of all tables"),)


def _ratios(card: Card) -> Iterator[tuple[Fraction, Range]]:
    for table in (one for one in card.speeds if one.kind == "speedup"):
        for row, base in with_baselines(table):
            yield from ((figure.value, figure.range) for _, _, figure in row.speedups if not figure.percent)
            found = [ratio(table, row, base, at) for at in range(len(table.measures)) if base and row is not base]
            yield from (one for one in found if one is not None)
    for cost in card.costs:
        yield from cost_ratios(cost)
    stated = [one for table in card.accuracy for row in table.rows for one in row.stated]
    yield from ((one.printed.value, one.printed.range) for one in stated if _is_ratio(one))


def _is_ratio(one: Stated) -> bool:
    return one.kind == "speedup" and not one.printed.percent


_EXPECTED = {"recovery": _recovery, "average": _average, "drop": _drop, "speedup": _speedup}
