"""A docstring in Google's form as Markdown."""

from __future__ import annotations

import inspect
import re
from typing import Any

from reference.declared import UndocumentedError

_SECTION = re.compile(r"^(Args|Raises|Returns):$", re.MULTILINE)
_EXAMPLE = re.compile(r"^>>> (?:.+\n?)+", re.MULTILINE)
_ITEM = re.compile(r"^ {4}(?! )(?P<name>[^:\n]+): (?P<meaning>.*(?:\n {8}.*)*)", re.MULTILINE)


def markdown(thing: Any, place: str) -> str:
    """What the docstring of a class or function says: its prose, then a list for each of its sections.

    Raises:
        UndocumentedError: It has none; ``place`` is how the message names it.
    """
    text = inspect.getdoc(thing)
    if not text:
        raise UndocumentedError(f"{place}: give it a docstring")
    prose, *sections = _SECTION.split(text.replace("``", "`"))
    parts = [_EXAMPLE.sub(lambda found: f"```pycon\n{found[0].strip()}\n```\n", prose).strip()]
    for title, body in zip(sections[::2], sections[1::2], strict=True):
        items = [f"- *{one['name']}*: {' '.join(one['meaning'].split())}" for one in _ITEM.finditer(body)]
        parts += [*([] if title == "Args" else [f"{title}:"]), "\n".join(items)]
    return "\n\n".join(parts)
