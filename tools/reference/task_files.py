"""Task files and suites, from the dataclasses that read them."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from evalkit.base.types import Task
from evalkit.harnesses.evalplus.settings import EvalPlusSettings
from evalkit.harnesses.lm_eval.settings import LmEvalSettings
from evalkit.tasks.benchmarks import BENCHMARKS, MAPPED
from evalkit.tasks.lm_eval.settings import NamedTaskSettings
from evalkit.tasks.task_file import Suite
from reference.declared import keys
from reference.markdown import code, table

if TYPE_CHECKING:
    from collections.abc import Iterator

SETTINGS = {
    **{name: mapped.settings for name, mapped in MAPPED.items()},
    "mmlu": LmEvalSettings,
    "humaneval": EvalPlusSettings,
    "mbpp": EvalPlusSettings,
    "lm-eval": NamedTaskSettings,
}
"""By benchmark, what its ``[settings]`` table holds."""
_HEAD = ["key", "value", "default", "meaning"]


def task() -> str:
    """The table of a task's keys."""
    return table(_HEAD, _rows(Task))


def suite() -> str:
    """The table of a suite's keys."""
    return table(_HEAD, _rows(Suite))


def settings() -> str:
    """For each benchmark with settings, the table of their keys."""
    parts = (f"### Settings of {name}\n\n{table(_HEAD, _rows(kind, 'settings'))}" for name, kind in SETTINGS.items())
    return "\n\n".join(parts)


def benchmarks() -> str:
    """The table of benchmarks and the columns that they read."""
    return table(["benchmark", "what it is", "columns", "read where they are there"], _benchmarks())


def _rows(kind: type, place: str = "") -> Iterator[list[str]]:
    for key in keys(kind, place, leave_out=("source", "extensions")):
        yield [code(key.place), key.kind, code(key.default), key.meaning]


def _benchmarks() -> Iterator[list[str]]:
    for name, benchmark in BENCHMARKS.items():
        module = sys.modules[benchmark.sample.__module__]
        what = " ".join((module.__doc__ or "").split("\n\n")[0].split())
        more = [*benchmark.more_columns, *benchmark.image_columns, *benchmark.unit_columns]
        further = [column for column in dict.fromkeys(more) if column not in benchmark.columns]
        yield [code(name), what, ", ".join(map(code, benchmark.columns)), ", ".join(map(code, further))]
    for name, mapped in MAPPED.items():
        what = " ".join((sys.modules[mapped.made.__module__].__doc__ or "").split("\n\n")[0].split())
        yield [code(name), what, "those that `[columns]` names", ""]
    for name in [one for one in SETTINGS if one not in MAPPED]:
        yield [code(name), "its questions come from a harness of its own", "", ""]
