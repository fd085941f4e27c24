"""Several cards together: one baseline has one figure for one row, and two quantizations hardly have the same."""

from __future__ import annotations

from evalkit.cards.siblings.together import Across, AcrossRow, together

__all__ = ["Across", "AcrossRow", "together"]
