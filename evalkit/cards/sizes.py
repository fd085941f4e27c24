"""How many samples the known benchmarks have: a card prints scores, and rarely the number they come from."""

from __future__ import annotations

import re
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Size:
    """A benchmark's split and its number of samples."""

    benchmark: str
    n: int
    what: str
    source: str
    named: re.Pattern[str]
    """What a row is called that reports it."""
    unless: re.Pattern[str]
    """What a row is called that reports another split or a namesake."""

    def fits(self, label: str) -> bool:
        """Whether a row with this label reports the split."""
        return bool(self.named.search(label)) and not self.unless.search(label)


def _size(benchmark: str, n: int, what: str, source: str, unless: str) -> Size:
    # A name is matched as a word, so that MMMU is not found in MMMU_Pro's digits or MMLU in CMMLU.
    named = re.compile(rf"(?<![a-z0-9]){benchmark}(?![a-z0-9])", re.IGNORECASE)
    return Size(benchmark, n, what, source, named, re.compile(unless, re.IGNORECASE))


SIZES = (
    _size("mmmu", 900, "questions of the validation split", "Yue et al. 2024, MMMU", r"[-_ ]pro(?![a-z])|\btest\b"),
    _size("vqav2", 214_354, "questions of the validation split", "Goyal et al. 2017, VQA v2.0", r"\btest"),
    _size("docvqa", 5_349, "questions of the validation split", "Mathew et al. 2021, DocVQA", r"\btest"),
    _size("chartqa", 2_500, "questions of the test split", "Masry et al. 2022, ChartQA", r"\bval|[-_ ]pro(?![a-z])"),
    _size("mathvista", 1_000, "questions of testmini", "Lu et al. 2024, MathVista", r"\btest\b"),
    _size(
        "mmlu",
        14_042,
        "questions of the test split",
        "Hendrycks et al. 2021, MMLU",
        r"[-_ ](?:pro|redux|stem|humanities|social|other)(?![a-z])|\bval",
    ),
    _size("humaneval", 164, "problems", "Chen et al. 2021, HumanEval", r"\bx\b|infilling|javascript|java\b"),
)
"""The splits that published tables report."""


def size_of(label: str) -> Size | None:
    """The benchmark that a row of this name reports; None where the name fits none, or several."""
    found = [size for size in SIZES if size.fits(label)]
    return found[0] if len(found) == 1 else None
