"""The one real vLLM of a test session, for everything that needs no more than a tiny random model."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from evalkit.base.types import Model
from evalkit.client.control import served_models
from evalkit.config.run_config import Serving
from evalkit.harnesses.harness import Served
from evalkit.serve import Server

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@contextmanager
def tiny_model(folder: Path) -> Iterator[Served]:
    """A random model of Pixtral's architecture, served until the block ends; its source is the checkpoint's folder."""
    from demo_model import tiny

    tiny.make(folder / "model", seed=3)
    model = Model("tiny", str(folder / "model"), "0" * 64)
    serving = Serving(
        device="cpu",
        # Compiling would take longer than all the tests that ask this server.
        args={"max-model-len": 1024, "enforce-eager": True, "max-num-seqs": 16},
        env={
            "VLLM_CPU_KVCACHE_SPACE": "1",
            "HF_HUB_OFFLINE": "1",
            # Engine and worker in one process: each imports vLLM anew, which is most of a start.
            "VLLM_ENABLE_V1_MULTIPROCESSING": "0",
            # On busy cores, two threads that wait for each other take many times as long as one alone.
            "OMP_NUM_THREADS": "1",
        },
    )
    with Server(serving, model, folder / "server.log") as server:
        (entry,) = served_models(server.url)
        yield Served(server.url, server.served_name, model, entry["max_model_len"])
