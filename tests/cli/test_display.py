import io
import time

import pytest
from rich.console import Console

from evalkit.base.events import Outset, Progress, ServerState, Stage
from evalkit.cli.display import LiveTable, PlainLines

OUTSET = Outset(planned=4112, owed={"base": 2056, "cand": 2056}, starts=2)


def progress(count):
    return Progress("base", "mmlu", planned=2056, reused=0, scored=count, failed=0, score=None)


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


def test_plain_lines_say_what_a_run_will_do_and_now_and_then_how_far_the_whole_is(clock):
    stream = io.StringIO()
    lines = PlainLines(stream, clock)
    for at, event in (
        (0, OUTSET),
        (0, progress(0)),
        (1, ServerState("base", "starting")),
        (31, ServerState("base", "ready", "http://127.0.0.1:1")),
        (40, progress(100)),
        (62, progress(200)),
        (63, progress(201)),
    ):
        clock.now = at
        lines(event)
    said = stream.getvalue().splitlines()
    assert said[0] == "2 servers to start, 4,112 answers to get"
    assert [line for line in said if line.startswith("all: ")] == [
        "all: 0 of 4,112 answers, 0:31 gone",
        # 1856 at 100 in 22 s, a start of 30 s, and 2056 at 200 in 31 s.
        "all: 200 of 4,112 answers, 1:02 gone, about 12:37 left",
    ]


@pytest.mark.parametrize(
    ("owed", "starts", "said"),
    [
        ({"base": 0, "cand": 0}, 0, "no server to start, 0 answers to get of 4,112; the store has the others"),
        ({"base": 0, "cand": 9}, 1, "1 server to start, 9 answers to get of 4,112; the store has the others"),
    ],
)
def test_what_the_store_has_is_not_announced_as_work(owed, starts, said):
    stream = io.StringIO()
    PlainLines(stream)(Outset(4112, owed, starts))
    assert stream.getvalue() == f"{said}\n"


def test_a_terminal_shows_one_line_for_the_whole_run_and_how_long_a_server_has_been_starting(clock):
    console = Console(file=io.StringIO(), force_terminal=True, width=100, color_system=None)
    with LiveTable(console, clock) as table:
        for event in (OUTSET, progress(0), ServerState("base", "loading weights", "50 %")):
            table(event)
        table(ServerState("base", "starting"))
        clock.now = 75
        table(ServerState("base", "loading weights", "50 %"))
        table(progress(1))
    shown = console.file.getvalue().splitlines()
    assert any("2 servers to start, 4,112 answers to get" in line for line in shown)
    assert any("loading weights" in line and "1:15 50 %" in line for line in shown)
    last = [line for line in shown if " answers, " in line][-1]
    assert last.startswith("all ")
    assert last.rstrip().endswith("1 of 4,112 answers, 1:15 gone")


def test_plain_lines_break_a_silence_with_what_goes_on():
    stream = io.StringIO()

    def said(line):
        until = time.monotonic() + 20.0
        while line not in stream.getvalue() and time.monotonic() < until:
            time.sleep(0.01)
        return line in stream.getvalue()

    with PlainLines(stream, quiet_s=0.05) as lines:
        lines(Stage("reading docvqa"))
        assert said("still reading docvqa, 0:0")
        lines(OUTSET)
        lines(ServerState("base", "starting"))
        assert said("base: starting, 0:0")
        lines(ServerState("base", "ready", "http://127.0.0.1:1"))
        assert said("all: 0 of 4,112 answers, 0:0")
    ended = stream.getvalue()
    time.sleep(0.2)
    assert stream.getvalue() == ended
