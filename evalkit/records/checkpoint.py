"""What a model's own files say of it: how it is quantized, how large it is, which tokenizer and templates it brings.

The files are read elsewhere (``evalkit.serve.environment.weights``); here are the nouns and what speaks against them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

LANGUAGE, VISION, PROJECTOR = "language_model", "vision_tower", "projector"

_PROJECTOR_NAMES = re.compile(r"projector|vision_language_adapter|merger|connector|aligner", re.IGNORECASE)
_VISION_NAMES = re.compile(r"vision|visual|image_encoder|\bvit\b", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """One model's files, as far as they could be read."""

    scheme: str
    """Such as ``W8A8 int (int-quantized)``; ``not quantized`` for a plain one."""
    quantized: bool
    """Whether its config speaks of quantization."""
    weight_bytes: int | None
    """Of all tensors; None when no safetensors file could be read."""
    dtypes: Mapping[str, int] = field(default_factory=dict)
    """Storage type of the tensors (``BF16``, ``I8``) to bytes."""
    layers: Mapping[str, int] = field(default_factory=dict)
    """Part of the model (language_model, vision_tower, projector) to its layers that are stored quantized."""
    ignored: tuple[str, ...] = ()
    """Names and patterns that the config or the recipe lists as left unquantized."""
    dtype: str | None = None
    """What the config says that the model computes in, such as ``bfloat16``."""
    files: Mapping[str, str | None] = field(default_factory=dict)
    """chat_template, tokenizer, generation_config -> digest of what it says; None when the model has none."""

    @property
    def quantized_layers(self) -> int:
        """Layers that are stored quantized, in all parts."""
        return sum(self.layers.values())


def part(module: str) -> str:
    """Which part of a model a module's full name belongs to."""
    if _PROJECTOR_NAMES.search(module):
        return PROJECTOR
    return VISION if _VISION_NAMES.search(module) else LANGUAGE


def warnings(baseline: str, candidates: Sequence[str], found: Mapping[str, Checkpoint]) -> Iterator[str]:
    """One sentence for each thing that makes a model other than what it is taken for."""
    base = found.get(baseline)
    if base is not None and (base.quantized or base.quantized_layers):
        yield f"{baseline}: the baseline is itself quantized ({base.scheme}); recovery is measured against that."
    for label in candidates:
        if label in found:
            yield from _doubts(label, found[label], base)


def _doubts(label: str, one: Checkpoint, base: Checkpoint | None) -> Iterator[str]:
    if one.weight_bytes is None:
        # Nothing of the weights is known; the config alone proves neither.
        if not one.quantized:
            yield f"{label}: its config names no quantization, and its weights could not be read."
        return
    if not one.quantized_layers:
        said = f"although its config says {one.scheme}" if one.quantized else "and its config names no quantization"
        yield f"{label}: no layer is stored quantized, {said}."
    if base is not None and base.weight_bytes is not None and one.weight_bytes >= base.weight_bytes:
        yield f"{label}: not smaller than the baseline ({size(one.weight_bytes)} beside {size(base.weight_bytes)})."
    for name in (VISION, PROJECTOR):
        meant = [entry for entry in one.ignored if entry.startswith("re:") and part(entry) == name]
        if one.layers.get(name) and meant:
            yield (
                f"{label}: {one.layers[name]} layers of the {name.replace('_', ' ')} are quantized, although it was "
                f"to be left out ({', '.join(meant)}); module names may have changed since the pattern was written."
            )


def size(count: int) -> str:
    """Bytes as a person reads them: ``12.68 GB``."""
    amount, unit = float(count), "bytes"
    for larger in ("kB", "MB", "GB", "TB"):
        if amount < 1000.0:
            break
        amount, unit = amount / 1000.0, larger
    return f"{count} bytes" if unit == "bytes" else f"{amount:.2f} {unit}"
