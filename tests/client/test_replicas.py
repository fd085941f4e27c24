"""Several servers of one model take from one queue; what one of them held when it left is answered by the others."""

import asyncio
import threading
import time
from collections import Counter

import pytest

from evalkit.base.types import Answer, Failure, FailureKind
from evalkit.client import Client, Request, SendingPolicy
from evalkit.client.lookahead import LookAhead
from evalkit.testing import ModelServer

POLICY = SendingPolicy(window=4, tries=2, patience_s=0, first_wait_s=0.01, longest_wait_s=0.02)


def asking(count, beginnings=0):
    for number in range(count):
        text = b'{"model": "tiny", "messages": [{"role": "user", "content": "%d"}]}' % number
        picture = f"picture {number // 4}" if beginnings else ""
        yield Request(str(number), lambda text=text: text, beginning=picture)


async def collected(client, requests, each=lambda count: None):
    found = Counter()
    async for request, outcome in client.ask(requests):
        assert isinstance(outcome, Answer), outcome
        found[request.key] += 1
        each(found.total())
    return found


@pytest.fixture
def servers():
    with ModelServer(delay_s=0.005) as one, ModelServer(delay_s=0.005) as other:
        yield one, other


@pytest.mark.parametrize("beginnings", [0, 4])
def test_both_servers_answer_and_each_request_once(servers, beginnings):
    one, other = servers

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            await client.join(other.url)
            return await collected(client, asking(200, beginnings))

    found = asyncio.run(main())
    assert found == Counter(str(number) for number in range(200))
    assert one.asked.total() + other.asked.total() == 200
    assert min(one.asked.total(), other.asked.total()) > 50


def test_one_that_joins_in_the_middle_takes_part(servers):
    one, other = servers

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            joining = []

            def each(count):
                if count == 20:
                    joining.append(asyncio.create_task(client.join(other.url)))

            found = await collected(client, asking(400), each)
            await asyncio.gather(*joining)
            return found

    assert asyncio.run(main()) == Counter(str(number) for number in range(400))
    assert other.asked.total() > 50


@pytest.mark.parametrize("beginnings", [0, 4])
def test_what_one_that_leaves_held_is_answered_by_the_others(servers, beginnings):
    one, other = servers
    other.delay_s = 60.0

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            gone = await client.join(other.url)
            held = []

            async def leave():
                held.extend(gone.under_way)
                await client.leave(gone)

            leaving = []

            def each(count):
                if count == 20:
                    leaving.append(asyncio.create_task(leave()))

            found = await collected(client, asking(200, beginnings), each)
            await asyncio.gather(*leaving)
            return found, held

    found, held = asyncio.run(main())
    assert found == Counter(str(number) for number in range(200))
    assert len(held) == POLICY.window
    assert one.asked.total() == 200


def test_one_that_answers_nothing_any_more_is_lost_alone(servers):
    one, _ = servers
    broken = ModelServer(part="status:500")

    async def main():
        with broken:
            async with Client(one.url, "tiny", SendingPolicy(window=2, tries=1, lost_windows=1)) as client:
                lost = await client.join(broken.url)
                kinds = Counter()
                async for _, outcome in client.ask(asking(100)):
                    kinds[type(outcome).__name__] += 1
                return lost.lost.is_set(), kinds

    was_lost, kinds = asyncio.run(main())
    assert was_lost
    assert kinds.total() == 100
    assert kinds["Failure"] <= 4


def test_siblings_go_where_the_first_one_was_answered():
    def named(number, beginning):
        return Request(str(number), lambda: b"body", beginning=beginning)

    async def main():
        rows = [named(number, f"picture {number % 2}") for number in range(8)]
        async with LookAhead(iter(rows), 4) as ahead:
            a, _ = await ahead.next("A")
            b, _ = await ahead.next("B")
            assert (a.beginning, b.beginning) == ("picture 0", "picture 1")
            ahead.answered(a, well=True)
            ahead.answered(b, well=True)
            mine = [(await ahead.next("B"))[0].beginning for _ in range(3)]
            ahead.forget("A")
            left = [(await ahead.next("B"))[0].beginning for _ in range(3)]
            assert mine == ["picture 1"] * 3
            assert left == ["picture 0"] * 3

    asyncio.run(main())


def test_what_is_put_aside_has_no_outcome_and_ends_nothing(servers):
    one, other = servers
    other.delay_s = 60.0

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            gone = await client.join(other.url)
            leaving, held = [], set()

            def each(count):
                if count == 20:
                    held.update(request.key for request in gone.under_way.values())
                    leaving.append(asyncio.create_task(client.leave(gone, lambda _: True)))

            return await collected(client, asking(100), each), held

    found, held = asyncio.run(main())
    assert len(held) == POLICY.window
    assert {str(number) for number in range(100)} - found.keys() == held


def test_a_row_that_cannot_be_asked_has_one_outcome_whoever_leaves(servers):
    """Its place waits for the next request when the server leaves, and holds nothing that could be given back."""
    one, other = servers
    left = threading.Event()

    def requests():
        for number in range(8):
            time.sleep(0.02)  # each place of both servers gets one
            yield Request(f"bad {number}", lambda: Failure(FailureKind.BAD_ROW, "no picture"))
        left.wait(60)
        yield from asking(20)

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            gone, found = await client.join(other.url), Counter()
            async for request, _ in client.ask(requests()):
                found[request.key] += 1
                if found.total() == 8:
                    await asyncio.sleep(0.1)  # all places wait
                    await client.leave(gone)
                    left.set()
            return found

    found = asyncio.run(main())
    assert set(found.values()) == {1}
    assert found.total() == 28


def test_one_may_join_just_as_the_asking_begins(servers):
    one, other = servers

    async def main():
        async with Client(one.url, "tiny", POLICY) as client:
            found = asyncio.create_task(collected(client, asking(200)))
            await asyncio.sleep(0)  # it is asked for, and nothing is there yet
            await client.join(other.url)
            return await found

    assert asyncio.run(main()) == Counter(str(number) for number in range(200))
    assert other.asked.total() > 50
