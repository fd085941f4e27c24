"""HumanEval asked of a real vLLM server on the CPU: what it is sent is what the published commands send."""

import asyncio
import json
from dataclasses import replace

import pytest
import requests

from evalkit.base.types import Answer, Failure, FailureKind, Model
from evalkit.client import Client, SendingPolicy, completions
from evalkit.harnesses.evalplus import prompts
from evalkit.harnesses.evalplus.harness import EvalPlus
from evalkit.harnesses.evalplus.render import Renderer
from evalkit.harnesses.harness import Served
from support.evalplus_tasks import rows, task, write


def ask(served, chosen, asked):
    """All attempts at all problems, with what the exam says of itself."""
    session = EvalPlus().session(chosen, served, lambda _: None)
    pending = [(sample.id, sample) for sample, _ in asked.samples(None)]

    async def all_of_it():
        found = {}
        async with Client(served.url, served.name, SendingPolicy(window=4)) as client:
            await session.rehearse(client, [])
            async for request, outcome in client.ask(session.requests(pending)):
                found |= dict(zip(request.key, outcome, strict=True))
        return found

    return asyncio.run(all_of_it()), session


@pytest.mark.vllm
def test_prompts_are_those_of_the_published_commands(real_server):
    from evalplus.provider.utility import make_raw_chat_prompt
    from transformers import AutoTokenizer

    tokenizer = AutoTokenizer.from_pretrained(real_server.model.source)
    words = prompts.texts()
    for row in rows(3):
        prompt = row["prompt"].strip() + "\n"
        text = make_raw_chat_prompt(prompt, words.instruction, words.response, tokenizer)
        assert text.endswith("```python\n")
        one, two = (list(Renderer(real_server, words, bos).render(row["prompt"]).ids) for bos in ("one", "published"))
        bos = tokenizer.bos_token_id
        assert one == tokenizer(text, add_special_tokens=False).input_ids
        # A string prompt, as the published commands send it: the server puts its own BOS before the template's.
        assert two == [bos, *one]
        sent = {"model": real_server.name, "prompt": text}
        assert requests.post(f"{real_server.url}/tokenize", json=sent, timeout=60).json()["tokens"] == two


@pytest.mark.vllm
def test_attempts_come_singly_from_one_request_a_problem(real_server, tmp_path):
    chosen = task(n=3)
    # A model that has learned nothing never comes to an end by itself, and 768 tokens of it take a minute.
    chosen = replace(chosen, decoding=replace(chosen.decoding, max_tokens=96))
    asked = EvalPlus().questions(chosen, write(tmp_path / "x.jsonl", rows(2)), lambda _: None)
    found, session = ask(real_server, chosen, asked)
    assert sorted(found) == sorted(sample.id for sample, _ in asked.samples(None))
    assert all(isinstance(answer, Answer) for answer in found.values())
    stops = prompts.texts().stops["chat"]
    for answer in found.values():
        assert not any(stop in answer.text for stop in stops)
        assert 0 < answer.completion_tokens <= 96
    assert len({answer.text for answer in found.values()}) > 2
    assert session.facts.prompt == "chat"
    assert session.facts.bos == "one"


def test_a_request_for_several_attempts_has_the_time_of_their_tokens(tmp_path):
    chosen = task(n=5)
    asked = EvalPlus().questions(chosen, write(tmp_path / "x.jsonl", rows(2)), lambda _: None)
    session = EvalPlus().session(chosen, Served("http://127.0.0.1:9", "m", Model("m", "m", "m")), lambda _: None)
    pending = [(sample.id, sample) for sample, _ in asked.samples(None)]
    # The first two attempts at the first problem are there already; one is left of the other problem.
    found = list(session.requests([*pending[2:5], pending[9]]))
    assert [(len(one.key), one.more_tokens) for one in found] == [(3, 2 * chosen.decoding.max_tokens), (1, 0)]


def choice(index, text, **more):
    return {"index": index, "text": text, "finish_reason": "stop", **more}


def test_replies_are_told_apart_by_their_index():
    body = {
        "model": "m",
        "choices": [choice(1, "b", token_ids=[1, 2]), choice(0, "a\ud800")],
        "usage": {"prompt_tokens": 7},
    }
    one, two = completions.choices(json.dumps(body).encode(), ("m",), 2)
    assert (one.text, two.text, two.completion_tokens, two.prompt_tokens) == ("a\ufffd", "b", 2, 7)


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (b"", FailureKind.BAD_RESPONSE),
        (b"[]", FailureKind.BAD_RESPONSE),
        (b'{"choices": [{"index": 0}]}', FailureKind.BAD_RESPONSE),
        (b'{"choices": [{"index": 0, "text": "a"}]}', FailureKind.BAD_RESPONSE),
        (b'{"choices": [{"index": 0, "text": "a"}, {"index": 0, "text": "b"}]}', FailureKind.BAD_RESPONSE),
        (b'{"model": "other", "choices": []}', FailureKind.WRONG_MODEL),
        (rb'{"model": "\ud800", "choices": []}', FailureKind.WRONG_MODEL),
    ],
)
def test_what_is_not_a_whole_reply_is_a_failure(body, kind):
    found = completions.choices(body, ("m",), 2)
    assert isinstance(found, Failure)
    assert found.kind is kind
    assert found.message.encode()  # it can be stored
