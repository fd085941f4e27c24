"""What a candidate has to hold: the ``[policy]`` table, a threshold and a tier for every row.

By default rows are critical, except that tasks which an average covers are supporting: the average carries the claim.
What the tiers do to the exit code stands in ``evalkit.comparison.verdict``.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the schema reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

from evalkit import stats
from evalkit.base import codec
from evalkit.base.codec import Fault, Percent, Share

if TYPE_CHECKING:
    from collections.abc import Iterator

Tier: TypeAlias = Literal["critical", "supporting", "advisory"]

_MOST = 100.0
"""Percent. The question is what was lost: no candidate has to beat its baseline, and 990 is 99.0 without its point."""


@dataclass(frozen=True, slots=True)
class Rule:
    """What one row has to hold."""

    min_recovery: Percent | None = None
    """In percent; left out (null): the policy's own."""
    tier: Tier | None = None
    """What the row counts for in the exit code; left out (null): critical, and supporting where an average
    covers the task."""


@dataclass(frozen=True, slots=True)
class Policy:
    """What a candidate has to hold; the ``[policy]`` table of a TOML file."""

    min_recovery: Percent | None = None
    """In percent, for every row without its own; left out (null): only the rows that have one are judged."""
    max_failed: Share = 0.01
    """Largest share of planned samples, 0-1, that may lack a pair."""
    tasks: Mapping[str, Rule] = field(default_factory=dict)
    """By task name."""
    averages: Mapping[str, Rule] = field(default_factory=dict)
    """By category."""
    stop_early: bool = False
    """Stop asking a task once looks at a growing random part of it have decided, with an error of at most 5 %."""

    def for_task(self, name: str, *, averaged: bool) -> Rule:
        """The rule of a task's row; ``averaged`` when an average row covers it."""
        return self._filled(self.tasks.get(name, Rule()), "supporting" if averaged else "critical")

    def for_average(self, category: str) -> Rule:
        """The rule of an average row."""
        return self._filled(self.averages.get(category, Rule()), "critical")

    @property
    def own(self) -> dict[str, float]:
        """Rows with a threshold of their own, by their place in the table."""
        rows = {codec.under("tasks", key): one for key, one in self.tasks.items()}
        rows |= {codec.under("averages", key): one for key, one in self.averages.items()}
        return {place: one.min_recovery for place, one in rows.items() if one.min_recovery is not None}

    def _filled(self, own: Rule, tier: Tier) -> Rule:
        threshold = self.min_recovery if own.min_recovery is None else own.min_recovery
        return Rule(threshold, own.tier or tier)


def policy(mapping: Mapping[str, Any], source: str) -> Policy:
    """The policy that a ``[policy]`` table describes.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(Policy, mapping, source)
    codec.refuse(list(problems(found)), source)
    return found


def problems(one: Policy) -> Iterator[Fault]:
    """Numbers of a policy that make no sense."""
    named = {
        "min_recovery": one.min_recovery,
        **{f"{place}.min_recovery": value for place, value in one.own.items()},
    }
    for place, value in named.items():
        if value is not None and 0.0 < value <= 1.0 + stats.ROUNDING:
            yield Fault(place, f"is {value:g}", f"is in percent; write {value * 100:g}")
        elif value is not None and value > _MOST * (1.0 + stats.ROUNDING):
            yield Fault(place, f"is {value:g}", f"must be a percentage of at most {_MOST:g}, such as 99")
        elif value is not None and not value >= -stats.ROUNDING:
            yield Fault(place, f"is {value}", "must be a percentage, such as 99")
    if stats.share(one.max_failed) is None:
        yield Fault("max_failed", f"is {one.max_failed}", "must be a share between 0 and 1, such as 0.01")
