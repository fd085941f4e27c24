"""How a wrong figure most likely came about, and the one cell whose repair makes all others follow."""

from __future__ import annotations

from evalkit.cards.causes.mistakes import INVERSE, mistake
from evalkit.cards.causes.repair import Repair, repair

__all__ = ["INVERSE", "Repair", "mistake", "repair"]
