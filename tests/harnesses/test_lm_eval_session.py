"""The exam against a small real server that speaks ``/v1/completions`` with log-probabilities, and can misbehave."""

import asyncio
import json
import threading
from contextlib import aclosing
from hashlib import sha256

import pytest

from evalkit.base.errors import DataError
from evalkit.base.types import Answer, Failure, Sample, Text
from evalkit.client import Client, SendingPolicy
from evalkit.harnesses.lm_eval.session import LikelihoodSession
from evalkit.harnesses.lm_eval.tokens import Tokenizer
from evalkit.harnesses.lm_eval.wire import parsed
from support.answering import answering

LETTERS = [" A", " B", " C", " D"]
LETTER_IDS = [101, 102, 103, 104]


def encode(texts):
    """BOS, an id for each character, and one token for a letter after a space."""
    ids = []
    for text in texts:
        for letter, one in zip(LETTERS, LETTER_IDS, strict=True):
            text = text.replace(letter, chr(one + 1000))  # noqa: PLW2901 - one replacement after the other
        ids.append([1, *(ord(each) % 1000 for each in text)])
    return ids


def likelihood(ids, token):
    """What the model thinks of ``token`` after ``ids``."""
    return -1 - int.from_bytes(sha256(bytes(str([ids, token]), "ascii")).digest()[:4], "big") / 2**30


def samples(count=40, choices=LETTERS):
    return [
        Sample(f"astronomy/{at}", (Text(f"Question {at:04d}\nAnswer:"),), {"gold": 0, "choices": list(choices)})
        for at in range(count)
    ]


class Completions:
    """Log-probabilities of made-up text; remembers what it was asked and what was under way at once.

    ``off`` is by how much it is wrong the fast way, and ``swaps`` where it exchanges the likeliest letter for the least
    likely: in whole prompts (``whole``), or where it reads its prefix cache (``cached``).
    """

    def __init__(self, *, fast="answers", noise=0.0, off=0.0, swaps=(), salt="used", missing=(), echo=True):
        self.fast, self.noise, self.missing, self.echo = fast, noise, missing, echo
        self.off = off if isinstance(off, dict) else {"whole": off, "cached": off}
        self.swaps, self.salt = swaps, salt
        self.asked = []
        self.under_way = []
        self.met = False
        self.lock = threading.Lock()

    def answer(self, said):
        kind = "echo" if said.get("echo") else "fast"
        with self.lock:
            self.asked.append(said)
            self.under_way.append(kind)
            self.met |= len(set(self.under_way)) > 1
            turn = len(self.asked)
        try:
            return self._status(kind, said), {
                "model": "m",
                "choices": [
                    {"index": at, "logprobs": (self._echo if kind == "echo" else self._fast)(said, ids, turn)}
                    for at, ids in enumerate(said["prompt"])
                ],
            }
        finally:
            with self.lock:
                self.under_way.remove(kind)

    def _status(self, kind, said):
        refused = self.fast == "refuses" if kind == "fast" else not self.echo
        refused |= self.salt == "refused" and "cache_salt" in said
        return 400 if refused else 200

    def _echo(self, _said, ids, turn):
        values = [likelihood(ids[:at], one) + (self.noise if turn % 2 else 0) for at, one in enumerate(ids)]
        values[0] = None
        top = [value and {"a": value, "b": -0.9} for value in values]
        return {"token_logprobs": [*values, -0.5], "top_logprobs": [*top, {"x": -0.5}]}

    def _fast(self, said, ids, _turn):
        if self.fast == "ignores":
            return {"token_logprobs": [-0.5], "top_logprobs": [{"token_id:7": -0.5}]}
        computed = "whole" if self.salt == "used" and "cache_salt" in said else "cached"
        top = {f"token_id:{one}": likelihood(ids, one) + self.off.get(computed, 0) for one in said["logprob_token_ids"]}
        if computed in self.swaps:
            least, *_, most = sorted(top, key=top.get)
            top[least], top[most] = top[most], top[least]
        if len(self.asked) > 26 and self.missing:
            for at, value in self.missing.items():
                if f"{at:04d}" in "".join(map(chr, ids)):
                    top["token_id:103"] = value
        return {"token_logprobs": [-0.9], "top_logprobs": [top]}


def serving(completions):
    """The address of a server that answers so."""

    def answer(_path, said):
        status, told = completions.answer(said)
        return status, json.dumps(told if status == 200 else {"error": {"message": "unknown field"}}).encode()

    return answering(answer)


def hold(completions, asked, *, method="fast", longest=4095, rehearse=True, told=None):
    """The exam as a run holds it: what came of each sample, and its facts."""
    tell = ([] if told is None else told).append
    session = LikelihoodSession("mmlu", "m", Tokenizer(encode, origin="here", bos=1), longest, tell, method=method)
    found, ways = {}, {"requests": 0, "alone": 0}

    async def take(client, way, requests):
        async with aclosing(client.ask(requests)) as outcomes:
            async for request, outcome in outcomes:
                ways[way] += 1
                keys = (request.key,) if isinstance(request.key, str) else request.key
                replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
                found.update({key: reply for key, reply in zip(keys, replies, strict=True) if reply is not None})

    async def main(url):
        async with Client(url, "m", SendingPolicy(window=4, first_wait_s=0, tries=2)) as client:
            if rehearse:
                await session.rehearse(client, asked)
            before = len(completions.asked)
            await take(client, "requests", session.requests((one.id, one) for one in asked))
            await take(client, "alone", session.alone((one.id, one) for one in asked if one.id not in found))
            return before

    with serving(completions) as url:
        before = asyncio.run(main(url))
    return found, ways, session.facts.stored(), before


def expected(sample, choices=LETTERS):
    context = encode([sample.content[0].text])[0]
    return tuple(likelihood(context, encode([choice])[0][1]) for choice in choices)


def check_all_right(found, asked):
    assert set(found) == {one.id for one in asked}
    for one in asked:
        assert parsed(found[one.id].text).values == pytest.approx(expected(one), abs=1e-9)


def test_sixteen_prompts_go_in_one_request_and_their_answers_are_the_exact_ones():
    completions, asked = Completions(), samples(40)
    found, ways, facts, rehearsed = hold(completions, asked)
    check_all_right(found, asked)
    assert ways == {"requests": 3, "alone": 0}
    # Twelve questions twice the exact way, one request each, then twice in one fast request.
    assert rehearsed == 26
    assert [len(said["prompt"]) for said in completions.asked[26:]].count(16) == 2
    assert (facts["method"], facts["canary questions"], facts["fast replies without an answer"]) == ("fast", 12, 0)
    assert facts["largest difference of a log-probability"] == pytest.approx(0, abs=1e-9)
    assert (facts["begins with BOS"], facts["truncations"], facts["longest prompt allowed"]) == (True, 0, 4095)
    assert not completions.met


def test_neighbours_stay_neighbours():
    completions, asked = Completions(), samples(40)
    hold(completions, asked)
    contexts = [
        ids for said in sorted(completions.asked[26:], key=lambda said: said["prompt"]) for ids in said["prompt"]
    ]
    assert contexts == encode([one.content[0].text for one in asked])


def test_the_rehearsal_takes_the_same_questions_every_time():
    prompts = []
    for _ in range(2):
        completions = Completions()
        hold(completions, samples(40))
        prompts.append([said["prompt"] for said in completions.asked[24:26]])
    assert prompts[0] == prompts[1]
    assert [len(some) for some in prompts[0]] == [12, 12]


def test_one_fast_pass_of_the_rehearsal_reads_no_prefix_cache():
    salts = []
    for _ in range(2):
        completions = Completions()
        hold(completions, samples(40))
        salts += [said.get("cache_salt") for said in completions.asked[:26]]
        assert not any("cache_salt" in said for said in completions.asked[26:])
    assert [bool(salt) for salt in salts] == ([False] * 24 + [True, False]) * 2
    assert salts[24] != salts[50]


def test_prompts_that_begin_alike_have_salts_of_their_own():
    """Two of them with one salt would share their beginning in the cache that the salt is to keep out."""
    asked = [
        Sample(f"{place}/{at}", (Text(f"Of {place}: questions, answers and {at}\nAnswer:"),), one.references)
        for place in ("stars", "people")
        for at, one in enumerate(samples(8))
    ] + samples(4)
    completions = Completions()
    _, _, facts, rehearsed = hold(completions, asked)
    salted = [said for said in completions.asked[:rehearsed] if "cache_salt" in said]
    heads = [(said["cache_salt"], str(ids[:16])) for said in salted for ids in said["prompt"]]
    assert len(heads) == len(set(heads)) == 12
    assert 1 < len({head for _, head in heads}) < 12
    assert facts["method"] == "fast"


APART = "a log-probability differs by 0.300, against 0.000 between two exact passes"


@pytest.mark.parametrize(
    ("server", "said"),
    [
        ({"fast": "ignores"}, "12 of 12 questions had no answer the fast way"),
        ({"fast": "refuses"}, "the server did not answer (HTTP 400: unknown field)"),
        ({"off": 0.3}, APART),
        ({"off": {"whole": 0.3}}, APART),
        ({"off": {"cached": 0.6}}, "a log-probability differs by 0.600 when the prefix cache is read"),
        ({"swaps": ("whole", "cached")}, "12 of 12 questions got another answer"),
        ({"swaps": ("whole",)}, "12 of 12 questions got another answer"),
        ({"swaps": ("cached",)}, "12 of 12 questions got another answer when the prefix cache is read"),
        # As far off as a cache may be, but a salt that is ignored leaves nobody to tell that it is the cache.
        (
            {"off": {"cached": 0.3}, "salt": "ignored"},
            APART,
        ),
        (
            {"off": {"cached": 0.3}, "salt": "refused"},
            f"{APART}, and the prefix cache could not be left out: the server did not answer (HTTP 400: unknown field)",
        ),
    ],
)
def test_a_server_that_is_not_fit_for_the_fast_way_is_asked_the_exact_way(server, said):
    told = []
    completions, asked = Completions(**server), samples(20)
    found, ways, facts, _ = hold(completions, asked, told=told)
    check_all_right(found, asked)
    assert ways == {"requests": 0, "alone": 20}
    assert told == [f"mmlu: the fast way of asking is refused for this run: {said}"]
    assert (facts["method"], facts["reason"], facts["asked the exact way"]) == ("echo", said, 20)


@pytest.mark.parametrize("salt", ["refused", "ignored"])
def test_a_server_without_salts_is_asked_the_fast_way_where_its_cache_changes_nothing(salt):
    told, asked = [], samples(20)
    found, ways, facts, _ = hold(Completions(off={"cached": 0.05}, salt=salt), asked, told=told)
    assert (len(found), ways["alone"], facts["method"], told) == (20, 0, "fast", [])
    assert facts["largest difference of a log-probability"] == pytest.approx(0.05)
    refused = facts.get("the prefix cache could not be left out")
    assert refused == ("the server did not answer (HTTP 400: unknown field)" if salt == "refused" else None)


def test_what_the_cache_may_change_it_may_change():
    _, ways, facts, _ = hold(Completions(off={"cached": 0.3}), samples(20))
    assert (ways["alone"], facts["method"], "reason" in facts) == (0, "fast", False)
    assert facts["largest difference with the prefix cache"] == pytest.approx(0.3)


def test_noise_of_the_exact_way_is_granted_to_the_fast_one():
    # The same 0.3 that is refused above: here the exact way differs from itself by as much.
    found, ways, facts, _ = hold(Completions(noise=0.4, off=0.3), samples(20))
    assert ways["alone"] == 0
    assert len(found) == 20
    assert facts["method"] == "fast"
    assert facts["largest difference of the exact way from itself"] == pytest.approx(0.4)


def test_replies_without_an_answer_are_asked_alone_the_exact_way():
    completions, asked = Completions(missing={3: None, 17: -9999.0}), samples(40)
    found, ways, facts, _ = hold(completions, asked)
    check_all_right(found, asked)
    assert ways == {"requests": 3, "alone": 2}
    methods = {key: json.loads(answer.text)["method"] for key, answer in found.items()}
    assert {key for key, method in methods.items() if method == "echo"} == {"astronomy/3", "astronomy/17"}
    assert (facts["method"], facts["fast replies without an answer"], facts["asked the exact way"]) == ("fast", 2, 2)
    assert not completions.met


def test_a_task_may_ask_for_the_exact_way():
    completions, asked = Completions(), samples(5)
    found, ways, facts, rehearsed = hold(completions, asked, method="echo")
    check_all_right(found, asked)
    assert (ways, rehearsed) == ({"requests": 0, "alone": 5}, 0)
    assert (facts["method"], facts["reason"]) == ("echo", "the task says so")


def test_without_a_rehearsal_nothing_is_asked_the_fast_way():
    found, ways, facts, _ = hold(Completions(), samples(5), rehearse=False)
    assert (len(found), ways, facts["reason"]) == (5, {"requests": 0, "alone": 5}, "no rehearsal was held")


def test_choices_of_several_tokens_go_the_exact_way():
    words = ["yes", "no", "maybe", "never"]
    asked = samples(6, words)
    found, ways, facts, rehearsed = hold(Completions(), asked)
    assert (ways, rehearsed) == ({"requests": 0, "alone": 6}, 0)
    assert facts["reason"] == "the choices are several tokens"
    for one in asked:
        context = encode([one.content[0].text])[0]
        for word, value in zip(words, parsed(found[one.id].text).values, strict=True):
            ids = context + encode([word])[0][1:]
            assert value == pytest.approx(sum(likelihood(ids[:at], ids[at]) for at in range(len(context), len(ids))))


def test_a_mixed_task_goes_both_ways_and_never_at_once():
    completions = Completions()
    asked = samples(20) + [
        Sample(f"other/{one.id}", one.content, {**one.references, "choices": ["yes", "no"]}) for one in samples(8)
    ]
    found, ways, _, _ = hold(completions, asked)
    assert len(found) == 28
    assert ways["alone"] == 8
    assert not completions.met


def test_a_prompt_that_is_too_long_names_its_sample_before_anything_is_asked():
    asked = samples(300)
    asked[250] = Sample("virology/250", (Text("x" * 60 + "\nAnswer:"),), asked[0].references)
    completions = Completions()
    session = LikelihoodSession("mmlu", "m", Tokenizer(encode, origin=""), 69, print)
    session._fast = True
    for way in (session.requests, session.alone):
        with pytest.raises(
            DataError, match="mmlu: virology/250 has 70 tokens, 69 are allowed: it would have to be cut"
        ):
            next(way((one.id, one) for one in asked))
    fits = LikelihoodSession("mmlu", "m", Tokenizer(encode, origin=""), 70, print)
    assert len(list(fits.alone((one.id, one) for one in asked))) == 300
    assert not completions.asked


def test_a_server_without_the_exact_way_leaves_failures_and_no_scores():
    told = []
    found, _, facts, _ = hold(Completions(echo=False), samples(3), told=told)
    assert all(isinstance(outcome, Failure) for outcome in found.values())
    assert facts["method"] == "echo"
    assert "the server did not answer" in told[0]
    assert not any(isinstance(outcome, Answer) for outcome in found.values())


@pytest.mark.parametrize(
    ("other", "why"),
    [
        (Completions(off=0.1), ""),
        (Completions(swaps=("cached",)), "4 of 4 questions got another answer when the prefix cache is read"),
        (Completions(off=0.8), "a log-probability differs by 0.800 when the prefix cache is read"),
        (Completions(fast="ignores"), "4 of 4 questions had no answer"),
        (Completions(fast="refuses"), "the server did not answer (HTTP 400: unknown field)"),
    ],
)
def test_another_server_of_the_model_takes_part_after_a_few_questions(other, why):
    session = LikelihoodSession("mmlu", "m", Tokenizer(encode, origin="here", bos=1), 4095, [].append)

    async def main(first, second):
        async with Client(first, "m", SendingPolicy(tries=1)) as client:
            await session.rehearse(client, samples())
        async with Client(second, "m", SendingPolicy(tries=1)) as client:
            return await session.admit(client, samples())

    with serving(Completions()) as first, serving(other) as second:
        assert asyncio.run(main(first, second)) == why
    assert len(other.asked) <= 5
    assert session.facts.method == "fast"
