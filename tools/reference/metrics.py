"""Metrics, from the registry and the docstrings of what it holds."""

from __future__ import annotations

import inspect

from evalkit.tasks import metrics
from reference.declared import UndocumentedError


def text() -> str:
    """A section for each metric.

    Raises:
        UndocumentedError: A metric has no docstring.
    """
    return "\n\n".join(_section(name) for name in metrics.METRICS)


def _section(name: str) -> str:
    text = inspect.getdoc(metrics.METRICS[name])
    if not text:
        raise UndocumentedError(f"metric {name}: give its function a docstring")
    said, _, arguments = text.partition("\nArgs:\n")
    parts = [f"## {name}", said.replace("``", "`").strip()]
    if arguments:
        parts.append("\n".join(_argument(line) for line in arguments.splitlines() if line.strip()))
    return "\n\n".join(parts)


def _argument(line: str) -> str:
    name, _, meaning = line.strip().partition(": ")
    return f"- *{name}*: {meaning.replace('``', '`')}"
