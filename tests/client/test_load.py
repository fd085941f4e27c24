"""The window follows what a server says of its queue and its cache, and stays within its bounds."""

import asyncio

from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.types import Answer
from evalkit.client import Client, Request, SendingPolicy
from evalkit.client.load import ServerLoad, Window, read

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="m"} 85.0
vllm:num_requests_running{engine="1",model_name="m"} 15.0
vllm:num_requests_waiting{engine="0",model_name="m"} 171.0
vllm:num_requests_waiting{engine="1",model_name="m"} 0.0
vllm:num_requests_waiting_by_reason{engine="0",reason="capacity"} 171.0
vllm:kv_cache_usage_perc{engine="0",model_name="m"} 0.9
vllm:kv_cache_usage_perc{engine="1",model_name="m"} 0.1
vllm:num_preemptions_total{engine="0",model_name="m"} 3.0
vllm:num_preemptions_created{engine="0",model_name="m"} 1.7641e+09
vllm:cache_config_info{block_size="16",cache_dtype="auto",engine="0",num_gpu_blocks="17500"} 1.0
vllm:e2e_request_latency_seconds_bucket{engine="0",le="+Inf"} 12.0
process_open_fds 41.0
"""


def test_engines_behind_one_address_are_read_together():
    assert read(METRICS) == ServerLoad(running=100, waiting=171, cache_used=0.5, preempted=3, cache_tokens=280_000)


def test_metrics_of_another_server_are_none():
    assert read("process_open_fds 41.0\n") is None
    assert read("<html>404</html>") is None


@given(
    size=st.integers(1, 600),
    widest=st.integers(1, 1024),
    said=st.lists(
        st.tuples(
            st.builds(
                ServerLoad,
                running=st.integers(0, 2000),
                waiting=st.integers(0, 2000),
                cache_used=st.floats(0, 1),
                preempted=st.integers(0, 9),
            ),
            st.integers(0, 1024),
        ),
        max_size=30,
    ),
)
def test_the_window_stays_within_its_bounds(size, widest, said):
    window = Window(size, widest)
    for load, under_way in said:
        window.adjust(load, under_way)
        assert min(size, 4) <= window.smallest <= window.size <= window.largest <= max(size, widest)


def settled(batch, size, widest=1024):
    """Where the window comes to rest on a server that runs at most ``batch`` at once and is never idle of our doing."""
    window = Window(size, widest)
    for _ in range(60):
        load = ServerLoad(
            running=min(batch, window.size), waiting=max(0, window.size - batch), cache_used=0.5, preempted=0
        )
        window.adjust(load, window.size)
    return window.size


def test_it_comes_to_rest_a_little_above_what_runs():
    for batch in (8, 85, 256, 700):
        for size in (16, 256, 1000):
            assert batch < settled(batch, size) <= batch + max(8, batch // 4) + batch // 8 + 8
    assert settled(5000, 256) == 1024


def test_what_is_pushed_out_of_the_cache_narrows_it_and_nothing_waiting_does_not_widen_an_unused_one():
    window = Window(200, 1024)
    window.adjust(ServerLoad(200, 0, 0.95, preempted=0), 200)
    assert window.size == 200, "a cache that is nearly full is no reason to send more"
    window.adjust(ServerLoad(190, 10, 0.99, preempted=4), 200)
    assert window.size == 150
    window.adjust(ServerLoad(20, 0, 0.1, preempted=4), 20)
    assert window.size == 150, "who does not use what he has needs no more"


class Batching:
    """A server that runs ``batch`` requests at once and tells of it as vLLM does."""

    def __init__(self, batch):
        self.turn, self.here, self.running, self.peak = asyncio.Semaphore(batch), 0, 0, 0

    async def chat(self, _):
        self.here += 1
        self.peak = max(self.peak, self.here)
        async with self.turn:
            self.running += 1
            await asyncio.sleep(0.004)
            self.running -= 1
        self.here -= 1
        message = {"role": "assistant", "content": "yes"}
        return web.json_response({"model": "m", "choices": [{"message": message, "finish_reason": "stop"}]})

    async def metrics(self, _):
        waiting = self.here - self.running
        text = f'vllm:num_requests_running{{e="0"}} {self.running}.0\nvllm:num_requests_waiting{{e="0"}} {waiting}.0\n'
        return web.Response(text=text)


def sizes(batch, policy, count):
    """The window after every request was answered by a server with such a batch, and the most it had at once."""

    async def main():
        server = Batching(batch)
        app = web.Application()
        app.add_routes([web.post("/v1/chat/completions", server.chat), web.get("/metrics", server.metrics)])
        runner = web.AppRunner(app)
        await runner.setup()
        site = web.TCPSite(runner, "127.0.0.1", 0)
        await site.start()
        port = runner.addresses[0][1]
        requests = (Request(str(number), lambda: b"{}") for number in range(count))
        async with Client(f"http://127.0.0.1:{port}", "m", policy) as client:
            outcomes = [outcome async for _, outcome in client.ask(requests)]
            window = client.first.window
        await runner.cleanup()
        assert len(outcomes) == count
        assert all(isinstance(one, Answer) for one in outcomes)
        return window, server.peak

    return asyncio.run(main())


def test_over_a_real_server_it_grows_while_nothing_waits_and_never_beyond_the_widest():
    window, peak = sizes(1000, SendingPolicy(window=4, widest=40, look_at_load_s=0.02), 2000)
    assert (window.smallest, window.largest) == (4, 40)
    assert 20 < peak <= 40


def test_over_a_real_server_it_narrows_while_many_wait():
    window, peak = sizes(6, SendingPolicy(window=64, widest=128, look_at_load_s=0.02), 1200)
    assert peak == 64
    assert 6 <= window.size <= 32


def test_a_window_that_was_chosen_stays():
    window, peak = sizes(1000, SendingPolicy(window=8, look_at_load_s=0.02), 300)
    assert (window.smallest, window.largest, peak) == (8, 8, 8)
