"""The texts are evalplus's, and an answer ends where a server that knows every stop string ends it."""

import importlib.util
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.errors import PromptError
from evalkit.harnesses.evalplus.prompts import MOST_STOPS, cut, messages, sent_stops, solution, texts
from support import wants

KINDS = ("chat", "base")


def served(text, stops, widths, *, keep=False):
    """What vLLM returns for a text that comes in pieces of these widths, by its rule: after every piece, the stop
    string that is complete first ends the text; of several complete at once, the first in the list."""
    said, place = "", 0
    for width in widths:
        said = text[: place + width] if place + width < len(text) else text
        new = len(said) - place
        place = len(said)
        found = []
        for number, stop in enumerate(stops):
            start = said.find(stop, max(0, len(said) - new - len(stop) + 1))
            if start >= 0:
                found.append((start + len(stop), number, start))
        if found:
            return said[: min(found)[0 if keep else 2]]
        if place == len(text):
            return said
    return text


@st.composite
def generations(draw):
    """Text full of stop strings and of parts of them, and the pieces it comes in."""
    kind = draw(st.sampled_from(KINDS))
    stops = texts().stops[kind]
    parts = [*stops, *(stop[:-1] for stop in stops), *(stop[1:] for stop in stops), "x", "\n", "    return 1", "def f("]
    text = "".join(draw(st.lists(st.sampled_from(parts), max_size=8)))
    widths = draw(st.lists(st.integers(1, 9), min_size=len(text), max_size=len(text)))
    return kind, stops, text, widths


@settings(max_examples=300)
@given(generations())
def test_cutting_here_what_four_stops_let_through_equals_a_server_that_has_all(drawn):
    kind, stops, text, widths = drawn
    four = sent_stops(kind, stops)
    assert len(four) <= MOST_STOPS
    whole = served(text, stops, widths)
    assert cut(served(text, four, widths, keep=True), stops)[0] == whole
    assert cut(text, stops) == (whole, whole != text)


@pytest.mark.vllm
def test_a_cut_that_vllm_itself_would_make():
    check = wants.imported("vllm.v1.engine.detokenizer").check_stop_strings
    stops = list(texts().stops["base"])
    for text in ("a\ndef main(x", "a\n```\n\nclass B", "a</s>\nprint(", "\nimport x", "nothing"):
        found = check(text, len(text), stops, include_in_output=False)
        assert cut(text, stops) == ((text[: found[1]], True) if found else (text, False))


def test_the_messages_are_those_that_evalplus_builds():
    words = texts()
    user, assistant = messages("  def f():\n    'x'\n", words)
    assert user == f"{words.instruction}\n```\ndef f():\n    'x'\n```\n"
    assert assistant == f"{words.response}\n```python\n{words.splitter}\n```\n"


def test_another_evalplus_is_refused(tmp_path, monkeypatch):
    spec = importlib.util.find_spec("evalplus")
    source = (Path(spec.submodule_search_locations[0]) / "codegen.py").read_text()
    package = tmp_path / "evalplus"
    (package / "provider").mkdir(parents=True)
    (package / "__init__.py").write_text("")
    (package / "provider" / "__init__.py").write_text("")
    place = Path(spec.submodule_search_locations[0], "provider", "utility.py")
    (package / "provider" / "utility.py").write_text(place.read_text())
    (package / "codegen.py").write_text(source.replace("self-contained Python script", "Python script"))
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalplus"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(PromptError, match="other prompts or stop strings"):
        texts()
    for name in [name for name in sys.modules if name.partition(".")[0] == "evalplus"]:
        monkeypatch.delitem(sys.modules, name)


def test_a_base_model_s_solution_has_the_prompt_in_front():
    assert solution("base", " def f():\n", "\n\treturn 1") == "def f():\n    return 1"
    assert solution("chat", " def f():\n", "\treturn 1") == "    return 1"
