"""What ran: the identity of models and of the program that serves them, and the provenance block of a run."""

from __future__ import annotations

from evalkit.serve.environment.machine import cpu_name, engine, provenance
from evalkit.serve.environment.models import model, offline, refuse_missing
from evalkit.serve.environment.vision import sees
from evalkit.serve.environment.weights import checkpoint

__all__ = ["checkpoint", "cpu_name", "engine", "model", "offline", "provenance", "refuse_missing", "sees"]
