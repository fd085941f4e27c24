"""For tests of one's own tasks: a stand-in for a model server, and the contract that every harness keeps.

Nothing here needs a GPU, a model or pytest.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from evalkit.testing.replies import PARTS, Asked, Part, Reply, as_json, chat, error, part_named
from evalkit.testing.server import ModelServer

if TYPE_CHECKING:
    from evalkit.testing.contract import RULES, broken_rules, check

__all__ = [
    "PARTS",
    "RULES",
    "Asked",
    "ModelServer",
    "Part",
    "Reply",
    "as_json",
    "broken_rules",
    "chat",
    "check",
    "error",
    "part_named",
]


def __getattr__(name: str) -> Any:
    # The server is there at once: the contract needs the client and the harnesses, which take a second to import.
    if name not in {"RULES", "broken_rules", "check"}:
        raise AttributeError(f"module 'evalkit.testing' has no attribute '{name}'")
    from evalkit.testing import contract  # noqa: PLC0415

    return getattr(contract, name)
