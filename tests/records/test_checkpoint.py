import pytest

from evalkit.records import checkpoint


@pytest.mark.parametrize(
    ("name", "part"),
    [
        ("model.language_model.layers.0.self_attn.q_proj", "language_model"),
        ("model.layers.3.mlp.down_proj", "language_model"),
        ("vision_tower.transformer.layers.0.attention.q_proj", "vision_tower"),
        ("visual.blocks.0.attn.qkv", "vision_tower"),
        ("visual.merger.mlp.0", "projector"),
        ("multi_modal_projector.linear_1", "projector"),
        ("vision_language_adapter.w_in", "projector"),
    ],
)
def test_parts_of_a_model(name, part):
    assert checkpoint.part(name) == part


@pytest.mark.parametrize(
    ("count", "text"), [(0, "0 bytes"), (999, "999 bytes"), (1_000, "1.00 kB"), (24_345_678_901, "24.35 GB")]
)
def test_sizes(count, text):
    assert checkpoint.size(count) == text
