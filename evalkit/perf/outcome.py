"""Cells -> rows: what counts, what it is, what it costs, and how it stands beside the baseline."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import asdict, dataclass, field, replace
from itertools import permutations, product
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.base.identity import digest
from evalkit.base.types import Json  # noqa: TC001 - the codec reads the annotations
from evalkit.perf import spread, validity
from evalkit.perf.cells import STREAMS, CellKey, MeasuredCell
from evalkit.perf.prices import HourPrice  # noqa: TC001 - the codec reads the annotations
from evalkit.perf.spread import CostBeside, Located
from evalkit.perf.uses import Use  # noqa: TC001 - the codec reads the annotations
from evalkit.records.provenance import Provenance
from evalkit.stats import cost
from evalkit.stats.cost import Stream  # noqa: TC001 - the codec reads the annotations

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


@dataclass(frozen=True, slots=True)
class PerfModel:
    """A model and how it is served."""

    label: str
    """How tables name it."""
    source: str
    """A folder or a hub id."""
    digest: str
    """Identity of its files, as an evaluation of it has it."""
    program: str
    """What serves it, such as ``vllm``."""
    release: str
    """Of that program."""
    accelerator: str
    """Such as ``NVIDIA H100 80GB HBM3 x1``; ``cpu``."""
    flags: Mapping[str, Json]
    """Serving flags and variables, all that are not where and how much is logged."""


@dataclass(frozen=True, slots=True)
class PerfPlan:
    """What is measured, and how."""

    models: tuple[PerfModel, ...]
    """The baseline first."""
    uses: tuple[Use, ...]
    """What a query holds, each."""
    engine: str
    """Who sends the queries: ``guidellm`` or ``vllm-bench``."""
    engine_release: str
    """Of it: rows of two releases are not comparable."""
    hardware: str
    """How tables name what the models are served on."""
    gpus: int
    """How many GPUs a server computes on; 0 on a CPU."""
    starts: int
    """How often each model's server is started."""
    queries: Mapping[str, int]
    """Stream to the queries of one cell."""
    concurrency: int
    """Queries under way at once where there are many."""
    most_idle: float = validity.MOST_IDLE
    """The engine's own delay that is borne, as a share of the time."""

    @property
    def baseline(self) -> str:
        """Label of the model that the others are held against."""
        return self.models[0].label

    @property
    def key(self) -> str:
        """Identity of everything that can move a figure; labels, titles and prices cannot."""
        return digest(
            [
                [[one.label, one.digest, one.program, one.release, one.accelerator, one.flags] for one in self.models],
                [[one.name, one.identity] for one in self.uses],
                [self.engine, self.engine_release, self.starts, dict(self.queries), self.concurrency],
                self.hardware,
            ]
        )


@dataclass(frozen=True, slots=True)
class PerfRow:
    """One model in one use and stream."""

    model: str
    """The model's label."""
    use: str
    """The use's name."""
    stream: Stream
    """``single-stream`` or ``multi-stream``."""
    reasons: tuple[str, ...]
    """Why it does not count; then it has no figure."""
    figure: Located | None = None
    """Latency in seconds or queries a second, with its interval."""
    starts: tuple[float, ...] = ()
    """The figure of each start that counts."""
    per_dollar: float | None = None
    """Queries for one unit of the price's currency; None without a price."""
    beside: CostBeside | None = None
    """Beside the baseline; None for the baseline, and where one of them does not count."""
    ttft_s: float | None = None
    """Median time to the first token; None where it means nothing."""
    gap_s: float | None = None
    """Median time between two tokens; None where it means nothing."""
    mean_w: float | None = None
    """Power of the server's GPUs while it was measured; None where nobody could be asked."""
    most_mib: int | None = None
    """The most memory of the server's GPUs while it was measured."""


@dataclass(frozen=True, slots=True)
class PerfSaving:
    """What a candidate saves over all uses of a stream."""

    model: str
    """The candidate's label."""
    stream: Stream
    """``single-stream`` or ``multi-stream``."""
    mean: CostBeside
    """The mean of the uses' ratios: what published cards call the average cost reduction."""
    pooled_ratio: float
    """How many times less one query of each use costs."""
    cheaper_percent: float
    """The same as a share of the money: 1 - 1 / ``pooled_ratio``."""


@dataclass(frozen=True, slots=True)
class PerfResult:
    """A performance run as it is shown."""

    id: str
    plan: PerfPlan
    rows: tuple[PerfRow, ...]
    savings: tuple[PerfSaving, ...]
    price: HourPrice | None
    notices: tuple[str, ...] = ()
    """What a reader should know."""
    provenance: Provenance = field(default_factory=Provenance)
    """Commands, machine and releases."""

    @property
    def whole(self) -> bool:
        """Whether every row counts."""
        return not any(row.reasons for row in self.rows)

    def of(self, model: str, use: str, stream: Stream) -> PerfRow:
        """One row."""
        return next(row for row in self.rows if (row.model, row.use, row.stream) == (model, use, stream))


def rows(
    plan: PerfPlan, cells: Sequence[MeasuredCell], price: HourPrice | None, lost: Mapping[str, str]
) -> tuple[PerfRow, ...]:
    """Every row of a plan, in the order of streams, models and uses.

    Args:
        plan: What was to be measured.
        cells: What was.
        price: Of an hour; None without one.
        lost: Why a cell or a model could not be measured, by `CellKey` in words or by label.
    """
    against = validity.faults(cells, {use.name: use for use in plan.uses}, most_idle=plan.most_idle)
    found: dict[tuple[str, str, Stream], PerfRow] = {}
    for stream, model, use in product(STREAMS, plan.models, plan.uses):
        key = (model.label, use.name, stream)
        own = sorted((cell for cell in cells if cell.key[:3] == key), key=lambda cell: cell.start)
        reasons = [f"start {cell.start}: {against[cell.key]}" for cell in own if cell.key in against]
        missing = {*range(1, plan.starts + 1)} - {cell.start for cell in own}
        reasons += [f"start {at}: {_why(CellKey(*key, at), lost)}" for at in sorted(missing)]
        base = found.get((plan.baseline, use.name, stream))
        found[key] = _row(own, PerfRow(*key, tuple(reasons)), base, _hour(plan, price))
    return tuple(found.values())


def _why(key: CellKey, lost: Mapping[str, str]) -> str:
    """Why a cell was not measured."""
    return lost.get(str(key)) or lost.get(key.model) or "it was not measured"


def _hour(plan: PerfPlan, price: HourPrice | None) -> float | None:
    """What an hour of everything that one server computes on costs."""
    return None if price is None else price.price * max(1, plan.gpus)


def _row(cells: Sequence[MeasuredCell], row: PerfRow, base: PerfRow | None, hour: float | None) -> PerfRow:
    """The row with its figures, unless it has a reason to have none."""
    figure = None if row.reasons else spread.combined(cells)
    if figure is None:
        return row
    telling = all(map(validity.tokens_tell, cells))
    draws = [cell.draw for cell in cells if cell.draw is not None]
    looks = sum(one.looks for one in draws)
    values = tuple(cell.value for cell in cells if cell.value is not None)
    return replace(
        row,
        figure=figure,
        starts=values,
        per_dollar=None if hour is None else cost.per_dollar(row.stream, figure.value, hour),
        beside=_beside(row.stream, base, figure, values),
        ttft_s=_mean([cell.ttft_s for cell in cells if cell.ttft_s is not None]) if telling else None,
        gap_s=_mean([cell.gap_s for cell in cells if cell.gap_s is not None]) if telling else None,
        mean_w=sum(one.mean_w * one.looks for one in draws) / looks if looks else None,
        most_mib=max((one.most_mib for one in draws), default=None),
    )


def _beside(stream: Stream, base: PerfRow | None, figure: Located | None, values: Sequence[float]) -> CostBeside | None:
    if base is None or base.figure is None or figure is None:
        return None
    several = [one for one in (base.starts, values) if len(one) > 1]
    widest = max(map(spread.apart, several)) if several else None
    return spread.beside(stream, base.figure, figure, widest)


def _mean(values: Sequence[float]) -> float | None:
    return sum(values) / len(values) if values else None


def savings(plan: PerfPlan, found: Sequence[PerfRow]) -> tuple[PerfSaving, ...]:
    """What each candidate saves in each stream; candidates with a row that does not count are left out."""
    return tuple(
        one
        for stream in STREAMS
        for model in plan.models[1:]
        if (one := _saving(model.label, stream, [row for row in found if row.stream == stream], plan.baseline))
    )


def _saving(model: str, stream: Stream, found: Sequence[PerfRow], baseline: str) -> PerfSaving | None:
    own, base = [[row for row in found if row.model == label] for label in (model, baseline)]
    each = [row.beside for row in own if row.beside is not None]
    if len(each) != len(own) or not each:
        return None
    bought = [
        [cost.per_dollar(stream, row.figure.value, 1.0) for row in side if row.figure is not None]
        for side in (base, own)
    ]
    pooled = cost.pooled_ratio(*bought)
    mean = CostBeside(
        cost.mean_ratio([one.ratio for one in each]),
        cost.mean_ratio([one.low for one in each]),
        cost.mean_ratio([one.high for one in each]),
        _spread_of_mean(stream, own, base),
    )
    return PerfSaving(model, stream, mean, pooled, cost.cheaper_percent(pooled))


def _spread_of_mean(stream: Stream, own: Sequence[PerfRow], base: Sequence[PerfRow]) -> float | None:
    """The largest mean ratio of two starts of one model, the baseline or the candidate."""
    found = [ratio for side in (base, own) for ratio in _against_itself(stream, side)]
    return max(found) if found else None


def _against_itself(stream: Stream, side: Sequence[PerfRow]) -> Iterator[float]:
    """The mean ratio over all uses of every start of a model to every other, as if they were two models."""
    for one, other in permutations(range(min(len(row.starts) for row in side)), 2):
        found = cost.mean_ratio([cost.ratio(stream, row.starts[one], row.starts[other]) for row in side])
        yield max(found, 1 / found)


def as_json(result: PerfResult, cells: Sequence[MeasuredCell]) -> dict[str, Json]:
    """Everything, unrounded: what ``perf.json`` holds."""
    return {
        "schema_version": 1,
        "id": result.id,
        "key": result.plan.key,
        "plan": asdict(result.plan),
        "price": None if result.price is None else asdict(result.price),
        "rows": [
            {**asdict(row), "resolved": None if row.beside is None else row.beside.resolved} for row in result.rows
        ],
        "savings": [{**asdict(one), "resolved": one.mean.resolved} for one in result.savings],
        "cells": [asdict(cell) for cell in cells],
        "notices": list(result.notices),
        "provenance": codec.written(result.provenance),
    }
