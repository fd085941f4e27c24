"""Scores of one task as other tools leave them, answer by answer; attempts at one sample are averaged first."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from math import fsum
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError
from evalkit.base.identity import digest, said
from evalkit.base.scores import SampleScore
from evalkit.comparison.losses import Attempts
from evalkit.comparison.pairs import Side

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json


@dataclass(slots=True)
class Gathered:
    """What one model did on one task."""

    values: dict[str, list[float]] = field(default_factory=dict)
    """By id of the sample, one value an attempt."""
    content: dict[str, dict[str, str]] = field(default_factory=dict)
    lost: dict[str, int] = field(default_factory=dict)
    """By id of the sample, attempts without a score."""
    texts: dict[str, dict[str, str | None]] = field(default_factory=dict)

    def add(self, unit: str, value: float | None, content: Mapping[str, Json], answer: Json = None) -> None:
        """Take in one answer, or with None the failure to give one."""
        if value is None:
            self.lost[unit] = self.lost.get(unit, 0) + 1
        else:
            told = self.values.setdefault(unit, [])
            told.append(value)
            if answer is not None:
                self.texts.setdefault(unit, {})[str(len(told))] = digest(answer)[:16]
        digests = {name: digest(text)[:16] for name, text in content.items() if text is not None}
        if digests:
            self.content.setdefault(unit, digests)

    def side(self, label: str, settings: Mapping[str, Json], *, model: str = "", planned: int = 0) -> Side:
        """The scores of the samples."""
        counts = {unit: len(found) + self.lost.get(unit, 0) for unit, found in self.values.items()}
        counts |= {unit: count for unit, count in self.lost.items() if unit not in counts}
        several = max(counts.values(), default=1)
        return Side(
            label=label,
            scores={
                unit: SampleScore(unit, fsum(found) / len(found), attempts=len(found), said=self._said(unit))
                for unit, found in self.values.items()
            },
            failed=frozenset(self.lost.keys() - self.values.keys()),
            content=self.content,
            settings=dict(settings),
            attempts=Attempts(label, several * len(counts) - sum(map(len, self.values.values())), several * len(counts))
            if several > 1
            else None,
            several=several,
            planned=planned,
            model=model,
        )

    def _said(self, unit: str) -> str | None:
        told = self.texts.get(unit, {})
        return said(told) if len(told) == len(self.values[unit]) else None


def repeated(sides: Sequence[Side], where: str) -> Side:
    """Several askings of one task as one side: what each says of a sample is averaged.

    Args:
        sides: One for each asking, such as for each seed.
        where: How messages and the side name where they lie.

    Raises:
        DataError: The askings are not of one kind.
    """
    first, *others = sides
    if not others:
        return first
    for other in others:
        unlike = sorted(key for key, value in first.settings.items() if other.settings.get(key) != value)
        if unlike:
            raise DataError(
                f"{where}: {unlike[0]} is {first.settings[unlike[0]]} in one file and "
                f"{other.settings.get(unlike[0])} in another: they are no repetitions of each other",
                fix="name one file, or move the others away",
            )
    units = dict.fromkeys(unit for side in sides for unit in side.scores)
    scores = {}
    for unit in units:
        found = [side.scores[unit] for side in sides if unit in side.scores]
        attempts = sum(one.attempts for one in found)
        value = fsum(one.value * one.attempts for one in found) / attempts
        texts = {str(at): one.said for at, one in enumerate(found)}
        heard = said(texts) if None not in texts.values() else None
        scores[unit] = replace(found[0], value=value, attempts=attempts, said=heard)
    content = {unit: _agreed([side.content[unit] for side in sides if unit in side.content]) for unit in units}
    several = sum(side.several for side in sides)
    answered = sum(score.attempts for score in scores.values())
    failed = frozenset().union(*(side.failed for side in sides)) - scores.keys()
    asked = several * (len(scores) + len(failed))
    return replace(
        first,
        label=where,
        scores=scores,
        failed=failed,
        content={unit: told for unit, told in content.items() if told},
        attempts=Attempts(where, asked - answered, asked),
        several=several,
    )


def _agreed(told: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """What every asking says of a sample; prompts may differ where examples are drawn by the seed."""
    return (
        {name: value for name, value in told[0].items() if all(one.get(name) == value for one in told)} if told else {}
    )
