"""Benchmarks: the rules that make a question, with its references, of a data set's row.

Each follows the request that the published program builds, chunk by chunk. Sample ids are the data set's own where
it has them; a cluster is the sha256 of the image wherever several questions can share one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.tasks.benchmarks.chartqa import CHARTQA
from evalkit.tasks.benchmarks.docvqa import DOCVQA
from evalkit.tasks.benchmarks.mathvista import MATHVISTA
from evalkit.tasks.benchmarks.mmmu import MMMU
from evalkit.tasks.benchmarks.row import Benchmark
from evalkit.tasks.benchmarks.vqav2 import VQAV2

if TYPE_CHECKING:
    from evalkit.base.types import Groups

__all__ = ["BENCHMARKS", "HARNESSED", "Benchmark", "groups"]

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "chartqa": CHARTQA,
    "docvqa": DOCVQA,
    "mathvista": MATHVISTA,
    "mmmu": MMMU,
    "vqav2": VQAV2,
}
HARNESSED: Final = ("humaneval", "mmlu")
"""Benchmarks whose questions come from a harness of their own (``evalkit.harnesses``), rules included."""
_SAMPLED: Final = ("chartqa", "docvqa", "humaneval", "mathvista", "vqav2")
"""Benchmarks whose groups are pictures, pages or problems: some of many."""


def groups(benchmark: str, stated: Groups | None = None) -> Groups:
    """What the groups of a benchmark's samples are: what its task states, or what is known of the benchmark.

    Of a benchmark that nothing is known of, groups are fixed: subjects and categories are what people group by, and
    whoever drew groups at random knows it and can state it.
    """
    return stated or ("sampled" if benchmark in _SAMPLED else "fixed")
