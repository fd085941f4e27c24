"""Chat requests: which fields move a request's identity, and that those who use no new ones keep the old identity."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Image, Sample, Text, Turn
from evalkit.client import chat
from evalkit.client.pictures import EncodedPictures
from evalkit.tasks import registry

TASK = registry.tasks()["chartqa"]
PLAIN = Sample("a", (Text("What is 1+1?\nAnswer."),), ["2"])
NEW = {
    "seed": 7,
    "top_k": 20,
    "min_p": 0.1,
    "presence_penalty": 1.5,
    "frequency_penalty": 0.5,
    "repetition_penalty": 1.1,
    "chat_template_kwargs": {"enable_thinking": False},
}


def asked(**decoding):
    return replace(TASK, decoding=replace(TASK.decoding, **decoding))


def body(sample, task=TASK):
    return json.loads(chat.payload(sample, task, "m", EncodedPictures()))


def test_a_request_that_uses_nothing_new_is_known_by_what_it_was_known_by():
    # Written down before there were turns and further fields: a stored answer of that time is found again.
    old = "20d73c578b2abd8932690331829933c06448a28d2bceaa1aa30e50b1fe09ef7e"
    assert chat.request_digest(PLAIN, TASK) == old
    sampled = "821363f345f28dcff78d0600e923b07fa7fdb8fc9541dfda2b56633e68017af9"
    assert chat.request_digest(PLAIN, asked(top_p=0.9, stop=("x",))) == sampled
    assert chat.payload(PLAIN, TASK, "m", EncodedPictures()) == (
        b'{"model": "m", "temperature": 0.0, "max_tokens": 2048, "messages": '
        b'[{"role": "user", "content": [{"type": "text", "text": "What is 1+1?\\nAnswer."}]}]}'
    )


@pytest.mark.parametrize("name", NEW)
def test_every_sampling_field_is_sent_and_part_of_the_identity(name):
    task = asked(**{name: NEW[name]})
    assert body(PLAIN, task)[name] == NEW[name]
    assert chat.request_digest(PLAIN, task) != chat.request_digest(PLAIN, TASK)


@given(st.sets(st.sampled_from(list(NEW))), st.sets(st.sampled_from(list(NEW))))
def test_requests_with_other_fields_are_other_requests(some, others):
    one, two = (asked(**{name: NEW[name] for name in names}) for names in (some, others))
    assert (chat.request_digest(PLAIN, one) == chat.request_digest(PLAIN, two)) == (some == others)


def test_turns_come_before_the_question_in_their_order():
    shots = (
        Turn("system", (Text("Be short."),)),
        Turn("user", (Text("1+0?"),)),
        Turn("assistant", (Text("1"),)),
    )
    sample = replace(PLAIN, turns=shots)
    said = body(sample)["messages"]
    assert [one["role"] for one in said] == ["system", "user", "assistant", "user"]
    assert [one["content"][0]["text"] for one in said[:3]] == ["Be short.", "1+0?", "1"]
    digests = {chat.request_digest(replace(PLAIN, turns=turns), TASK) for turns in ((), shots, shots[1:], shots[::-1])}
    assert len(digests) == 4


def test_several_pictures_stand_where_they_belong():
    pixel = bytes.fromhex(
        "89504e470d0a1a0a0000000d49484452000000010000000108020000009077"
        "53de0000000c49444154789c63f8cfc0000003010100c9fe92ef0000000049454e44ae426082"
    )
    sample = replace(PLAIN, content=(Image.of(pixel), Text("and"), Image.of(pixel)))
    kinds = [part["type"] for part in body(sample, replace(TASK, images="original"))["messages"][0]["content"]]
    assert kinds == ["image_url", "text", "image_url"]


def test_an_answer_that_begins_already_is_gone_on_with():
    said = body(replace(PLAIN, prefix="The answer is"))
    assert said["messages"][-1] == {"role": "assistant", "content": "The answer is"}
    assert (said["add_generation_prompt"], said["continue_final_message"]) == (False, True)
    assert chat.request_digest(replace(PLAIN, prefix="The"), TASK) != chat.request_digest(PLAIN, TASK)
