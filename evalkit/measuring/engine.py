"""What an engine is to evalkit: a command that sends queries to a server, and a file that says what came of it."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from evalkit.perf.validity import MOST_IDLE
from evalkit.serve.environment import offline

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.perf.cells import EngineReading
    from evalkit.perf.uses import Use
    from evalkit.stats.cost import Stream


@dataclass(frozen=True, slots=True)
class Target:
    """A server that runs."""

    url: str
    name: str
    """By which queries ask for the model."""
    source: str
    """Folder or hub id of the model, for its tokenizer."""
    trusted: bool = False
    """Whether the tokenizer may bring code of its own."""


@dataclass(frozen=True, slots=True)
class Load:
    """What is sent to it."""

    use: Use
    stream: Stream
    queries: int
    concurrency: int
    """Queries under way at once; 1 where they follow each other."""
    seed: int
    most_idle: float = MOST_IDLE
    """The engine's own delay that is borne, as a share of the time."""


class SendingEngine(Protocol):
    """One engine of one release."""

    name: str
    """As `--engine` names it."""
    release: str
    """Part of every row's identity."""

    def command(self, target: Target, load: Load, place: Path) -> list[str]:
        """The command that sends ``load``. ``place`` is a folder of this cell's own: what it writes, goes there."""

    def variables(self, target: Target) -> dict[str, str]:
        """All variables of the command."""

    def done(self, said: str) -> int | None:
        """How many queries are answered, from the end of what the command has written; None where it does not say."""

    def read(self, place: Path) -> EngineReading | None:
        """What came of it; None where the command left nothing that is whole.

        Raises:
            InfrastructureError: It left something of another format: none of its cells could be read.
        """

    def clock(self) -> float:
        """Now, on the clock of ``Timed.start_s``."""


def surroundings(target: Target) -> dict[str, str]:
    """Variables for an engine: ours, with no proxy before the server and no hub where the model is a local folder."""
    ours = dict(os.environ)
    direct = dict.fromkeys(("NO_PROXY", "no_proxy"), "127.0.0.1,localhost")
    hub = {"HF_HUB_OFFLINE": "1", "TRANSFORMERS_OFFLINE": "1"} if offline() or os.path.isdir(target.source) else {}  # noqa: PTH112 - a hub id is no path
    return {**ours, **direct, **hub, "NO_COLOR": "1", "PYTHONUNBUFFERED": "1", "DO_NOT_TRACK": "1"}
