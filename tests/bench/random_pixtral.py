"""Writes a checkpoint of Pixtral-12B's architecture with random weights: the real one's speed, answers that are noise.

::

    PYTHONPATH=tools python tests/bench/random_pixtral.py FOLDER                  # bfloat16, 25 GB
    PYTHONPATH=tools python tests/bench/random_pixtral.py FOLDER --dtype float16 --w8a8 FOLDER2   # and in 8 bits, 14 GB
    PYTHONPATH=tools python tests/bench/random_pixtral.py FOLDER --fp8 FOLDER3    # the same in FP8
    PYTHONPATH=tools python tests/bench/random_pixtral.py FOLDER --layers 2       # small, for a machine without a GPU

It needs torch and transformers 5.12 or newer. vLLM 0.26 and 0.32 load what it writes as it is. The 8-bit model is the
first one's language layers rounded to the nearest of 255 steps a row (W8A8, no calibration), in the layout of
compressed-tensors; the one in FP8 has them in float8_e4m3 with a scale a row, as FP8-dynamic checkpoints do. A model
that is there is not written again.
"""

from __future__ import annotations

import argparse
import json
import shutil
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file
from transformers import LlavaConfig, LlavaForConditionalGeneration

from demo_model.export import config, loadable
from demo_model.tiny import make

if TYPE_CHECKING:
    from collections.abc import Callable

    from torch import Tensor

VOCABULARY, POSITIONS, LONGEST_EDGE = 131072, 32768, 1024
TEXT = {
    "vocab_size": VOCABULARY,
    "hidden_size": 5120,
    "intermediate_size": 14336,
    "num_hidden_layers": 40,
    "num_attention_heads": 32,
    "num_key_value_heads": 8,
    "head_dim": 128,
    "max_position_embeddings": POSITIONS,
}
VISION = {
    "hidden_size": 1024,
    "intermediate_size": 4096,
    "num_hidden_layers": 24,
    "num_attention_heads": 16,
    "head_dim": 64,
    "image_size": LONGEST_EDGE,
    "patch_size": 16,
}
INDEX = "model.safetensors.index.json"
SCHEME = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "quantization_status": "compressed",
    "global_compression_ratio": None,
    "kv_cache_scheme": None,
    "ignore": ["lm_head", "re:.*lm_head", "re:.*vision_tower.*", "re:.*multi_modal_projector.*"],
    "config_groups": {
        "group_0": {
            "targets": ["Linear"],
            "weights": {"num_bits": 8, "type": "int", "strategy": "channel", "symmetric": True, "dynamic": False},
            "input_activations": {
                "num_bits": 8,
                "type": "int",
                "strategy": "token",
                "symmetric": True,
                "dynamic": True,
            },
        }
    },
}


def write(folder: Path, layers: int, dtype: str, device: str) -> int:
    """The large model in the small random model's folder: its tokenizer and processor, widened; returns parameters."""
    make(folder, seed=12)
    # The small model's weights: a loader that takes every file of the folder would read them.
    (folder / "model.safetensors").unlink()
    _widen(folder)
    wanted = loadable(config())
    wanted["dtype"] = dtype
    wanted["text_config"] |= {**TEXT, "num_hidden_layers": layers}
    wanted["vision_config"] |= VISION
    torch.manual_seed(12)
    torch.set_default_dtype(getattr(torch, dtype))
    with torch.device(device):
        model = LlavaForConditionalGeneration(LlavaConfig(**wanted))
    model.save_pretrained(folder, max_shard_size="4GB")
    _spell_as_both_know(folder / "config.json")
    return sum(each.numel() for each in model.parameters())


def _widen(folder: Path) -> None:
    """Every id that the model may say has a text, and pictures keep the size that the vision tower is built for."""
    tokenizer = folder / "tokenizer.json"
    written = json.loads(tokenizer.read_text(encoding="utf-8"))
    words = written["model"]["vocab"]
    words.update({f"<{number}>": number for number in range(len(words), VOCABULARY)})
    tokenizer.write_text(json.dumps(written), encoding="utf-8")
    named = folder / "tokenizer_config.json"
    facts = json.loads(named.read_text(encoding="utf-8"))
    named.write_text(json.dumps(facts | {"model_max_length": POSITIONS}), encoding="utf-8")
    processor = folder / "processor_config.json"
    facts = json.loads(processor.read_text(encoding="utf-8"))
    facts["image_processor"]["size"] = {"longest_edge": LONGEST_EDGE}
    processor.write_text(json.dumps(facts), encoding="utf-8")


def _spell_as_both_know(path: Path) -> None:
    """The vision tower's rotary embedding under the name that vLLM 0.26 and 0.32 both read."""
    facts = json.loads(path.read_text(encoding="utf-8"))
    facts["vision_config"]["rope_parameters"]["rope_type"] = "default"
    path.write_text(json.dumps(facts, indent=1), encoding="utf-8")


def round_to_8_bits(source: Path, target: Path, kind: str, device: str) -> int:
    """The same checkpoint with its language layers' matrices as ``int`` or ``float`` of 8 bits; how many those are."""
    target.mkdir(parents=True, exist_ok=True)
    for path in source.iterdir():
        if path.suffix != ".safetensors" and path.name not in {INDEX, "config.json"}:
            shutil.copy(path, target)
    shards = sorted(source.glob("*.safetensors"))
    places: dict[str, str] = {}
    matrices, size = 0, 0
    for shard in shards:
        weights = load_file(shard, device=device)
        kept = {name: each for name, each in weights.items() if not _is_quantized(name)}
        for name in weights.keys() - kept.keys():
            kept[name], kept[name.removesuffix("weight") + "weight_scale"] = _rounded(weights[name], kind)
            matrices += 1
        save_file({name: each.cpu().contiguous() for name, each in kept.items()}, target / shard.name, {"format": "pt"})
        places |= dict.fromkeys(kept, shard.name)
        size += sum(each.numel() * each.element_size() for each in kept.values())
    if len(shards) > 1:
        index = {"metadata": {"total_size": size}, "weight_map": places}
        (target / INDEX).write_text(json.dumps(index), encoding="utf-8")
    described = json.loads((source / "config.json").read_text(encoding="utf-8"))
    text = json.dumps(described | {"quantization_config": _scheme(kind)}, indent=1)
    (target / "config.json").write_text(text, encoding="utf-8")
    return matrices


def _is_quantized(name: str) -> bool:
    return "language_model" in name and name.endswith("_proj.weight")


def _scheme(kind: str) -> dict[str, Any]:
    """What the config says of the quantization; both kinds have a scale a row, and activations scaled a token."""
    found = json.loads(json.dumps(SCHEME))
    found["format"] = f"{kind}-quantized"
    for group in found["config_groups"].values():
        for part in (group["weights"], group["input_activations"]):
            part["type"] = kind
    return found


def _rounded(weight: Tensor, kind: str) -> tuple[Tensor, Tensor]:
    """A matrix in 8 bits, and the step of each of its rows."""
    whole = kind == "int"
    largest = 127.0 if whole else torch.finfo(torch.float8_e4m3fn).max
    step = (weight.float().abs().amax(dim=1, keepdim=True) / largest).clamp(min=1e-8)
    scaled = (weight.float() / step).clamp(-largest, largest)
    return scaled.round().to(torch.int8) if whole else scaled.to(torch.float8_e4m3fn), step.to(weight.dtype)


def main() -> None:
    """Read the command line and write one folder or two."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--dtype", choices=["bfloat16", "float16"], default="bfloat16")
    parser.add_argument("--layers", type=int, default=TEXT["num_hidden_layers"], help="of the language model")
    parser.add_argument("--w8a8", type=Path, metavar="FOLDER", help="also write the same model in 8 bits")
    parser.add_argument("--fp8", type=Path, metavar="FOLDER", help="also write the same model in FP8")
    given = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    _once(given.folder, lambda place: write(place, given.layers, given.dtype, device), "parameters")
    for kind, target in (("int", given.w8a8), ("float", given.fp8)):
        if target:
            made = partial(round_to_8_bits, given.folder, kind=kind, device=device)
            _once(target, made, f"matrices in 8 bits ({kind})")


def _once(place: Path, make: Callable[[Path], int], what: str) -> None:
    """Write a folder, beside its place and renamed when it is whole, unless it is there."""
    if place.exists():
        return
    half = place.with_name(f"{place.name}.part")
    shutil.rmtree(half, ignore_errors=True)
    print(f"{make(half):,} {what} in {place}")
    half.rename(place)


if __name__ == "__main__":
    main()
