"""The servers of one model, as the run that is asking them is ended."""

import asyncio
import time

import psutil
import pytest

from evalkit.serve import Replicas, ServerPlace


async def until(due, within_s=60.0):
    ends = time.monotonic() + within_s
    while not due():
        assert time.monotonic() < ends
        await asyncio.sleep(0.02)


def test_a_second_cancellation_ends_the_patience(serving, model, tmp_path):
    """As a second Ctrl-C: the first one stops in order, and these servers would take a minute."""
    pids = []
    logs = [tmp_path / f"tiny.{number}.log" for number in (1, 2)]

    async def served():
        patient = serving(ignores_term=True, stop_patience_s=60.0)
        places = [ServerPlace(), ServerPlace(number=1)]
        async with Replicas(patient, model, tmp_path / "tiny.log", lambda *_: None, places) as servers:
            pids.extend([(await servers.ready(one)).pid for one in servers.replicas])
            await asyncio.sleep(600)

    async def main():
        run = asyncio.create_task(served())
        await until(lambda: len(pids) == 2)
        run.cancel()
        await until(lambda: all("got SIGTERM" in log.read_text() for log in logs))
        assert all(map(psutil.pid_exists, pids))
        run.cancel()
        with pytest.raises(asyncio.CancelledError):
            await run

    begun = time.monotonic()
    asyncio.run(main())
    assert time.monotonic() - begun < 40
    assert not any(map(psutil.pid_exists, pids))


def test_a_run_that_is_ended_while_its_servers_start_leaves_none(serving, model, tmp_path):
    starting = serving(listens=False, chatters=True)
    logs = [tmp_path / f"tiny.{number}.log" for number in (1, 2)]

    async def main():
        places = [ServerPlace(), ServerPlace(number=1)]
        async with Replicas(starting, model, tmp_path / "tiny.log", lambda *_: None, places) as servers:
            waiting = asyncio.ensure_future(servers.leader())
            await until(lambda: all(log.exists() and "still busy" in log.read_text() for log in logs))
            pids.extend(one.server.pid for one in servers.replicas)
            waiting.cancel()
            raise KeyError

    pids = []
    with pytest.raises(KeyError):
        asyncio.run(main())
    assert len(pids) == 2
    assert not any(map(psutil.pid_exists, pids))
