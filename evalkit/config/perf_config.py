"""What a performance run is told beside models and servers: the table ``perf`` of the file."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from evalkit.base import codec
from evalkit.base.codec import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json

LoadEngine: TypeAlias = Literal["guidellm", "vllm-bench"]
UNCACHED: Final[Mapping[str, Json]] = {"enable-prefix-caching": False, "mm-processor-cache-gb": 0}
"""Flags with which nothing of a query is served from an earlier one."""
_FEWEST_AT_ONCE: Final = 64


@dataclass(frozen=True, slots=True)
class PerfConfig:
    """What ``evalkit perf`` measures, and at what price; ``evalkit run`` passes it over."""

    uses: tuple[str, ...] = ()
    """Names of uses, or paths of their files; the published card's three where none is named."""
    engine: LoadEngine = "guidellm"
    """Who sends the queries: GuideLLM in an environment of its own, or ``vllm bench serve`` of the serving one."""
    engine_python: str = ""
    """An interpreter that has the engine, in place of the environment that evalkit makes or serves with."""
    starts: int = 2
    """How often each model's server is started."""
    queries: int = 50
    """Single-stream queries of each use and start."""
    queries_at_once: int | None = None
    """Multi-stream queries of each use and start; left out: four times those under way at once, at least 64."""
    concurrency: int | None = None
    """Multi-stream queries under way at once; left out: twice the server's batch size, at most 256."""
    warmups: int = 4
    """Queries of each use that are sent before every cell and measured by nobody."""
    deadline_s: float = 1800.0
    """How long an engine may take for one cell."""
    most_idle: float = 0.05
    """The engine's own delay that is borne: the share of the time in which it left the server without a query."""
    price: float | None = None
    """Of an hour of one GPU, or of the machine where models are served on its CPU."""
    currency: str = "USD"
    """Of ``price``."""
    price_source: str = ""
    """Who asks that price, and when it was read."""
    prices: str = ""
    """A TOML file of prices, in place of ``price``."""

    def at_once(self, window: int) -> tuple[int, int]:
        """Multi-stream: queries under way at once, and queries in all; ``window`` is what suits the server."""
        many = self.concurrency or window
        return many, self.queries_at_once or max(_FEWEST_AT_ONCE, 4 * many)


def problems(one: PerfConfig) -> Iterator[Fault]:
    """Values of the table that make no sense, by their keys."""
    counts = {name: getattr(one, name) for name in ("starts", "queries", "queries_at_once", "concurrency")}
    yield from codec.at_least(1, counts)
    yield from codec.at_least(0, {"warmups": one.warmups})
    yield from codec.above(0, {"deadline_s": one.deadline_s, "most_idle": one.most_idle, "price": one.price})
    if one.most_idle > 1:
        yield Fault("most_idle", f"is {one.most_idle:g}", "must be a share, 1 or less")
    if one.price is not None and one.prices:
        yield Fault("price", "is given beside a file of prices", "leave --price or --prices out")
    if one.price is not None and not one.price_source.strip():
        yield Fault("price_source", "is missing", "say whose price it is and when: --price-source 'NAME, DATE'")
    if one.price is None and one.price_source:
        yield Fault("price", "is missing", "give the price of an hour with --price, or leave --price-source out")


def uncached(args: Mapping[str, Json]) -> dict[str, Json]:
    """Serving flags with both caches off, whatever they say of them."""
    own = cache_flags(args)
    return {**{raw: value for raw, value in args.items() if raw not in own}, **UNCACHED}


def cache_flags(args: Mapping[str, Json]) -> list[str]:
    """Those of some serving flags that tell about a cache, as they were written."""
    return [raw for raw in args if raw.lstrip("-").replace("_", "-").removeprefix("no-") in UNCACHED]
