"""One request of a shared beginning goes first, its siblings after its answer; nothing is lost, nothing is idle."""

import asyncio
import threading
from collections import Counter, deque
from functools import partial

from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import AHEAD, Client, Request, SendingPolicy, read_chat
from evalkit.client.beginnings import Beginnings
from evalkit.client.lookahead import HELD, LookAhead
from evalkit.testing import ModelServer


def named(number, beginning="", payload=None):
    return Request(str(number), payload or (lambda: b"%d" % number), beginning=beginning)


@given(
    named_by=st.lists(st.sampled_from(["", "a", "b", "c", "d"]), max_size=40),
    most=st.integers(0, 12),
    window=st.integers(1, 8),
    data=st.data(),
)
def test_every_request_goes_out_once_and_siblings_wait_for_the_first(named_by, most, window, data):
    coming = deque((named(number, name), None) for number, name in enumerate(named_by))
    order, under_way, gone = Beginnings(most), [], []
    firsts, answered = {}, set()
    while True:
        while len(under_way) < window:
            looked = [len(coming)]
            entry = order.next(lambda: coming.popleft() if coming else None, last=not coming)
            if entry is None:
                break
            request = entry[0]
            full = order.held >= most or not looked[0] or not coming
            if request.beginning and request.beginning in firsts and request.beginning not in answered:
                assert full, "a sibling went out although others might have"
            else:
                firsts[request.beginning] = request
            under_way.append(request)
            gone.append(int(request.key))
            assert order.held <= most
        if not under_way:
            break
        done = under_way.pop(data.draw(st.integers(0, len(under_way) - 1)))
        well = data.draw(st.booleans())
        order.ended(done, answered=well)
        if well:
            answered.add(done.beginning)
        elif firsts.get(done.beginning) is done:
            del firsts[done.beginning]
    assert sorted(gone) == list(range(len(named_by)))
    for name in "abcd":
        mine = [number for number in gone if named_by[number] == name]
        assert mine == sorted(mine), "siblings keep their order"


class Watch:
    """A server's view: how many of a beginning were there at once before one of them was answered."""

    def __init__(self):
        self.here, self.answered, self.early = Counter(), set(), 0


def asking(pictures, questions, watch):
    def body(picture, question):
        # Made when it is sent: what stands in the window at that moment is what the server sees.
        watch.here[picture] += 1
        watch.early += watch.here[picture] > 1 and picture not in watch.answered
        return b'{"model": "tiny", "messages": [{"role": "user", "content": "%d %d"}]}' % (picture, question)

    def read(picture, said, names):
        watch.answered.add(picture)
        return read_chat(said, names)

    for picture in range(pictures):
        for question in range(questions):
            yield Request(
                f"{picture} {question}",
                partial(body, picture, question),
                read=partial(read, picture),
                beginning=f"picture {picture}",
            )


def test_over_a_real_server_each_picture_is_opened_by_one_request():
    watch = Watch()

    async def main(url):
        found = []
        async with Client(url, "tiny", SendingPolicy(window=8)) as client:
            async for request, outcome in client.ask(asking(40, 4, watch)):
                assert isinstance(outcome, Answer)
                found.append(request.key)
        return found

    with ModelServer() as server:
        found = asyncio.run(main(server.url))
    assert sorted(found) == sorted(f"{picture} {question}" for picture in range(40) for question in range(4))
    assert not watch.early


def test_a_first_one_that_fails_lets_the_next_take_its_part():
    order = Beginnings(10)
    coming = deque((named(number, "a"), None) for number in range(4))

    def following(*, last=False):
        entry = order.next(lambda: coming.popleft() if coming else None, last=last)
        return entry and entry[0]

    first = following()
    assert following() is None
    order.ended(first, answered=False)
    second = following()
    assert second.key == "1"
    assert following() is None
    order.ended(second, answered=True)
    assert [following().key, following().key] == ["2", "3"]
    assert following() is None


def test_held_requests_have_no_body_and_are_bounded():
    made, pulled, brim = [], [], threading.Event()

    def rows():
        for number in range(1000):
            pulled.append(number)
            if len(pulled) == 2 + AHEAD + HELD * 2:
                brim.set()
            yield named(number, "one picture", lambda number=number: made.append(number) or b"body")

    async def main():
        async with LookAhead(rows(), 2) as ahead:
            first, _ = await ahead.next()
            other = asyncio.create_task(ahead.next())
            assert await asyncio.to_thread(brim.wait, 5)
            # More than may wait: the oldest goes out rather than that a place of the window stays empty.
            late, _ = await other
            assert (first.key, late.key) == ("0", "1")
            assert made == [0, 1]
            assert len(pulled) <= 2 + AHEAD + HELD * 2 + 1

    asyncio.run(main())


def test_what_a_body_raises_ends_the_asking_after_what_is_under_way():
    def body(number):
        if number == 20:
            raise ZeroDivisionError("no body")
        return b'{"model": "tiny", "messages": [{"role": "user", "content": "%d"}]}' % number

    def rows():
        for number in range(200):
            yield named(number, f"picture {number}", lambda number=number: body(number))

    async def main(url):
        found = []
        try:
            async with Client(url, "tiny", SendingPolicy(window=4)) as client:
                async for request, outcome in client.ask(rows()):
                    assert isinstance(outcome, Answer)
                    found.append(int(request.key))
        except ZeroDivisionError:
            return found
        raise AssertionError("nothing was raised")

    with ModelServer() as server:
        found = asyncio.run(main(server.url))
    assert set(range(17)) <= set(found) <= set(range(24)) - {20}


def test_a_row_that_cannot_be_made_does_not_hold_up_its_siblings():
    def rows():
        for number in range(6):
            yield named(number, "a", lambda: Failure(FailureKind.BAD_ROW, "no picture"))

    async def main(url):
        async with Client(url, "tiny", SendingPolicy(window=2)) as client:
            return [outcome async for _, outcome in client.ask(rows())]

    with ModelServer() as server:
        outcomes = asyncio.run(main(server.url))
        assert not server.asked.total()
    assert [one.kind for one in outcomes] == [FailureKind.BAD_ROW] * 6
