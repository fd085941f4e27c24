"""GuideLLM, the tool behind published tables, as a process of an environment of its own.

Its command and its report are those of release 0.8: a YAML (here: JSON) file of one run, and a report of version 2 in
which every query stands with its times and its tokens. What it averages is averaged here, from single queries.
"""

from __future__ import annotations

import json
import re
import time
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.identity import decoded
from evalkit.base.printable import one_line
from evalkit.measuring.engine import surroundings
from evalkit.perf.cells import EngineReading, Timed

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.measuring.engine import Load, Target

_VERSION: Final = 2
"""Of its report."""
_RUN: Final = "run.json"
_REPORT: Final = "report.json"
_SPARE: Final = 8
"""Queries that are made ahead beyond those that are sent. Without an end it would go on making pictures beside the
server, which then waits for them."""
_DONE: Final = re.compile(r"successful=(\d+) errored=(\d+)")


class GuideLLM:
    """One environment with GuideLLM."""

    name = "guidellm"

    def __init__(self, python: str, release: str) -> None:
        """Use the interpreter ``python``, which has this ``release``."""
        self.release = release
        self._python = python

    def command(self, target: Target, load: Load, place: Path) -> list[str]:
        """Write the file that describes the run; the command names it."""
        use = load.use
        shown: list[dict[str, Json]] = []
        if use.prompt_tokens:
            shown.append({"kind": "synthetic_text", "prompt_tokens": use.prompt_tokens})
        if use.picture:
            shown.append({"kind": "synthetic_image", "width": use.width, "height": use.height})
        # Said once: by the picture where there is one, as its own documentation has it.
        shown[-1]["output_tokens"] = use.output_tokens
        many: dict[str, Json] = {"kind": "throughput", "max_concurrency": load.concurrency}
        trusted = {"load_kwargs": {"trust_remote_code": True}} if target.trusted else {}
        spec = {
            "backend": {"kind": "openai_http", "target": target.url, "model": target.name},
            "tokenizer": {"kind": "huggingface_auto", "model": target.source, **trusted},
            "data": shown,
            "data_loader": {"kind": "pytorch", "samples": load.queries + _SPARE},
            "profile": {"kind": "synchronous"} if load.stream == "single-stream" else many,
            "constraints": [{"kind": "max_requests", "count": load.queries}],
            "seed": {"kind": "static", "value": load.seed},
            "metrics": {"kind": "generative", "warnings": _rules(load.most_idle)},
            "outputs": [{"kind": "json", "path": str(place / _REPORT)}],
        }
        file = place / _RUN
        file.write_text(json.dumps({"spec": spec}), encoding="utf-8")
        return [self._python, "-m", "guidellm", "run", "--config", str(file), "--disable-console"]

    def variables(self, target: Target) -> dict[str, str]:
        """Ours."""
        return surroundings(target)

    def done(self, said: str) -> int | None:
        """From its lines of progress, one in ten seconds."""
        found = _DONE.findall(said)
        return sum(map(int, found[-1])) if found else None

    def clock(self) -> float:
        """Seconds since 1970."""
        return time.time()

    def read(self, place: Path) -> EngineReading | None:
        """Every query of the report's one benchmark."""
        try:
            report = decoded((place / _REPORT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        version = report.get("metadata", {}).get("version") if isinstance(report, dict) else None
        try:
            if version == _VERSION:
                (benchmark,) = report["benchmarks"]
                return _reading(benchmark, _pixels(decoded((place / _RUN).read_bytes())))
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            what = f"GuideLLM {self.release}: its report lacks what evalkit reads ({type(error).__name__}: {error})"
            raise InfrastructureError(what, fix=_OTHER_RELEASE) from error
        raise InfrastructureError(
            f"GuideLLM {self.release}: its report is of version {version}, and evalkit reads version {_VERSION}",
            fix=_OTHER_RELEASE,
        )


def _rules(most_idle: float) -> list[Json]:
    """What it warns of: that making queries delays them, with evalkit's limit and beside the time of a whole answer.

    Its own rules have 1 % of the time to the first token, and that queries are sent later than they are due: where as
    many as the server takes are under way, all are due at once, and the last ones are always late.
    """
    rule = {"metric": {"name": "generation_delay"}, "relative_to": {"name": "request_latency.total"}}
    return [{"code": "generation_delay", **rule, "threshold": most_idle}]


_OTHER_RELEASE: Final = "remove the environment (evalkit tools), or measure with --engine vllm-bench"


def _pixels(run: Json) -> int | None:
    """Pixels of every query's picture, as it was told; None for a use without one."""
    return next((one["width"] * one["height"] for one in run["spec"]["data"] if "width" in one), None)


def _reading(benchmark: Json, pixels: int | None) -> EngineReading:
    listed = benchmark["requests"]
    failed = [*(listed["errored"] or ()), *(listed["incomplete"] or ())]
    errors = [text for one in failed if (text := (one.get("info") or {}).get("error"))]
    others = [
        text for one in listed["successful"] or () if (text := _otherwise(one.get("input_metrics") or {}, pixels))
    ]
    said = [*others[:1], *(str(one["message"]) for one in benchmark.get("warnings") or ())]
    rate = benchmark["metrics"]["requests_per_second"]["successful"]["mean"]
    return EngineReading(
        timed=tuple(map(_timed, listed["successful"] or ())),
        failed=len(failed),
        error=one_line(str(errors[0])) if errors else "",
        warnings=tuple(map(one_line, said)),
        rate=float(rate) if rate else None,
    )


def _otherwise(sent: Json, pixels: int | None) -> str:
    """What a query was that it should not have been; empty for one that was as it should."""
    if sent.get("image_pixels") != pixels:
        return f"a query had pictures of {sent.get('image_pixels') or 0:,} pixels, not {pixels or 0:,}"
    if sent.get("cached_tokens"):
        return f"{sent['cached_tokens']:,} tokens of a prompt were served from the server's cache"
    return ""


def _timed(query: Json) -> Timed:
    """A query; its inter-token latency is the mean of its gaps, not one of them."""
    first, gaps = query.get("time_to_first_token_ms"), query.get("inter_token_latency_ms")
    times = query["info"]["timings"]
    return Timed(
        start_s=float(times["request_start"]),
        latency_s=float(query["request_latency"]),
        prompt_tokens=query["prompt_tokens"],
        output_tokens=query["output_tokens"],
        ttft_s=None if first is None else first / 1000,
        gaps_s=None if gaps is None else gaps / 1000,
    )
