"""Model servers of our own: how they are started, watched and ended.

``with Server(serving, model, log) as server:`` has a ready server at ``server.url`` and ends it in every case.
"""

from __future__ import annotations

from evalkit.config import Serving
from evalkit.server.bytecode import kept as bytecode_kept
from evalkit.server.diagnosis import Diagnosis, classify
from evalkit.server.gpus import Gpu, gpus
from evalkit.server.inherited import dropped
from evalkit.server.inherited import sentence as not_passed_on
from evalkit.server.installed import DISTRIBUTIONS, MAKES_VLLM, Installed, installed
from evalkit.server.known_flags import refuse_unknown
from evalkit.server.launch import command, device, gpus_used, numeric_names, numerics, served_name, shown, window
from evalkit.server.lifecycle import Server
from evalkit.server.orphans import Orphan, orphans, stop_orphan
from evalkit.server.processor import Processor, processor

__all__ = [
    "DISTRIBUTIONS",
    "MAKES_VLLM",
    "Diagnosis",
    "Gpu",
    "Installed",
    "Orphan",
    "Processor",
    "Server",
    "Serving",
    "bytecode_kept",
    "classify",
    "command",
    "device",
    "dropped",
    "gpus",
    "gpus_used",
    "installed",
    "not_passed_on",
    "numeric_names",
    "numerics",
    "orphans",
    "processor",
    "refuse_unknown",
    "served_name",
    "shown",
    "stop_orphan",
    "window",
]
