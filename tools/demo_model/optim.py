"""The optimizer: orthogonalized momentum for the matrices (Muon), AdamW for the rest; both fit in a CUDA graph."""

from __future__ import annotations

import torch
from torch import Tensor, nn

COEFFICIENTS = (3.4445, -4.7750, 2.0315)
"""Of the quintic iteration that pulls all singular values towards 1 (Jordan et al. 2024, Muon)."""


def working(tensor: Tensor) -> torch.dtype:
    """The type to multiply in: 16 bits on a GPU, 32 elsewhere, where 16 bits are slow."""
    return torch.bfloat16 if tensor.is_cuda else torch.float32


def orthogonal(stack: Tensor) -> Tensor:
    """The nearest semi-orthogonal matrices, roughly, of a stack of wide or square matrices [n, rows, columns]."""
    a, b, c = COEFFICIENTS
    x = stack.to(working(stack))
    x = x / (x.float().norm(dim=(1, 2), keepdim=True).to(x.dtype) + 1e-7)
    for _ in range(5):
        square = x @ x.mT
        x = a * x + (b * square + c * square @ square) @ x
    return x


class Mixed:
    """Steps all parameters of a network; the learning rate lives in a tensor so that a graph can follow it."""

    def __init__(self, network: nn.Module, *, matrix_decay: float = 0.02) -> None:
        device = next(network.parameters()).device
        self.rate = torch.zeros((), device=device)
        self.matrix_decay = matrix_decay
        groups: dict[tuple[int, int], list[nn.Parameter]] = {}
        rest = []
        for name, weight in network.named_parameters():
            if weight.dim() == 2 and "embed" not in name and "lm_head" not in name:
                shape = (min(weight.shape), max(weight.shape))
                groups.setdefault(shape, []).append(weight)
            else:
                rest.append(weight)
        self.groups = list(groups.values())
        self.momenta = [
            torch.zeros(len(group), min(group[0].shape), max(group[0].shape), device=device) for group in self.groups
        ]
        self.adam = torch.optim.AdamW(
            rest,
            lr=self.rate,
            betas=(0.9, 0.98),
            weight_decay=0.0,
            capturable=device.type == "cuda",
            foreach=device.type == "cuda",
        )

    def step(self) -> None:
        """One update from the gradients that are there."""
        self.adam.step()
        with torch.no_grad():
            for group, momentum in zip(self.groups, self.momenta, strict=True):
                self._matrices(group, momentum)

    def _matrices(self, group: list[nn.Parameter], momentum: Tensor) -> None:
        tall = [weight.shape[0] > weight.shape[1] for weight in group]
        grads = torch.stack(
            [w.grad.mT if flip else w.grad for w, flip in zip(group, tall, strict=True) if w.grad is not None]
        )
        momentum.lerp_(grads, 0.05)
        update = orthogonal(torch.lerp(grads, momentum, 0.95))
        # Scaled so that an entry moves as far as AdamW would move it (Liu et al. 2025, "Muon is scalable").
        scale = self.rate * (0.2 * max(group[0].shape) ** 0.5)
        for weight, change, flip in zip(group, update.float().unbind(0), tall, strict=True):
            weight.mul_(1 - self.rate * self.matrix_decay)
            weight.sub_((change.mT if flip else change) * scale)
