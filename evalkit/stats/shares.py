"""Shares: numbers from 0 to 1 that other programs computed, with the rounding errors of their arithmetic."""

from __future__ import annotations

from typing import Final

ROUNDING: Final = 1e-6
"""What a number may lie outside its bounds: a mean computed in 32-bit floats comes out as 1.0000001 or -3e-8."""


def share(value: float) -> float | None:
    """``value`` where it lies between 0 and 1, moved onto the bound that only a rounding error has carried it past.

    None for everything else, NaN included.
    """
    return min(1.0, max(0.0, float(value))) if -ROUNDING <= value <= 1.0 + ROUNDING else None
