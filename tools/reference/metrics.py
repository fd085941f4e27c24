"""Metrics, from the registry and the docstrings of what it holds."""

from __future__ import annotations

from evalkit.tasks import metrics
from reference.docstrings import markdown


def text() -> str:
    """A section for each metric.

    Raises:
        UndocumentedError: A metric has no docstring.
    """
    judged = {name: f"{text} Needs `pip install 'evalkit[{name}]'`." for name, text in metrics.JUDGED.items()}
    told = {name: markdown(one, f"metric {name}") for name, one in metrics.METRICS.items()}
    return "\n\n".join(f"## {name}\n\n{text}" for name, text in sorted({**told, **judged}.items()))
