"""Writes a trained network as the files that transformers and vLLM read.

``python -m demo_model.export RUN CHECKPOINT``: RUN is a folder that the training program left.
"""

from __future__ import annotations

import argparse
from importlib.resources import files
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from demo_model.model import DEVIATION, MEAN, TEXT, THETA, VISION
from demo_model.tokens import BOS, EOS, IMG, PAD, PATCH, SPECIAL, VOCABULARY

if TYPE_CHECKING:
    from torch import Tensor

LONGEST = 1024
"""Positions that the model claims; it was trained on rows of 256 tokens."""


def config() -> dict[str, Any]:
    """``config.json``."""
    return {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "dtype": "bfloat16",
        "image_token_index": IMG,
        "image_token_id": IMG,
        "image_seq_length": 1,
        "vision_feature_layer": -1,
        "vision_feature_select_strategy": "full",
        "projector_hidden_act": "gelu",
        "multimodal_projector_bias": True,
        "tie_word_embeddings": False,
        "bos_token_id": BOS,
        "eos_token_id": EOS,
        "pad_token_id": PAD,
        "text_config": {
            "model_type": "mistral",
            "vocab_size": VOCABULARY,
            "hidden_size": TEXT["hidden"],
            "intermediate_size": TEXT["intermediate"],
            "num_hidden_layers": TEXT["layers"],
            "num_attention_heads": TEXT["heads"],
            "num_key_value_heads": TEXT["pairs"],
            "head_dim": TEXT["hidden"] // TEXT["heads"],
            "hidden_act": "silu",
            "max_position_embeddings": LONGEST,
            "rms_norm_eps": 1e-5,
            "rope_parameters": {"rope_type": "default", "rope_theta": THETA},
            "sliding_window": None,
            "tie_word_embeddings": False,
            "bos_token_id": BOS,
            "eos_token_id": EOS,
            "pad_token_id": PAD,
        },
        "vision_config": {
            "model_type": "pixtral",
            "hidden_size": VISION["hidden"],
            "intermediate_size": VISION["intermediate"],
            "num_hidden_layers": VISION["layers"],
            "num_attention_heads": VISION["heads"],
            "head_dim": VISION["hidden"] // VISION["heads"],
            "num_channels": 3,
            "image_size": 224,
            "patch_size": PATCH,
            "hidden_act": "silu",
            "rope_parameters": {"rope_type": "axial", "rope_theta": THETA},
        },
    }


def loadable(wanted: dict[str, Any]) -> dict[str, Any]:
    """The config as arguments of the installed transformers' own, in the words that this release knows."""
    from transformers import PixtralVisionConfig  # noqa: PLC0415 - slow to import, only needed at the end

    wanted = {key: value for key, value in wanted.items() if key != "architectures"}
    # Later releases than 5.12 give the one way that there is a name of its own.
    rope = {"rope_type": getattr(PixtralVisionConfig, "default_rope_type", "default")}
    vision = wanted["vision_config"]
    return {**wanted, "vision_config": {**vision, "rope_parameters": {**vision["rope_parameters"], **rope}}}


def save(weights: dict[str, Tensor], tokenizer: Path, folder: Path) -> None:
    """Write the checkpoint folder through transformers: bf16 weights, processor, tokenizer, chat template."""
    from transformers import (  # noqa: PLC0415 - slow to import, only needed at the end
        GenerationConfig,
        LlavaConfig,
        LlavaForConditionalGeneration,
        PixtralImageProcessor,
        PixtralProcessor,
        PreTrainedTokenizerFast,
    )

    wanted = loadable(config())
    model = LlavaForConditionalGeneration(LlavaConfig(**wanted)).to(torch.bfloat16)
    model.load_state_dict({name: weight.detach().to("cpu", torch.bfloat16) for name, weight in weights.items()})
    model.generation_config = GenerationConfig(bos_token_id=BOS, eos_token_id=EOS, pad_token_id=PAD)
    model.save_pretrained(folder)
    template = files("evalkit.demo.questions").joinpath("chat_template.jinja").read_text(encoding="utf-8")
    words = PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer),
        bos_token=SPECIAL[BOS],
        eos_token=SPECIAL[EOS],
        pad_token=SPECIAL[PAD],
        additional_special_tokens=list(SPECIAL[3:]),
        model_max_length=LONGEST,
        clean_up_tokenization_spaces=False,
        padding_side="left",
    )
    images = PixtralImageProcessor(
        patch_size={"height": PATCH, "width": PATCH},
        size={"longest_edge": 224},
        image_mean=[MEAN] * 3,
        image_std=[DEVIATION] * 3,
    )
    processor = PixtralProcessor(image_processor=images, tokenizer=words, patch_size=PATCH, chat_template=template)
    processor.save_pretrained(folder)


def main() -> None:
    """Run the program."""
    from safetensors.torch import load_file  # noqa: PLC0415 - torch side only

    parser = argparse.ArgumentParser(description="Make the checkpoint of a training run.")
    parser.add_argument("run", type=Path)
    parser.add_argument("checkpoint", type=Path)
    given = parser.parse_args()
    weights: dict[str, Tensor] = {}
    for file in sorted(given.run.glob("weights-*.safetensors")):
        weights.update(load_file(file))
    save(weights, given.run / "tokenizer.json", given.checkpoint)


if __name__ == "__main__":
    main()
