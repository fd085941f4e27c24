"""Checkpoints written byte by byte: a plain model of a known family, and what a quantizer makes of it."""

import json
from math import prod

SIZES = {"BF16": 2, "I8": 1, "F8_E4M3": 1, "F32": 4, "I32": 4}
LAYERS = tuple(
    f"model.language_model.layers.{number}.{name}" for number in (0, 1) for name in ("mlp.up_proj", "self_attn.q_proj")
)
KEPT = ("model.vision_tower.layers.0.mlp.up_proj", "model.multi_modal_projector.linear_1", "lm_head")
SHAPE = (128, 128)
SCHEMES = {
    "W8A8": ("I8", ".weight", {"num_bits": 8, "type": "int"}, {"num_bits": 8, "type": "int"}, "int-quantized"),
    "W4A16": ("I32", ".weight_packed", {"num_bits": 4, "type": "int"}, None, "pack-quantized"),
    "FP8_DYNAMIC": (
        *("F8_E4M3", ".weight", {"num_bits": 8, "type": "float"}),
        *({"num_bits": 8, "type": "float"}, "float-quantized"),
    ),
}


def safetensors(path, tensors):
    """Tensors of zeros: name to (type, shape)."""
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, (kind, shape) in tensors.items():
        size = SIZES[kind] * prod(shape)
        header[name] = {"dtype": kind, "shape": list(shape), "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * at)


def plain(folder, model_type="llava", **config):
    """A model in 16 bits with what evalkit looks at: config, weights, tokenizer, chat template."""
    folder.mkdir(parents=True)
    sizes = {"hidden_size": 128, "intermediate_size": 256, "num_attention_heads": 4, "head_dim": 32}
    said = {"model_type": model_type, "architectures": ["Some"], "dtype": "bfloat16", "text_config": sizes, **config}
    (folder / "config.json").write_text(json.dumps(said))
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 0}}}))
    (folder / "chat_template.jinja").write_text("{{ messages }}")
    (folder / "README.md").write_text("of the source alone")
    safetensors(folder / "model.safetensors", {f"{name}.weight": ("BF16", SHAPE) for name in (*LAYERS, *KEPT)})
    return folder


def quantized(folder, source, preset, layers=LAYERS, says="", **sizes):
    """What llm-compressor leaves of ``source``: ``layers`` stored as ``preset`` has them, ``says`` in the config."""
    kind, suffix, weights, inputs, form = SCHEMES[preset]
    tensors = {f"{name}.weight": ("BF16", SHAPE) for name in (*LAYERS, *KEPT) if name not in layers}
    for name in layers:
        tensors[name + suffix] = (kind, sizes.get("shape", (128, 16) if kind == "I32" else SHAPE))
        tensors[f"{name}.weight_scale"] = ("BF16", (128, 1))
    folder.mkdir(parents=True)
    _, _, weights, inputs, form = SCHEMES[says or preset]
    group = {"weights": weights, "input_activations": inputs}
    said = json.loads((source / "config.json").read_text())
    said["quantization_config"] = {"format": form, "config_groups": {"group_0": group}, "ignore": list(KEPT)}
    (folder / "config.json").write_text(json.dumps(said))
    for name in ("tokenizer.json", "chat_template.jinja"):
        (folder / name).write_bytes((source / name).read_bytes())
    (folder / "recipe.yaml").write_text("default_stage: {}\n")
    safetensors(folder / "model.safetensors", tensors)
