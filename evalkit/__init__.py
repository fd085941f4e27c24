"""What did quantization cost, and can I trust the number?

>>> import evalkit
>>> run = evalkit.read_run("latest")            # doctest: +SKIP
>>> run.rows()[["title", "recovery", "low"]]    # doctest: +SKIP
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.base.errors import EvalkitError
    from evalkit.base.types import Task
    from evalkit.harnesses.harness import Harness
    from evalkit.public.saved import Run, read_run, run
    from evalkit.public.scores import PairedScores, compare, recovery
    from evalkit.stats import RecoveryInterval
    from evalkit.tasks.benchmarks.row import Benchmark
    from evalkit.tasks.metrics import Metric

__version__ = "0.1.0"
__all__ = [
    "Benchmark",
    "EvalkitError",
    "Harness",
    "Metric",
    "PairedScores",
    "RecoveryInterval",
    "Run",
    "Task",
    "__version__",
    "compare",
    "read_run",
    "recovery",
    "run",
]

_ROOMS = {
    "Benchmark": "evalkit.tasks.benchmarks.row",
    "Harness": "evalkit.harnesses.harness",
    "Metric": "evalkit.tasks.metrics",
    "PairedScores": "evalkit.public.scores",
    "EvalkitError": "evalkit.base.errors",
    "RecoveryInterval": "evalkit.stats",
    "Run": "evalkit.public.saved",
    "Task": "evalkit.base.types",
    "compare": "evalkit.public.scores",
    "read_run": "evalkit.public.saved",
    "recovery": "evalkit.public.scores",
    "run": "evalkit.public.saved",
}
"""Where each name is. It is imported when it is first asked for: the command must not wait for pandas."""


def __getattr__(name: str) -> Any:
    if name not in _ROOMS:
        raise AttributeError(f"module 'evalkit' has no attribute '{name}'")
    return getattr(import_module(_ROOMS[name]), name)


def __dir__() -> list[str]:
    return sorted(__all__)
