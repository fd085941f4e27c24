"""Fresh training rows: worker processes draw them, the trainer's pools on the accelerator take them in."""

from __future__ import annotations

import os
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING

import numpy as np
import torch

from demo_model.chunks import CHUNK, draw_chunk
from demo_model.rows import PICTURES, WIDTH
from evalkit.demo.questions.draw import SIDE

if TYPE_CHECKING:
    from demo_model.rows import Kind


class Pool:
    """Rows of one kind on the accelerator; new chunks take the place of the oldest."""

    def __init__(self, kind: Kind, chunks: int, device: torch.device) -> None:
        size = chunks * CHUNK
        self.chunks, self.next = chunks, 0
        self.ids = torch.zeros(size, WIDTH, dtype=torch.int16, device=device)
        self.weights = torch.zeros(size, WIDTH, dtype=torch.uint8, device=device)
        self.images = torch.zeros(size, PICTURES[kind], SIDE, SIDE, 3, dtype=torch.uint8, device=device)

    def take(self, file: str) -> None:
        """Read a chunk and remove its file."""
        start = (self.next % self.chunks) * CHUNK
        with np.load(file) as made:
            for name in ("ids", "weights", "images"):
                getattr(self, name)[start : start + CHUNK] = torch.from_numpy(made[name]).to(
                    self.ids.device, non_blocking=True
                )
        Path(file).unlink()
        self.next += 1


class Feed:
    """The pools of all kinds and the workers that renew them.

    Args:
        tokenizer: The tokenizer's file.
        sizes: Chunks in each kind's pool.
        workers: Processes that draw.
        device: Where the pools live.
        seed: Names the run; another seed gives other rows.
    """

    def __init__(self, tokenizer: Path, sizes: dict[Kind, int], workers: int, device: torch.device, seed: str) -> None:
        fast = Path("/dev/shm")  # noqa: S108 - memory is the fast place for files that live a second
        self.folder = mkdtemp(dir=fast if fast.is_dir() else None)
        self.tokenizer, self.seed, self.count = str(tokenizer), seed, 0
        os.environ["TOKENIZERS_PARALLELISM"] = "false"
        self.workers = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
        self.pools = {kind: Pool(kind, chunks, device) for kind, chunks in sizes.items()}
        self.waiting: dict[Future[str], Kind] = {}
        self.turns: list[Kind] = [kind for kind, chunks in sizes.items() for _ in range(chunks)]
        stride = 7
        self.turns = [kind for start in range(stride) for kind in self.turns[start::stride]]
        self.depth = 2 * workers

    def fill(self, progress: float) -> None:
        """Draw until every pool is full."""
        for kind in self.turns:
            self._ask(kind, progress)
        while self.waiting:
            self._collect(timeout=None)

    def renew(self, progress: float, most: int = 3) -> int:
        """Take in at most ``most`` chunks that are ready, ask for more; how many were taken."""
        taken = self._collect(timeout=0, most=most)
        while len(self.waiting) < self.depth:
            self._ask(self.turns[self.count % len(self.turns)], progress)
        return taken

    def close(self) -> None:
        """End the workers and remove what they left."""
        self.workers.shutdown(wait=True, cancel_futures=True)
        for file in Path(self.folder).iterdir():
            file.unlink()
        Path(self.folder).rmdir()

    def _ask(self, kind: Kind, progress: float) -> None:
        self.count += 1
        asked = self.workers.submit(
            draw_chunk, self.tokenizer, kind, f"{self.seed}-{self.count}", progress, self.folder
        )
        self.waiting[asked] = kind

    def _collect(self, timeout: float | None, most: int = CHUNK) -> int:
        finished, _ = wait(self.waiting, timeout=timeout, return_when=FIRST_COMPLETED)
        ready = list(finished)[:most]
        for done in ready:
            self.pools[self.waiting.pop(done)].take(done.result())
        return len(ready)
