"""A local page over all runs of an output folder. It reads, and changes nothing."""

from __future__ import annotations

from evalkit.view.serve import Viewer

__all__ = ["Viewer"]
