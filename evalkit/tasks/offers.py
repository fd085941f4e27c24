"""What a task file can name: benchmarks, metrics and harnesses, with who offers them. No package is loaded for it."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import entry_points
from typing import TYPE_CHECKING

from evalkit.tasks import extensions, metrics
from evalkit.tasks.benchmarks import BENCHMARKS, HARNESSED, MAPPED

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_OWN = {
    "benchmark": (*BENCHMARKS, *MAPPED),
    "metric": (*metrics.METRICS, *metrics.JUDGED),
    "harness": tuple(HARNESSED),
}


@dataclass(frozen=True, slots=True)
class Offer:
    """One of them."""

    name: str
    source: str = ""
    """The Python file beside task files, or the installed package with its version; empty for evalkit's own."""


def offers(folders: Iterable[Path] = ()) -> dict[str, list[Offer]]:
    """By kind (``benchmark``, ``metric``, ``harness``): evalkit's own, those of files that may run, those of packages.

    A harness stands under the name that tasks give as their benchmark.
    """
    found = {}
    for kind, plural in extensions.KINDS.items():
        files = [Offer(name, source) for folder in folders for name, source in extensions.in_folder(kind, folder)]
        points = entry_points(group=f"evalkit.{plural}")
        packages = {
            Offer(one.name, f"{one.dist.name} {one.dist.version}" if one.dist else one.module) for one in points
        }
        own = [Offer(name) for name in sorted(_OWN[kind])]
        found[kind] = [*own, *files, *sorted(packages, key=lambda one: (one.name, one.source))]
    return found
