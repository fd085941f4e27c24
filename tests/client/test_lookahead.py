"""Requests are made in a thread, in order, and never more than a little ahead."""

import asyncio
import threading
import time

import pytest

from evalkit.client import AHEAD, Request
from evalkit.client.lookahead import LookAhead


def named(number, payload=None):
    return Request(str(number), payload or (lambda: b"%d" % number))


def threads():
    return [thread for thread in threading.enumerate() if thread.name == "evalkit-lookahead"]


async def drain(ahead):
    taken = []
    while (ready := await ahead.next()) is not None:
        taken.append(ready)
        ahead.release()
    return taken


def test_all_come_in_order_and_from_one_other_thread():
    makers = set()

    def payload():
        makers.add(threading.get_ident())
        return b"body"

    def rows():
        makers.add(threading.get_ident())
        for number in range(500):
            yield named(number, payload)

    async def main():
        async with LookAhead(rows(), 4) as ahead:
            return await drain(ahead)

    taken = asyncio.run(main())
    assert [request.key for request, _ in taken] == [str(number) for number in range(500)]
    assert len(makers) == 1
    assert threading.get_ident() not in makers


def test_many_takers_get_each_request_once():
    async def main():
        async with LookAhead((named(number) for number in range(2000)), 32) as ahead:
            return await asyncio.gather(*(drain(ahead) for _ in range(32)))

    taken = [int(request.key) for share in asyncio.run(main()) for request, _ in share]
    assert sorted(taken) == list(range(2000))


def test_it_pulls_to_the_brim_and_then_waits_for_room():
    pulled = []
    brim = threading.Event()

    def rows():
        for number in range(1000):
            pulled.append(number)
            if len(pulled) == 3 + AHEAD:
                brim.set()
            yield named(number)

    async def main():
        async with LookAhead(rows(), 3) as ahead:
            assert await asyncio.to_thread(brim.wait, 5)
            for released in range(200):
                await ahead.next()
                assert len(pulled) <= released + 3 + AHEAD
                ahead.release()
        return len(pulled)

    assert asyncio.run(main()) <= 200 + 3 + AHEAD


@pytest.mark.parametrize("place", ["iterator", "payload", "first"])
def test_what_raises_ends_it_after_all_before_it(place):
    def broken():
        raise OSError("the disk is gone")

    def rows():
        for number in range(0 if place == "first" else 7):
            yield named(number)
        if place == "payload":
            yield named(7, broken)
        else:
            broken()

    async def main():
        async with LookAhead(rows(), 2) as ahead:
            return len(await drain(ahead)), ahead.error

    count, error = asyncio.run(main())
    assert count == (0 if place == "first" else 7)
    assert str(error) == "the disk is gone"


def test_something_that_cannot_be_iterated_is_an_error_too():
    async def main():
        async with LookAhead(7, 2) as ahead:
            return await drain(ahead), ahead.error

    taken, error = asyncio.run(main())
    assert taken == []
    assert isinstance(error, TypeError)


def test_leaving_early_stops_the_thread_and_closes_the_iterator_where_it_ran():
    closed_in = []

    def rows():
        try:
            for number in range(10**9):
                yield named(number)
        finally:
            closed_in.append(threading.current_thread().name)

    async def main():
        async with LookAhead(rows(), 2) as ahead:
            await ahead.next()

    asyncio.run(main())
    assert closed_in == ["evalkit-lookahead"]
    assert not threads()


def test_a_reader_that_hangs_does_not_hold_up_leaving():
    hung = threading.Event()

    def rows():
        yield named(1)
        hung.wait(30)

    async def main():
        async with LookAhead(rows(), 2) as ahead:
            await ahead.next()
            left = time.monotonic()
        return time.monotonic() - left

    took = asyncio.run(main())
    (thread,) = threads()
    hung.set()
    thread.join(60)
    assert took < 1
    assert not thread.is_alive()
