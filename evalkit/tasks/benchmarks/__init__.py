"""Benchmarks: the rules that make a question, with its references, of a data set's row.

Each follows the request that the published program builds, chunk by chunk. Sample ids are the data set's own where
it has them; a cluster is the sha256 of the image wherever several questions can share one.
"""

from __future__ import annotations

from typing import Final, Literal

from evalkit.tasks.benchmarks.chartqa import CHARTQA
from evalkit.tasks.benchmarks.docvqa import DOCVQA
from evalkit.tasks.benchmarks.mathvista import MATHVISTA
from evalkit.tasks.benchmarks.mmmu import MMMU
from evalkit.tasks.benchmarks.row import Benchmark
from evalkit.tasks.benchmarks.vqav2 import VQAV2

__all__ = ["BENCHMARKS", "HARNESSED", "Benchmark"]

BENCHMARKS: Final[dict[str, Benchmark]] = {
    "chartqa": CHARTQA,
    "docvqa": DOCVQA,
    "mathvista": MATHVISTA,
    "mmmu": MMMU,
    "vqav2": VQAV2,
}
HARNESSED: Final[dict[str, Literal["evalplus", "lm_eval"]]] = {"humaneval": "evalplus", "mmlu": "lm_eval"}
"""Benchmarks whose questions come from a harness of their own, rules included, to its room in ``evalkit.harnesses``."""
