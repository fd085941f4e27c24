"""A cell: one model, one use, one stream, one start of its server. The unit that is measured, kept and resumed."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from statistics import median
from typing import TYPE_CHECKING, Final, NamedTuple

from evalkit.stats.cost import Stream  # noqa: TC001 - the codec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Sequence

STREAMS: Final[tuple[Stream, ...]] = ("single-stream", "multi-stream")


class CellKey(NamedTuple):
    """Which cell."""

    model: str
    """The model's label."""
    use: str
    """The use's name."""
    stream: Stream
    start: int
    """Which start of this model's server, counted from 1."""

    def __str__(self) -> str:
        return f"{self.model}: {self.use}, {self.stream}, start {self.start}"

    @property
    def seed(self) -> int:
        """What the queries are drawn with: the same for every model, another for every use, stream and start."""
        text = f"{self.use} {self.stream} {self.start}"
        return int.from_bytes(sha256(text.encode()).digest()[:4]) % 2**31


@dataclass(frozen=True, slots=True)
class Timed:
    """One query that succeeded, as an engine saw it."""

    start_s: float
    """When it was sent, on whatever clock all queries of the cell share."""
    latency_s: float
    """Until the last token."""
    prompt_tokens: int | None
    """As the server counted them."""
    output_tokens: int | None
    """As the server counted them."""
    ttft_s: float | None = None
    """Until the first token."""
    gaps_s: float | None = None
    """Typical time between two tokens: its median where the engine tells every gap, or else their mean."""


@dataclass(frozen=True, slots=True)
class EngineReading:
    """What an engine said of one cell."""

    timed: tuple[Timed, ...]
    failed: int = 0
    """Queries that had no whole answer."""
    error: str = ""
    """What the engine says of the first of them."""
    warnings: tuple[str, ...] = ()
    """What the engine itself says against its figures."""
    rate: float | None = None
    """Queries a second as the engine computes them."""


@dataclass(frozen=True, slots=True)
class GpuDraw:
    """What ``nvidia-smi`` said of the GPUs of a server while a cell was measured."""

    mean_w: float
    """Power of all of them together, on average."""
    most_mib: int
    """The most memory of all of them together."""
    looks: int
    """How often it was asked."""


@dataclass(frozen=True, slots=True)
class MeasuredCell:
    """What was measured; a cell is kept as it is, whether it counts or not."""

    model: str
    """The model's label."""
    use: str
    """The use's name."""
    stream: Stream
    """``single-stream`` or ``multi-stream``."""
    start: int
    """Which start of this model's server, counted from 1."""
    began: str
    """When its server was started, ISO 8601 in UTC: one start is of two servers where a run was resumed within it."""
    seed: int
    """What its queries were drawn with."""
    concurrency: int
    """Queries under way at once."""
    asked: int
    """Queries that the engine was told to send."""
    failed: int
    """Those that had no whole answer."""
    error: str
    """What the engine said of the first of them, or of its own end."""
    latencies_s: tuple[float, ...]
    """Of every query that succeeded, in the order in which they were sent."""
    prompt_tokens: tuple[int, ...]
    """Of every query, as the server counted them, in ascending order."""
    output_tokens: tuple[int, ...]
    """Of every query, as the server counted them, in ascending order."""
    rate: float | None
    """Queries a second: those that succeeded, by the time from the first one sent to the last token."""
    engine_rate: float | None
    """The same as the engine computes it."""
    idle: float | None
    """Share of that time in which the engine could have sent a query and had not: its own delay."""
    ttft_s: float | None
    """Median time to the first token."""
    gap_s: float | None
    """Median time between two tokens, as far as the engine tells."""
    warnings: tuple[str, ...]
    """What the engine said against its own figures."""
    wall_s: float
    """How long the engine ran, its own start and end included."""
    draw: GpuDraw | None = None
    """Power and memory; left out where no ``nvidia-smi`` answers."""

    @property
    def key(self) -> CellKey:
        """Which cell it is."""
        return CellKey(self.model, self.use, self.stream, self.start)

    @property
    def value(self) -> float | None:
        """The cell's figure: the median latency in seconds, or queries a second."""
        if self.stream == "multi-stream":
            return self.rate
        return median(self.latencies_s) if self.latencies_s else None


def settled(
    key: CellKey, reading: EngineReading, *, began: str, asked: int, concurrency: int, wall_s: float
) -> MeasuredCell:
    """The cell that a reading makes."""
    timed = sorted(reading.timed, key=lambda one: one.start_s)
    firsts = [one.ttft_s for one in timed if one.ttft_s is not None]
    gaps = [one.gaps_s for one in timed if one.gaps_s is not None]
    return MeasuredCell(
        model=key.model,
        use=key.use,
        stream=key.stream,
        start=key.start,
        began=began,
        seed=key.seed,
        concurrency=concurrency,
        asked=asked,
        failed=reading.failed,
        error=reading.error,
        latencies_s=tuple(one.latency_s for one in timed),
        prompt_tokens=tuple(sorted(one.prompt_tokens for one in timed if one.prompt_tokens is not None)),
        output_tokens=tuple(sorted(one.output_tokens for one in timed if one.output_tokens is not None)),
        rate=_rate(timed),
        engine_rate=reading.rate,
        idle=idle(timed, concurrency),
        ttft_s=median(firsts) if firsts else None,
        gap_s=median(gaps) if gaps else None,
        warnings=reading.warnings,
        wall_s=wall_s,
    )


def _rate(timed: Sequence[Timed]) -> float | None:
    if not timed:
        return None
    span = max(one.start_s + one.latency_s for one in timed) - min(one.start_s for one in timed)
    return len(timed) / span if span > 0 else None


def idle(timed: Sequence[Timed], concurrency: int) -> float | None:
    """Share of the places for queries under way that an engine left empty, of the time until the last one was sent.

    A place is free from the beginning, or from the end of the query that had it. After the last query is sent there is
    nothing left to send, so what is empty then is not the engine's delay. None where nothing was measured.
    """
    ordered = sorted(timed, key=lambda one: one.start_s)
    if len(ordered) < 2:
        return 0.0 if ordered else None
    began = ordered[0].start_s
    free = [began] * concurrency
    empty = 0.0
    for one in ordered:
        place = min(range(concurrency), key=free.__getitem__)
        empty += max(0.0, one.start_s - free[place])
        free[place] = one.start_s + one.latency_s
    span = max(one.start_s + one.latency_s for one in ordered) - began
    return empty / (min(concurrency, len(ordered)) * span) if span > 0 else None
