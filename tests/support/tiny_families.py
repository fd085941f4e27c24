"""Tiny models of several families at random weights, and candidates of them, all in one process.

FP8, and W8A8 and W4A16 by GPTQ, of all: calibrated on pictures where a processor can be made of a tokenizer alone, on
text otherwise. Then a job that the worker refuses. Runs where llm-compressor is; loading that takes longer than what is
done with it.
"""

import json
import random
import runpy
import sys
from pathlib import Path

import torch
import transformers as t
from PIL import Image

TEXT = {
    "hidden_size": 128,
    "intermediate_size": 256,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 4096,
    "max_position_embeddings": 256,
    "bos_token_id": 1,
    "eos_token_id": 2,
    "pad_token_id": 0,
}
VISION = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
QWEN = {"depth": 2, "hidden_size": 32, "out_hidden_size": 128, "num_heads": 4, "intermediate_size": 64}
PIXTRAL = {"model_type": "pixtral", **VISION, "head_dim": 8, "patch_size": 16, "image_size": 64}
CLIP = {"model_type": "clip_vision_model", **VISION, "patch_size": 16, "image_size": 32}
PLACES = ("<|image_pad|>", "<|video_pad|>", "<|vision_start|>", "<|vision_end|>")
"""As the Qwen family calls them, in the order of their ids."""
TEMPLATE = (
    "{% for message in messages %}{% for part in message.content %}{% if part.type == 'image' %}IMAGE"
    "{% else %}{{ part.text }}{% endif %}{% endfor %}{% endfor %}"
)


def of_words(name, tokenizer):
    return getattr(t, f"{name}ForCausalLM")(getattr(t, f"{name}Config")(**TEXT)), tokenizer


def qwen(name, tokenizer, patch=14, **vision):
    tokenizer.add_special_tokens({"additional_special_tokens": list(PLACES)})
    names = ("image_token_id", "video_token_id", "vision_start_token_id", "vision_end_token_id")
    ids = dict(zip(names, tokenizer.convert_tokens_to_ids(PLACES), strict=True))
    rope = {"rope_type": "default", "rope_theta": 10000.0, "mrope_section": [4, 6, 6]}
    config = getattr(t, f"{name}Config")(text_config={**TEXT, "rope_parameters": rope}, vision_config=vision, **ids)
    size = {"shortest_edge": 28 * 28, "longest_edge": 16 * 28 * 28}
    sees = t.Qwen2VLImageProcessor(size=size, patch_size=patch)
    watches = getattr(t, f"{'Qwen3' if name == 'Qwen3VL' else 'Qwen2'}VLVideoProcessor")(patch_size=patch)
    template = TEMPLATE.replace("IMAGE", "<|vision_start|><|image_pad|><|vision_end|>")
    processor = getattr(t, f"{name}Processor")(sees, tokenizer, watches, chat_template=template)
    return getattr(t, f"{name}ForConditionalGeneration")(config), processor


def llava_next(tokenizer):
    tokenizer.add_special_tokens({"additional_special_tokens": ["<image>"]})
    place, grid = tokenizer.convert_tokens_to_ids("<image>"), [[32, 64], [64, 32]]
    text = {**TEXT, "model_type": "llama"}
    config = t.LlavaNextConfig(text_config=text, vision_config=CLIP, image_token_index=place, image_grid_pinpoints=grid)
    crop = {"height": 32, "width": 32}
    sees = t.LlavaNextImageProcessor(size={"shortest_edge": 32}, crop_size=crop, image_grid_pinpoints=grid)
    counts = {"patch_size": 16, "vision_feature_select_strategy": "default", "num_additional_image_tokens": 1}
    processor = t.LlavaNextProcessor(sees, tokenizer, chat_template=TEMPLATE.replace("IMAGE", "<image>"), **counts)
    return t.LlavaNextForConditionalGeneration(config), processor


def mistral3(tokenizer):
    config = t.Mistral3Config(text_config={**TEXT, "model_type": "mistral"}, vision_config=PIXTRAL)
    return t.Mistral3ForConditionalGeneration(config), tokenizer


MODELS = {
    "llama": lambda tokenizer: of_words("Llama", tokenizer),
    "mistral": lambda tokenizer: of_words("Mistral", tokenizer),
    "qwen2": lambda tokenizer: of_words("Qwen2", tokenizer),
    "qwen3": lambda tokenizer: of_words("Qwen3", tokenizer),
    "qwen2_vl": lambda tokenizer: qwen(
        "Qwen2VL", tokenizer, depth=2, embed_dim=32, hidden_size=128, num_heads=4, mlp_ratio=2
    ),
    "qwen2_5_vl": lambda tokenizer: qwen("Qwen2_5_VL", tokenizer, **QWEN, fullatt_block_indexes=[1]),
    "qwen3_vl": lambda tokenizer: qwen("Qwen3VL", tokenizer, 16, **QWEN, patch_size=16, deepstack_visual_indexes=[0]),
    "mistral3": mistral3,
    "llava_next": llava_next,
}
CALIBRATED = {"w8a8": "W8A8", "w4a16": "W4A16"}
SAMPLES = 4


def chats(folder, *, pictures):
    """The file of calibration chats."""
    path = folder / f"{'chats' if pictures else 'texts'}.jsonl"
    lines = []
    for at in range(SAMPLES):
        text = f"Line {at} of the page says that there are {at * 7 % 13} of them."
        if pictures:
            noise = Image.frombytes("RGB", (8, 6), random.Random(at).randbytes(3 * 8 * 6))
            noise.resize((96, 64)).save(folder / f"{at}.png")
            parts = [{"type": "image"}, {"type": "text", "text": text}]
            lines.append({"messages": [{"role": "user", "content": parts}], "images": [f"{at}.png"]})
        else:
            lines.append({"text": text})
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return str(path)


def main():
    """Arguments: the worker, the folder, the families as JSON, a folder with a tokenizer, the refused job."""
    worker, folder, jobs = runpy.run_path(sys.argv[1]), Path(sys.argv[2]), json.loads(sys.argv[3])
    for name, job in jobs.items():
        torch.manual_seed(0)
        source = folder / name
        model, reads = MODELS[name](t.AutoTokenizer.from_pretrained(sys.argv[4]))
        model.to(torch.bfloat16).save_pretrained(source)
        reads.save_pretrained(source)
        shown = chats(folder, pictures=hasattr(reads, "image_processor"))
        (folder / f"{name}.chats").write_text(shown)
        tell = worker["Teller"](folder / f"{name}.events")
        settled = {**job, "source": str(source), "may": [], "longest": 256, "seed": 0}
        for scheme, preset in {"fp8-dynamic": "FP8_DYNAMIC", **CALIBRATED}.items():
            asked = {"target": str(folder / f"{name}.{scheme}"), "scheme": preset}
            worker["quantize"]({**settled, **asked, "chats": shown if scheme in CALIBRATED else None}, tell)
    sys.argv = [sys.argv[1], sys.argv[5]]
    try:
        runpy.run_path(sys.argv[0], run_name="__main__")
    except SystemExit as ended:
        (folder / "refused.code").write_text(str(ended.code))


if __name__ == "__main__":
    main()
