"""What a dataclass declares: its keys, and what is said of them beside their types."""

from __future__ import annotations

from dataclasses import MISSING, dataclass, fields
from functools import cache
from typing import Annotated, Any, Final, TypeAlias, get_type_hints

OTHERS: Final = {"others": True}
"""Metadata of the field, no key itself, in which a class keeps what none of its keys takes: another evalkit's."""
LATER: Final = {"later": True}
"""Metadata of a field that defaults to None: every file that is written has it, earlier or hand-made ones may not."""
UNSAID: Final = {"unsaid": True}
"""Metadata of a field that is left out of the file where it is its default."""
LENIENT: Final = {"unsaid": True, "lenient": True}
"""The same of a field whose key another evalkit may use otherwise: what does not fit stands among the others."""


@dataclass(frozen=True, slots=True)
class Numbers:
    """What a number is, for the schema of a file (``Annotated[float, Numbers("share", 0, 1)]``)."""

    name: str
    low: float | None = None
    high: float | None = None
    text: str = ""
    """What it means."""


@dataclass(frozen=True, slots=True)
class Items:
    """What a list is, for the schema of a file (``Annotated[tuple[str, ...], Items(least=1)]``)."""

    least: int = 0
    unique: bool = False


Count: TypeAlias = Annotated[int, Numbers("count", 0)]
Share: TypeAlias = Annotated[float, Numbers("share", 0, 1, "Between 0 and 1.")]
Percent: TypeAlias = Annotated[float, Numbers("percent", 0, None, "In percent.")]


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table."""

    field: str
    name: str
    """In the file: metadata ``key``, or the field's name."""
    hint: Any
    """Its type, with what is annotated."""
    required: bool
    """Whether nobody can be read without it."""
    later: bool
    unsaid: bool
    lenient: bool
    default: Any
    """What it is where the file has nothing; ``MISSING`` where there is no such value."""


@cache
def declared(kind: type) -> tuple[Key, ...]:
    """The keys of a dataclass, in the order of their declaration."""
    hints = get_type_hints(kind, include_extras=True)
    return tuple(
        Key(
            field=one.name,
            name=one.metadata.get("key") or one.name,
            hint=hints[one.name],
            required=one.default is MISSING and one.default_factory is MISSING,
            later=one.metadata.get("later", False),
            unsaid=one.metadata.get("unsaid", False),
            lenient=one.metadata.get("lenient", False),
            default=one.default if one.default_factory is MISSING else one.default_factory(),
        )
        for one in fields(kind)
        if not one.metadata.get("others")
    )


@cache
def others_of(kind: type) -> str | None:
    """The field of a dataclass for what it does not know, if it has one."""
    return next((one.name for one in fields(kind) if one.metadata.get("others")), None)
