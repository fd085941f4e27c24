"""What a program returned reaches the comparison as it was, or as something that equals nothing."""

import json
from collections import Counter, OrderedDict, namedtuple
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.harnesses.evalplus.child import ValueWriter
from evalkit.harnesses.evalplus.values import Opaque, carried, decode, record, replay

ATOMS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(min_value=10**30, max_value=10**60)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.characters(categories=["Cs"])
    | st.binary()
    | st.binary().map(bytearray)
    | st.builds(range, st.integers(-9, 9), st.integers(-9, 9), st.integers(1, 3))
    | st.fractions()
    | st.decimals(allow_nan=False)
)
KEYS = st.none() | st.booleans() | st.integers() | st.text() | st.floats(allow_nan=False) | st.tuples(st.integers())
VALUES = st.recursive(
    ATOMS,
    lambda inner: (
        st.lists(inner)
        | st.lists(inner).map(tuple)
        | st.dictionaries(KEYS, inner)
        | st.sets(KEYS)
        | st.sets(KEYS).map(frozenset)
    ),
    max_leaves=12,
)


def carried_over(value):
    return decode(json.loads(json.dumps(ValueWriter().encode(value))))


def same(one, two):
    """Equal in value, type, order and sign, NaN included."""
    if type(one) is not type(two):
        return False
    if isinstance(one, (list, tuple)):
        return len(one) == len(two) and all(map(same, one, two))
    if isinstance(one, dict):
        return same(list(one.items()), list(two.items()))
    if isinstance(one, complex):
        return same(one.real, two.real) and same(one.imag, two.imag)
    if isinstance(one, float):
        return repr(one) == repr(two)
    return one == two


@given(VALUES)
def test_builtin_values_come_back_as_they_were(value):
    assert same(carried_over(value), value)
    assert carried(ValueWriter().encode(value))


Point = namedtuple("Point", "x y")  # noqa: PYI024 - as programs write it


class Color(IntEnum):
    RED = 3


class Shout(str):
    __slots__ = ()

    def __eq__(self, other):
        return True

    __hash__ = str.__hash__


@pytest.mark.parametrize(
    ("value", "equal"),
    [
        (Counter("aab"), {"a": 2, "b": 1}),
        (OrderedDict(a=1), {"a": 1}),
        (Point(1, 2), (1, 2)),
        (Color.RED, 3),
        ([Point(1, [2])], [(1, [2])]),
        (Decimal("1.5"), 1.5),
        (Fraction(1, 2), 0.5),
        (np.int64(3), 3),
        (np.float64(0.5), 0.5),
        (np.bool_(True), True),
    ],
)
def test_what_equals_a_builtin_value_still_does_and_is_no_builtin(value, equal):
    came = carried_over(value)
    assert came == equal
    if not isinstance(value, list):
        assert type(came) is not type(equal)


def test_arrays_come_back():
    came = carried_over(np.array([[1.5, 2.0]]))
    assert came.dtype == np.float64
    assert came.tolist() == [[1.5, 2.0]]
    big = carried_over(np.array([10**20, "x"], dtype=object))
    assert big.dtype == object
    assert big.tolist() == [10**20, "x"]


def test_a_subclass_s_own_equality_is_left_behind():
    assert carried_over(Shout("no")) == "no"
    assert carried_over(Shout("no")) != "yes"


@pytest.mark.parametrize(
    "value",
    [object(), iter([]), {}.keys(), len, [object()], {"a": (object(),)}],
    ids=lambda value: type(value).__name__,
)
def test_other_types_equal_nothing(value):
    written = ValueWriter().encode(value)
    assert not carried(written)
    came = decode(written)
    assert came != value


def test_what_is_not_carried_does_not_equal_itself():
    thing = carried_over(object())
    assert thing != thing  # noqa: PLR0124 - that is what is asked


def test_a_list_of_words_like_tags_is_carried():
    assert carried(ValueWriter().encode(["?", "l", "sub"]))


def test_what_contains_itself_ends():
    endless = []
    endless.append(endless)
    assert not carried(ValueWriter().encode(endless))


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4), st.lists, max_leaves=9)
)
def test_forged_lines_become_values_or_an_error(said):
    try:
        decode(said)
    except ValueError:
        return


@pytest.mark.parametrize(
    "said",
    [1.5, [], ["l"], ["l", "abc"], ["i", "zz"], ["f", 3], ["r", [1, 2, 0]], ["d", [[["l", []], 1]]], ["sub", True],
     ["n", "|O8", [1], "00" * 8, True], ["n", "<f8", [3], "00", True], ["F", "0x1", "0x0"], ["nothing", 1], {"a": 1},
     ["D", "x"]],
    ids=repr,
)  # fmt: skip
def test_a_line_that_was_not_written_so_is_refused(said):
    with pytest.raises(ValueError, match=r"\w"):
        decode(said)


def test_recorded_values_are_played_back_in_order():
    record([1, Opaque("x"), [2]])
    assert replay("any") == 1
    assert isinstance(replay(), Opaque)
    assert replay(1, 2) == [2]
    with pytest.raises(IndexError):
        replay()
