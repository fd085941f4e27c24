"""The training loop: pools of fresh rows, one step after another, held-out accuracy along the way."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TextIO

import torch

from demo_model.feed import Feed
from demo_model.judge import Judge
from demo_model.model import Network
from demo_model.optim import Mixed
from demo_model.rows import WIDTH, corpus
from demo_model.step import Step
from demo_model.tokens import Coder, learn
from evalkit.demo.questions.heldout import VISION

if TYPE_CHECKING:
    import argparse
    from pathlib import Path

    from torch import Tensor

    from demo_model.rows import Kind

SHARDS = 3
"""Files that the 32-bit weights are spread over, each under 16 MiB."""
MOST_TOKENS = 64
"""Of a written answer; longer ones do not occur in the tasks."""


@dataclass(slots=True)
class Run:
    """One run's settings and clock."""

    out: Path
    seconds: float
    peak: float
    cool_from: float
    first_progress: float
    started: float = field(default_factory=time.monotonic)

    def share(self) -> float:
        """Share of the time that is over."""
        return min(1.0, (time.monotonic() - self.started) / self.seconds)

    def progress(self) -> float:
        """Where the curriculum stands."""
        return self.first_progress + (1 - self.first_progress) * self.share()

    def rate(self, step: int) -> float:
        """Learning rate: a short rise, a plateau, a straight fall to nearly nothing at the end."""
        share = self.share()
        cooling = 1.0 if share < self.cool_from else (1 - share) / (1 - self.cool_from)
        return self.peak * min(1.0, (step + 1) / 200) * max(0.02, cooling)


def load(network: Network, folder: Path) -> None:
    """Read the 32-bit weights that an earlier run left."""
    from safetensors.torch import load_file  # noqa: PLC0415 - only when resuming

    weights: dict[str, Tensor] = {}
    for file in sorted(folder.glob("weights-*.safetensors")):
        weights.update(load_file(file))
    network.load_state_dict(weights)


def keep(network: Network, folder: Path) -> None:
    """Write the 32-bit weights."""
    from safetensors.torch import save_file  # noqa: PLC0415 - only at the end

    weights = list(network.state_dict().items())
    for shard in range(SHARDS):
        part = {name: weight.cpu().contiguous() for name, weight in weights[shard::SHARDS]}
        save_file(part, folder / f"weights-{shard}.safetensors")


def train(run: Run, step: Step, judge: Judge, log: TextIO, *, every_s: float) -> int:
    """Train until the time is over; the number of steps."""
    mirror = Network(WIDTH).to(step.device)
    count, told, fresh = 0, run.started, 0
    while run.share() < 1:
        step.optimizer.rate.fill_(run.rate(count))
        loss = step()
        count += 1
        if count % 10 == 0:
            fresh += step.feed.renew(run.progress())
            torch.cuda.synchronize() if torch.cuda.is_available() else None
        if time.monotonic() - told >= every_s:
            told = time.monotonic()
            mirror.load_state_dict(step.network.state_dict())
            keep(mirror, run.out)
            tell(
                log,
                step=count,
                seconds=round(told - run.started),
                loss=round(float(loss), 4),
                chunks=fresh,
                exact=judge.exact(mirror),
            )
    return count


def tell(log: TextIO, **values: Any) -> None:
    """One line of the log, on the screen too."""
    line = json.dumps(values)
    print(line, flush=True)  # noqa: T201 - a program that is run by hand
    log.write(line + "\n")
    log.flush()


def finish(run: Run, trained: Network, judge: Judge, log: TextIO) -> None:
    """Keep the weights, round them to bf16 as they are served, and judge that."""
    from demo_model.answers import scores  # noqa: PLC0415 - scoring is for the end

    keep(trained, run.out)
    network = Network(WIDTH).to(judge.device)
    network.load_state_dict(trained.state_dict())
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.bfloat16().float())
    tell(log, final=True, exact=judge.exact(network))
    written = {task: judge.written(network, task, MOST_TOKENS) for task in VISION}
    tell(log, final=True, scores=scores(written) | {"humaneval": judge.passed(network)})


def compile_layers(network: Network) -> None:
    """Fuse the small operations of each layer into few kernels."""
    for layer in (*network.model.vision_tower.transformer.layers, *network.model.language_model.layers):
        layer.compile(dynamic=False)


def fit(given: argparse.Namespace) -> None:
    """Train as the command line says."""
    given.out.mkdir(parents=True, exist_ok=True)
    tokenizer = given.out / "tokenizer.json"
    if given.resume:
        tokenizer.write_bytes((given.resume / "tokenizer.json").read_bytes())
    elif not tokenizer.exists():
        learn(corpus()).save(str(tokenizer))
    device = torch.device("cuda" if torch.cuda.device_count() else "cpu")
    kinds: tuple[Kind, Kind, Kind] = ("one", "two", "text")
    feed = Feed(tokenizer, dict(zip(kinds, given.chunks, strict=True)), given.workers, device, given.seed)
    torch.manual_seed(0)
    network = Network(WIDTH).to(device)
    if given.resume:
        load(network, given.resume)
    judge = Judge(Coder.read(tokenizer), device)
    feed.fill(given.progress)
    step = Step(network, Mixed(network), feed, dict(zip(kinds, given.batch, strict=True)))
    with (given.out / "log.jsonl").open("a", encoding="utf-8") as log:
        tell(
            log,
            parameters=sum(weight.numel() for weight in network.parameters()),
            settings={**vars(given), "out": "", "resume": bool(given.resume)},
        )
        if given.compile:
            compile_layers(network)
        if device.type == "cuda":
            step.capture()
        run = Run(given.out, 60 * given.minutes, given.rate, given.cool_from, given.progress)
        count = train(run, step, judge, log, every_s=given.every)
        tell(log, steps=count, rows_a_second=round(count * sum(given.batch) / run.seconds))
        feed.close()
        finish(run, network, judge, log)
