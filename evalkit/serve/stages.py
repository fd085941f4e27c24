"""How far a starting server has come, read from its log."""

from __future__ import annotations

import re
from typing import Final

# State by the sign that opens it, in the order of a start; vLLM 0.32's own words.
_SIGNS: Final = (
    ("loading weights", re.compile(r"Starting to load model|Loading (?:safetensors|pt) checkpoint shards")),
    (
        "warming up",
        re.compile(
            r"Loading weights took|Model loading took|Warming up|Encoder cache will be initialized"
            r"|Dynamo bytecode transform|Compiling a graph|torch\.compile takes"
        ),
    ),
    ("capturing graphs", re.compile(r"Capturing CUDA graphs?")),
    ("opening the port", re.compile(r"Graph capturing finished|init engine \(profile|Starting vLLM (?:API )?server")),
)
_DOWNLOAD: Final = re.compile(r"(?:Fetching|Downloading|\.safetensors)[^\r\n]*?(\d{1,3})%\|")
_LOAD: Final = re.compile(r"checkpoint shards:\s+(\d{1,3})% Completed")
_CAPTURE: Final = re.compile(r"Capturing CUDA graphs?[^\r\n]*?(\d{1,3})%")
_PERCENT: Final = {"starting": _DOWNLOAD, "loading weights": _LOAD, "capturing graphs": _CAPTURE}


def stage(log: str) -> tuple[str, str]:
    """State and detail: ``("loading weights", "50 %")``; ``("starting", "")`` while the log shows nothing yet."""
    state = "starting"
    for name, sign in _SIGNS:
        if sign.search(log):
            state = name
    share = _PERCENT[state].findall(log) if state in _PERCENT else []
    if state == "starting" and share:
        return "downloading", f"{share[-1]} %"
    return state, f"{share[-1]} %" if share else ""
