"""The cluster that models are served on, as the user names it: what of that cannot be."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evalkit.base import codec
from evalkit.base.codec import Fault

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_ADDRESS: Final = re.compile(r"auto|(\[[0-9a-fA-F:.]+\]|[^\s:/\[\]]+):\d{1,5}")
_CLIENT: Final = "ray://"


def problems(ray: str, resources: Mapping[str, float], gpus: str) -> Iterator[Fault]:
    """What cannot be in ``serve.ray`` and beside it.

    Args:
        ray: ``auto`` or ``HOST:PORT``; empty for no cluster.
        resources: What a server takes beside its GPUs.
        gpus: ``serve.gpus``.
    """
    if ray.startswith(_CLIENT):
        yield Fault(
            "serve.ray",
            f"is {ray!r}, the address of Ray's client, which ends what it started when its connection breaks",
            "run evalkit on a host of the cluster: --ray auto, or --ray HOST:6379 with its head",
        )
    elif ray and not _ADDRESS.fullmatch(ray):
        yield Fault("serve.ray", f"is {ray!r}", "write auto, or HOST:PORT as `ray start --head` has printed it")
    if ray and gpus:
        yield Fault("serve.gpus", "is given beside serve.ray, and Ray chooses the GPUs there", "leave one of them out")
    for name, taken in resources.items():
        place = f"serve.ray_resources.{name}"
        if not ray:
            yield Fault(place, "is given without serve.ray", "name the cluster, or leave it out")
        if name == "GPU":
            yield Fault(place, "is what tensor-parallel-size says", "leave it out")
        else:
            yield from codec.above(0, {place: taken})
