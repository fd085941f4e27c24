"""How far a whole run has come, and how long it will still take, over all models and tasks: from its events."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass, field
from itertools import takewhile
from typing import TYPE_CHECKING, Final

from evalkit.base.events import Outset, Progress, ServerState

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.base.events import Event

_ENOUGH: Final = 16
_SHARE: Final = 0.01
"""A model's own rate counts from so many new answers on, or from this share of what it owes, whichever is more: the
first answers wait for a whole window of heavy prompts, and of a server's first compilations, and tell nothing."""
_LONG_S: Final = 120.0
"""After so long ``_ENOUGH`` answers will do: then they are as slow as that."""
_BEGINS: Final = frozenset({"starting", "already running"})
_SPEAKS: Final = frozenset({"ready", "already running", "answering"})
_ENDED: Final = frozenset({"died", "did not start", "stopping", "stopped", "not stopped"})


@dataclass(slots=True)
class _Model:
    """What one model was owed, and when its server did what; times are the clock's."""

    owed: int
    began: float | None = None
    """When its server was last started."""
    ready: float | None = None
    """When it last got ready; None while it starts."""
    elsewhere: bool = False
    """Whether its server runs already: such a model is asked while no other one is."""
    starts: list[float] = field(default_factory=list)
    """Seconds that each start took."""
    answering_s: float = 0.0
    """Seconds that its earlier servers answered for."""
    course: list[tuple[float, int]] = field(default_factory=lambda: [(0.0, 0)])
    """How many new answers there were after how many seconds of answering."""
    before: dict[str, int] = field(default_factory=dict)
    """Answers to each task that were there when the run came to it."""
    now: dict[str, int] = field(default_factory=dict)
    """Answers to each task that are there."""

    @property
    def served(self) -> bool:
        """Whether a server of its own starts or runs now, maybe beside those of others."""
        return not self.elsewhere and (self.began is not None or self.ready is not None)

    @property
    def new(self) -> int:
        """Answers that it has given in this run."""
        return min(self.owed, sum(self.now.values()) - sum(self.before.values()))

    @property
    def left(self) -> int:
        """Answers that it still owes."""
        return self.owed - self.new

    def spoke_s(self, now: float) -> float:
        """Seconds for which it has been answering."""
        return self.answering_s + (now - self.ready if self.ready is not None else 0.0)

    def note(self, now: float) -> None:
        """Remember how far it is."""
        spoke_s = self.spoke_s(now)
        if spoke_s >= self.course[-1][0] + 1.0:
            self.course.append((spoke_s, self.new))

    def rate(self, now: float) -> float | None:
        """Answers a second in the later half of its answering: the first ones are slow. None while it tells little."""
        spoke_s, enough = self.spoke_s(now), max(_ENOUGH, self.owed * _SHARE) if self.left else 1
        if spoke_s <= 0.0 or self.new < (min(enough, _ENOUGH) if spoke_s >= _LONG_S else enough):
            return None
        since_s, before = self.course[max(0, bisect_right(self.course, (spoke_s / 2, self.owed)) - 1)]
        lately = self.new - before
        return lately / (spoke_s - since_s) if lately else self.new / spoke_s


class Whole:
    """Listens to a run's events; tells where the whole run stands."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Begin to count time, in the clock's seconds."""
        self._clock = clock
        self._began = clock()
        self._models: dict[str, _Model] = {}
        self._ahead: list[_Model] = []
        self.planned = 0
        """Answers of all models to all tasks, those that the store has included; 0 before that is known."""

    def __call__(self, event: Event) -> None:
        """Take one event."""
        if isinstance(event, Outset):
            self.planned = event.planned
            self._models = {label: _Model(owed) for label, owed in event.owed.items()}
            self._ahead = list(self._models.values())
        elif isinstance(event, Progress) and event.model in self._models:
            one, count = self._models[event.model], event.scored + event.failed
            one.before.setdefault(event.task, count)
            one.now[event.task] = count
            one.note(self._clock())
        elif isinstance(event, ServerState) and (event.model in self._models or not self.planned):
            # Where no answers are planned, as in a performance run, a server's start takes its time all the same.
            self._turn(self._models.setdefault(event.model, _Model(0)), event.state)

    def _turn(self, one: _Model, state: str) -> None:
        now = self._clock()
        if state in _BEGINS:
            one.began, one.elsewhere = now, state == "already running"
            # Models are asked in their order, some at the same time: what those before this one whose servers are
            # gone have not answered, they will not, unless they begin again.
            before = [*takewhile(lambda other: other is not one, self._ahead)]
            rest = self._ahead[len(before) :]
            self._ahead = [*(other for other in before if other.served), *rest] if rest else [one, *before]
        if state in _SPEAKS and one.ready is None:
            one.ready = now
            if state == "ready" and one.began is not None:
                one.starts.append(now - one.began)
        if state in _ENDED and one.ready is not None:
            one.answering_s, one.ready = one.spoke_s(now), None
        if state in _ENDED:
            one.began = None

    @property
    def answered(self) -> int:
        """Answers that are there, of ``planned``."""
        return self.planned - sum(one.left for one in self._models.values())

    @property
    def rate(self) -> float | None:
        """Answers a second of the models that are being asked; None while none is, or too little tells."""
        now, asked = self._clock(), [one for one in self._ahead if one.ready is not None and one.left]
        return sum(rate for one in asked if (rate := one.rate(now)) is not None) or None

    @property
    def elapsed_s(self) -> float:
        """Seconds since the run began."""
        return self._clock() - self._began

    def starting_s(self, model: str) -> float | None:
        """Seconds for which a model's server has been starting; None when it is not."""
        one = self._models.get(model)
        return self._clock() - one.began if one and one.began is not None and one.ready is None else None

    @property
    def left_s(self) -> float | None:
        """Seconds that the rest will take, starts of servers included; None until the rates seen so far tell it."""
        now, rest = self._clock(), [one for one in self._ahead if one.left]
        side_by_side, seconds = 0.0, 0.0
        for one in rest:
            rate = self._rate(one, now)
            if rate is None:
                return None
            own_s = one.left / rate + self._start_s(one, now)
            if one.served:
                side_by_side = max(side_by_side, own_s)
            else:
                seconds += own_s
        return side_by_side + seconds

    def _rate(self, one: _Model, now: float) -> float | None:
        """Answers a second: the model's own, or until it has given some, that of the models before it together."""
        own = one.rate(now)
        if own is not None:
            return own
        known = [model for model in self._models.values() if model.rate(now) is not None]
        seconds = sum(model.spoke_s(now) for model in known)
        return sum(model.new for model in known) / seconds if seconds else None

    def _start_s(self, one: _Model, now: float) -> float:
        """Seconds until a model's server is ready: as long as starts have taken, less what has passed of this one."""
        starts = [seconds for other in self._models.values() for seconds in other.starts]
        if one.ready is not None or not starts:
            return 0.0
        return max(0.0, sum(starts) / len(starts) - (now - one.began if one.began is not None else 0.0))
