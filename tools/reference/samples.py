"""The columns of a run's samples, from the dataclass that is a line of them."""

from __future__ import annotations

from typing import Final

from evalkit.runs.sample_table import COLUMNS, SampleLine
from reference.declared import UndocumentedError, texts
from reference.markdown import code, table

_PLAIN: Final = {"string": "text", "Int64": "whole number", "Float64": "number"}


def text() -> str:
    """The table of columns.

    Raises:
        UndocumentedError: A column has no text below it.
    """
    told = texts(SampleLine)
    missing = [name for name in COLUMNS if name not in told]
    if missing:
        raise UndocumentedError(f"SampleLine.{missing[0]}: write a sentence below the field")
    return table(
        ["column", "value", "what it holds"], ([code(name), _PLAIN[kind], told[name]] for name, kind in COLUMNS.items())
    )
