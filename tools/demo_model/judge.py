"""Held-out accuracy inside training: exact continuations while it runs, written answers at its end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from demo_model import heldout_rows
from demo_model.rows import WIDTH, pack
from demo_model.tokens import EOS
from evalkit.demo.questions import heldout
from evalkit.demo.questions.heldout import VISION

if TYPE_CHECKING:
    from demo_model.model import Network
    from demo_model.rows import PackedRows, TrainingRow
    from demo_model.tokens import Coder
    from evalkit.demo.questions.programs import Program

BATCH = 256


class Judge:
    """Holds the held-out rows of every task on the device."""

    def __init__(self, coder: Coder, device: torch.device) -> None:
        self.coder, self.device = coder, device
        self.sets: dict[str, list[PackedRows]] = {"mmlu": [pack(list(heldout_rows.exam_rows(coder)), 0)]}
        self.problems = heldout.problems()
        self.sets["humaneval"] = [pack([heldout_rows.program_row(coder, made) for made in self.problems], 0)]
        for task in VISION:
            made: list[list[TrainingRow]] = [list(heldout_rows.vision_rows(coder, task, count)) for count in (1, 2)]
            self.sets[task] = [pack(some, count) for count, some in zip((1, 2), made, strict=True) if some]

    def exact(self, network: Network) -> dict[str, float]:
        """Share of held-out questions whose reference, token by token, is what greedy decoding would write."""
        found = {}
        for task, sets in self.sets.items():
            right = [self._exact(network, some) for some in sets]
            found[task] = round(float(torch.cat(right).float().mean()), 4)
        return found

    def _exact(self, network: Network, some: PackedRows) -> Tensor:
        right = []
        for start in range(0, len(some.ids), BATCH):
            ids, pixels, offsets = self._batch(some, start)
            weights = torch.from_numpy(some.weights[start : start + BATCH]).to(self.device)
            said = self._logits(network, ids, pixels, offsets).argmax(-1)
            right.append(((said[:, :-1] == ids[:, 1:]) | (weights[:, 1:] == 0)).all(1))
        return torch.cat(right)

    def _batch(self, some: PackedRows, start: int) -> tuple[Tensor, Tensor, Tensor]:
        ids = torch.from_numpy(some.ids[start : start + BATCH]).to(self.device).long()
        pixels = torch.from_numpy(some.images[start : start + BATCH]).to(self.device)
        offsets = torch.arange(len(ids), device=self.device) * pixels.shape[1]
        return ids, pixels.flatten(0, 1), offsets

    @torch.no_grad()
    def _logits(self, network: Network, ids: Tensor, pixels: Tensor, offsets: Tensor) -> Tensor:
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.device.type == "cuda"):
            return network(ids, pixels, offsets)

    def written(self, network: Network, task: str, most: int) -> list[str]:
        """Greedy answers to a task's held-out questions, those with one picture first."""
        answers: list[str] = []
        for some in self.sets[task]:
            for start in range(0, len(some.ids), BATCH):
                ids, pixels, offsets = self._batch(some, start)
                weights = torch.from_numpy(some.weights[start : start + BATCH]).to(self.device)
                lengths = (weights > 0).long().argmax(1)
                answers += self._write(network, (ids, pixels, offsets), lengths, most=most, temperature=0.0)
        return answers

    def passed(self, network: Network) -> float:
        """Share of the attempts at the held-out functions that pass every test."""
        (some,) = self.sets["humaneval"]
        right = 0
        for _ in range(heldout_rows.ATTEMPTS):
            ids, pixels, offsets = self._batch(some, 0)
            lengths = (torch.from_numpy(some.weights).to(self.device) > 0).long().argmax(1)
            texts = self._write(network, (ids, pixels, offsets), lengths, most=110, temperature=0.2)
            right += sum(
                heldout_rows.passes(text, made, place) for place, (text, made) in enumerate(self._named(texts))
            )
        return right / (heldout_rows.ATTEMPTS * len(self.problems))

    def _named(self, texts: list[str]) -> list[tuple[str, Program]]:
        return list(zip(texts, self.problems, strict=True))

    def _write(
        self, network: Network, batch: tuple[Tensor, Tensor, Tensor], lengths: Tensor, *, most: int, temperature: float
    ) -> list[str]:
        ids, pixels, offsets = batch
        ids = ids.masked_fill(torch.arange(WIDTH, device=self.device) >= lengths[:, None], 0)
        lines = torch.arange(len(ids), device=self.device)
        place, ended = lengths.clone(), torch.zeros_like(lengths, dtype=torch.bool)
        for _ in range(most):
            logits = self._logits(network, ids, pixels, offsets)[lines, place - 1].float()
            said = drawn(logits, temperature) if temperature else logits.argmax(-1)
            ids[lines, place] = torch.where(ended, ids[lines, place], said)
            place = torch.where(ended, place, place + 1).clamp(max=WIDTH - 1)
            ended |= said == EOS
            if bool(ended.all()):
                break
        return [
            self.coder.text(line[start:stop])
            for line, start, stop in zip(ids.tolist(), lengths.tolist(), place.tolist(), strict=True)
        ]


def drawn(logits: Tensor, temperature: float) -> Tensor:
    """A token for each row, drawn at a temperature."""
    return torch.multinomial((logits / temperature).softmax(-1), 1)[:, 0]
