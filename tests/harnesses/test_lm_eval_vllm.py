"""MMLU on real vLLM: lm-eval's own ``local-completions`` and evalkit ask one server the same questions."""

import asyncio
import json
import re
from contextlib import aclosing

import pytest
import requests

from evalkit.base.types import Answer, Model
from evalkit.client import Client, SendingPolicy
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness
from evalkit.harnesses.harness import Served
from evalkit.harnesses.lm_eval.canary import STEP
from evalkit.harnesses.lm_eval.harness import LmEval
from evalkit.harnesses.lm_eval.tokens import tokenizer_for
from evalkit.harnesses.lm_eval.wire import parsed
from support.lm_eval_oracle import evaluated, lm_eval_results
from support.mmlu_folder import mmlu, task

pytestmark = pytest.mark.vllm

LIMIT = 12


@pytest.fixture(scope="module")
def served(real_server):
    """The session's server; its tokenizer has one token for each letter."""
    return real_server


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    return LmEval().questions(task(), mmlu(tmp_path_factory.mktemp("mmlu")), print)


def asked(served, questions, **chosen):
    """Answers by sample id, as evalkit gets them, the exam's facts, and how many requests were sent."""
    samples = [sample for sample, _ in questions.samples(LIMIT)]
    told, sent = [], []
    session = LmEval().session(task(**chosen), served, told.append)
    found = {}

    async def take(client, requests):
        async with aclosing(client.ask(requests)) as outcomes:
            async for request, outcome in outcomes:
                sent.append(request.key)
                keys = (request.key,) if isinstance(request.key, str) else request.key
                replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
                found.update({key: reply for key, reply in zip(keys, replies, strict=True) if reply is not None})

    async def main():
        async with Client(served.url, served.name, SendingPolicy(window=8)) as client:
            await session.rehearse(client, samples)
            await take(client, session.requests((one.id, one) for one in samples))
            await take(client, session.alone((one.id, one) for one in samples if one.id not in found))

    asyncio.run(main())
    assert all(isinstance(answer, Answer) for answer in found.values()), found
    return {key: answer.text for key, answer in found.items()}, session.facts.stored(), sent, told


def stock(served, questions):
    """lm-eval's own model class on the same rows: its result."""
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    rows = {}
    for sample, _ in questions.samples(LIMIT):
        subject, _, doc_id = sample.id.rpartition("/")
        rows.setdefault(f"mmlu_{subject}", []).append(int(doc_id))
    lm = LocalCompletionsAPI(
        model=served.name,
        base_url=f"{served.url}/v1/completions",
        tokenizer=served.model.source,
        tokenizer_backend="huggingface",
        add_bos_token=True,
        max_length=served.max_model_len,
        num_concurrent=8,
    )
    return evaluated(lm, questions, rows)


def likelihoods(result):
    return {
        f"{name.removeprefix('mmlu_')}/{line['doc_id']}": [value for value, _ in line["filtered_resps"]]
        for name, lines in result["samples"].items()
        for line in lines
    }


def largest(one, other):
    return max(abs(a - b) for key in one for a, b in zip(one[key], other[key], strict=True))


@pytest.fixture(scope="module")
def runs(served, questions):
    """Stock twice, with evalkit's fast and exact runs between them."""
    first = stock(served, questions)
    fast = asked(served, questions)
    exact = asked(served, questions, method="echo")
    return first, fast, exact, stock(served, questions)


def test_the_fast_way_gives_stocks_answers_with_a_sixteenth_of_the_requests(runs, questions):
    first, (answers, facts, sent, told), _, again = runs
    assert facts["method"] == "fast", told
    assert len(sent) == 1
    assert {json.loads(text)["method"] for text in answers.values()} == {"fast"}
    found = {key: list(parsed(text).values) for key, text in answers.items()}
    one, two = likelihoods(first), likelihoods(again)
    assert set(found) == set(one)
    noise = max(largest(one, two), STEP)
    assert min(largest(found, one), largest(found, two)) <= noise
    for key, values in found.items():
        assert values.index(max(values)) in {each[key].index(max(each[key])) for each in (one, two)}


def test_the_exact_way_gives_stocks_answers(runs):
    first, _, (answers, facts, sent, _), again = runs
    assert (facts["method"], len(sent)) == ("echo", LIMIT)
    found = {key: list(parsed(text).values) for key, text in answers.items()}
    one, two = likelihoods(first), likelihoods(again)
    assert min(largest(found, one), largest(found, two)) <= max(largest(one, two), STEP)


def test_scores_are_lm_evals(runs, questions):
    first, (answers, *_), _, again = runs
    replayed = lm_eval_results(questions, answers, LIMIT)
    tally = Tally(task(), "m", harness(task()))
    for sample, _ in questions.samples(LIMIT):
        tally.add(sample, Answer(answers[sample.id], "stop", 9, 1, 0.1))
    mine = tally.task_score().score
    assert mine == pytest.approx(replayed["results"]["mmlu"]["acc,none"], abs=1e-12)
    scores = {result["results"]["mmlu"]["acc,none"] for result in (first, again)}
    flipped = any(
        values.index(max(values)) != likelihoods(again)[key].index(max(likelihoods(again)[key]))
        for key, values in likelihoods(first).items()
    )
    assert flipped or scores == {replayed["results"]["mmlu"]["acc,none"]}


def test_prompts_are_stocks_own(runs, questions):
    hashes = {
        f"{name.removeprefix('mmlu_')}/{line['doc_id']}": line["prompt_hash"]
        for name, lines in runs[0]["samples"].items()
        for line in lines
    }
    assert hashes == {sample.id: sample.references["prompt_hash"] for sample, _ in questions.samples(LIMIT)}


class Watched:
    """A client that notes what the server's prefix cache was asked for, and gave, for each asking."""

    def __init__(self, client, url):
        self.client, self.url = client, url
        self.asked = []

    def counters(self):
        text = requests.get(f"{self.url}/metrics", timeout=30).text
        found = dict.fromkeys(("queries", "hits"), 0.0)
        for name, value in re.findall(
            r"^vllm:prefix_cache_(queries|hits)_total(?:{[^}]*})? (\S+)$", text, re.MULTILINE
        ):
            found[name] += float(value)
        return found

    async def ask(self, requested):
        bodies = [json.loads(one.payload()) for one in requested]
        before = self.counters()
        async with aclosing(self.client.ask(requested)) as outcomes:
            async for pair in outcomes:
                yield pair
        after = self.counters()
        self.asked.append((bodies, {name: after[name] - before[name] for name in before}))


def test_one_fast_pass_of_the_rehearsal_reads_nothing_from_the_prefix_cache(served, questions):
    samples = [sample for sample, _ in questions.samples(LIMIT)]
    session = LmEval().session(task(), served, pytest.fail)

    async def main():
        async with Client(served.url, served.name, SendingPolicy(window=8)) as client:
            watched = Watched(client, served.url)
            await session.rehearse(watched, samples)
            return watched.asked

    *_, (salted, whole), (_, cached) = asyncio.run(main())
    assert all(body["cache_salt"] for body in salted)
    tokens = sum(len(ids) for body in salted for ids in body["prompt"])
    assert (whole["queries"], cached["queries"]) == (tokens, tokens)
    assert whole["hits"] == 0
    assert cached["hits"] > 0


def test_the_servers_own_tokenizer_makes_the_same_lists(served, questions, monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")  # what is not here is nothing to tell then
    samples = [sample for sample, _ in questions.samples(LIMIT)]
    pairs = [(sample.content[0].text, sample.references["choices"]) for sample in samples]
    elsewhere = Served(served.url, served.name, Model("tiny", "owner/name", "d", endpoint=served.url))
    for add_bos in (True, False):
        here = tokenizer_for(served, pytest.fail, add_bos=add_bos)
        there = tokenizer_for(elsewhere, pytest.fail, add_bos=add_bos)
        assert here.tokens(pairs) == there.tokens(pairs)
        assert all(tokens.single for tokens in here.tokens(pairs))
