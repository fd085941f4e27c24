import io
import time

import pytest
from rich.console import Console

from evalkit.base.events import Notice, OneServer, Outset, Progress, Servers, ServerState, SoFar, Stage
from evalkit.cli.display import display
from evalkit.cli.live_table import LiveTable
from evalkit.cli.plain_lines import PlainLines, Quiet

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
        "all: 200 of 4,112 answers, 4.5 a second, 1:02 gone, about 12:37 left",
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
        lines(ServerState("measured", "starting"))
        assert said("measured: starting, 0:0")
        lines(ServerState("measured", "ready"))
        lines(Stage("measuring"))
        assert said("still measuring, 0:0")
        lines(ServerState("measured", "stopped"))
        lines(OUTSET)
        lines(ServerState("base", "starting"))
        assert said("base: starting, 0:0")
        lines(ServerState("base", "ready", "http://127.0.0.1:1"))
        assert said("all: 0 of 4,112 answers, 0:0")
    ended = stream.getvalue()
    time.sleep(0.2)
    assert stream.getvalue() == ended


def drawn(clock, width, *events):
    """The last picture of a table that was told these events."""
    console = Console(file=io.StringIO(), force_terminal=False, width=width, color_system=None)
    table = LiveTable(console, clock)
    for event in events:
        clock.now += 1
        table(event)
    with console.capture() as caught:
        console.print(table._render())
    return [line.rstrip() for line in caught.get().splitlines()]


TASK = "lm-eval.leaderboard_mmlu_pro_with_a_long_name"
GOING_ON = (
    Outset(planned=4112, owed={"base": 0, "org/cand-w4a16": 2056}, starts=1),
    Progress("base", TASK, 2056, reused=2056, scored=2056, failed=0, score=None),
    ServerState("org/cand-w4a16", "ready", "http://127.0.0.1:40001"),
    Progress("org/cand-w4a16", TASK, 2056, 0, 0, 0, None),
    Progress("org/cand-w4a16", TASK, 2056, 0, 400, 3, 0.5, {"deadline": 1, "http_5xx": 2}),
    SoFar("org/cand-w4a16", TASK, 398, 99.213, 97.94, 100.44),
)


@pytest.mark.parametrize("width", [80, 120])
def test_nothing_is_cut_and_a_model_that_is_done_is_a_line(clock, width):
    lines = drawn(clock, width, *GOING_ON)
    assert max(map(len, lines)) <= width
    assert "…" not in "".join(lines)
    assert lines[0] == "base  in the store  2,056 answers"
    assert lines[1] == "org/cand-w4a16  ready  http://127.0.0.1:40001"
    named, figures = (2, 3) if width == 80 else (3, 3)
    assert lines[named].split()[0] == TASK
    assert "403/2056" in lines[figures]
    words = " ".join(" ".join(lines).split())  # a sentence goes on in the next line, between two words
    assert f" {TASK}: 3 failed (2 http 5xx, 1 deadline) recovery so far; no verdict before the end: " in words
    assert f": {TASK} 99.2 % [97.9, 100.4] of 398 pairs all " in words


def test_plain_lines_tell_what_failed_and_the_recovery_so_far(clock):
    stream = io.StringIO()
    lines = PlainLines(stream, clock)
    for event in GOING_ON:
        clock.now += 1
        lines(event)
    clock.now += 30
    lines(Progress("org/cand-w4a16", TASK, 2056, 0, 500, 3, 0.5, {"deadline": 1, "http_5xx": 2}))
    assert (
        f"org/cand-w4a16: {TASK} 503/2056, 3 failed (2 http 5xx, 1 deadline), score 50.00, "
        "recovery 99.2 % [97.9, 100.4] of 398 pairs (so far; no verdict before the end)\n"
    ) in stream.getvalue()


def test_quiet_passes_on_what_a_person_should_know():
    stream = io.StringIO()
    with display(as_json=False, quiet=True, stream=stream) as quiet:
        for event in (*GOING_ON, Stage("reading docvqa"), Stage("warning: no room"), Notice("something moved")):
            quiet(event)
    assert isinstance(quiet, Quiet)
    assert stream.getvalue() == "warning: no room\nsomething moved\n"


def test_a_job_of_ci_has_plain_lines_although_it_looks_like_a_terminal(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.delenv("CI", raising=False)
    assert isinstance(display(as_json=False, stream=io.StringIO()), LiveTable)
    monkeypatch.setenv("CI", "true")
    assert isinstance(display(as_json=False, stream=io.StringIO()), PlainLines)


def servers(first, second):
    """Two servers of one model, with so many answers; one that has none yet is starting."""
    told = [
        OneServer(f"server {number} of 2, GPU {number - 1}", "answering", 7, 64, count)
        if count is not None
        else OneServer(f"server {number} of 2, GPU {number - 1}", "starting", 0, 0, 0)
        for number, count in enumerate((first, second), 1)
    ]
    return Servers("base", tuple(told))


def test_the_live_table_has_a_row_for_each_server_of_a_model(clock):
    stream = io.StringIO()
    console = Console(file=stream, force_terminal=True, width=120, color_system=None)
    table = LiveTable(console, clock)
    table(OUTSET)
    table(ServerState("base", "ready", "server 1 of 2, GPU 0: http://127.0.0.1:1"))
    table(progress(0))
    for now, event in ((0, servers(0, None)), (10, servers(55, None))):
        clock.now = now
        table(event)
    assert rows_of(table, console) == [
        ["server 1 of 2, GPU 0", "answering", "7 of 64 under way", "5.5 req/s"],
        ["server 2 of 2, GPU 1", "starting"],
    ]
    # Started again, it counts anew: no rate is told before there is one.
    for now, event in ((20, servers(0, 0)), (22, servers(4, 3))):
        clock.now = now
        table(event)
    assert rows_of(table, console) == [
        ["server 1 of 2, GPU 0", "answering", "7 of 64 under way", "2.0 req/s"],
        ["server 2 of 2, GPU 1", "answering", "7 of 64 under way", "0.1 req/s"],
    ]


def rows_of(table, console):
    """What a picture says of single servers, by its columns."""
    with console.capture() as picture:
        console.print(table._render())
    lines = [line.strip() for line in picture.get().splitlines() if " of 2, GPU" in line and "http" not in line]
    return [[cell for cell in line.split("  ") if cell.strip()] for line in lines]


def test_plain_lines_tell_nothing_of_single_servers(clock):
    stream = io.StringIO()
    PlainLines(stream, clock)(servers(3, 4))
    assert stream.getvalue() == ""
