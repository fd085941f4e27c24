"""A listed sample as the store keeps it: one type, one spelling, and the key that it always had."""

import json
from hashlib import sha256
from pathlib import Path

import pytest

from evalkit.base import codec
from evalkit.base.errors import StoreError
from evalkit.base.types import Image, Sample, Text, Turn
from evalkit.records import stored_samples
from evalkit.records.stored_samples import KeptSample

ALONE = Sample("1", (Image.of(b"x"), Text("What?")), [{"answer": "x", "answer_id": 1}], "c")
TALK = Sample("1", (Text("w"),), "r", None, (Turn("user", (Text("a"), Image.of(b"z"))),), "pre")
KINDS = Sample("1", (Text("w"),), "r", kinds=("form", "layout"))
X, Z = (sha256(data).hexdigest() for data in (b"x", b"z"))
SPELLED = (
    f'{{"cluster":"c","content":[{{"image":"{X}"}},"What?"],"id":"1","references":[{{"answer":"x","answer_id":1}}]}}',
    (
        '{"cluster":null,"content":["w"],"id":"1","prefix":"pre","references":"r",'
        f'"turns":[["user",["a",{{"image":"{Z}"}}]]]}}'
    ),
    '{"cluster":null,"content":["w"],"id":"1","kinds":["form","layout"],"references":"r"}',
)


@pytest.mark.parametrize(
    ("sample", "spelled"), [*zip((ALONE, TALK, KINDS), SPELLED, strict=True)], ids=["alone", "talk", "kinds"]
)
def test_a_sample_is_spelled_as_it_always_was_and_comes_back_without_its_pictures(sample, spelled):
    key, text = stored_samples.written(sample)
    assert text == spelled
    assert key == sha256(text.encode()).hexdigest()
    back = stored_samples.read(Path("store"), key, text)
    assert back == sample
    assert all(part.data == b"" for part in back.content if isinstance(part, Image))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"id": 7}, "id: is 7"),
        ({"content": [7]}, r"content\[0\]: is 7"),
        ({"turns": [["user"]]}, r"turns\[0\]: is .* must be a list of 2, each text or a list"),
        ({"turns": [[7, ["a"]]]}, r"turns\[0\]\[0\]: is 7"),
    ],
)
def test_what_is_no_sample_is_damage_with_its_place(change, said):
    body = json.loads(SPELLED[1]) | change
    with pytest.raises(codec.MisfitError, match=said):
        codec.kept(KeptSample, body)
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    with pytest.raises(StoreError, match=r"sample .* is damaged"):
        stored_samples.read(Path("store"), sha256(text.encode()).hexdigest(), text)


@pytest.mark.parametrize(
    "change",
    [
        {"id": 7},
        {"cluster": 7},
        {"content": "What?"},
        {"content": [7]},
        {"content": [{"image": 7}]},
        {"content": [{"image": X, "text": "x"}]},
        {"content": [{"picture": X}]},
    ],
)
def test_a_question_that_stands_alone_is_looked_at_as_closely(change):
    body = json.loads(SPELLED[0]) | change
    text = json.dumps(body, sort_keys=True, separators=(",", ":"))
    key = sha256(text.encode()).hexdigest()
    try:
        wanted = codec.kept(KeptSample, body).sample
    except codec.MisfitError:
        with pytest.raises(StoreError, match=r"sample .* is damaged"):
            stored_samples.read(Path("store"), key, text)
    else:
        assert stored_samples.read(Path("store"), key, text) == wanted
