"""Runs one untrusted Python program at a time behind walls and gives back what it wrote.

The program has no network, sees only the interpreter with its packages, writes only in a private folder that vanishes,
keeps to `Limits`, and is dead with all its descendants when `Sandbox.run` returns. Nothing that it says about itself is
believed here: how it ended is told by the process that started it.
"""

from __future__ import annotations

from evalkit.sandbox.kinds import available, find
from evalkit.sandbox.limits import Ended, Limits, Sandbox

__all__ = ["Ended", "Limits", "Sandbox", "available", "find"]
