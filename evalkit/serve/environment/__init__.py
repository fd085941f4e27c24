"""What ran: the identity of models and of the program that serves them, and the provenance block of a run."""

from __future__ import annotations

from evalkit.serve.environment.machine import cpu_name, engine, provenance
from evalkit.serve.environment.models import downloaded, hub_fault, model, offline, refuse_missing
from evalkit.serve.environment.recommendation import recommended
from evalkit.serve.environment.vision import sees
from evalkit.serve.environment.weights import RECORD, checkpoint, making, object_in, record, stored_as, unfinished

__all__ = [
    "RECORD",
    "checkpoint",
    "cpu_name",
    "downloaded",
    "engine",
    "hub_fault",
    "making",
    "model",
    "object_in",
    "offline",
    "provenance",
    "recommended",
    "record",
    "refuse_missing",
    "sees",
    "stored_as",
    "unfinished",
]
