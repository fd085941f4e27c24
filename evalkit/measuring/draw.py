"""Power and memory of the GPUs of a server, looked at beside a measurement."""

from __future__ import annotations

import threading
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit.perf.cells import GpuDraw
from evalkit.serve.gpus import power

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Self

_EVERY_S: Final = 1.0


class Watching:
    """Looks once a second while the block lasts; where no ``nvidia-smi`` answers it stops at once."""

    def __init__(self, uuids: Collection[str], clock: Callable[[], float]) -> None:
        """Watch the GPUs ``uuids``; ``clock`` is that of the engine's times."""
        self._uuids, self._clock = uuids, clock
        self._over = threading.Event()
        self._looks: list[tuple[float, float, int]] = []
        self._thread = threading.Thread(target=self._look, name="power and memory", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._thread.join()

    def between(self, since: float, until: float) -> GpuDraw | None:
        """What was seen in that time on the engine's clock; None where nothing was."""
        looks = [(watts, mib) for at, watts, mib in self._looks if since <= at <= until]
        if not looks:
            return None
        return GpuDraw(fmean(watts for watts, _ in looks), max(mib for _, mib in looks), len(looks))

    def _look(self) -> None:
        while (found := power(self._uuids)) is not None:
            self._looks.append((self._clock(), *found))
            if self._over.wait(_EVERY_S):
                return
