"""The few forms that the pages are made of."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table; a ``|`` in a cell does not end it."""
    lines = [head, ["---"] * len(head), *([cell.replace("|", r"\|") for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def code(text: str) -> str:
    """Text in code marks; neither nothing nor ``required`` is code."""
    return text if text in {"", "required"} else f"`{text}`"


_BLOCK = re.compile(r"(<!-- made from the code: (?P<name>[\w-]+) -->\n).*?(?P<end><!-- end -->)", re.DOTALL)


def filled(text: str, blocks: Mapping[str, Callable[[], str]]) -> str:
    """A page whose marked blocks hold what ``blocks`` makes of them; what stands between them is its writer's.

    Raises:
        KeyError: A mark names no block.
    """
    return _BLOCK.sub(lambda found: f"{found[1]}\n{blocks[found['name']]()}\n\n{found['end']}", text)
