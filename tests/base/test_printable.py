"""What a server, a model or a file says never reaches a terminal as a command to it."""

import io
import unicodedata
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from evalkit import report
from evalkit.base.errors import InfrastructureError
from evalkit.base.events import Notice, ServerState, Stage
from evalkit.base.printable import agreeing, counted, one_line, part_of, printable
from evalkit.cli.display import LiveTable, PlainLines
from evalkit.client.responses import error_message
from support.reports import RIGHT, built

HOSTILE = "86%\r100% \x1b[2J\x1b]0;owned\x07red\x9b31m \x08\x7f\u202egnp"


def harmless(text):
    return all(sign in "\n\t" or unicodedata.category(sign) not in {"Cc", "Cs"} for sign in text)


@given(st.text(st.characters(codec=None)))
def test_nothing_that_a_terminal_obeys_is_left(text):
    assert harmless(printable(text))
    assert printable(printable(text)) == printable(text)
    assert "\n" not in one_line(text)


@given(st.text(st.characters(exclude_categories=["C", "Zl", "Zp"])))
def test_ordinary_words_stay_as_they_are(text):
    assert printable(text) == text


def test_a_sequence_goes_whole_and_the_rest_is_seen():
    assert printable(HOSTILE) == "86%\n100% red \ufffd\ufffd\ufffdgnp"


def test_an_error_shows_a_server_s_words_without_their_commands():
    error = InfrastructureError(HOSTILE, fix=HOSTILE, evidence=HOSTILE)
    assert harmless(error.message + error.fix + error.evidence + str(error))
    assert harmless(error_message(f'{{"error": "{HOSTILE}"}}'.encode()))
    assert harmless(error_message(HOSTILE.encode()))


@pytest.mark.parametrize("event", [Notice(HOSTILE), Stage(HOSTILE), ServerState("m", "state", HOSTILE)])
def test_a_display_shows_them_without_their_commands(event):
    stream = io.StringIO()
    PlainLines(stream)(event)
    assert harmless(stream.getvalue())
    assert stream.getvalue().count("\n") == 1
    drawn = Console(file=io.StringIO(), force_terminal=True, width=200, color_system=None)
    with LiveTable(drawn) as table:
        table(event)
    assert "owned" not in drawn.file.getvalue()
    assert "\x1b[2J" not in drawn.file.getvalue()


def test_junit_has_no_stray_carriage_return():
    plan = built({"base": [RIGHT], "cand": [RIGHT]}).plan
    text = report.junit_stopped(plan, HOSTILE)
    assert harmless(text)
    assert "100% red" in ET.fromstring(text).find(".//error").get("message")


@pytest.mark.parametrize(
    ("count", "said"),
    [
        (0, "0 samples, 0 of 456 answers have none, they"),
        (1, "1 sample, 1 of 456 answers has none, it"),
        (2, "2 samples, 2 of 456 answers have none, they"),
        (1234, "1,234 samples, 1,234 of 456 answers have none, they"),
    ],
)
def test_words_agree_with_their_number(count, said):
    has = part_of(count, 456, "answer", ("has", "have"))
    assert f"{counted(count, 'sample')}, {has} none, {agreeing(count, 'it', 'they')}" == said
    assert part_of(0, 1, "answer") == "0 of 1 answer"
    assert counted(count, "recovery", "recoveries").endswith("recovery" if count == 1 else "recoveries")


def test_a_report_on_one_of_each_counts_in_the_singular():
    one = built({"base": [RIGHT], "cand": [[True, True, True, None]]})
    told = "\n".join([report.markdown(one), report.summary(one)])
    assert "1 of 4 samples has no answer (1 deadline); it is not scored as wrong." in told
    assert "1 samples" not in told
    assert "1 answers" not in told
