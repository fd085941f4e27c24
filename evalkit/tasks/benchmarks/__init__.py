"""Benchmarks: the rules that make a question, with its references, of a data set's row.

Each follows the request that the published program builds, chunk by chunk. Sample ids are the data set's own where
it has them; a cluster is the sha256 of the image wherever several questions can share one.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from evalkit.tasks.benchmarks import qa
from evalkit.tasks.benchmarks.chartqa import CHARTQA
from evalkit.tasks.benchmarks.docvqa import DOCVQA
from evalkit.tasks.benchmarks.mathvista import MATHVISTA
from evalkit.tasks.benchmarks.mmmu import MMMU
from evalkit.tasks.benchmarks.row import Benchmark
from evalkit.tasks.benchmarks.vqav2 import VQAV2

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from evalkit.base.codec import Fault
    from evalkit.base.types import Task

__all__ = ["BENCHMARKS", "HARNESSED", "MAPPED", "Benchmark", "Mapped", "known"]

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "chartqa": CHARTQA,
    "docvqa": DOCVQA,
    "mathvista": MATHVISTA,
    "mmmu": MMMU,
    "vqav2": VQAV2,
}


@dataclass(frozen=True, slots=True)
class Mapped:
    """A benchmark without columns of its own: a task file says which column holds what."""

    made: Callable[[Task], Benchmark]
    """The rules that the task's columns, template and settings make."""
    faults: Callable[[Task], Iterator[Fault]]
    """What is wrong with them."""
    settings: type
    """What its ``[settings]`` table holds."""


MAPPED: Final[dict[str, Mapped]] = {"qa": Mapped(qa.benchmark, qa.faults, qa.QaSettings)}
HARNESSED: Final[dict[str, Literal["evalplus", "lm_eval", "named"]]] = {
    "humaneval": "evalplus",
    "mbpp": "evalplus",
    "mmlu": "lm_eval",
    "lm-eval": "named",
}
"""Benchmarks whose questions come from a harness of their own, rules included, to its room in ``evalkit.harnesses``."""
OWN_METRICS: Final = frozenset({"lm-eval"})
"""Those of them whose metrics only they know."""


def known(task: Task) -> Benchmark | None:
    """The rules of the benchmark that a task names; None where it is none of these."""
    mapped = MAPPED.get(task.benchmark)
    return mapped.made(task) if mapped else BENCHMARKS.get(task.benchmark)
