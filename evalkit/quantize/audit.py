"""Whether a checkpoint is what was asked for, by its files alone: whoever made it is not asked."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.printable import counted
from evalkit.base.types import Model
from evalkit.records import checkpoint
from evalkit.serve import environment

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalkit.quantize.families import Scheme
    from evalkit.records.checkpoint import Checkpoint

_BROUGHT = {"tokenizer": "tokenizer", "chat_template": "chat template"}


def faults(source: Checkpoint, folder: Path, wanted: Scheme) -> list[str]:
    """What speaks against the checkpoint in ``folder``, a sentence each; none for a good one.

    Args:
        source: What the files of the model say that it was made of.
        folder: The checkpoint.
        wanted: The scheme that was asked for.
    """
    made = environment.checkpoint(Model("", str(folder), "")) if (folder / "config.json").is_file() else None
    if made is None:
        return ["it has no config.json"]
    short = environment.unfinished(folder)
    if short or made.weight_bytes is None:
        return [f"its weights cannot be read whole ({', '.join(short) or 'no safetensors file'})"]
    return [*_numbers(made, folder, wanted), *_parts(made), *_size(source, made), *_brought(source, made)]


def _numbers(made: Checkpoint, folder: Path, wanted: Scheme) -> Iterator[str]:
    """That config and weights both have the scheme."""
    if not made.scheme.startswith(wanted.weights):
        yield f"its config says '{made.scheme}', not {wanted.weights}"
    kinds = environment.stored_as(folder)
    unlike = sorted(name for name, kind in kinds.items() if kind != wanted.stored)
    if unlike:
        yield (
            f"{counted(len(unlike), 'quantized layer')} of {len(kinds)} not stored as {wanted.stored}, such as "
            f"{unlike[0]} ({kinds[unlike[0]]})"
        )


def _parts(made: Checkpoint) -> Iterator[str]:
    """That the language model is quantized, and nothing else."""
    if not made.layers.get(checkpoint.LANGUAGE):
        yield "no layer of the language model is quantized"
    for part in (checkpoint.VISION, checkpoint.PROJECTOR):
        if count := made.layers.get(part):
            name = part.replace("_", " ")
            yield f"{counted(count, 'layer')} of the {name} quantized, which should have stayed as it was"


def _size(source: Checkpoint, made: Checkpoint) -> Iterator[str]:
    if source.weight_bytes is not None and made.weight_bytes is not None and made.weight_bytes >= source.weight_bytes:
        sizes = checkpoint.size(made.weight_bytes), checkpoint.size(source.weight_bytes)
        yield f"its weights are not smaller than the source's ({sizes[0]} beside {sizes[1]})"


def _brought(source: Checkpoint, made: Checkpoint) -> Iterator[str]:
    """That it reads and writes texts as the source does."""
    for name, words in _BROUGHT.items():
        if source.files.get(name) != made.files.get(name):
            state = "missing" if made.files.get(name) is None else "another one"
            yield f"its {words} is not the source's: it is {state}"
