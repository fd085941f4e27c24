"""What one conversation sends: what is owed, and what a look brings in the midst of it."""

from concurrent.futures import ThreadPoolExecutor
from queue import Queue

import pytest

from evalkit.runs.stream import Stream


def made(*names):
    """Requests are passed on as they are, so that their names will do."""
    yield from names


def test_what_a_look_brings_goes_before_what_is_left():
    stream = Stream(made("a1", "b1", "b2"))
    taking = stream.requests()
    assert [next(taking), next(taking)] == ["a1", "b1"]
    stream.settled(made("a2", "a3"))
    assert [next(taking) for _ in range(3)] == ["a2", "a3", "b2"]


def test_it_waits_as_long_as_something_under_way_may_bring_more():
    stream = Stream(made("a1", "b1"))
    taking = stream.requests()
    taken = Queue()
    with ThreadPoolExecutor(1) as thread, stream:
        assert [next(taking), next(taking)] == ["a1", "b1"]
        rest = thread.submit(lambda: [taken.put(one) for one in taking])
        stream.settled(None)
        assert not rest.done()
        stream.settled(made("a2"))
        assert taken.get(timeout=60) == "a2"
        assert not rest.done()
        stream.settled(None)
        assert len(rest.result(60)) == 1


@pytest.mark.parametrize("brought", [(), ("late",)])
def test_once_it_is_ended_nobody_waits_and_what_came_before_goes_out(brought):
    stream = Stream(made("a1", "b1"))
    taking = stream.requests()
    assert [next(taking), next(taking)] == ["a1", "b1"]
    stream.settled(made(*brought))
    stream.end()
    assert list(taking) == list(brought)
