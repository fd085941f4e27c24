"""Model servers of our own: how they are started, watched and ended.

``with Server(serving, model, log) as server:`` has a ready server at ``server.url`` and ends it in every case.
"""

from __future__ import annotations

from evalkit.config.run_config import Serving
from evalkit.processes.orphans import Orphan, clear_orphans, orphans, stop_orphan
from evalkit.serve.bytecode import kept as bytecode_kept
from evalkit.serve.diagnosis import Diagnosis, classify
from evalkit.serve.gpus import Gpu, gpus
from evalkit.serve.inherited import dropped
from evalkit.serve.inherited import sentence as not_passed_on
from evalkit.serve.installed import DISTRIBUTIONS, MAKES_VLLM, Installed, installed
from evalkit.serve.known_flags import refuse_unknown
from evalkit.serve.launch import (
    PROFILES,
    command,
    context_length,
    device,
    gpus_used,
    numeric_names,
    numerics,
    served_name,
    shown_config,
    widest_window,
    window,
)
from evalkit.serve.lifecycle import Server
from evalkit.serve.placement import Placement, ServerPlace, chosen_gpus, placement, spread
from evalkit.serve.ports import Door
from evalkit.serve.processor import Processor, processor
from evalkit.serve.read_ahead import ReadAhead, weights
from evalkit.serve.replicas import AnyServer, OwnReplica, Replicas

__all__ = [
    "DISTRIBUTIONS",
    "MAKES_VLLM",
    "PROFILES",
    "AnyServer",
    "Diagnosis",
    "Door",
    "Gpu",
    "Installed",
    "Orphan",
    "OwnReplica",
    "Placement",
    "Processor",
    "ReadAhead",
    "Replicas",
    "Server",
    "ServerPlace",
    "Serving",
    "bytecode_kept",
    "chosen_gpus",
    "classify",
    "clear_orphans",
    "command",
    "context_length",
    "device",
    "dropped",
    "gpus",
    "gpus_used",
    "installed",
    "not_passed_on",
    "numeric_names",
    "numerics",
    "orphans",
    "placement",
    "processor",
    "refuse_unknown",
    "served_name",
    "shown_config",
    "spread",
    "stop_orphan",
    "weights",
    "widest_window",
    "window",
]
