"""Sides that were read from files elsewhere, as a run keeps them, and back."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.scores import SampleScore
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side
from evalkit.records.imported import ImportedSide

if TYPE_CHECKING:
    from collections.abc import Mapping


def kept(side: Side, source: str, form: str) -> ImportedSide:
    """A side as a run keeps it; ``source`` and ``form`` say where it was read and what made that."""
    found = side.scores
    lost = side.attempts or Attempts("", 0, 0)
    return ImportedSide(
        source=source,
        format=form,
        model=side.model,
        scores={key: one.value for key, one in found.items()},
        attempts={key: one.attempts for key, one in found.items() if one.attempts != 1},
        clusters=_told({key: one.cluster for key, one in found.items()}),
        strata=side.every_stratum,
        said=_told({key: one.said for key, one in found.items()}),
        failed=tuple(sorted(side.failed)),
        left_out=tuple(sorted(side.left_out)),
        planned=side.planned,
        available=side.available,
        smoke=side.smoke,
        drawn=side.drawn,
        several=side.several,
        lost_attempts=lost.failed,
        asked_attempts=lost.planned,
        content=side.content,
        settings=side.settings,
        cautions=side.cautions,
    )


def side(one: ImportedSide, label: str) -> Side:
    """The same as something that can be paired, of the model with this label."""
    return Side(
        label,
        {
            key: SampleScore(
                key, value, one.clusters.get(key), one.strata.get(key), one.attempts.get(key, 1), one.said.get(key)
            )
            for key, value in one.scores.items()
        },
        failed=frozenset(one.failed),
        left_out=frozenset(one.left_out),
        planned=one.planned,
        available=one.available,
        smoke=one.smoke,
        drawn=one.drawn,
        content=one.content,
        settings=one.settings,
        cautions=one.cautions,
        attempts=Attempts(label, one.lost_attempts, one.asked_attempts) if one.several > 1 else None,
        several=one.several,
        model=one.model,
        strata={key: name for key, name in one.strata.items() if key not in one.scores},
    )


def _told(found: Mapping[str, str | None]) -> dict[str, str]:
    return {key: value for key, value in found.items() if value is not None}
