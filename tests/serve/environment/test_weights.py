"""What a model's files say, from files written byte by byte."""

import json

import pytest

from evalkit.base.types import Model
from evalkit.records import checkpoint
from evalkit.serve import environment

SIZES = {"BF16": 2, "I8": 1, "F8_E4M3": 1, "F32": 4, "I32": 4}
W8A8 = {
    "quant_method": "compressed-tensors",
    "format": "int-quantized",
    "config_groups": {
        "group_0": {"weights": {"num_bits": 8, "type": "int"}, "input_activations": {"num_bits": 8, "type": "int"}}
    },
    "ignore": ["lm_head", "re:vision_tower.*"],
}
PLAIN = {
    "model.language_model.layers.0.mlp.up_proj.weight": "BF16",
    "model.vision_tower.layers.0.mlp.up_proj.weight": "BF16",
    "model.multi_modal_projector.linear_1.weight": "BF16",
}
QUANTIZED = {
    **PLAIN,
    "model.language_model.layers.0.mlp.up_proj.weight": "I8",
    "model.language_model.layers.0.mlp.up_proj.weight_scale": "F32",
}


def safetensors(path, tensors, count=100):
    header, at = {"__metadata__": {"format": "pt"}}, 0
    for name, kind in tensors.items():
        size = SIZES[kind] * count
        header[name] = {"dtype": kind, "shape": [count], "data_offsets": [at, at + size]}
        at += size
    text = json.dumps(header).encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + b"\0" * at)


def model(folder, tensors=None, **config):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps({"dtype": "bfloat16", **config}))
    if tensors:
        safetensors(folder / "model.safetensors", tensors)
    return Model(folder.name, str(folder), "digest")


def said(base, cand):
    found = {one.label: environment.checkpoint(one) for one in (base, cand)}
    return list(checkpoint.warnings(base.label, [cand.label], found))


def test_a_plain_and_a_quantized_model(tmp_path):
    base = model(tmp_path / "base", PLAIN)
    cand = model(tmp_path / "cand", QUANTIZED, quantization_config=W8A8)
    one, other = environment.checkpoint(base), environment.checkpoint(cand)
    assert (one.scheme, one.quantized, one.weight_bytes, one.dtypes) == ("not quantized", False, 600, {"BF16": 600})
    assert one.layers == {}
    assert (other.scheme, other.weight_bytes) == ("W8A8 int (int-quantized)", 900)
    assert other.layers == {"language_model": 1}
    assert other.dtype == "bfloat16"
    safetensors(tmp_path / "base" / "model.safetensors", PLAIN, count=200)
    assert said(base, cand) == []


def test_shards_are_added_up_and_a_second_copy_is_not(tmp_path):
    folder = tmp_path / "m"
    one = model(folder)
    safetensors(folder / "model-1-of-2.safetensors", {"a.weight": "BF16"})
    safetensors(folder / "model-2-of-2.safetensors", {"b.weight": "BF16"})
    safetensors(folder / "consolidated.safetensors", {"a": "BF16", "b": "BF16"})
    index = {"weight_map": {"a.weight": "model-1-of-2.safetensors", "b.weight": "model-2-of-2.safetensors"}}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    assert environment.checkpoint(one).weight_bytes == 400
    (folder / "model.safetensors.index.json").unlink()
    assert environment.checkpoint(one).weight_bytes == 400


@pytest.mark.parametrize("content", [b"", b"base", b"\xff" * 20, b"\x02\0\0\0\0\0\0\0[]"])
def test_weights_that_cannot_be_read_are_unknown_not_a_crash(tmp_path, content):
    one = model(tmp_path / "m")
    (tmp_path / "m" / "model.safetensors").write_bytes(content)
    found = environment.checkpoint(one)
    assert (found.weight_bytes, found.layers) == (None, {})


def test_a_candidate_that_is_not_quantized_is_told(tmp_path):
    base, cand = model(tmp_path / "base", PLAIN), model(tmp_path / "cand", PLAIN)
    warned = " ".join(said(base, cand))
    assert "cand: no layer is stored quantized, and its config names no quantization" in warned
    assert "not smaller than the baseline" in warned
    cand = model(tmp_path / "cand", PLAIN, quantization_config=W8A8)
    assert "although its config says W8A8 int" in " ".join(said(base, cand))


def test_a_quantized_baseline_is_told(tmp_path):
    base = model(tmp_path / "base", QUANTIZED, compression_config=W8A8)
    cand = model(
        tmp_path / "cand", {"model.language_model.layers.0.mlp.up_proj.weight": "I8"}, quantization_config=W8A8
    )
    assert [text for text in said(base, cand) if "the baseline is itself quantized (W8A8 int (int-quantized))" in text]


def test_a_vision_tower_that_was_to_be_left_out_is_told(tmp_path):
    """Patterns anchored at a name that has moved match nothing, and the writer says nothing of it."""
    tensors = {**QUANTIZED, "model.vision_tower.layers.0.mlp.up_proj.weight": "F8_E4M3"}
    safetensors_base = model(tmp_path / "base", {f"{name}.{copy}": "BF16" for name in tensors for copy in range(3)})
    cand = model(tmp_path / "cand", tensors, quantization_config={**W8A8, "ignore": ["language_model.lm_head"]})
    assert said(safetensors_base, cand) == []
    recipe = tmp_path / "cand" / "recipe.yaml"
    recipe.write_text(
        "stage:\n  GPTQModifier:\n    targets: [Linear]\n    ignore: ['re:.*lm_head', 're:vision_tower.*']\n"
    )
    (warned,) = said(safetensors_base, cand)
    assert "1 layers of the vision tower are quantized" in warned
    assert "re:vision_tower.*" in warned
    recipe.write_text("    ignore:\n    - re:.*lm_head\n    - re:vision_tower.*\n")
    assert said(safetensors_base, cand) == [warned]


@pytest.mark.parametrize(
    ("table", "scheme"),
    [
        ({"quant_method": "gptq", "bits": 4}, "gptq 4 bit"),
        ({"quant_method": "fp8"}, "fp8"),
        ({"quant_method": "bitsandbytes", "load_in_4bit": True}, "bitsandbytes 4 bit"),
        (
            {"format": "pack-quantized", "config_groups": {"g": {"weights": {"num_bits": 4, "type": "int"}}}},
            "W4A16 int (pack-quantized)",
        ),
    ],
)
def test_schemes_by_their_names(tmp_path, table, scheme):
    assert environment.checkpoint(model(tmp_path / "m", quantization_config=table)).scheme == scheme
    nested = model(tmp_path / "n", text_config={"quantization_config": table})
    assert environment.checkpoint(nested).scheme == scheme


@pytest.mark.parametrize(
    "name", ["x.weight_packed", "x.qweight", "x.weight_scale", "x.weight_scale_inv", "x_blocks", "x.weight.absmax"]
)
def test_marks_of_quantized_layers(tmp_path, name):
    assert environment.checkpoint(model(tmp_path / "m", {name: "I32"})).quantized_layers == 1


def test_scales_of_activations_and_caches_are_no_quantized_layers(tmp_path):
    tensors = {"x.input_scale": "F32", "x.k_scale": "F32", "x.weight": "BF16"}
    assert environment.checkpoint(model(tmp_path / "m", tensors)).quantized_layers == 0


# --- what a model brings along ---


def files(folder, tokenizer=None, **more):
    model(folder)
    (folder / "tokenizer.json").write_text(json.dumps({"model": {"vocab": {"a": 1}}, **(tokenizer or {})}))
    for name, content in more.items():
        (folder / name.replace("__", ".")).write_text(content if isinstance(content, str) else json.dumps(content))
    return environment.checkpoint(Model("m", str(folder), "d")).files


def test_saving_a_model_anew_changes_no_digest(tmp_path):
    before = files(
        tmp_path / "a",
        tokenizer_config__json={"chat_template": "{{ x }}"},
        generation_config__json={"eos_token_id": 2, "transformers_version": "4"},
    )
    after = files(
        tmp_path / "b",
        tokenizer={"truncation": {"max_length": 2048}, "padding": None},
        tokenizer_config__json={"is_local": True},
        chat_template__jinja="{{ x }}",
        generation_config__json={"eos_token_id": 2, "transformers_version": "5", "_from_model_config": True},
    )
    assert before == after
    assert None not in before.values()


def test_what_moves_answers_changes_a_digest(tmp_path):
    base = files(tmp_path / "a", chat_template__jinja="{{ x }}", generation_config__json={"eos_token_id": 2})
    cand = files(
        tmp_path / "b",
        tokenizer={"model": {"vocab": {"b": 1}}},
        chat_template__jinja="{{ y }}",
        generation_config__json={"eos_token_id": [2, 7]},
    )
    assert all(base[key] != cand[key] for key in ("chat_template", "tokenizer", "generation_config"))


def test_a_missing_generation_config_is_what_the_config_implies(tmp_path):
    one = model(tmp_path / "a", eos_token_id=2)
    other = model(tmp_path / "b", eos_token_id=2)
    (tmp_path / "b" / "generation_config.json").write_text('{"_from_model_config": true, "eos_token_id": 2}')
    assert environment.checkpoint(one).files == environment.checkpoint(other).files


def test_models_whose_files_are_elsewhere_tell_nothing(tmp_path):
    one = model(tmp_path / "m", PLAIN)
    assert environment.checkpoint(Model("m", "org/name", "0" * 40)) is None
    assert environment.checkpoint(Model("m", one.source, "name:1", "http://127.0.0.1:1")) is None


def test_the_hub_cache_is_read(tmp_path, monkeypatch):
    from huggingface_hub import constants

    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path))
    model(tmp_path / "models--org--name" / "snapshots" / "abc", PLAIN)
    assert environment.checkpoint(Model("m", "org/name", "abc")).weight_bytes == 600
