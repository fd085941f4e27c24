import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.harnesses.lm_eval.tokens import Tokens
from evalkit.harnesses.lm_eval.wire import (
    Likelihoods,
    echo_body,
    fast_body,
    parsed,
    read_echo,
    read_fast,
    text,
)

IDS = (11, 12, 13, 14)
ONE = Tokens([1, 5, 6], tuple([one] for one in IDS))
LONG = Tokens([1, 5], ([7, 8], [9], [3, 4, 5], [6]))


def fast_choice(index, values, written):
    top = {f"token_id:{one}": value for one, value in values.items()}
    return {"index": index, "logprobs": {"tokens": ["token_id:3"], "token_logprobs": [written], "top_logprobs": [top]}}


def body(*choices, model="m"):
    return json.dumps({"model": model, "choices": list(choices)}).encode()


VALUES = dict(zip(IDS, (-1.5, -2.5, -0.5, -9.0), strict=True))


def test_a_fast_request_asks_for_four_ids_in_the_place_of_one_token():
    said = json.loads(fast_body("m", [ONE, ONE], IDS))
    assert said == {
        "model": "m",
        "prompt": [[1, 5, 6], [1, 5, 6]],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": 1,
        "logprob_token_ids": [11, 12, 13, 14],
        "return_tokens_as_token_ids": True,
    }


def test_an_exact_request_is_lm_evals_own_but_for_four_prompts():
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    prompts = [[*LONG.context, *ids] for ids in LONG.continuations]
    stock = object.__new__(LocalCompletionsAPI)
    stock.model = "m"
    assert json.loads(echo_body("m", LONG)) == stock._create_payload(prompts, generate=False)


def test_fast_replies_come_in_the_order_of_the_prompts():
    second = {**VALUES, 11: -0.25}
    replies = read_fast([ONE, ONE], IDS, body(fast_choice(1, second, -0.25), fast_choice(0, VALUES, -0.5)), ("m",))
    assert [parsed(reply.text) for reply in replies] == [
        Likelihoods((-1.5, -2.5, -0.5, -9.0), (False, False, True, False)),
        Likelihoods((-0.25, -2.5, -0.5, -9.0), (True, False, False, False)),
    ]
    assert {json.loads(reply.text)["method"] for reply in replies} == {"fast"}
    # One token is asked for: its end at the limit cuts no answer short.
    assert {(reply.finish_reason, reply.prompt_tokens) for reply in replies} == {("stop", 3)}


@pytest.mark.parametrize(
    "choice",
    [
        fast_choice(0, {11: -1.5, 12: -2.5, 13: -0.5}, -0.5),
        fast_choice(0, {**VALUES, 13: -9999.0}, -0.5),
        fast_choice(0, {**VALUES, 13: float("nan")}, -0.5),
        fast_choice(0, {**VALUES, 13: None}, -0.5),
        fast_choice(0, VALUES, -9999.0),
        {"index": 0, "logprobs": {"tokens": [" A"], "token_logprobs": [-0.5], "top_logprobs": [{" A": -0.5}]}},
        {"index": 0, "logprobs": {"tokens": [], "token_logprobs": [], "top_logprobs": []}},
        {"index": 0, "logprobs": None},
    ],
    ids=["missing", "-9999", "nan", "null", "written-9999", "ignored", "empty", "none"],
)
def test_a_missing_log_probability_is_no_answer_and_its_neighbour_is_unharmed(choice):
    first, second = read_fast([ONE, ONE], IDS, body(choice, fast_choice(1, VALUES, -0.5)), ("m",))
    assert first is None
    assert isinstance(second, Answer)


BROKEN = [b"", b"[]", b"{}", b'{"choices": 3}', b'{"choices": [{}]}', body(), body(fast_choice(1, VALUES, -0.5))]


@pytest.mark.parametrize("said", [*BROKEN, body(fast_choice(0, VALUES, -0.5), fast_choice(1, VALUES, -0.5))])
def test_a_response_that_is_none_is_a_failure_both_ways(said):
    for outcome in (read_fast([ONE], IDS, said, "m"), read_echo(ONE, said, ("m",))):
        assert isinstance(outcome, Failure)
        assert outcome.kind is FailureKind.BAD_RESPONSE


def test_another_models_answer_is_not_taken():
    for outcome in (
        read_fast([ONE], IDS, body(fast_choice(0, VALUES, -0.5), model="other"), ("m",)),
        read_echo(ONE, body(model="other"), ("m",)),
    ):
        assert outcome.kind is FailureKind.WRONG_MODEL


def echoed(index, values, best):
    """As a server echoes a prompt of len(values) tokens, and one generated token behind it."""
    top = [
        None if value is None else {"a": value, "b": max(value, high)} for value, high in zip(values, best, strict=True)
    ]
    return {
        "index": index,
        "logprobs": {"token_logprobs": [*values, -0.1], "top_logprobs": [*top, {"x": -0.1}]},
    }


FINITE = st.floats(-50, 0)


@settings(max_examples=60)
@given(st.data())
def test_what_is_read_is_what_lm_eval_reads(data):
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    choices, prompts = [], [[*LONG.context, *ids] for ids in LONG.continuations]
    for index, prompt in enumerate(prompts):
        values = [None, *data.draw(st.lists(FINITE, min_size=len(prompt) - 1, max_size=len(prompt) - 1))]
        best = [data.draw(st.one_of(FINITE, st.just(-50.0))) for _ in values]
        choices.append(echoed(index, values, best))
    said = body(*data.draw(st.permutations(choices)))
    stock = LocalCompletionsAPI.parse_logprobs(json.loads(said), prompts, ctxlens=[len(LONG.context)] * 4)
    answer = read_echo(LONG, said, ("m",))
    found = parsed(answer.text)
    assert list(zip(found.values, found.greedy, strict=True)) == stock
    assert answer.prompt_tokens == 5


@pytest.mark.parametrize("value", [-9999.0, None, float("nan")])
def test_an_exact_answer_without_a_log_probability_is_a_failure(value):
    choices = [echoed(at, [None, -1.0, -1.0, -1.0], [-1.0] * 4) for at in range(4)]
    choices[2]["logprobs"]["token_logprobs"][3] = value
    outcome = read_echo(ONE, body(*choices), ("m",))
    assert isinstance(outcome, Failure)
    assert "no log-probability for a token of the continuation" in outcome.message


@given(st.lists(st.tuples(st.floats(-1e6, 0), st.booleans()), min_size=1))
def test_likelihoods_survive_being_written(pairs):
    found = Likelihoods(tuple(value for value, _ in pairs), tuple(greedy for _, greedy in pairs))
    assert parsed(text(found, "fast")) == found


def test_of_equal_likelihoods_the_first_is_best():
    assert Likelihoods((-2.0, -1.0, -1.0), (False,) * 3).best == 1


@pytest.mark.parametrize("said", ["", "[]", "{}", "A", '{"loglikelihoods": 3, "greedy": []}'])
def test_other_text_is_no_likelihoods(said):
    with pytest.raises(ValueError, match="no log-likelihoods in"):
        parsed(said)
