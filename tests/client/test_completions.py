"""Every harness's reader: how an answer ended, who gave it, and what cannot be one, whatever the bytes are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Answer, Elsewhere, Failure, FailureKind
from evalkit.client import read_chat
from evalkit.client.completions import Choice, choices, read_chats
from evalkit.comparison import elsewhere
from evalkit.harnesses.lm_eval.tokens import Tokens
from evalkit.harnesses.lm_eval.wire import read_echo, read_fast

NAMES = ("m",)
QUESTION = Tokens([1, 5], ([7], [8]))


def chat(reason="stop", **message):
    message = {"role": "assistant", "content": "Paris.", **message}
    return json.dumps({"model": "m", "choices": [{"index": 0, "message": message, "finish_reason": reason}]}).encode()


def attempts(*reasons):
    listed = [{"index": at, "text": f"t{at}", "finish_reason": reason} for at, reason in enumerate(reasons)]
    return json.dumps({"model": "m", "choices": listed}).encode()


def echoed(*values, **more):
    """A response to QUESTION: each choice echoes three tokens and brings one more."""
    listed = [
        {
            "index": at,
            "logprobs": {
                "token_logprobs": [None, -1.0, value, -0.1],
                "top_logprobs": [None, {"a": -1.0}, {"b": value}, {"c": -0.1}],
            },
            **more,
        }
        for at, value in enumerate(values)
    ]
    return json.dumps({"model": "m", "choices": listed}).encode()


def quick(value, written=-0.5, **more):
    beside = {"token_id:7": value, "token_id:8": -2.0}
    found = {"token_logprobs": [written], "top_logprobs": [beside]}
    return json.dumps({"model": "m", "choices": [{"index": 0, "logprobs": found, **more}]}).encode()


# --- endings ---


@pytest.mark.parametrize("reason", ["stop", "length", "tool_calls", None])
def test_these_endings_are_an_answers(reason):
    assert read_chat(chat(reason), NAMES).finish_reason == reason
    (one,) = choices(attempts(reason), NAMES, 1)
    assert one.finish_reason == reason


@pytest.mark.parametrize("reason", ["abort", "error", "cancelled", "STOP", "", "repetition", "function_call"])
def test_every_other_ending_is_a_failure_by_name(reason):
    for found in (
        read_chat(chat(reason), NAMES),
        choices(attempts(reason), NAMES, 1)[0],
        read_echo(QUESTION, echoed(-1.0, -2.0, finish_reason=reason), NAMES),
        read_fast([QUESTION], [7, 8], quick(-1.0, finish_reason=reason), NAMES)[0],
    ):
        assert found.kind is FailureKind.CUT_OFF
        assert (reason or "an empty word") in found.message


def test_a_filter_has_a_name_of_its_own():
    assert read_chat(chat("content_filter", content=""), NAMES).kind is FailureKind.CONTENT_FILTER
    assert choices(attempts("content_filter"), NAMES, 1)[0].kind is FailureKind.CONTENT_FILTER


def test_one_attempt_that_was_cut_off_harms_no_other():
    first, second, third = choices(attempts("stop", "abort", "length"), NAMES, 3)
    assert (first.text, third.text) == ("t0", "t2")
    assert second.kind is FailureKind.CUT_OFF


@pytest.mark.parametrize("reason", [7, ["stop"], {"a": 1}, True])
def test_an_ending_that_is_no_word_is_a_bad_response(reason):
    assert read_chat(chat(reason), NAMES).kind is FailureKind.BAD_RESPONSE


# --- names ---


def test_any_of_the_models_names_is_accepted():
    assert read_chat(chat(), ("alias", "m")).text == "Paris."
    other = read_chat(chat(), ("alias", "mm"))
    assert (other.kind, other.message) == (FailureKind.WRONG_MODEL, "asked alias, but m answered")


def test_a_model_that_is_no_text_is_a_bad_response():
    body = b'{"model": ' + b"[" * 400 + b"]" * 400 + b', "choices": []}'
    assert read_chat(body, NAMES).kind is FailureKind.BAD_RESPONSE


# --- text in other places ---


@pytest.mark.parametrize("content", [None, "", " \n"])
@pytest.mark.parametrize("place", ["reasoning", "reasoning_content", "refusal"])
def test_text_that_stands_elsewhere_is_kept_and_is_no_text(place, content):
    answer = read_chat(chat("length", content=content, **{place: "so seven"}), NAMES)
    assert (answer.text, answer.elsewhere) == (content, Elsewhere(place, "so seven"))


def test_calls_of_tools_are_kept_as_they_read():
    calls = [{"id": "1", "type": "function", "function": {"name": "answer", "arguments": '{"x": 7}'}}, 3]
    answer = read_chat(chat("tool_calls", content=None, tool_calls=calls), NAMES)
    assert answer.elsewhere == Elsewhere("tool_calls", 'answer {"x": 7}')


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("reasoning_details", [{"type": "reasoning.text", "text": "so seven"}]),
        ("thinking", "so seven"),
        ("reasoning", {"content": "so seven"}),
        ("audio", {"id": "a", "transcript": "so seven"}),
    ],
)
def test_text_in_a_place_that_nobody_knew_is_told_by_its_name(place, value):
    answer = read_chat(chat(content=None, **{place: value}), NAMES)
    assert (answer.text, answer.elsewhere) == (None, Elsewhere(place, "so seven"))
    assert place in elsewhere.first("doc", place)


def test_labels_of_a_message_are_no_words_of_the_model():
    answer = read_chat(
        chat(content=None, id="msg-1", name="assistant", status="completed", annotations=[], audio=None), NAMES
    )
    assert answer.elsewhere is None


def test_a_field_whose_name_is_a_novel_is_kept_shortly():
    answer = read_chat(chat(content=None, **{"x" * 9000: "so seven"}), NAMES)
    assert answer.elsewhere == Elsewhere("x" * 60, "so seven")


def test_an_answer_with_text_has_nothing_elsewhere_but_its_reasoning():
    assert read_chat(chat(refusal="no", tool_calls=["x"]), NAMES) == Answer("Paris.", "stop", None, None, 0.0)
    for name in ("reasoning", "reasoning_content"):
        answer = read_chat(chat(**{name: "because"}), NAMES)
        assert (answer.text, answer.reasoning, answer.astray) == ("Paris.", "because", None)
        assert answer.elsewhere == Elsewhere(name, "because")


def test_of_several_choices_each_is_an_answer_and_a_missing_one_is_owed():
    found = read_chats(2, chat(), NAMES)
    assert [one and one.text for one in found] == ["Paris.", None]


# --- log-probabilities ---


@pytest.mark.parametrize("value", [1e-9, 0.5, float("inf"), 10**400])
def test_a_log_probability_above_zero_is_refused_by_name(value):
    for body, read in (
        (echoed(-1.0, value), lambda said: read_echo(QUESTION, said, NAMES)),
        (quick(value), lambda said: read_fast([QUESTION], [7, 8], said, NAMES)),
        (quick(-1.0, written=value), lambda said: read_fast([QUESTION], [7, 8], said, NAMES)),
    ):
        found = read(body)
        assert found.kind is FailureKind.BAD_RESPONSE
        assert "above 0" in found.message


@pytest.mark.parametrize("more", [True, False])
@pytest.mark.parametrize(("side", "value"), [("token_logprobs", -0.3), ("top_logprobs", {"x": -0.3})])
def test_an_echo_has_one_value_for_each_token(side, value, more):
    body = json.loads(echoed(-1.0, -2.0))
    found = body["choices"][1]["logprobs"]
    found[side] = [*found[side], value] if more else found[side][:-1]
    outcome = read_echo(QUESTION, json.dumps(body).encode(), NAMES)
    assert outcome.kind is FailureKind.BAD_RESPONSE
    assert "3 tokens that were sent" in outcome.message


@pytest.mark.parametrize("value", [float("nan"), "-1.0", True, [], -9999.0, float("-inf"), -(10**400)])
def test_what_is_no_log_probability_is_a_bad_response(value):
    assert read_echo(QUESTION, echoed(-1.0, value), NAMES).kind is FailureKind.BAD_RESPONSE


def test_a_fast_reply_has_one_place():
    body = json.loads(quick(-1.0))
    body["choices"][0]["logprobs"]["token_logprobs"] *= 2
    (found,) = read_fast([QUESTION], [7, 8], json.dumps(body).encode(), NAMES)
    assert found.kind is FailureKind.BAD_RESPONSE


# --- anything at all ---

DEEP = [
    b"[" * 100_000,
    b'{"choices": ' + b"[" * 50_000 + b"]" * 50_000 + b"}",
    b'{"choices": [{"index": 0, "message": ' + b'{"a":' * 50_000 + b"1" + b"}" * 50_000 + b"}]}",
    b'{"choices": [{"index": 1e999, "text": "a"}]}',
    b'{"choices": [{"index": 0, "text": "a", "logprobs": 7}]}',
    b'{"model": "m", "choices": [{"index": 0, "logprobs": {"token_logprobs": {"a": 1}, "top_logprobs": 3}}]}',
    b'{"choices": [{"index": 0, "logprobs": {"token_logprobs": [[]], "top_logprobs": [[]]}}]}',
    b"1" * 5000,
]
KEYS = [
    *("choices", "message", "content", "model", "index", "text", "finish_reason", "logprobs", "token_logprobs"),
    *("top_logprobs", "reasoning", "tool_calls", "function", "token_ids", "token_id:7"),
]
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["m", "stop", "abort", "assistant"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inner, max_size=5),
    max_leaves=20,
)


def read_by_all(body):
    yield read_chat(body, NAMES)
    yield choices(body, NAMES, 2)
    yield read_echo(QUESTION, body, NAMES)
    yield read_fast([QUESTION], [7, 8], body, NAMES)


@pytest.mark.parametrize("body", DEEP)
def test_no_reader_raises(body):
    for found in read_by_all(body):
        assert isinstance(found, Failure | Answer | tuple)


@given(VALUES.map(lambda said: json.dumps(said).encode()) | st.binary())
def test_whatever_comes_is_an_outcome(body):
    for found in read_by_all(body):
        for one in found if isinstance(found, tuple) else (found,):
            assert one is None or isinstance(one, Answer | Failure | Choice)
            (getattr(one, "message", None) or getattr(one, "text", None) or "").encode()
