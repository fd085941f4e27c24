"""What is wrong in a file: each fault with its place and its way out, told all at once."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from evalkit.base.errors import ConfigError, near_miss

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

Source: TypeAlias = "str | Callable[[str], str]"
"""How messages name the file; a function of the place when several files were put together."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong in a file."""

    place: str
    """The key, dotted from the top of the file; empty for the file as a whole."""
    what: str
    fix: str = ""

    def line(self, source: str) -> str:
        """``source: place: what; fix``."""
        said = ": ".join(part for part in (source, self.place, self.what) if part)
        return f"{said}; {self.fix}" if self.fix else said


def refuse(problems: Sequence[Fault], source: Source) -> None:
    """Raise what was found; do nothing when nothing was.

    Every problem brings its own fix, so each stands in its own line of the message.

    Raises:
        ConfigError: When there is at least one problem.
    """
    if problems:
        named = source if callable(source) else lambda _: source
        raise ConfigError("\n".join(problem.line(named(problem.place)) for problem in problems))


def at_least(low: float, values: Mapping[str, float | None]) -> list[Fault]:
    """A problem for each value (by its place) that is below ``low``; None (left out) is fine."""
    return [
        Fault(place, f"is {value}", f"must be {low} or more")
        for place, value in values.items()
        if value is not None and value < low
    ]


def above(low: float, values: Mapping[str, float | None]) -> list[Fault]:
    """A problem for each value (by its place) that is not above ``low``; None (left out) is fine."""
    return [
        Fault(place, f"is {value}", f"must be more than {low}")
        for place, value in values.items()
        if value is not None and value <= low
    ]


def known(place: str, word: str, names: Iterable[str], what: str) -> list[Fault]:
    """A problem with the near miss when ``word`` is not one of ``names``."""
    names = list(names)
    return [] if word in names else [Fault(place, f"unknown {what} {word!r}", near_miss(word, names))]


def under(place: str, key: str) -> str:
    """The dotted place of ``key`` in the table at ``place``, quoted where TOML would quote it."""
    name = key if _BARE.fullmatch(key) else json.dumps(key, ensure_ascii=False)
    return f"{place}.{name}" if place else name
