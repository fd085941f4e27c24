"""How much a server has to do, as its ``/metrics`` say, and how many requests are therefore kept under way on it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

_LINE: Final = re.compile(r"vllm:(?P<name>\w+)(?:\{(?P<labels>[^}]*)\})? (?P<value>[-+.\deE]+)", re.ASCII)
_LABEL: Final = re.compile(r'(\w+)="([^"]*)"')
_QUEUE: Final = 8
"""So many requests may wait at the server: those that it takes in next, so that it never stands still."""
_FULL: Final = 0.9
"""Of the KV cache. Beyond it a longer answer pushes another request out."""
_FEWEST: Final = 4


@dataclass(frozen=True, slots=True)
class ServerLoad:
    """A server's own account of a moment."""

    running: int
    waiting: int
    cache_used: float
    """Share of the KV cache that running requests hold."""
    preempted: int
    """Requests that were pushed out of the KV cache since the server started."""
    cache_tokens: int = 0
    """What the KV cache holds in all; 0 where the server does not say."""


def read(metrics: str) -> ServerLoad | None:
    """What vLLM's ``/metrics`` tell; None where they are of another server. Engines behind one address are summed."""
    sums: dict[str, float] = {}
    tokens, engines = 0, 0
    for found in _LINE.finditer(metrics):
        name = found["name"].removesuffix("_total")
        if name == "cache_config_info":
            labels = dict(_LABEL.findall(found["labels"] or ""))
            blocks, size = labels.get("num_gpu_blocks", ""), labels.get("block_size", "")
            tokens += int(blocks) * int(size) if blocks.isdigit() and size.isdigit() else 0
            continue
        engines += name == "num_requests_running"
        try:
            sums[name] = sums.get(name, 0.0) + float(found["value"])
        except ValueError:
            continue
    if not {"num_requests_running", "num_requests_waiting"} <= sums.keys():
        return None
    used = sums.get("kv_cache_usage_perc", sums.get("gpu_cache_usage_perc", 0.0)) / engines
    return ServerLoad(
        running=int(sums["num_requests_running"]),
        waiting=int(sums["num_requests_waiting"]),
        cache_used=used,
        preempted=int(sums.get("num_preemptions", 0)),
        cache_tokens=tokens,
    )


class Window:
    """How many requests are kept under way on one server: more while nothing waits there, less when some do."""

    def __init__(self, size: int, widest: int) -> None:
        """Begin with ``size``; never more than ``widest``, nor fewer than four (or ``size``, where that is less)."""
        self.size = self.smallest = self.largest = size
        """Requests now, and the fewest and the most that were allowed since the beginning."""
        self._least, self._most = min(size, _FEWEST), max(size, widest)
        self._preempted: int | None = None

    def adjust(self, load: ServerLoad, under_way: int) -> None:
        """Take the server's account; of the ``under_way`` that it has of us each may be several of its own."""
        pushed_out = self._preempted is not None and load.preempted > self._preempted
        self._preempted = load.preempted
        there = load.running + load.waiting
        ours = under_way / there if there else 1.0
        spare = max(_QUEUE, load.running // 4)
        if pushed_out:
            self._change(-(under_way // 4))
        elif load.waiting > spare:
            # Half of the way: the next look comes before those that were let go have left the queue.
            self._change(-round((load.waiting - spare) * ours / 2))
        elif not load.waiting and load.cache_used < _FULL and under_way >= self.size:
            self._change(max(_QUEUE, self.size // 8))

    def _change(self, by: int) -> None:
        self.size = max(self._least, min(self._most, self.size + by))
        self.smallest, self.largest = min(self.smallest, self.size), max(self.largest, self.size)
