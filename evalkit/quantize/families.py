"""What can be made of which models: schemes, and families with the parts of them that stay as they are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import UsageError, near_miss

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json


@dataclass(frozen=True, slots=True)
class Scheme:
    """In which numbers weights are stored and activations computed."""

    name: str
    """As the command line has it."""
    preset: str
    """As llm-compressor has it."""
    method: str
    weights: str
    """How a checkpoint's config names it, as ``Checkpoint.scheme`` begins."""
    stored: str
    """Type of the quantized tensors in safetensors files; those of 4 bits are packed into I32."""
    least: float
    """Bytes of a 16-bit weight that are left of each, in parts of them."""
    calibrated: bool
    group: int = 0
    """Input columns that share a scale; 0 for one scale an output channel."""


SCHEMES: Final = {
    one.name: one
    for one in (
        Scheme("w8a8", "W8A8", "GPTQ", "W8A8 int", "I8", 1 / 2, calibrated=True),
        Scheme("w4a16", "W4A16", "GPTQ", "W4A16 int", "I32", 1 / 4, calibrated=True, group=128),
        Scheme("fp8-dynamic", "FP8_DYNAMIC", "rounding", "W8A8 float", "F8_E4M3", 1 / 2, calibrated=False),
    )
}
"""By name. Activations of both 8-bit schemes get their scales while they are computed, one a token."""


@dataclass(frozen=True, slots=True)
class Family:
    """Models whose parts have the same names."""

    loader: str
    """Class of transformers that loads them."""
    kept: tuple[str, ...]
    """Patterns of the modules that stay as they are, each of which matches some. The leading ``.*`` matters: they are
    matched from the start of names such as ``model.vision_tower...``."""
    sees: bool = False


_HEAD: Final = "re:.*lm_head"
_TEXT: Final = Family("AutoModelForCausalLM", (_HEAD,))
LLAVA: Final = Family(
    "AutoModelForImageTextToText", (_HEAD, "re:.*vision_tower.*", "re:.*multi_modal_projector.*"), sees=True
)
_QWEN_VL: Final = Family("AutoModelForImageTextToText", (_HEAD, "re:.*visual.*"), sees=True)
"""Their projector, ``visual.merger``, is a part of the tower."""

FAMILIES: Final[Mapping[str, Family]] = {
    "llama": _TEXT,
    "mistral": _TEXT,
    "qwen2": _TEXT,
    "qwen3": _TEXT,
    "llava": LLAVA,
    "llava_next": LLAVA,
    "mistral3": LLAVA,
    "qwen2_vl": _QWEN_VL,
    "qwen2_5_vl": _QWEN_VL,
    "qwen3_vl": _QWEN_VL,
}
"""``model_type`` of a config to its family. Pixtral in transformers' form is a ``llava``."""


def scheme(name: str) -> Scheme:
    """The scheme of a name.

    Raises:
        UsageError: There is none.
    """
    if name not in SCHEMES:
        raise UsageError(f"there is no scheme '{name}'", fix=near_miss(name, SCHEMES))
    return SCHEMES[name]


def family(config: Mapping[str, Json], name: str) -> Family:
    """The family of a model.

    Args:
        config: Its ``config.json``.
        name: How messages call it.

    Raises:
        UsageError: It is none that is known; the message says what would have to be.
    """
    kind, classes = config.get("model_type"), config.get("architectures")
    if kind in FAMILIES:
        return FAMILIES[str(kind)]
    of = f" ({classes[0]})" if isinstance(classes, list) and classes else ""
    raise UsageError(
        f"{name}: its model type '{kind}'{of} is in no family that evalkit can quantize: missing are the names of its "
        "vision tower, projector and head, which have to stay as they are, and the class of transformers that loads it",
        fix=f"known types: {', '.join(FAMILIES)}; a further one is an entry of evalkit/quantize/families.py",
    )


def refuse_unfit(config: Mapping[str, Json], wanted: Scheme, name: str) -> None:
    """Refuse a model that is quantized already, or whose layers are no multiples of the scheme's groups.

    Raises:
        UsageError: So it is.
    """
    if config.get("quantization_config") or config.get("compression_config"):
        raise UsageError(f"{name}: it is quantized already", fix="name the model in 16 bits that it was made of")
    odd = [f"{key} {size}" for key, size in _inputs(config) if wanted.group and size % wanted.group]
    if odd:
        raise UsageError(
            f"{name}: {wanted.name} gives {wanted.group} input columns one scale, and {', '.join(odd)} is no multiple "
            "of that",
            fix="choose w8a8 or fp8-dynamic",
        )


def _inputs(config: Mapping[str, Json]) -> Iterator[tuple[str, int]]:
    """How many input columns the language model's linear layers have, as far as its config says."""
    text = config.get("text_config")
    text = text if isinstance(text, Mapping) else config
    for key in ("hidden_size", "intermediate_size"):
        if isinstance(text.get(key), int):
            yield key, text[key]
    heads, each = text.get("num_attention_heads"), text.get("head_dim")
    if isinstance(heads, int) and isinstance(each, int):
        yield "num_attention_heads x head_dim", heads * each
