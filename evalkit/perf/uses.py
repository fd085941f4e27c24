"""A use: what one query holds and how long its answer is; a TOML file of ``tasks/perf`` or of the user's own."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from evalkit.base import codec
from evalkit.base.codec import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json

CARD: Final = ("document-vqa", "visual-reasoning", "image-captioning")
"""The three uses of the published card, in its order: what is measured where no use is named."""
_NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]*")


@dataclass(frozen=True, slots=True)
class Use:
    """One kind of query."""

    name: str
    """How commands name it: small letters, digits, ``-``, ``_`` and ``.``."""
    title: str
    """How tables name it, before its sizes."""
    prompt_tokens: int
    """Text tokens of a query; 0 for a picture alone."""
    output_tokens: int
    """Tokens of every answer, exactly: a model's own end is ignored."""
    width: int = 0
    """Of its picture in pixels, an even number; 0 for a query without a picture."""
    height: int = 0
    """Of its picture in pixels, an even number; 0 for a query without a picture."""
    source: str = ""
    """The file that it was read from."""

    @property
    def picture(self) -> bool:
        """Whether a query holds a picture."""
        return self.width > 0

    @property
    def shape(self) -> str:
        """As the card writes it: ``1680W x 2240H 64/128``, or ``512/256`` without a picture."""
        size = f"{self.width}W x {self.height}H " if self.picture else ""
        return f"{size}{self.prompt_tokens}/{self.output_tokens}"

    @property
    def heading(self) -> str:
        """Title and sizes."""
        return f"{self.title} {self.shape}"

    @property
    def identity(self) -> Json:
        """Everything of it that can move a measurement."""
        return [self.width, self.height, self.prompt_tokens, self.output_tokens]


def use(mapping: Mapping[str, Any], source: str) -> Use:
    """The use that a TOML file describes.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(Use, mapping, source, {"source": source})
    codec.refuse(list(_faults(found)), source)
    return found


def _faults(one: Use) -> Iterator[Fault]:
    if not _NAME.fullmatch(one.name):
        yield Fault("name", f"is {one.name!r}", "use small letters, digits, '-', '_' and '.'")
    if not one.title.strip():
        yield Fault("title", "is empty", "tables name the use by it")
    yield from codec.at_least(0, {"prompt_tokens": one.prompt_tokens, "width": one.width, "height": one.height})
    yield from codec.at_least(1, {"output_tokens": one.output_tokens})
    for key, value in {"width": one.width, "height": one.height}.items():
        if value % 2:
            yield Fault(key, f"is {value}", "must be even: an engine would round it")
    if bool(one.width) != bool(one.height):
        yield Fault("width" if one.height else "height", "is missing", "a picture has both")
    if not one.prompt_tokens and not one.width:
        yield Fault("prompt_tokens", "is 0, and there is no picture", "a query has to hold something")
