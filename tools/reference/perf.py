"""Uses, prices and kept cells of performance runs, from the dataclasses that read them."""

from __future__ import annotations

from evalkit.measuring.uses import built_in
from evalkit.perf.cells import MeasuredCell
from evalkit.perf.outcome import PerfPlan, PerfRow, PerfSaving
from evalkit.perf.prices import HourPrice
from evalkit.perf.uses import Use
from reference.declared import keys
from reference.markdown import code, table

_HEAD = ["key", "value", "default", "meaning"]
_KINDS = {"plan": PerfPlan, "rows": PerfRow, "savings": PerfSaving, "price": HourPrice, "cells": MeasuredCell}


def use() -> str:
    """The table of a use's keys."""
    return table(_HEAD, _rows(Use))


def uses() -> str:
    """The uses that evalkit brings along."""
    return table(["use", "sizes"], ([code(one.name), one.heading] for one in built_in().values()))


def price() -> str:
    """The table of a price's keys."""
    return table(_HEAD, _rows(HourPrice))


def result() -> str:
    """The tables of what ``perf.json`` holds."""
    parts = (f"### {name}\n\n{table(['key', 'value', 'meaning'], _read(kind))}" for name, kind in _KINDS.items())
    return "\n\n".join(parts)


def _rows(kind: type) -> list[list[str]]:
    return [[code(key.place), key.kind, code(key.default), key.meaning] for key in keys(kind, leave_out=("source",))]


def _read(kind: type) -> list[list[str]]:
    return [[code(key.place), key.kind, key.meaning] for key in keys(kind)]
