"""What ran: the identity of models and of the program that serves them, and the provenance block of a run."""

from __future__ import annotations

from evalkit.environment.machine import cpu_name, engine, provenance
from evalkit.environment.models import model, offline, refuse_missing
from evalkit.environment.vision import sees
from evalkit.environment.weights import checkpoint

__all__ = ["checkpoint", "cpu_name", "engine", "model", "offline", "provenance", "refuse_missing", "sees"]
