"""lm-eval's groups: which of a group's tasks have which metrics, and which metrics weigh tasks by their size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.tasks.lm_eval.files import TaskSource


@dataclass(frozen=True, slots=True)
class GroupRow:
    """What of a group is one row: the metrics that the same tasks have, with these tasks."""

    metrics: tuple[str, ...]
    leaves_out: tuple[str, ...]
    """The group's other tasks."""


def rows(group: TaskSource, metrics: Mapping[str, Sequence[str]]) -> list[GroupRow]:
    """The rows of a group, the one with the most tasks first.

    lm-eval puts scores together metric by metric, each over the tasks that have it. Metrics that the same tasks have
    make one row, as those of a single task do.

    Args:
        group: Its file.
        metrics: Name of each of its tasks, also those of groups within it, to the metrics that can be paired.
    """
    every = dict.fromkeys(name for found in metrics.values() for name in found)
    listed = [name for name in every if any(_is_of(one, name) for one in _aggregated(group))]
    members: dict[tuple[str, ...], list[str]] = {}
    for name in listed or every:
        members.setdefault(tuple(leaf for leaf, found in metrics.items() if name in found), []).append(name)
    # Stable: among equally large ones the order of lm-eval's files.
    ordered = sorted(members.items(), key=lambda one: -len(one[0]))
    return [GroupRow(tuple(names), without(metrics, leaves)) for leaves, names in ordered]


def without(every: Iterable[str], members: Sequence[str]) -> tuple[str, ...]:
    """Those that are no members."""
    return tuple(leaf for leaf in every if leaf not in members)


def unweighted(group: TaskSource, metrics: Iterable[str]) -> tuple[str, ...]:
    """Those of the metrics for which each task of the group counts alike, whatever its size."""
    alike = [one for one in _aggregated(group) if one.get("weight_by_size", True) is False]
    return tuple(name for name in metrics if any(_is_of(one, name) for one in alike))


def _aggregated(group: TaskSource) -> list[dict[str, Any]]:
    """The entries of its ``aggregate_metric_list``, which may be one without a list."""
    found = group.config.get("aggregate_metric_list") or []
    return [found] if isinstance(found, dict) else list(found)


def _is_of(entry: Mapping[str, Any], metric: str) -> bool:
    """Whether an entry is of a metric by its filter (``exact_match,strict-match``); without filters it is of all."""
    name, _, reading = metric.partition(",")
    filters = entry.get("filter_list")
    named = [filters] if isinstance(filters, str) else filters
    return entry.get("metric") == name and (named is None or (reading or "none") in named)
