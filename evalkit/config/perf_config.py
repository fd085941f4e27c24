"""Everything that a performance run is told."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.base.errors import UsageError
from evalkit.base.identity import file_name
from evalkit.config.given import as_mapping
from evalkit.config.run_config import ModelChoice, Serving

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json

LoadEngine: TypeAlias = Literal["guidellm", "vllm-bench"]
_UNCACHED: Final[Mapping[str, Json]] = {"enable-prefix-caching": False, "mm-processor-cache-gb": 0}
"""Flags with which nothing of a query is served from an earlier one."""
_FEWEST_AT_ONCE: Final = 64
_SERVED: Final = Serving()


@dataclass(frozen=True, slots=True)
class PerfConfig:
    """One performance run."""

    baseline: ModelChoice
    """A hub id or a folder; ``LABEL=MODEL`` names it in the tables."""
    candidates: tuple[ModelChoice, ...] = ()
    """What is held against the baseline."""
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
    output: str = "runs"
    """Where runs are; this one lies in the folder ``perf`` there."""
    fresh: bool = False
    """Measure everything again."""
    serve: Serving = _SERVED
    """How the models are served."""

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The baseline, then the candidates."""
        return (self.baseline, *self.candidates)

    def at_once(self, window: int) -> tuple[int, int]:
        """Multi-stream: queries under way at once, and queries in all; ``window`` is what suits the server."""
        many = self.concurrency or window
        return many, self.queries_at_once or max(_FEWEST_AT_ONCE, 4 * many)

    def serving(self, label: str) -> Serving:
        """How a model is served: as told, with the caches off."""
        own = next((self.serve.models[one] for one in self._names(label) if one in self.serve.models), None)
        told = self.serve if own is None else replace(self.serve, python=own.python, vllm=own.vllm)
        return replace(told, args={**told.args, **_UNCACHED})

    def _names(self, label: str) -> list[str]:
        """A label, and what the user may have called the model as well."""
        return [label, *(one.source for one in self.models if one.label == label)]

    def command(self) -> str:
        """``evalkit perf`` with these options; those that are as they would be by themselves are left out."""
        words = ["evalkit", "perf"]
        for number, one in enumerate(self.models):
            plain = ModelChoice.parse(one.source).label == one.label
            words += ["--candidate" if number else "--baseline", one.source if plain else f"{one.label}={one.source}"]
        for name, flag in _FLAGS.items():
            value = getattr(self, name)
            if value != type(self).__dataclass_fields__[name].default:
                words += [
                    word for each in (value if isinstance(value, tuple) else [value]) for word in (flag, f"{each}")
                ]
        return shlex.join([*words, *_serving_words(self.serve)])


_FLAGS: Final = {
    "uses": "--use",
    "engine": "--engine",
    "starts": "--starts",
    "queries": "--queries",
    "queries_at_once": "--queries-at-once",
    "concurrency": "--concurrency",
    "warmups": "--warmups",
    "most_idle": "--most-idle",
    "price": "--price",
    "currency": "--currency",
    "price_source": "--price-source",
    "prices": "--prices",
}
"""Keys with an option of their own that can move a figure, or what is said of it."""


def _serving_words(serve: Serving) -> Iterator[str]:
    if serve.profile != _SERVED.profile:
        yield from ("--profile", serve.profile)
    if serve.vllm:
        yield from ("--vllm", serve.vllm)
    for label, one in serve.models.items():
        yield from ("--vllm", f"{label}={one.vllm}") if one.vllm else ()
    for flag, pairs in (("--serve-arg", serve.args), ("--serve-env", serve.env)):
        for key, value in pairs.items():
            yield from (flag, f"{key}={value if isinstance(value, str) else json.dumps(value)}")
    if serve.trust_remote_code:
        yield "--trust-remote-code"


def perf_config(shared: Mapping[str, Any], own: Mapping[str, Any]) -> PerfConfig:
    """The config that the options of the command line make.

    Args:
        shared: Options that ``evalkit run`` has as well, as click passes them.
        own: Those of ``evalkit perf`` alone, by the names of the keys.

    Raises:
        ConfigError: With one line for each value that is wrong.
        UsageError: No baseline is named.
    """
    told = {name: value for name, value in own.items() if value not in (None, (), False, "")}
    told = {name: list(value) if isinstance(value, tuple) else value for name, value in told.items()}
    mapping = {**as_mapping(shared), **told}
    if "baseline" not in mapping:
        raise UsageError("no baseline is named", fix="add --baseline MODEL")
    found = codec.read(PerfConfig, mapping, "evalkit perf")
    codec.refuse(list(_perf_faults(found)), "evalkit perf")
    return found


def _perf_faults(config: PerfConfig) -> Iterator[Fault]:
    counts = {name: getattr(config, name) for name in ("starts", "queries", "queries_at_once", "concurrency")}
    yield from codec.at_least(1, counts)
    yield from codec.at_least(0, {"warmups": config.warmups})
    yield from codec.above(0, {"deadline_s": config.deadline_s, "most_idle": config.most_idle, "price": config.price})
    if config.most_idle > 1:
        yield Fault("most_idle", f"is {config.most_idle:g}", "must be a share, 1 or less")
    if config.price is not None and config.prices:
        yield Fault("price", "is given beside a file of prices", "leave --price or --prices out")
    if config.price is not None and not config.price_source.strip():
        yield Fault("price_source", "is missing", "say whose price it is and when: --price-source 'NAME, DATE'")
    if config.price is None and config.price_source:
        yield Fault("price", "is missing", "give the price of an hour with --price, or leave --price-source out")
    seen: dict[str, ModelChoice] = {}
    for number, one in enumerate(config.models):
        other = seen.setdefault(file_name(one.label).casefold(), one)
        if other is not one:
            place = f"candidates[{number - 1}]"
            yield Fault(place, f"'{one.label}' is the name of two models", f"name one: LABEL={one.source}")
    for raw in config.serve.args:
        name = raw.lstrip("-").replace("_", "-").removeprefix("no-")
        if name in _UNCACHED:
            yield Fault(f"serve.args.{raw}", "perf sets this flag itself", "queries are measured without any cache")
