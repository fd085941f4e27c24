"""One training step over the pools, as a single CUDA graph where there is a GPU."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor

if TYPE_CHECKING:
    from demo_model.feed import Feed
    from demo_model.model import Network
    from demo_model.optim import Mixed
    from demo_model.rows import Kind


class Step:
    """Draws a batch from the pools, computes the loss and moves the weights.

    Args:
        network: The model, on its device.
        optimizer: Moves the weights; its ``rate`` is read at every step.
        feed: The pools.
        batch: Rows of each kind in a batch.
    """

    def __init__(self, network: Network, optimizer: Mixed, feed: Feed, batch: dict[Kind, int]) -> None:
        self.network, self.optimizer, self.feed, self.batch = network, optimizer, feed, batch
        self.device = next(network.parameters()).device
        self.loss = torch.zeros((), device=self.device)
        counts = [
            pictures
            for kind in ("one", "two", "text")
            for pictures in [{"one": 1, "two": 2, "text": 0}[kind]] * batch[kind]
        ]
        self.offsets = torch.tensor([sum(counts[:place]) for place in range(len(counts))], device=self.device)
        self.graph: torch.cuda.CUDAGraph | None = None

    def capture(self) -> None:
        """Run a few steps, then record one; later calls replay it."""
        side = torch.cuda.Stream()
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(3):
                self._run()
        torch.cuda.current_stream().wait_stream(side)
        torch.cuda.synchronize()
        self.graph = torch.cuda.CUDAGraph()
        self.network.zero_grad(set_to_none=True)
        with torch.cuda.graph(self.graph):
            self._run()

    def __call__(self) -> Tensor:
        """One step; the loss of its batch, still on the device."""
        if self.graph is None:
            self._run()
        else:
            self.graph.replay()
        return self.loss

    def _run(self) -> None:
        ids, weights, pixels = self._draw()
        self.network.zero_grad(set_to_none=True)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda", cache_enabled=False):
            logits = self.network(ids, pixels, self.offsets)
            loss = weighted_loss(logits, ids, weights)
        loss.backward()
        self.optimizer.step()
        self.loss.copy_(loss.detach())

    def _draw(self) -> tuple[Tensor, Tensor, Tensor]:
        ids, weights, pixels = [], [], []
        for kind in ("one", "two", "text"):
            pool = self.feed.pools[kind]
            chosen = torch.randint(0, pool.ids.shape[0], (self.batch[kind],), device=self.device)
            ids.append(pool.ids[chosen])
            weights.append(pool.weights[chosen])
            pixels.append(pool.images[chosen].flatten(0, 1))
        return torch.cat(ids).long(), torch.cat(weights).float(), torch.cat(pixels)


def weighted_loss(logits: Tensor, ids: Tensor, weights: Tensor) -> Tensor:
    """Mean cross-entropy of the next token, every token with its weight."""
    losses = F.cross_entropy(logits[:, :-1].flatten(0, 1).float(), ids[:, 1:].flatten(), reduction="none")
    counted = weights[:, 1:].flatten()
    return (losses * counted).sum() / counted.sum()
