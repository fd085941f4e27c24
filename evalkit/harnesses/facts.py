"""Facts of how a task was asked or judged: a dataclass of its harness, kept as JSON with the run and in its report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields, is_dataclass
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, Self, get_args, get_origin, get_type_hints

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json

FROM_STORE: Final = "from the store"
"""Said of answers and judgements that all come from earlier runs."""


def fact(key: str = "", *, counted: bool = False) -> Any:
    """A field of `StoredFacts` that is None where nothing is known.

    Args:
        key: Its key in JSON, where that is not the field's name.
        counted: Whether it counts something, and grows from one part of a run to the next.
    """
    return field(default=None, metadata={"key": key, "counted": counted})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """Facts with their codec. A subclass has a field for each, all of them made by `fact`.

    What another evalkit kept is never lost: a key that has no field, or whose value is of another type than its field,
    stands in ``others`` as it was.
    """

    others: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def read(cls, stored: Mapping[str, Json]) -> Self:
        """The facts that were kept."""
        hints, known, others = get_type_hints(cls), {}, dict(stored)
        for one in cls._facts():
            key = one.metadata["key"] or one.name
            if key in others and (found := _read(hints[one.name], others[key])) is not None:
                known[one.name] = found
                del others[key]
        return cls(**known, others=others)

    @classmethod
    def _facts(cls) -> Iterator[Any]:
        return (one for one in fields(cls) if one.name != "others")

    def stored(self) -> dict[str, Json]:
        """As they are kept: plain JSON, without what is not known."""
        known = {one.metadata["key"] or one.name: getattr(self, one.name) for one in self._facts()}
        return {key: _plain(value) for key, value in known.items() if value is not None} | dict(self.others)

    def after(self, earlier: Mapping[str, Json]) -> dict[str, Json]:
        """As they are kept together with those of earlier parts of the run.

        What is counted is added up; what is not known now is as it was then.
        """
        return self.joined(type(self).read(earlier)).stored()

    def joined(self, earlier: Self) -> Self:
        """These with earlier ones, as `after` says."""
        known: dict[str, Any] = {}
        for one in self._facts():
            now, then = getattr(self, one.name), getattr(earlier, one.name)
            added = one.metadata["counted"] and now is not None and then is not None
            known[one.name] = now + then if added else then if now is None else now
        return type(self)(**known, others={**earlier.others, **self.others})

    def told(self, *silent: str) -> Iterator[str]:
        """Every fact by its key and value, but for the fields ``silent``: so that none is left out of a report."""
        for one in self._facts():
            if one.name not in silent and (value := getattr(self, one.name)) is not None:
                yield f"{one.metadata['key'] or one.name}: {_shown(_plain(value))}"
        yield from (f"{key}: {_shown(value)}" for key, value in self.others.items())


def _read(hint: Any, value: Json) -> Any:
    """A stored value as its field has it; None where it is of another type."""
    (kind,) = [option for option in get_args(hint) if option is not NoneType]
    if get_origin(kind) is tuple:
        return tuple(value) if isinstance(value, list) and all(isinstance(one, str) for one in value) else None
    if is_dataclass(kind):
        wanted = {one.name for one in fields(kind)}
        fits = isinstance(value, dict) and value.keys() == wanted and all(map(_is_number, value.values()))
        return kind(**value) if fits else None  # type: ignore[operator]
    if kind is float:
        return value if _is_number(value) else None
    return value if type(value) is kind else None


def _is_number(value: Json) -> bool:
    return type(value) in {int, float}


def _plain(value: Any) -> Json:
    if is_dataclass(value):
        return {one.name: getattr(value, one.name) for one in fields(value)}
    return list(value) if isinstance(value, tuple) else value


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
