"""The sanitizer gives evalplus's result, and gives it soon."""

import time
from contextlib import suppress
from itertools import islice

import pytest
from evalplus import sanitize as theirs
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.demo.questions import heldout
from evalkit.harnesses.evalplus.extract import SanitizeError, longest_valid, sanitize

PIECES = [
    "", " ", "\t", "\f", "\u00a0", "\x1c", "\r", "x\r", "\\\r", "a", "    a", "  a", "a b", "x = 1", "x: int", "pass;",
    "if x:", "try:", "except:", "else:", "def f():", "def f(x):", "def g(y):", "class A:", "@d", "f = lambda: 1",
    "    return 1", "\treturn 2", "    return g(x)", "return f", "import os", "from a import b", "print(f)", "é = 1",
    "(", ")", "[1,", "]", '"""', "'", "'''", "f'{x", "\\", "x = \\", "    x = 1 \\", "# c", "    # c", "```",
    "```python", "Here is text.",
]  # fmt: skip


@settings(max_examples=600)
@given(st.lists(st.sampled_from(PIECES), max_size=9))
def test_any_small_text_gives_what_evalplus_gives(lines):
    text = "\n".join(lines)
    assert longest_valid(text) == theirs.code_extract(text)


@settings(max_examples=300)
@given(st.lists(st.sampled_from(PIECES), max_size=12), st.sampled_from(["f", "g", "x", "A", "missing"]))
def test_any_small_answer_gives_evalplus_s_program(lines, entry_point):
    text = "\n".join(lines)
    assert sanitize(text, entry_point) == theirs.sanitize(text, entry_point)


@settings(max_examples=200)
@given(st.text(alphabet="ab=():'\"\\\n\t #,{}[]f", max_size=40))
def test_any_characters_give_evalplus_s_program(text):
    assert sanitize(text, "f") == theirs.sanitize(text, "f")


def answers():
    for made in islice(heldout.problems(), 20):
        whole = made.prompt + made.body
        yield made.name, whole
        yield made.name, f"{whole}```\nThis returns what was asked.\n\n```python\nprint({made.name}([1]))\n"
        yield made.name, whole[: len(whole) * 3 // 4]
        yield made.name, f"import math\n\ndef helper(x):\n    return x\n\n{whole}\n\nclass Unused:\n    pass\n"
        yield made.name, f"Sure!\n\n{whole.replace('return', 'retrun')}"


def test_answers_of_models_give_evalplus_s_program():
    for name, text in answers():
        assert sanitize(text, name) == theirs.sanitize(text, name)


@pytest.mark.parametrize(
    "lines",
    [
        ["a"] * 700,
        ["this is not python"] * 700,
        [f"(unclosed {number}" for number in range(700)],
        [f"the answer {number} is: not, python" for number in range(700)],
        ["    return x"] * 700,
        ["def f(x):", *["    x = x + 1"] * 700, "    return ("],
        ["", *["foo bar", "", "", ""] * 200],
        [""] * 12000 + ["foo bar"] + [""] * 12000,
        ['"""'] * 701,
    ],
    ids=lambda lines: f"{len(lines)}-{lines[1].strip()[:12]}",
)
def test_a_pathological_answer_does_not_stall(lines):
    started = time.process_time()
    # Given up is not stalled: such an answer counts as a program that fails.
    with suppress(SanitizeError):
        sanitize("\n".join(lines), "f")
    assert time.process_time() - started < 30


def test_an_answer_that_would_take_minutes_is_given_up():
    lines = [f"x{number} = (y{number} if z{number}" for number in range(9000)]
    with pytest.raises(SanitizeError, match="too many lines"):
        sanitize("\n".join(lines), "f")


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("def f():\n    return 1\0\n", "null byte"),
        ("def f():\n    return '\ud800'\n", "lone surrogate"),
        ("x = " + "-" * 50_000 + "1\n", "nests too deeply"),
        ("x = 1" + "+1" * 50_000 + "\n", "nests too deeply"),
    ],
)
def test_what_ends_evalplus_with_an_error_is_refused(text, why):
    with pytest.raises(SanitizeError, match=why):
        sanitize(text, "f")
