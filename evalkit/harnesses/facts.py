"""Facts of how a task was asked or judged: a dataclass of its harness, kept as JSON with the run and in its report."""

from __future__ import annotations

import json
from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any, Final, Self

from evalkit.base import codec

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
    return field(default=None, metadata={**codec.LENIENT, "key": key, "counted": counted})


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFacts:
    """Facts of one kind. A subclass has a field for each, all of them made by `fact`.

    What another evalkit kept is never lost: a key that has no field, or whose value is of another type than its field,
    stands in ``others`` as it was.
    """

    others: dict[str, Any] = field(default_factory=dict, metadata=codec.OTHERS)

    @classmethod
    def read(cls, stored: Mapping[str, Json]) -> Self:
        """The facts that were kept."""
        found: Self = codec.kept(cls, stored)
        return found

    def stored(self) -> dict[str, Json]:
        """As they are kept: plain JSON, without what is not known."""
        found: dict[str, Json] = codec.written(self)
        return found

    def after(self, earlier: Mapping[str, Json]) -> dict[str, Json]:
        """As they are kept together with those of earlier parts of the run.

        What is counted is added up; what is not known now is as it was then.
        """
        return self.joined(type(self).read(earlier)).stored()

    def joined(self, earlier: Self) -> Self:
        """These with earlier ones, as `after` says."""
        known: dict[str, Any] = {}
        for one in fields(self):
            if one.name == "others":
                continue
            now, then = getattr(self, one.name), getattr(earlier, one.name)
            added = one.metadata["counted"] and now is not None and then is not None
            known[one.name] = now + then if added else then if now is None else now
        return type(self)(**known, others={**earlier.others, **self.others})

    def told(self, *silent: str) -> Iterator[str]:
        """Every fact by its key and value, but for the fields ``silent``: so that none is left out of a report."""
        kind: Any = type(self)
        hidden = {key.name for key in codec.declared(kind) if key.field in silent} - self.others.keys()
        yield from (f"{key}: {_shown(value)}" for key, value in self.stored().items() if key not in hidden)


def _shown(value: Json) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return value if isinstance(value, str) else json.dumps(value, sort_keys=True, ensure_ascii=False)
