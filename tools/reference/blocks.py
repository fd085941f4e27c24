"""What the pages of the reference have made for them, by the name in their marks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from reference import commands, configuration, exit_codes, metrics, perf, public, results, samples, task_files, testing

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

BLOCKS: Final[Mapping[str, Callable[[], str]]] = {
    "benchmarks": task_files.benchmarks,
    "commands": commands.text,
    "configuration": configuration.text,
    "exit-codes": exit_codes.text,
    "metrics": metrics.text,
    "perf": perf.result,
    "price": perf.price,
    "public": public.text,
    "results": results.text,
    "samples": samples.text,
    "settings": task_files.settings,
    "suite": task_files.suite,
    "task": task_files.task,
    "testing": testing.text,
    "testing-parts": testing.parts,
    "testing-rules": testing.rules,
    "use": perf.use,
    "uses": perf.uses,
}
