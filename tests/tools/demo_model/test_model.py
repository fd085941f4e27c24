"""The network is what transformers loads, learns, and comes back from its files."""

import sys
from types import SimpleNamespace

import numpy as np
import pytest

from support import wants

torch = wants.imported("torch")

from demo_model import chunks, export, model, optim, step, training  # noqa: E402
from demo_model.feed import Pool  # noqa: E402
from demo_model.model import Network  # noqa: E402
from demo_model.rows import WIDTH  # noqa: E402
from demo_model.tokens import BOS  # noqa: E402
from evalkit.demo.questions.heldout import vision  # noqa: E402

pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory, tokenizer_file):
    """A run folder as training leaves it, and the checkpoint that the export program makes of it."""
    run = tmp_path_factory.mktemp("run")
    torch.manual_seed(0)
    network = Network(WIDTH)
    with torch.no_grad():
        for weight in network.parameters():
            weight.copy_(weight.bfloat16().float())
    training.keep(network, run)
    (run / "tokenizer.json").write_bytes(tokenizer_file.read_bytes())
    before, sys.argv = sys.argv, ["export", str(run), str(run / "checkpoint")]
    try:
        export.main()
    finally:
        sys.argv = before
    return network, run


def test_transformers_sees_the_same_tokens_and_the_same_logits(checkpoint, coder):
    from transformers import AutoProcessor, LlavaForConditionalGeneration

    network, run = checkpoint
    asked = next(one for one in vision("mmmu") if len(one.scene.images) == 2)
    parts = [
        {"type": "text", "text": part} if isinstance(part, str) else {"type": "image"} for part in asked.question.parts
    ]
    processor = AutoProcessor.from_pretrained(run / "checkpoint")
    text = processor.apply_chat_template([{"role": "user", "content": parts}])
    inputs = processor(text=text, images=list(asked.scene.images), return_tensors="pt", add_special_tokens=False)
    ids = [BOS, *coder.user(asked.question.parts)]
    assert inputs["input_ids"][0].tolist() == ids
    theirs = LlavaForConditionalGeneration.from_pretrained(run / "checkpoint", dtype=torch.float32)
    pixels = torch.stack([torch.from_numpy(np.array(image)) for image in asked.scene.images])
    with torch.no_grad():
        ours = network(torch.tensor([ids]), pixels, torch.zeros(1, dtype=torch.long))
        difference = (ours - theirs(**inputs).logits).norm() / ours.norm()
    assert difference < 1e-4


def test_the_checkpoint_is_small_enough(checkpoint):
    _, run = checkpoint
    assert (run / "checkpoint" / "model.safetensors").stat().st_size < 16 * 2**20


def test_the_template_takes_text_systems_and_answers(checkpoint):
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(checkpoint[1] / "checkpoint")
    user = {"role": "user", "content": "Hello"}
    chats = {
        "<s>[INST]Hello[/INST]": [user],
        "<s>[INST]Be kind.\n\nHello[/INST]": [{"role": "system", "content": "Be kind."}, user],
        "<s>[INST]Hello[/INST]Hi</s>": [user, {"role": "assistant", "content": "Hi"}],
    }
    for text, chat in chats.items():
        assert tokenizer.apply_chat_template(chat, tokenize=False) == text
    kept = [user, {"role": "assistant", "content": "def f"}]
    text = tokenizer.apply_chat_template(kept, tokenize=False, continue_final_message=True)
    assert text == "<s>[INST]Hello[/INST]def f"


def test_a_run_goes_on_from_its_files(checkpoint):
    network, run = checkpoint
    other = Network(WIDTH)
    training.load(other, run)
    for name, weight in network.state_dict().items():
        assert torch.equal(weight, other.state_dict()[name])


def test_orthogonal_pulls_singular_values_together():
    torch.manual_seed(0)
    values = torch.linalg.svdvals(optim.orthogonal(torch.randn(3, 32, 64)))
    assert values.min() > 0.4
    assert values.max() < 1.4


def test_steps_lower_the_loss(tokenizer_file, tmp_path, monkeypatch):
    monkeypatch.setattr(chunks, "CHUNK", 2)
    monkeypatch.setattr("demo_model.feed.CHUNK", 2)
    monkeypatch.setitem(model.TEXT, "layers", 2)
    monkeypatch.setitem(model.VISION, "layers", 1)
    torch.manual_seed(0)
    pools = {kind: Pool(kind, 1, torch.device("cpu")) for kind in ("one", "two", "text")}
    for kind, pool in pools.items():
        pool.take(chunks.draw_chunk(str(tokenizer_file), kind, "seed", 0.5, str(tmp_path)))
    assert not list(tmp_path.iterdir())
    network = Network(WIDTH)
    taken = step.Step(network, optim.Mixed(network), SimpleNamespace(pools=pools), {"one": 1, "two": 1, "text": 1})
    taken.optimizer.rate.fill_(2e-3)
    losses = [float(taken()) for _ in range(6)]
    assert losses[0] > 6
    assert min(losses[3:]) < losses[0] - 0.5
