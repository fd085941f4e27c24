"""A pass over a task's outcomes that need not be made again: under which key it is kept, and what is kept of it.

The key is a digest of everything that the pass reads (the listing, every sample, every answer and failure with its
seal) and of everything that it is made by (the task, evalkit's own code). A run that has nothing to do finds its
tallies and flips under it, and its sample files where it put them, if they are there and say what was written.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.base.identity import digest
from evalkit.base.types import Answer, Score  # noqa: TC001 - the codec reads the annotations
from evalkit.comparison.flips import Direction, Flip, FlipList, FlipReply
from evalkit.comparison.score import Tally
from evalkit.comparison.tally_columns import Shared
from evalkit.files import own_code
from evalkit.records.stored_samples import KeptSample

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalkit.base.types import Json
    from evalkit.harnesses import Harness
    from evalkit.records.kept_passes import Content
    from evalkit.records.plan import Contender, PlannedTask
    from evalkit.records.store import Store

    Stand = Callable[[Mapping[str, str]], bool]
    """Whether sample files are there as they were written, given their digests by model label."""


@dataclass(frozen=True, slots=True)
class KeptReply:
    """One side of a flip."""

    answer: Answer
    scores: Mapping[str, Score]
    value: float

    @classmethod
    def of(cls, reply: FlipReply) -> KeptReply:
        """A reply as it is kept."""
        return cls(reply.answer, reply.scores, reply.value)

    @property
    def reply(self) -> FlipReply:
        """The reply that was kept."""
        return FlipReply(self.answer, self.scores, self.value)


@dataclass(frozen=True, slots=True)
class KeptFlip:
    """A chosen flip."""

    direction: Direction
    sample: KeptSample
    baseline: KeptReply
    candidate: KeptReply
    attempts: int

    @classmethod
    def of(cls, flip: Flip) -> KeptFlip:
        """A flip as it is kept."""
        replies = KeptReply.of(flip.baseline), KeptReply.of(flip.candidate)
        return cls(flip.direction, KeptSample.of(flip.sample), *replies, flip.attempts)

    @property
    def flip(self) -> Flip:
        """The flip that was kept."""
        return Flip(self.direction, self.sample.sample, self.baseline.reply, self.candidate.reply, self.attempts)


@dataclass(frozen=True, slots=True)
class KeptFlips:
    """The flips of one candidate."""

    regressed: int
    improved: int
    chosen: tuple[KeptFlip, ...]


@dataclass(frozen=True, slots=True)
class KeptHead:
    """What stands before the tallies."""

    flips: tuple[KeptFlips, ...]
    """Of each candidate."""
    files: Mapping[str, str]
    """Digests of the sample files by model label, as they were put into their place; none of a pass that wrote none."""


@dataclass(frozen=True, slots=True)
class PassResult:
    """What a pass over one task came to."""

    tallies: tuple[Tally, ...]
    """Of each model."""
    flips: tuple[FlipList, ...]
    """Of each candidate."""

    def bodies(self, files: Mapping[str, str]) -> Iterator[Json]:
        """As it is kept, part by part."""
        lists = [KeptFlips(one.regressed, one.improved, tuple(map(KeptFlip.of, one.chosen))) for one in self.flips]
        yield codec.written(KeptHead(tuple(lists), files))
        for tally in self.tallies:
            yield from tally.kept()


@dataclass(frozen=True, slots=True)
class PassPlace:
    """Where the pass over one task, as some models were asked it, is kept."""

    part: PlannedTask
    models: Sequence[Contender]
    harness: Harness
    made_by: str
    """What the harness tells of what scores, beside the task and evalkit's own code."""

    @classmethod
    def of(cls, part: PlannedTask, models: Sequence[Contender], harness: Harness) -> PassPlace | None:
        """The place; None where the harness does not tell all that scores are made of, or a checker judges."""
        told = getattr(harness, "score_origin", None)
        found = told(part.task) if told is not None and not part.checker else None
        return None if found is None else cls(part, models, harness, found)

    @property
    def origin(self) -> str:
        """What it is the pass of."""
        asked = [[one.model.label, one.identity, one.epoch, one.attempt] for one in self.models]
        return digest([self.part.task.name, self.part.listing, asked])

    def content(self, read: Content) -> str:
        """What goes into it, of which ``read`` is what the store has."""
        return digest([self.made_by, codec.written(self.part.task), own_code.state(), read.digest()])

    def known(self, store: Store, content: str, stand: Stand) -> PassResult | None:
        """What was kept of the pass over this content; None where it is not known, or its sample files do not stand."""
        parts = store.kept_pass(self.origin, content)
        body = next(parts, None)
        if body is None:
            return None
        tallies, columns = [Tally(self.part.task, one.model.label, self.harness) for one in self.models], Shared(parts)
        try:
            head: KeptHead = codec.kept(KeptHead, body)
            if not stand(head.files):
                return None
            for tally in tallies:
                tally.restore(columns)
        except (
            StopIteration,
            KeyError,
            ValueError,
        ):  # a part is damaged or cannot be read, and nothing of it is believed
            return None
        flips = [
            FlipList(
                self.part.task.name, tally.model, one.regressed, one.improved, tuple(kept.flip for kept in one.chosen)
            )
            for tally, one in zip(tallies[1:], head.flips, strict=True)
        ]
        return PassResult(tuple(tallies), tuple(flips))
