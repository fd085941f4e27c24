"""A performance run as tables of texts: the published card's two, what is saved, and what does not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, TypeAlias

from evalkit.perf.cells import STREAMS
from evalkit.perf.validity import BURST_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.perf.outcome import PerfPlan, PerfResult, PerfRow
    from evalkit.perf.spread import CostBeside
    from evalkit.perf.uses import Use
    from evalkit.stats.cost import Stream

PerfGrid: TypeAlias = tuple[list[str], list[list[str]]]
"""Heading and body."""
DASH: Final = "–"
NOT_RESOLVED: Final = "not resolved"
TITLES: Final = {"single-stream": "Single-stream performance", "multi-stream": "Multi-stream asynchronous performance"}
_MEASURED: Final = {"single-stream": "Latency (s)", "multi-stream": "Maximum throughput (QPS)"}
_DIGITS: Final = 3


def number(value: float, digits: int = _DIGITS) -> str:
    """A figure with so many digits, and all those before the point: ``0.412``, ``5.18``, ``1437``."""
    if value >= 10 ** (digits - 1):
        return f"{value:.0f}"
    text = f"{value:.{digits}g}"
    return text if "e" not in text else f"{value:.{digits + 12}f}".rstrip("0")


def stream_table(result: PerfResult, stream: Stream) -> PerfGrid:
    """Hardware and model by use, as the published card has them: what was measured, queries per dollar, cost ratio.

    Without a price: what was measured, and the ratio to the baseline.
    """
    priced, uses = result.price is not None, result.plan.uses
    beside = f"Queries per {_unit(result)}" if priced else f"ratio to {result.plan.baseline}"
    head = ["Hardware", "Model", *(["Average cost ratio"] if priced else [])]
    head += [text for use in uses for text in (f"{use.heading} {_MEASURED[stream]}", f"{use.heading} {beside}")]
    body = []
    for model in result.plan.models:
        cells = [text for use in uses for text in _pair(result, result.of(model.label, use.name, stream))]
        mean = next((one.mean for one in result.savings if (one.model, one.stream) == (model.label, stream)), None)
        empty = "" if model.label == result.plan.baseline else DASH
        average = [empty if mean is None else _ratio(mean)] if priced else []
        body.append([result.plan.hardware, model.label, *average, *cells])
    return head, body


def _unit(result: PerfResult) -> str:
    """What a query is bought for: ``dollar``, as the card calls it, or the currency that was told."""
    currency = result.price.currency if result.price else ""
    return "dollar" if currency in {"USD", "$"} else currency


def _pair(result: PerfResult, row: PerfRow) -> list[str]:
    """What was measured, and what stands beside it."""
    if row.figure is None:
        return [DASH, DASH]
    if result.price is not None:
        return [number(row.figure.value), DASH if row.per_dollar is None else number(row.per_dollar)]
    own = "1" if row.model == result.plan.baseline else DASH
    return [number(row.figure.value), own if row.beside is None else _ratio(row.beside)]


def _ratio(found: CostBeside) -> str:
    return f"{found.ratio:.2f}" if found.resolved else NOT_RESOLVED


def intervals_table(result: PerfResult) -> PerfGrid:
    """Every row that counts: its figure and where it lies, its ratio to the baseline, and the A/A spread.

    Its cells begin with words: a reader of tables of scores must not take them for such.
    """
    head = ["Use", "Stream", "Model", "Measured", f"Beside {result.plan.baseline}", "A/A spread", ""]
    body = []
    for row, use in _shown(result):
        if row.figure is None:
            continue
        what, unit = ("latency", "s") if row.stream == "single-stream" else ("rate", "a second")
        value, low, high = (number(end) for end in (row.figure.value, row.figure.low, row.figure.high))
        found = row.beside
        said = ["", "", ""] if found is None else [_bounds(found), _spread(found), _state(found)]
        body.append([use.title, row.stream, row.model, f"{what} {value} {unit} ({low} to {high})", *said])
    return head, body


def _bounds(found: CostBeside) -> str:
    return f"x {found.ratio:.2f} ({found.low:.2f} to {found.high:.2f})"


def _spread(found: CostBeside) -> str:
    return "unknown" if found.spread is None else f"x {found.spread:.2f}"


def _state(found: CostBeside) -> str:
    return "" if found.resolved else NOT_RESOLVED


def savings_table(result: PerfResult) -> PerfGrid:
    """What each candidate saves, in three readings that are named for what they are."""
    head = [
        "Model",
        "Stream",
        "Mean of the uses' ratios",
        "Least",
        "Most",
        "A/A spread",
        "One query of each use",
        "Money",
    ]
    body = []
    for one in result.savings:
        found = one.mean
        sure = found.resolved
        percent = abs(one.cheaper_percent)
        money = f"{percent:.0f} % {'cheaper' if one.cheaper_percent >= 0 else 'dearer'}"
        ratios = [f"x {end:.2f}" for end in (found.low, found.high)]
        body.append(
            [
                one.model,
                one.stream,
                f"x {found.ratio:.2f}" if sure else NOT_RESOLVED,
                *ratios,
                _spread(found),
                f"x {one.pooled_ratio:.2f}" if sure else NOT_RESOLVED,
                money if sure else NOT_RESOLVED,
            ]
        )
    return head, body


def tokens_table(result: PerfResult) -> PerfGrid:
    """Times of tokens, power and memory, as far as they were told and mean something."""
    head = ["Use", "Stream", "Model", "Tokens", "GPU"]
    body = []
    for row, use in _shown(result):
        if row.figure is not None:
            body.append([use.title, row.stream, row.model, _token_words(row), _gpu_words(row)])
    return head, body


def _token_words(row: PerfRow) -> str:
    if row.ttft_s is None or row.gap_s is None:
        return "not meaningful"
    return f"first after {number(1000 * row.ttft_s)} ms, then {number(1000 * row.gap_s)} ms apart"


def _gpu_words(row: PerfRow) -> str:
    return DASH if row.mean_w is None else f"power {row.mean_w:.0f} W, memory {row.most_mib or 0:,} MiB"


def _shown(result: PerfResult) -> Iterator[tuple[PerfRow, Use]]:
    uses = {use.name: use for use in result.plan.uses}
    return ((row, uses[row.use]) for row in result.rows)


def faults(result: PerfResult) -> list[str]:
    """A sentence for each row without a number."""
    return [
        f"{row.model}, {use.title}, {row.stream}: no number; {'; '.join(row.reasons)}"
        for row, use in _shown(result)
        if row.reasons
    ]


def sentences(result: PerfResult) -> Iterator[str]:
    """What a reader must know to believe the tables."""
    plan = result.plan
    several = f"{plan.starts} starts of each server, in turn" if plan.starts > 1 else "one start of each server"
    counts = " and ".join(f"{plan.queries[stream]} {stream}" for stream in STREAMS)
    many = f"the latter with {plan.concurrency} under way at once" if plan.concurrency > 1 else "one after the other"
    yield (
        f"Measured with {plan.engine} {plan.engine_release}: {several}; queries of each use and start: {counts}, "
        f"{many}. Prefix and picture caches were off. Figures of another engine or release are not comparable."
    )
    if plan.starts > 1:
        yield (
            "The A/A spread is the largest ratio of two starts of the same model. A ratio inside it says nothing of "
            f"the models: {NOT_RESOLVED}."
        )
    else:
        yield f"Nothing was started twice, so there is no A/A spread, and no ratio is told: {NOT_RESOLVED}."
    yield (
        "Latency is the median of all queries, in brackets the ends of the starts' 95 % intervals. Throughput is the "
        "mean of the starts, in brackets the lowest and the highest. Least and most are what some pair of starts "
        "gives, each at the far end."
    )
    yield _price_words(result)
    if any(row.figure is not None and row.ttft_s is None for row in result.rows):
        yield (
            f"Times of tokens mean nothing where tokens came in one burst (less than {1000 * BURST_S:g} ms apart), or "
            "where the engine did not tell them."
        )
    yield from _engine_words(plan)


def _price_words(result: PerfResult) -> str:
    if result.price is None:
        return "No price was given (--price or --prices), so there are ratios alone."
    several = f", {result.plan.gpus} of them a server" if result.plan.gpus > 1 else ""
    return (
        f"Price: {result.price.words}{several}. Queries per {_unit(result)} are 3600 / (price x latency), or 3600 x "
        "queries a second / price, of unrounded figures."
    )


def _engine_words(plan: PerfPlan) -> Iterator[str]:
    """What an engine sends otherwise than the use says."""
    bare = [use.title for use in plan.uses if not use.prompt_tokens]
    if plan.engine == "vllm-bench":
        if bare:
            yield f"vllm bench serve sends at least one prompt token: so it did in {', '.join(bare)}."
        if any(use.picture for use in plan.uses):
            yield "Its pictures are noise, which makes large files; GuideLLM's are gradients."
