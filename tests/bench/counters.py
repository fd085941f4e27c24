"""What a vLLM server has counted so far, from its ``/metrics``."""

from __future__ import annotations

import re

import requests

NAMES = {
    "finished": "vllm:request_success_total",
    "prompt": "vllm:prompt_tokens_total",
    "cached": "vllm:prefix_cache_hits_total",
    "generated": "vllm:generation_tokens_total",
}


def counters(url: str) -> dict[str, float]:
    """Sums over the server's counters."""
    text = requests.get(f"{url}/metrics", timeout=30).text
    return {
        key: sum(map(float, re.findall(rf"^{re.escape(name)}(?:{{[^}}]*}})? (\S+)$", text, re.MULTILINE)))
        for key, name in NAMES.items()
    }
