"""Whether transformers and a server say the same: ``python -m demo_model.agree CHECKPOINT SAMPLES``.

SAMPLES is the folder ``samples/<model>`` of a finished run of demo tasks. Every question recorded there is asked once
more, of transformers' own generation in 32 bits, with the very pictures that were sent. Both must be worth the same
within noise: a difference would be a fault of the processor, of the chat template or of the server.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from io import BytesIO
from itertools import islice
from math import sqrt
from pathlib import Path
from statistics import fmean, stdev
from typing import TYPE_CHECKING, Any

from PIL import Image

from evalkit.base.errors import DataError
from evalkit.base.types import Text
from evalkit.demo import rows
from evalkit.quantize.families import LLAVA
from evalkit.tasks import images, metrics, registry
from evalkit.tasks.benchmarks import BENCHMARKS

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Json, Sample, Task

BATCH = 16


@dataclass(frozen=True, slots=True)
class Agreement:
    """One task's answers from both sides, question by question."""

    task: str
    here: tuple[float, ...]
    """Scores of transformers' answers."""
    served: tuple[float, ...]
    """Scores of the answers in the run."""
    differing: int
    """Questions to which the two texts are not the same."""

    @property
    def gap(self) -> float:
        """How much more the served answers are worth, on average."""
        return fmean(self.served) - fmean(self.here)

    @property
    def noise(self) -> float:
        """Standard error of `gap`, paired by question."""
        gaps = [there - here for here, there in zip(self.here, self.served, strict=True)]
        return stdev(gaps) / sqrt(len(gaps)) if len(gaps) > 1 else 0.0

    @property
    def line(self) -> str:
        """The task's line of the table."""
        return (
            f"{self.task:16} {len(self.here):5} {fmean(self.here):8.4f} {fmean(self.served):8.4f} "
            f"{self.gap:+8.4f} {self.noise:7.4f} {self.differing:9}"
        )


HEADING = f"{'task':16} {'asked':>5} {'here':>8} {'served':>8} {'gap':>8} {'noise':>7} {'differing':>9}"


class Speaker:
    """A checkpoint in transformers, answering greedily."""

    def __init__(self, checkpoint: Path) -> None:
        """Load model and processor."""
        import torch  # noqa: PLC0415 - the serving interpreter has it
        from transformers import AutoConfig, AutoProcessor, LlavaForConditionalGeneration  # noqa: PLC0415

        config = AutoConfig.from_pretrained(checkpoint)
        if quantized := getattr(config, "quantization_config", None):
            # Its list names modules as they were saved; transformers, which calls them otherwise once they are loaded,
            # would take vision tower, projector and head for quantized. vLLM reads the list as it is meant.
            ignore = [*quantized["ignore"], *LLAVA.kept]
            config.quantization_config = {**quantized, "ignore": ignore, "dequantize": True}
        model = LlavaForConditionalGeneration.from_pretrained(checkpoint, config=config, dtype=torch.float32)
        self.model = model.float()
        self.processor = AutoProcessor.from_pretrained(checkpoint)

    def answers(self, samples: Sequence[Sample], task: Task) -> list[str]:
        """What the model says to questions that hold equally many pictures."""
        chats = [[{"role": "user", "content": [_chunk(part) for part in sample.content]}] for sample in samples]
        shown = [[_picture(part.data, task) for part in one.content if not isinstance(part, Text)] for one in samples]
        inputs = self.processor(
            text=[self.processor.apply_chat_template(chat) for chat in chats],
            images=shown,
            padding=True,
            return_tensors="pt",
            add_special_tokens=False,
        )
        said = self.model.generate(**inputs, max_new_tokens=task.decoding.max_tokens, do_sample=False)
        fresh = said[:, inputs["input_ids"].shape[1] :]
        return list(self.processor.batch_decode(fresh, skip_special_tokens=True))


def _chunk(part: Any) -> dict[str, str]:
    return {"type": "text", "text": part.text} if isinstance(part, Text) else {"type": "image"}


def _picture(data: bytes, task: Task) -> Image.Image:
    """The picture as the server gets it."""
    _, sent = images.sendable(data, task.images)
    return Image.open(BytesIO(sent)).convert("RGB")


def recorded(file: Path, most: int) -> list[tuple[Sample, str]]:
    """Questions of a run's file, made anew from the demo's rows, with the answers that the server gave.

    Args:
        file: ``samples/<model>/<task>.jsonl``.
        most: At most that many, from the file's start.

    Raises:
        DataError: The file's questions are not those that this installation draws.
    """
    task = registry.tasks()[file.stem]
    made = (BENCHMARKS[task.benchmark].sample(row, task.prompt, at) for at, row in enumerate(rows.rows(task.benchmark)))
    known = {sample.id: sample for sample in made}
    with file.open(encoding="utf-8") as lines:
        found = [json.loads(line) for line in islice(lines, most)]
    return [(_same(known.get(one["id"]), one, file), one["answer"] or "") for one in found if "answer" in one]


def _same(sample: Sample | None, line: dict[str, Json], file: Path) -> Sample:
    """The sample, if it is the question that the line records."""
    if sample is not None:
        content = [{"text": p.text} if isinstance(p, Text) else {"image_sha256": p.sha256} for p in sample.content]
        if content == line["content"]:
            return sample
    raise DataError(
        f"{file.name}: question {line['id']} is not the one that is drawn here",
        fix="run the demo again with this version of evalkit and this Pillow",
    )


def compared(speaker: Speaker, file: Path, most: int) -> Agreement:
    """Ask one task's recorded questions again and score both answers by the task's headline metric."""
    task = registry.tasks()[file.stem]
    asked = recorded(file, most)
    here: list[float] = []
    served: list[float] = []
    differing = 0
    for batch in _batches(asked):
        texts = speaker.answers([sample for sample, _ in batch], task)
        for (sample, said), text in zip(batch, texts, strict=True):
            here.append(metrics.score(task.headline, text, sample.references, task.dialect).value)
            served.append(metrics.score(task.headline, said, sample.references, task.dialect).value)
            differing += text != said
    return Agreement(task.name, tuple(here), tuple(served), differing)


def _batches(asked: list[tuple[Sample, str]]) -> Iterator[list[tuple[Sample, str]]]:
    """Questions with equally many pictures together."""
    by_pictures: dict[int, list[tuple[Sample, str]]] = {}
    for one in asked:
        by_pictures.setdefault(sum(not isinstance(part, Text) for part in one[0].content), []).append(one)
    for some in by_pictures.values():
        for start in range(0, len(some), BATCH):
            yield some[start : start + BATCH]


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Compare transformers' answers with a run's.")
    parser.add_argument("checkpoint", type=Path)
    parser.add_argument("samples", type=Path)
    parser.add_argument("--most", type=int, default=1000, help="questions of each task")
    given = parser.parse_args()
    speaker = Speaker(given.checkpoint)
    print(HEADING)  # noqa: T201 - a program that is run by hand
    for task in rows.TASKS:
        file = given.samples / f"demo-{task}.jsonl"
        if file.exists():
            print(compared(speaker, file, given.most).line, flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
