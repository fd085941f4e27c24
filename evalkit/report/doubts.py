"""What speaks against the baseline as a measure, before anybody reads what a candidate kept of it.

A baseline that was asked badly (another chat template, a short token limit) makes every candidate look good: it scores
less than its own card says, or a candidate scores more than it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit import cards, stats
from evalkit.report.facts import OwnCard

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.base.scores import SampleScore
    from evalkit.cards import PublishedTable
    from evalkit.comparison.verdict import Judgement
    from evalkit.report.facts import Report

_POINTS: Final = 0.05
"""How much better than its baseline a candidate may be, 0 to 1, without being asked why."""
_LOOK: Final = (
    "look at how the baseline was asked (chat template, prompt, token limit, images, dtype) before the recoveries"
)


def own_card(
    task: str, metric: str, source: str, answered: Iterable[SampleScore], tables: Sequence[PublishedTable]
) -> OwnCard | None:
    """What was published of a model on a task beside what it scored here; None where nothing was.

    Args:
        task: Its name.
        metric: The one that it was scored by.
        source: The model, as it is named to a server.
        answered: The scores of all that it answered.
        tables: Published tables; the first that has the model and the task counts.
    """
    for table in tables:
        found = table.score(source, task, metric)
        if found is None:
            continue
        scores = list(answered)
        groups = stats.Grouping([score.cluster for score in scores], [score.stratum for score in scores])
        mean = stats.mean([score.value for score in scores], groups)
        beyond = cards.outside(found, mean.low, mean.high)
        return OwnCard(table.source, found.text, mean.value, mean.low, mean.high, outside=beyond)
    return None


def doubts(report: Report) -> Iterator[str]:
    """A sentence for each."""
    for row in report.rows:
        # The first rows in stored order stand for no others.
        if row.own_card is not None and not row.part.smoke:
            yield from outside(row.part.task.title, report.baseline, row.own_card)
        for label, one in row.judgements.items():
            yield from better(row.part.task.title, label, one)
    for average in report.averages:
        for label, one in average.judgements.items():
            yield from better(f"the {average.category} average", label, one)
    for line in report.imported:
        for label, one in line.judgements.items():
            yield from better(line.title, label, one)


def outside(where: str, label: str, card: OwnCard) -> Iterator[str]:
    """A baseline that is not what its own card says."""
    if card.outside and card.measured is not None:
        low, high = (f"{100 * (end or 0.0):.2f}" for end in (card.low, card.high))
        yield (
            f"{label} scores {100 * card.measured:.2f} [{low}, {high}] on {where}, and {card.printed} stands on its "
            f"card ({card.source}): more than chance and rounding allow; {_LOOK}"
        )


def better(where: str, label: str, judgement: Judgement) -> Iterator[str]:
    """A candidate that scores too much more than its baseline."""
    one = judgement.comparison
    low = one.recovery.low
    if one.smoke or low is None or low <= 100.0 or one.baseline is None or one.candidate is None:
        return
    if one.candidate - one.baseline > _POINTS:
        yield (
            f"{label} scores {100 * one.candidate:.2f} on {where} beside its baseline's {100 * one.baseline:.2f}: "
            f"{100 * (one.candidate - one.baseline):.1f} points better, and more than chance allows; {_LOOK}"
        )
