"""Tiny models of several families at random weights, and candidates of them, all in one process.

FP8 of all, W8A8 by GPTQ of those that a tokenizer alone lets calibrate, and a job that the worker refuses. Runs where
llm-compressor is; loading that takes longer than what is done with it.
"""

import json
import runpy
import shutil
import sys
from pathlib import Path

import torch
import transformers as t

TEXT = {
    "hidden_size": 64,
    "intermediate_size": 128,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 2048,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
QWEN = {"depth": 2, "hidden_size": 32, "out_hidden_size": 64, "num_heads": 4, "intermediate_size": 64}
PIXTRAL = {"model_type": "pixtral", **VISION, "head_dim": 8, "patch_size": 16, "image_size": 64}


def of_words(name):
    return getattr(t, f"{name}ForCausalLM")(getattr(t, f"{name}Config")(**TEXT))


def qwen(name, **vision):
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [2, 3, 3]}
    ids = {"image_token_id": 10, "video_token_id": 11, "vision_start_token_id": 12, "vision_end_token_id": 13}
    config = getattr(t, f"{name}Config")(text_config={**TEXT, "rope_parameters": rope}, vision_config=vision, **ids)
    return getattr(t, f"{name}ForConditionalGeneration")(config)


def llava(name, text, vision):
    config = getattr(t, f"{name}Config")(text_config={**TEXT, "model_type": text}, vision_config=vision)
    return getattr(t, f"{name}ForConditionalGeneration")(config)


MODELS = {
    "llama": lambda: of_words("Llama"),
    "mistral": lambda: of_words("Mistral"),
    "qwen2": lambda: of_words("Qwen2"),
    "qwen3": lambda: of_words("Qwen3"),
    "qwen2_vl": lambda: qwen("Qwen2VL", depth=2, embed_dim=32, hidden_size=64, num_heads=4, mlp_ratio=2),
    "qwen2_5_vl": lambda: qwen("Qwen2_5_VL", **QWEN, fullatt_block_indexes=[1]),
    "qwen3_vl": lambda: qwen("Qwen3VL", **QWEN, deepstack_visual_indexes=[0]),
    "mistral3": lambda: llava("Mistral3", "mistral", PIXTRAL),
    "llava_next": lambda: llava(
        "LlavaNext", "llama", {"model_type": "clip_vision_model", **VISION, "patch_size": 16, "image_size": 32}
    ),
}


CALIBRATED = ("llama", "qwen2", "mistral3")
TEXTS = [f"Line {at} of the page says that there are {at * 7 % 13} of them." for at in range(4)]


def main():
    """Arguments: the worker, the folder, the families as JSON, a folder with a tokenizer, the refused job."""
    worker, folder, jobs = runpy.run_path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    chats = folder / "chats.jsonl"
    chats.write_text("".join(json.dumps({"text": text}) + "\n" for text in TEXTS))
    for name, job in jobs.items():
        torch.manual_seed(0)
        source, target = folder / name, folder / f"{name}.fp8"
        MODELS[name]().to(torch.bfloat16).save_pretrained(source)
        if name in CALIBRATED:
            for file in ("tokenizer.json", "tokenizer_config.json"):
                shutil.copy(Path(sys.argv[4]) / file, source)
        events = folder / f"{name}.events"
        settled = {"source": str(source), "target": str(target), "scheme": "FP8_DYNAMIC", "may": [], "chats": None}
        worker["quantize"]({**job, **settled, "seed": 0}, worker["Teller"](events))
        if name in CALIBRATED:
            settled |= {"target": str(folder / f"{name}.w8a8"), "scheme": "W8A8", "chats": str(chats), "longest": 256}
            worker["quantize"]({**job, **settled, "seed": 0}, worker["Teller"](events))
    sys.argv = [sys.argv[1], sys.argv[5]]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        (folder / "refused.code").write_text(str(ended.code))


if __name__ == "__main__":
    main()
