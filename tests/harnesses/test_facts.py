"""Facts of asking and judging: what runs of earlier evalkits kept reads as it did, and nothing of it is lost."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit import harnesses
from evalkit.base.told import AskedWords
from evalkit.harnesses.evalplus.facts import AskingFacts, JudgingFacts
from evalkit.harnesses.facts import StoredFacts
from evalkit.harnesses.lm_eval.facts import LikelihoodFacts
from support.reports import task

ASKED_MMLU = {
    "method": "fast",
    "tokenizer": "of the server",
    "begins with BOS": True,
    "longest prompt allowed": 2048,
    "canary questions": 12,
    "largest difference of a log-probability": 0.0625,
    "largest difference with the prefix cache": 0.09375,
    "largest difference of the exact way from itself": 0.0,
    "accepted difference": 0.0625,
    "answers that differ": 0,
    "answers of the exact way that differ from itself": 1,
    "asked the exact way": 3,
    "fast replies without an answer": 2,
    "truncations": 0,
}
ASKED_HUMANEVAL = {"prompt": "chat", "rendering": "split", "bos": "one", "texts": "a1" * 32, "stops": "b2" * 32}
JUDGED_HUMANEVAL = {
    "sandbox": "bubblewrap",
    "find_zero": "published",
    "limits": {"min_time_limit_s": 1.0, "gt_time_factor": 4.0, "memory_mib": 4096},
    "answers": 1640,
    "programs": 1200,
    "retried": 3,
    "timeouts": 2,
    "differs": ["one thing", "another"],
}
"""As version 0.1.0 kept them with a run."""


def harness(benchmark):
    return harnesses.harness(task(benchmark=benchmark))


def test_facts_of_mmlu_that_an_earlier_evalkit_kept_read_as_they_did():
    assert harness("mmlu").asked_words(ASKED_MMLU) == AskedWords(
        (
            "asked the fast way: one token is generated, and the choices' log-probabilities are read beside it",
            (
                "before the exam 12 questions were asked both ways: a log-probability differs by at most 0.062 (0.062 "
                "is accepted; the exact way differs from itself by 0), and by 0.094 where the prefix cache is read; 0 "
                "of the answers differ (1 of the exact way's own)"
            ),
            "a prompt may have 2,048 tokens",
            "questions that were answered the exact way in the end: 3",
            "fast replies that lacked an answer: 2",
            "prompts that were cut: 0",
            "tokenizer: of the server",
            "begins with BOS: yes",
        ),
        {"method": "the fast way"},
    )


def test_facts_of_humaneval_that_an_earlier_evalkit_kept_read_as_they_did():
    held = harness("humaneval")
    assert held.asked_words(ASKED_HUMANEVAL) == AskedWords(
        (
            "asked as a chat, through the model's own chat template",
            "the chat template trims what it continues, so the beginning of the answer was put behind its prompt",
            "prompts begin with one BOS token",
            f"texts: {'a1' * 32}",
            f"stops: {'b2' * 32}",
        ),
        {"prompt": "as a chat"},
    )
    assert held.judged_words(JUDGED_HUMANEVAL) == (
        "programs ran walled off by bubblewrap: no network, no files but their own",
        "HumanEval/32 (find_zero) counts as published: evalplus 0.3.1 lets every program fail it",
        (
            "a call may take 4 times the CPU time of the problem's own solution, and 1 s in any case; a program may "
            "take 4,096 MiB"
        ),
        (
            "1,640 different answers were judged, 1,200 different programs; 3 of these ran out of time and were judged "
            "once more, and 2 of all answers are counted as timeouts"
        ),
        "unlike evalplus: one thing",
        "unlike evalplus: another",
    )


@pytest.mark.parametrize(
    ("kind", "kept"),
    [(LikelihoodFacts, ASKED_MMLU), (AskingFacts, ASKED_HUMANEVAL), (JudgingFacts, JUDGED_HUMANEVAL)],
)
def test_facts_are_kept_under_the_keys_of_earlier_evalkits(kind, kept):
    found = kind.read(kept)
    assert not found.others, "every key has a field"
    assert found.stored() == kept


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=3), inner, max_size=2),
    max_leaves=4,
)
KEYS = st.sampled_from([*ASKED_MMLU, *ASKED_HUMANEVAL, *JUDGED_HUMANEVAL]) | st.text(max_size=5)


@given(st.sampled_from([StoredFacts, LikelihoodFacts, AskingFacts, JudgingFacts]), st.dictionaries(KEYS, VALUES))
def test_whatever_was_kept_is_kept_on_and_told(kind, kept):
    found = kind.read(json.loads(json.dumps(kept)))
    assert found.stored() == kept
    assert len(list(found.told())) == len(kept)


def test_counts_grow_from_one_part_of_a_run_to_the_next_and_nothing_is_lost():
    now = LikelihoodFacts(method="fast", asked_exactly=2, unanswered_fast=1, cut=0, tokenizer="new")
    found = now.after({"method": "fast", "asked the exact way": 3, "tokenizer": "old", "BOS": "twice", "new fact": [1]})
    assert found == {
        "method": "fast",
        "tokenizer": "new",
        "BOS": "twice",
        "asked the exact way": 5,
        "fast replies without an answer": 1,
        "truncations": 0,
        "new fact": [1],
    }


def test_servers_of_one_run_that_were_asked_in_different_ways_are_both():
    assert LikelihoodFacts(method="echo").after({"method": "fast"}) == {"method": "both"}
    assert LikelihoodFacts(method="echo").after({"method": "both"}) == {"method": "both"}
    assert LikelihoodFacts(method="echo").after({}) == {"method": "echo"}


def test_a_look_at_stored_judgements_takes_nothing_back_of_how_they_were_made():
    again = harness("humaneval").judged_before(5)
    assert again.stored() == {"verdicts": "from the store", "timeouts": 5}
    assert again.after({}) == again.stored()
    assert again.after(JUDGED_HUMANEVAL) == JUDGED_HUMANEVAL | {"timeouts": 5}
    more = JudgingFacts(answers=10, programs=4, retried=1, timeouts=3, sandbox="namespaces")
    assert more.after(JUDGED_HUMANEVAL) == JUDGED_HUMANEVAL | {
        "answers": 1650,
        "programs": 1204,
        "retried": 4,
        "timeouts": 3,
        "sandbox": "namespaces",
    }
