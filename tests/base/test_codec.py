from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping  # noqa: TC003 - the annotations are read at run time
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base import codec
from evalkit.base.errors import ConfigError


@dataclass(frozen=True, slots=True)
class Named:
    label: str

    @classmethod
    def parse(cls, text: str) -> Named:
        if "!" in text:
            raise ValueError("has a '!'")
        return cls(text.upper())


@dataclass(frozen=True, slots=True)
class Decoding:
    max_tokens: int
    temperature: float = 0.0
    top_p: float | None = None


@dataclass(frozen=True, slots=True)
class Whole:
    name: str
    decoding: Decoding
    handling: Literal["one", "two"] = "one"
    words: tuple[str, ...] = ()
    pairs: Mapping[str, int] = field(default_factory=dict)
    folder: Path | None = None
    fresh: bool = False
    chosen: Named | None = None
    prompt: Decoding | str = ""
    others: tuple[Named, ...] = ()
    source: str = ""


GOOD = """
name = "x"
handling = "two"
words = ["a", "b"]
folder = "some/where"
fresh = true
chosen = "me"
others = ["a"]
[pairs]
a = 1
"b c" = 2
[decoding]
max_tokens = 3
temperature = 1
"""


def read(text: str, **given) -> Whole:
    return codec.read(Whole, tomllib.loads(text), "x.toml", given)


def complaint(text: str, **given) -> str:
    with pytest.raises(ConfigError) as caught:
        read(text, **given)
    return str(caught.value)


def test_a_file_becomes_the_dataclass():
    assert read(GOOD, source="x.toml") == Whole(
        name="x",
        decoding=Decoding(3, 1.0),
        handling="two",
        words=("a", "b"),
        pairs={"a": 1, "b c": 2},
        folder=Path("some/where"),
        fresh=True,
        chosen=Named("ME"),
        others=(Named("A"),),
        source="x.toml",
    )


def test_a_union_takes_the_table_or_the_text():
    assert read('name = "x"\nprompt = "p"\ndecoding = {max_tokens = 1}').prompt == "p"
    assert read('name = "x"\nprompt = {max_tokens = 2}\ndecoding = {max_tokens = 1}').prompt == Decoding(2)


def test_an_unknown_key_names_the_near_miss():
    text = 'name = "x"\n[decoding]\nmax_tokens = 1\ntemprature = 0.5'
    assert complaint(text) == "x.toml: decoding.temprature: unknown key; did you mean 'temperature'?"


def test_an_unknown_key_without_a_near_miss_lists_what_there_is():
    text = 'name = "x"\n[decoding]\nmax_tokens = 1\nzzz = 0.5'
    assert complaint(text) == "x.toml: decoding.zzz: unknown key; known: max_tokens, temperature, top_p"


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("name = 3", "x.toml: name: is 3 (a whole number); must be text"),
        ('handling = "tow"', "x.toml: handling: unknown choice 'tow'; did you mean 'two'?"),
        ("handling = 1", 'x.toml: handling: is 1 (a whole number); must be one of "one", "two"'),
        ('words = "a"', 'x.toml: words: is "a" (text); must be a list, each text'),
        ('words = ["a", 1]', "x.toml: words[1]: is 1 (a whole number); must be text"),
        ('pairs = {a = "1"}', 'x.toml: pairs.a: is "1" (text); must be a whole number'),
        ('pairs = {"a b" = 1.5}', 'x.toml: pairs."a b": is 1.5 (a number); must be a whole number'),
        ("pairs = [1]", "x.toml: pairs: is [1] (a list); must be a table"),
        ('folder = ""', 'x.toml: folder: is "" (text); must be text'),
        ('fresh = "yes"', 'x.toml: fresh: is "yes" (text); must be true or false'),
        ("chosen = 7", "x.toml: chosen: is 7 (a whole number); must be text"),
        ('chosen = "no!"', "x.toml: chosen: has a '!'"),
        ('others = ["a", "b!"]', "x.toml: others[1]: has a '!'"),
        ("prompt = 1", "x.toml: prompt: is 1 (a whole number); must be text"),
        ("name = 2026-01-01", 'x.toml: name: is "2026-01-01" (date); must be text'),
        ('fresh = "' + "y" * 99 + '"', f'x.toml: fresh: is "{"y" * 36}... (text); must be true or false'),
    ],
)
def test_a_wrong_value_says_where_what_and_how_to_fix_it(line, said):
    key = line.split(" ", 1)[0]
    rest = [part for part in ('name = "x"', "decoding = {max_tokens = 1}") if not part.startswith(key)]
    assert complaint("\n".join([line, *rest])) == said


@pytest.mark.parametrize("value", ["true", "1.0", '"1"', "[1]"])
def test_only_a_whole_number_is_a_whole_number(value):
    assert "must be a whole number" in complaint(f'name = "x"\ndecoding = {{max_tokens = {value}}}')


@pytest.mark.parametrize("value", ["true", "nan", "inf", "-inf", '"1"'])
def test_only_a_finite_number_is_a_number(value):
    text = f'name = "x"\ndecoding = {{max_tokens = 1, top_p = {value}}}'
    assert "must be a number" in complaint(text)


def test_every_problem_is_told_in_a_line_of_its_own():
    lines = complaint("wrods = []\n[decoding]\ntop_p = true").splitlines()
    assert lines == [
        "x.toml: wrods: unknown key; did you mean 'words'?",
        "x.toml: decoding.top_p: is true (true or false); must be a number",
        "x.toml: decoding.max_tokens: missing; must be a whole number",
        "x.toml: name: missing; must be text",
    ]


def test_a_given_field_cannot_be_set_by_the_file():
    text = GOOD.replace('name = "x"', 'name = "x"\nsource = "evil"')
    assert "source: unknown key" in complaint(text, source="x.toml")


def test_ranges_and_names():
    assert codec.at_least(1, {"a": 0, "b": 1, "c": None}) == [codec.Fault("a", "is 0", "must be 1 or more")]
    assert codec.above(0, {"a": 0, "b": 0.1, "c": None}) == [codec.Fault("a", "is 0", "must be more than 0")]
    assert codec.known("a", "x", ["x"], "task") == []
    assert codec.known("a", "on", ["one"], "task") == [
        codec.Fault("a", "unknown task 'on'", "did you mean 'one'?"),
    ]


words = st.text("ab\n'", max_size=4)
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | words,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
    max_leaves=8,
)
keys = st.sampled_from([*Whole.__slots__, "nmae", "na\nme"])


@given(st.dictionaries(keys, values))
def test_any_mapping_becomes_a_dataclass_or_lines_that_name_the_file(mapping):
    found = None
    lines = []
    try:
        found = codec.read(Whole, mapping, "x.toml")
    except ConfigError as error:
        lines = str(error).splitlines()
    assert isinstance(found, Whole) != bool(lines)
    assert all(line.startswith("x.toml: ") for line in lines)


# --- what an evalkit kept ---


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


@dataclass(frozen=True, slots=True)
class Part:
    n: int
    share: float = 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    label: str
    parts: tuple[Part, ...] = ()
    by_name: Mapping[str, Part | None] = field(default_factory=dict)
    ends: tuple[float, float] | None = None
    sky: Literal[Colour.BLUE] = Colour.BLUE
    colour: Colour | None = None
    tier: Literal["high", "low"] = "high"
    total: Annotated[int, codec.Numbers("count", 0)] | None = field(default=None, metadata=codec.LATER)
    notes: Mapping[str, int] = field(default_factory=dict, metadata=codec.UNSAID)
    about: int | None = field(default=None, metadata={**codec.LENIENT, "key": "the number"})
    more: Mapping[str, Any] = field(default_factory=dict, metadata=codec.OTHERS)


WHOLE = Kept(
    label="a",
    parts=(Part(1), Part(2, 0.5)),
    by_name={"x": Part(3), "y": None},
    ends=(1.0, 2),
    colour=Colour.RED,
    tier="low",
    total=7,
    notes={"n": 1},
    about=5,
    more={"new": [1]},
)


def test_what_is_written_is_read_again():
    found = codec.written(WHOLE)
    assert found["the number"] == 5
    assert found["new"] == [1]
    assert codec.kept(Kept, json.loads(json.dumps(found))) == WHOLE


def test_what_is_not_known_is_left_out_or_null_as_the_field_says():
    assert codec.written(Kept(label="a")) == {
        "label": "a",
        "parts": [],
        "by_name": {},
        "ends": None,
        "sky": "blue",
        "colour": None,
        "tier": "high",
    }
    assert codec.kept(Kept, {"label": "a"}) == Kept(label="a")


def test_keys_and_words_of_another_evalkit_are_taken_as_they_are():
    found = codec.kept(Kept, {"label": "a", "colour": "green", "tier": "middle", "parts": [{"n": 1, "new": 2}]})
    assert (found.colour, found.tier, found.parts) == ("green", "middle", (Part(1),))
    assert codec.written(found)["colour"] == "green"


def test_a_lenient_value_that_does_not_fit_stands_among_the_others():
    found = codec.kept(Kept, {"label": "a", "the number": "five"})
    assert (found.about, found.more) == (None, {"the number": "five"})
    assert codec.written(found)["the number"] == "five"


def test_numbers_are_kept_as_they_were_written():
    found = codec.kept(Part, {"n": 1, "share": 1})
    assert json.dumps(codec.written(found)) == '{"n": 1, "share": 1}'


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"label": None}, "label: is null (nothing); must be text"),
        ({"parts": [{"n": 1}, {"n": "2"}]}, 'parts[1].n: is "2" (text); must be a whole number'),
        ({"by_name": {"a b": {}}}, 'by_name."a b".n: missing; must be a whole number'),
        ({"ends": [1.0]}, "ends: is [1.0] (a list); must be a list of 2, each a number"),
        ({"parts": [{}] * 30}, " | ".join(f"parts[{at}].n: missing; must be a whole number" for at in range(20))),
        ({"sky": 3}, 'sky: is 3 (a whole number); must be one of "blue"'),
        ({"colour": 3}, 'colour: is 3 (a whole number); must be one of "red", "blue"'),
        ({"total": -0.5, "notes": []}, "total: is -0.5 (a number); must be a whole number | notes: is [] (a list)"),
    ],
)
def test_what_was_damaged_is_told_with_its_place_and_all_at_once(change, said):
    with pytest.raises(codec.MisfitError) as caught:
        codec.kept(Kept, {"label": "a", **change})
    assert str(caught.value).startswith(said)
    assert "\n" not in str(caught.value)


def test_a_word_of_an_enum_that_a_user_mistypes_has_its_near_miss():
    @dataclass(frozen=True, slots=True)
    class Painted:
        colour: Colour

    assert codec.read(Painted, {"colour": "red"}, "x.toml").colour is Colour.RED
    with pytest.raises(ConfigError, match="colour: unknown choice 'bleu'; did you mean 'blue'"):
        codec.read(Painted, {"colour": "bleu"}, "x.toml")


@given(st.dictionaries(st.sampled_from([*Kept.__slots__, "the number", "new"]), values))
def test_any_json_becomes_the_dataclass_and_itself_again_or_one_line(mapping):
    found, said = None, ""
    try:
        found = codec.kept(Kept, mapping)
    except codec.MisfitError as error:
        said = str(error)
    assert "\n" not in said
    assert (found is None) == bool(said)
    if found is None:
        return
    again = codec.written(found)
    assert codec.kept(Kept, again) == found
    assert all(again[key] == value for key, value in mapping.items() if key not in Kept.__slots__)
