"""What the deaths of one model's server mean: start it again, set a request aside, or give the model up.

Only what was under way can have brought a death about, so it is asked again first on the next start: after a request
that was not under way, which shows that the server can answer at all, and a few at a time, in the end alone. A request
is a killer when the server died with it, and died of the same cause again while nothing else was under way; where the
log has no exception that says so much, it must have been the first thing asked of a server that had just answered
another. An innocent request passes one of these, and is answered.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import ServerFailedError
from evalkit.base.printable import counted
from evalkit.base.types import Failure, FailureKind

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.client import Request
    from evalkit.serve import Diagnosis

Keys = tuple[str, ...]
"""The samples of one request, by key."""

KILLERS: Final = 3
"""So many different requests that each killed the server are not about single requests any more."""
_STEPS: Final = 32
"""Suspects are asked in at most so many steps; with more of them, several at a time."""
_LONGEST_PAUSE_S: Final = 60.0
_NUMBER: Final = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True, slots=True)
class Death:
    """One death of a server that was ready before."""

    cause: Diagnosis
    under_way: tuple[Request, ...]
    """Requests without an outcome."""
    answers: int
    """What this start of the server had answered before."""
    words: str = ""
    """Evidence for an error: the log's last lines, and where it is."""


@dataclass(slots=True)
class Deaths:
    """The deaths of one model's server in one run."""

    label: str
    restarts: int
    """How often the server may be started again without having learned which request killed it."""
    suspects: tuple[Keys, ...] = ()
    """What was under way at the last death, a request each; to be asked again first."""
    count: int = 0
    killers: list[Keys] = field(default_factory=list)
    _lost: set[Keys] = field(default_factory=set)
    """What was under way on servers that died while others went on."""
    _since_killer: int = 0
    _last: Death | None = None

    def note(self, death: Death, *, answered: bool) -> tuple[Keys, Failure] | None:
        """Take a death; returns the request that is to be set aside, with its failure, if it is known by now.

        Args:
            death: The death.
            answered: Whether the model has answered anything, on this server or before.

        Raises:
            ServerFailedError: The server is not worth another start.
        """
        self.count += 1
        self._since_killer += 1
        before, self._last = self._last, death
        repeats = before is not None and _same(before, death)
        killer = self._killer(death) if repeats and answered else None
        if killer is not None:
            self.killers.append(killer)
            self.suspects, self._since_killer, self._last = (), 0, None
            return killer, Failure(FailureKind.KILLED_SERVER, f"the server died of it twice: {death.cause.reason}")
        if before is not None and repeats and not death.answers and not before.answers:
            # Where the model has answered before, only a death that no suspect was part of speaks against the server.
            suspected = set(self.suspects) & set(_apart(death.under_way))
            if not (answered and suspected):
                raise self._given_up(death, "the server died twice before it answered anything")
        if self._since_killer > self.restarts:
            raise self._given_up(death, f"the server died {counted(self.count, 'time')}")
        self.suspects = tuple(_apart(death.under_way))
        return None

    def note_beside_others(self, death: Death) -> None:
        """Take the death of a server beside which others go on: they are asked what it had, unless it comes twice."""
        self.count += 1
        self._last = death
        held = tuple(_apart(death.under_way))
        self.suspects = tuple(dict.fromkeys((*self.suspects, *held)))
        self._lost.update(held)

    def died_with(self, request: Request) -> bool:
        """Whether it was under way when a server died beside others."""
        return not self._lost.isdisjoint(_apart((request,)))

    def too_many_killers(self, death: Death) -> ServerFailedError | None:
        """The error of a model that too many different requests killed."""
        if len(self.killers) < KILLERS:
            return None
        return self._given_up(death, f"{counted(len(self.killers), 'different request')} each killed the server")

    def steps(self) -> Iterator[Sequence[Keys]]:
        """The suspects in the order in which to ask them, those of one step together."""
        size = max(1, math.ceil(len(self.suspects) / _STEPS))
        for at in range(0, len(self.suspects), size):
            yield self.suspects[at : at + size]

    @property
    def pause_s(self) -> float:
        """How long to wait before the next start: the longer, the less is known of why the server dies."""
        return min(_LONGEST_PAUSE_S, 2.0 ** (self._since_killer - 1))

    @property
    def next_step(self) -> str:
        """What is done about the last death, in words."""
        if self._last is None:
            return f"setting the request aside that killed it ({len(self.killers)} of at most {KILLERS})"
        return f"starting it again (restart {self._since_killer} of {self.restarts})"

    def _killer(self, death: Death) -> Keys | None:
        """The one request that this death, after the one before, can be blamed on."""
        asked = tuple(_apart(death.under_way))
        if len(asked) != 1 or asked[0] not in self.suspects:
            return None
        told_by_the_log, asked_first = bool(death.cause.quote), death.answers <= 1
        return asked[0] if told_by_the_log or asked_first else None

    def _given_up(self, death: Death, what: str) -> ServerFailedError:
        return ServerFailedError(
            f"{self.label}: {what} ({death.cause.reason})",
            fix=f"{death.cause.fix}; the same command then continues",
            evidence=death.words,
        )


def _same(one: Death, other: Death) -> bool:
    """Whether two deaths have one cause; the sizes of a picture or of a prompt make no other one of it."""
    return _NUMBER.sub("#", one.cause.reason) == _NUMBER.sub("#", other.cause.reason)


def _apart(requests: Iterable[Request]) -> Iterator[Keys]:
    """What each request asks, taken apart where its samples can be asked without each other."""
    for request in requests:
        keys = (request.key,) if isinstance(request.key, str) else request.key
        yield from (((key,) for key in keys) if request.separable else (keys,))
