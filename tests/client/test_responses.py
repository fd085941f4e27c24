"""Bytes become an outcome, whatever they are."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import read_chat
from evalkit.client.responses import LONGEST_MESSAGE, error_message

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=8,
)
KNOWN = st.sampled_from(["choices", "message", "content", "model", "role", "usage", "prompt_tokens", "finish_reason"])
NEAR_CHAT = st.recursive(
    JSON | st.sampled_from(["m", "assistant"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KNOWN, inner, max_size=5),
    max_leaves=16,
)


def completion(**changes):
    message = {"role": "assistant", "content": "Paris."}
    said = {
        "model": "m",
        "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14},
    }
    return said | changes


def chose(**message):
    return completion(choices=[{"message": {"role": "assistant", **message}, "finish_reason": "length"}])


def read(said):
    return read_chat(json.dumps(said).encode(), ("m",))


def test_a_completion_is_read():
    assert read(completion()) == Answer("Paris.", "stop", 11, 3, latency_s=0.0)


@pytest.mark.parametrize("message", [{"content": None}, {}])
def test_content_that_is_null_is_an_answer_without_words(message):
    assert read(chose(**message)) == Answer(None, "length", 11, 3, latency_s=0.0)


def test_an_empty_text_is_not_null():
    assert read(chose(content="")).text == ""


def test_what_the_server_does_not_count_is_unknown():
    answer = read(completion(usage=None))
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)
    answer = read(completion(usage={"prompt_tokens": True, "completion_tokens": 2**63}))
    assert (answer.prompt_tokens, answer.completion_tokens) == (None, None)


def test_another_model_is_named():
    outcome = read(completion(model="other"))
    assert outcome == Failure(FailureKind.WRONG_MODEL, "asked m, but other answered")


def test_a_response_that_names_no_model_is_accepted():
    said = completion()
    del said["model"]
    assert read(said).text == "Paris."


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"", "the body is empty"),
        (b" \r\n", "the body is empty"),
        (b"<html>bad gateway</html>", "not JSON: <html>bad gateway</html>"),
        (b"\xff\xfe\x00", "not JSON"),
        (b"[" * 100_000, "not JSON"),
        (b"[1]", "not a JSON object: [1]"),
        (b"{}", "no choices: {}"),
        (b'{"choices": []}', "no choices"),
        (b'{"choices": {"0": 1}}', "no choices"),
        (b'{"choices": [7]}', "choices[0] is not an object"),
        (b'{"choices": [{"text": "hi"}]}', "choices[0] has no message"),
        (b'{"choices": [{"message": {"role": "user", "content": "hi"}}]}', "role is not 'assistant'"),
        (b'{"choices": [{"message": {"content": [{"text": "hi"}]}}]}', "neither text nor null"),
        (b'{"error": {"message": "the engine is dead"}}', "the engine is dead"),
    ],
)
def test_all_else_is_a_bad_response(body, words):
    outcome = read_chat(body, ("m",))
    assert outcome.kind is FailureKind.BAD_RESPONSE
    assert words in outcome.message


def test_half_a_surrogate_pair_becomes_text_that_can_be_stored():
    answer = read_chat(json.dumps(chose(content="a\ud83d b \ude00\ud83d\ude00")).encode(), ("m",))
    assert answer.text == "a\ufffd b \ufffd\U0001f600"


@given(NEAR_CHAT.map(lambda said: json.dumps(said).encode()) | st.binary())
def test_nothing_raises_and_everything_can_be_stored(body):
    outcome = read_chat(body, ("m",))
    words = outcome.message if isinstance(outcome, Failure) else outcome.text or ""
    words.encode()
    if isinstance(outcome, Failure):
        assert 0 < len(words) <= LONGEST_MESSAGE
        assert "\n" not in words


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": {"message": "At most 2 image(s)", "type": "x", "code": 400}}', "At most 2 image(s)"),
        (b'{"error": "no such model"}', "no such model"),
        (b'{"object": "error", "message": "too long"}', "too long"),
        (b'{"detail": "Unauthorized"}', "Unauthorized"),
        (
            b'{"detail": [{"loc": ["body"], "msg": "field required"}, {"msg": "too short"}]}',
            "field required; too short",
        ),
        (b"upstream\n  is   gone", "upstream is gone"),
        (b'{"code": 7}', '{"code": 7}'),
        (b"", ""),
    ],
)
def test_the_servers_own_words_are_found(body, words):
    assert error_message(body) == words


@given(JSON.map(lambda said: json.dumps(said).encode()) | st.binary(max_size=3000))
def test_an_error_page_becomes_one_bounded_line(body):
    line = error_message(body)
    assert len(line) <= LONGEST_MESSAGE
    assert line == " ".join(line.split())
    line.encode()
