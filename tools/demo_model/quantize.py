"""Quantizes the demo's baseline with llm-compressor: ``python -m demo_model.quantize SOURCE TARGET``.

Runs in an environment of its own (``llmcompressor==0.14.*``, torchvision, pyarrow; this package on ``PYTHONPATH``),
since llm-compressor and vLLM pin different versions of compressed-tensors. A CPU is enough. GPTQ is calibrated on
training questions, one a time; the vision tower, the projector and the head stay as they are.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.demo.questions import rows
from evalkit.demo.questions.scenes import split_of, stream

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.demo.questions.scenes import Part

IGNORE = ["re:.*lm_head", "re:.*vision_tower.*", "re:.*multi_modal_projector.*"]
"""The leading ``.*`` matters: patterns are matched from the start of names such as ``model.vision_tower...``."""
LONGEST = 512


def turns(count: int) -> Iterator[tuple[list[dict[str, Any]], list[Any]]]:
    """Calibration chats with their answers, and each one's pictures; drawn with another seed than any training."""
    rng = stream("calibration")
    tasks = list(rows.VISION)
    for number in range(count):
        scene = rows.VISION[tasks[number % len(tasks)]].scene(rng, rng.randint(0, 3))
        asked = [question for question in scene.questions if split_of(question.key) == "train"]
        if asked:
            question = rng.choice(asked)
            said = {"role": "assistant", "content": question.answer}
            yield [{"role": "user", "content": [_chunk(part) for part in question.parts]}, said], list(scene.images)


def _chunk(part: Part) -> dict[str, str]:
    return {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"}


def calibration(processor: Any, count: int) -> Any:
    """The chats as a data set of ready model inputs."""
    from datasets import Dataset  # noqa: PLC0415 - the quantizer's environment has it

    made = []
    for chat, images in turns(count):
        text = processor.apply_chat_template(chat)
        inputs = processor(text=text, images=images, return_tensors="pt", add_special_tokens=False)
        made.append({name: value.tolist() for name, value in inputs.items()})
    return Dataset.from_list(made)


def quantize(source: Path, target: Path, scheme: str, samples: int) -> None:
    """Write the quantized checkpoint.

    Args:
        source: Folder of the baseline.
        target: Where to write.
        scheme: ``W8A8`` (int8 weights per channel, int8 activations per token) or ``W4A16`` (int4 weights by 128).
        samples: Calibration chats.
    """
    import torch  # noqa: PLC0415 - the quantizer's environment has it
    from llmcompressor import oneshot  # noqa: PLC0415
    from llmcompressor.modifiers.gptq import GPTQModifier  # noqa: PLC0415
    from transformers import AutoProcessor, LlavaForConditionalGeneration  # noqa: PLC0415

    model = LlavaForConditionalGeneration.from_pretrained(source, dtype="auto")
    processor = AutoProcessor.from_pretrained(source)

    def collate(batch: list[dict[str, Any]]) -> dict[str, Any]:
        (inputs,) = batch
        tensors = {name: torch.tensor(value) for name, value in inputs.items()}
        return tensors | {"pixel_values": tensors["pixel_values"].to(model.dtype)}

    oneshot(
        model=model,
        processor=processor,
        dataset=calibration(processor, samples),
        recipe=[GPTQModifier(targets="Linear", scheme=scheme, ignore=IGNORE)],
        sequential_targets=["MistralDecoderLayer"],
        data_collator=collate,
        num_calibration_samples=samples,
        max_seq_length=LONGEST,
    )
    model.save_pretrained(target, save_compressed=True)
    processor.save_pretrained(target)


def main() -> None:
    """Run the program."""
    parser = argparse.ArgumentParser(description="Quantize the demo's baseline.")
    parser.add_argument("source", type=Path)
    parser.add_argument("target", type=Path)
    parser.add_argument("--scheme", choices=("W8A8", "W4A16"), default="W8A8")
    parser.add_argument("--samples", type=int, default=128)
    given = parser.parse_args()
    quantize(given.source, given.target, given.scheme, given.samples)


if __name__ == "__main__":
    main()
