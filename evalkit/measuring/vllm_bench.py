"""``vllm bench serve``, from the interpreter that serves: nothing has to be installed for it.

Called through its own functions, because its command line looks up the metadata of a distribution called vllm, which a
build for CPUs is not.
"""

from __future__ import annotations

import re
import time
from statistics import median
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.identity import decoded
from evalkit.base.printable import one_line
from evalkit.measuring.engine import surroundings
from evalkit.perf.cells import EngineReading, Timed
from evalkit.serve.inherited import DROPPED

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.measuring.engine import Load, Target

_START: Final = (
    "import argparse; from vllm.benchmarks.serve import add_cli_args, main; "
    "parser = argparse.ArgumentParser(); add_cli_args(parser); main(parser.parse_args())"
)
_REPORT: Final = "report.json"
_DONE: Final = re.compile(r"(\d+)/\d+ \[")
"""A step of its bar."""


class VllmBench:
    """``vllm bench serve`` of one interpreter."""

    name = "vllm-bench"

    def __init__(self, python: str, release: str) -> None:
        """Use the interpreter ``python``, which has this ``release`` of vLLM."""
        self.release = release
        self._python = python

    def command(self, target: Target, load: Load, place: Path) -> list[str]:
        """The command line of a random data set, with or without a picture a query."""
        use = load.use
        prompt = ["--random-input-len", str(use.prompt_tokens)]
        if not use.prompt_tokens:
            # It refuses queries without any token of text.
            prompt += ["--random-prefix-len", "1"]
        pictures = [
            *("--random-mm-base-items-per-request", "1", "--random-mm-num-mm-items-range-ratio", "0"),
            *("--random-mm-limit-mm-per-prompt", '{"image": 1, "video": 0}'),
            *("--random-mm-bucket-config", f"{{({use.height}, {use.width}, 1): 1.0}}"),
        ]
        return [
            *(self._python, "-P", "-c", _START, "--backend", "openai-chat", "--endpoint", "/v1/chat/completions"),
            *("--base-url", target.url, "--model", target.source, "--served-model-name", target.name),
            *(["--trust-remote-code"] if target.trusted else []),
            *("--dataset-name", "random-mm" if use.picture else "random", *prompt),
            *("--random-output-len", str(use.output_tokens), "--random-range-ratio", "0"),
            *(pictures if use.picture else []),
            *("--num-prompts", str(load.queries), "--max-concurrency", str(load.concurrency)),
            *("--request-rate", "inf", "--ignore-eos", "--temperature", "0", "--seed", str(load.seed)),
            *("--save-result", "--save-detailed", "--result-filename", str(place / _REPORT)),
        ]

    def variables(self, target: Target) -> dict[str, str]:
        """Ours, without those of vLLM's that are meant for a server."""
        kept = {name: value for name, value in surroundings(target).items() if name not in DROPPED}
        return {**kept, "VLLM_NO_USAGE_STATS": "1"}

    def done(self, said: str) -> int | None:
        """From its bar."""
        found = _DONE.findall(said)
        return int(found[-1]) if found else None

    def clock(self) -> float:
        """The system's monotonic clock, which all processes share on Linux."""
        return time.perf_counter()

    def read(self, place: Path) -> EngineReading | None:
        """Every query of its detailed result."""
        try:
            found = decoded((place / _REPORT).read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return None
        try:
            return _reading(found)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            lacks = f"its result lacks what evalkit reads ({type(error).__name__}: {error})"
            raise InfrastructureError(
                f"vllm bench serve {self.release}: {lacks}",
                fix="serve with another release of vLLM (--vllm), or measure with --engine guidellm",
            ) from error


def _reading(found: Json) -> EngineReading:
    firsts, gaps = found["ttfts"], found["itls"]
    # Releases before 0.32 do not list latencies, which are these sums.
    latencies = found.get("latencies") or [first + sum(each) for first, each in zip(firsts, gaps, strict=True)]
    columns = (found["start_times"], latencies, found["input_lens"], found["output_lens"], firsts, gaps)
    queries = list(zip(*columns, found["errors"], strict=True))
    failed = [error for *_, tokens, _, _, error in queries if error or not tokens]
    return EngineReading(
        timed=tuple(
            Timed(start, latency, prompt, tokens, first, median(each) if each else None)
            for start, latency, prompt, tokens, first, each, error in queries
            if tokens and not error
        ),
        failed=len(failed),
        # Its errors are whole tracebacks, whose last line says what happened.
        error=next((one_line(error.strip().splitlines()[-1]) for error in failed if error.strip()), ""),
        rate=found["request_throughput"],
    )
