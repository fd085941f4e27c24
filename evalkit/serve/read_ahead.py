"""Weights of models that are served next, read into the page cache while another one answers.

A start reads all weights; from a disk or a network that takes minutes of a GPU that has nothing to do. Read beforehand
they come from memory. They are read at idle priority, which not every disk knows, so that whoever else wants the disk
goes first, and no more of them than half of the machine's free memory holds, so that nothing is pushed out of it.
"""

from __future__ import annotations

import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Final

import psutil

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from types import TracebackType
    from typing import Self

    from evalkit.base.types import Model

_KINDS: Final = ("*.safetensors", "*.bin", "*.pt", "*.pth")
"""Files with weights, in the order in which vLLM prefers them; it reads those of the first kind that is there."""
_PIECE_BYTES: Final = 4 * 2**20
_LEAST_NICE: Final = 19


class ReadAhead:
    """Reads from ``begin`` until the ``with`` block ends, in a thread that nobody waits for."""

    def __init__(self, models: Sequence[Model], most: int | None = None) -> None:
        """Prepare to read the weights of ``models``, in their order.

        At most so many bytes of all of them; None for half of the memory that is free when it begins.
        """
        self._models, self._most = models, most
        self._stopping, self._beginning = threading.Event(), threading.Lock()
        self._thread: threading.Thread | None = None
        self.done = 0
        """Bytes that were read so far."""

    def __enter__(self) -> Self:
        """Nothing is read yet."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop within one piece: what is served now reads for itself."""
        self._stopping.set()

    def begin(self) -> None:
        """Read from now on; called again it does nothing. Any thread may call it."""
        with self._beginning:
            if self._models and self._thread is None and not self._stopping.is_set():
                self._thread = threading.Thread(target=self._read, name="evalkit-read-ahead", daemon=True)
                self._thread.start()

    def wait(self, timeout_s: float | None = None) -> None:
        """Wait until all is read; for who measures it."""
        if self._thread is not None:
            self._thread.join(timeout_s)

    def _read(self) -> None:
        _become_idle()
        left = psutil.virtual_memory().available // 2 if self._most is None else self._most
        buffer = bytearray(_PIECE_BYTES)
        for path in _files(self._models):
            try:
                with path.open("rb", buffering=0) as file:
                    while left > 0 and not self._stopping.is_set():
                        size = file.readinto(memoryview(buffer)[: min(left, _PIECE_BYTES)])
                        if not size:
                            break
                        self.done += size
                        left -= size
            except OSError:
                continue  # the start will say what is wrong with it
            if left <= 0 or self._stopping.is_set():
                return


def weights(folder: Path) -> list[Path]:
    """The files of a model's folder that a start reads, by name."""
    found = (sorted(folder.glob(kind)) for kind in _KINDS)
    return next((files for files in found if files), [])


def _files(models: Iterable[Model]) -> Iterator[Path]:
    for model in models:
        folder = Path(model.source)
        yield from weights(folder if folder.is_dir() else _in_hub_cache(model))


def _in_hub_cache(model: Model) -> Path:
    """Where the hub's library keeps a snapshot of a model; a folder that is not there where it has none."""
    from huggingface_hub import constants  # noqa: PLC0415 - a start must not wait for it

    name = f"models--{model.source.replace('/', '--')}"
    return Path(constants.HF_HUB_CACHE, name, "snapshots", model.digest)


def _become_idle() -> None:
    """Let this thread alone use what no other wants: on Linux both priorities are a thread's own."""
    own = threading.get_native_id()
    try:
        os.setpriority(os.PRIO_PROCESS, own, _LEAST_NICE)
        psutil.Process(own).ionice(psutil.IOPRIO_CLASS_IDLE)
    except (OSError, AttributeError, psutil.Error):
        return  # another system than Linux: it is still bounded
