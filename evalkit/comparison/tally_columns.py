"""What a tally has counted as columns that JSON holds, and back: the same, in the same order, to the last digit.

Columns come and are taken one by one, because of hundreds of thousands of samples all of them together are large.
"""

from __future__ import annotations

from dataclasses import fields
from typing import TYPE_CHECKING, Any

from evalkit.base.scores import SampleScore
from evalkit.base.types import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from evalkit.base.types import Json


def of_objects(found: Mapping[str, Any], kind: type) -> Iterator[Json]:
    """Objects of a dataclass by id: the ids, then each field."""
    yield list(found)
    for one in fields(kind):
        yield [getattr(each, one.name) for each in found.values()]


def of_values(found: Mapping[str, Mapping[str, tuple[float, ...]]]) -> Iterator[Json]:
    """Values by metric and id: of each metric the ids, then a single value as it is, and several as a list."""
    for values in found.values():
        yield list(values)
        yield [one[0] if len(one) == 1 else list(one) for one in values.values()]


def of_failures(found: Mapping[str, Failure]) -> Json:
    """Failures by id."""
    return {key: [one.kind.value, one.message, one.latency_s, one.tries] for key, one in found.items()}


class Shared:
    """Reads columns; equal texts, and equal values of one answer, become one object, as where they were counted."""

    def __init__(self, columns: Iterator[Json]) -> None:
        """Take them from here."""
        self.columns = columns
        self._texts: dict[Any, Any] = {}
        self._once: dict[float, tuple[float]] = {}

    def objects(self, kind: type, made: Callable[..., Any] | None = None) -> dict[str, Any]:
        """Objects of a dataclass by id, each ``made`` from its fields; by the class itself without."""
        ids = self._texts_of(next(self.columns))
        columns = [self._column(kind, one.name) for one in fields(kind)]
        return dict(zip(ids, map(made or kind, *columns), strict=True))

    def values(self, metrics: Iterable[str]) -> dict[str, dict[str, tuple[float, ...]]]:
        """Values by metric and id."""
        found = {}
        for name in metrics:
            ids = self._texts_of(next(self.columns))
            found[name] = dict(zip(ids, self._values_of(next(self.columns)), strict=True))
        return found

    def _column(self, kind: object, name: str) -> list[Any]:
        column: list[Any] = next(self.columns)
        if kind is not SampleScore or name == "attempts":
            return column
        return [one[0] for one in self._values_of(column)] if name == "value" else self._texts_of(column)

    def _texts_of(self, column: list[Any]) -> list[Any]:
        return [*map(self._texts.setdefault, column, column)]

    def _values_of(self, column: list[Any]) -> list[tuple[float, ...]]:
        once = self._once.setdefault
        return [tuple(value) if type(value) is list else once(value, (value,)) for value in column]


def failures(body: Json) -> dict[str, Failure]:
    """Failures by id."""
    return {key: Failure(FailureKind(kind), *rest) for key, (kind, *rest) in body.items()}


def tuples(body: Mapping[str, Iterable[Any]]) -> dict[str, Any]:
    """Lists by key as the tuples that they were."""
    return {key: tuple(one) for key, one in body.items()}
