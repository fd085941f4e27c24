"""Writes a checkpoint of Pixtral-12B's architecture with random weights: the real one's speed, answers that are noise.

``python tests/bench/random_pixtral.py FOLDER`` writes 25 GB; it needs torch and transformers 5.17 or newer.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

import torch
from transformers import LlavaConfig, LlavaForConditionalGeneration

from evalkit.demo.tiny import make
from evalkit.demo.train.export import config

VOCABULARY, POSITIONS = 131072, 32768
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
    "image_size": 1024,
    "patch_size": 16,
}


def main() -> None:
    """The small random model's tokenizer and processor, with the large one's sizes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    folder = parser.parse_args().folder
    make(folder, seed=12)
    tokenizer = folder / "tokenizer.json"
    written = json.loads(tokenizer.read_text(encoding="utf-8"))
    words = written["model"]["vocab"]
    # Every id that the model may say has a text.
    words.update({f"<{number}>": number for number in range(len(words), VOCABULARY)})
    tokenizer.write_text(json.dumps(written), encoding="utf-8")
    wanted = config()
    wanted.pop("architectures")
    wanted["text_config"] |= TEXT
    wanted["vision_config"] |= VISION
    torch.manual_seed(12)
    torch.set_default_dtype(torch.bfloat16)
    with torch.device("cuda" if torch.cuda.is_available() else "cpu"):
        model = LlavaForConditionalGeneration(LlavaConfig(**wanted))
    model.save_pretrained(folder, max_shard_size="4GB")
    print(f"{sum(each.numel() for each in model.parameters()) / 1e9:.2f} billion parameters in {folder}")


if __name__ == "__main__":
    main()
