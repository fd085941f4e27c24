"""Measures the client against a static local server that answers at once, beside others that ask it the same.

Others are a ``requests`` loop with threads, and for text ``evalkit run`` and lm-eval's own ``local-chat-completions``.
Of these two the asking alone is told; that of a run goes from rows in a file to answers in its store.

Run it with ``nox -s bench -- client``, or ``python tests/bench/bench_client.py --help``. Every case is a process of its
own, so that its CPU time and its peak memory are its own; the server is one more. Bodies are made by
``evalkit.client.chat`` from samples, as in a run, so the figures hold for everything between a row in memory and its
outcome. CPU time per request is the figure to compare between machines that do other work as well; requests per second
need an idle one.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests
from PIL import Image as Pillow

from evalkit.base.events import Progress, ServerState
from evalkit.base.types import Answer, Dataset, Decoding, Image, Sample, Task, Text
from evalkit.client import Client, Request, SendingPolicy, chat
from evalkit.client.pictures import EncodedPictures
from evalkit.config.model_choice import ModelChoice
from evalkit.config.run_config import ClientSettings, Config
from evalkit.demo import pair
from evalkit.runs.run import run

if TYPE_CHECKING:
    from collections.abc import Iterator

MODEL = "bench"
IMAGE_BYTES = 200 * 1024
WINDOW = 16
THREADS = 8
TASK = Task(
    name="bench",
    benchmark="docvqa",
    dataset=Dataset(id="", split="bench"),
    prompt="",
    decoding=Decoding(max_tokens=10),
    metrics=("anls",),
    headline="anls",
    dialect="neuralmagic",
    category="Bench",
    title="Bench",
    images="original",
)

OWN_TASK = """\
name = "bench"
title = "Bench"
benchmark = "qa"
category = "Bench"
prompt = "Answer in few words."
metrics = ["exact_match"]
headline = "exact_match"
[dataset]
id = ""
split = "bench"
files = ["rows.jsonl"]
[columns]
question = "question"
answer = "answer"
[decoding]
max_tokens = 10
"""

TARGETS = {("evalkit", "text"): (1000, 0.6, None), ("evalkit", "image"): (600, None, 600)}
"""Requests per second at least, CPU milliseconds per request at most, peak MB at most."""


# --- the rows -----------------------------------------------------------------------------------


def picture(size: int) -> bytes:
    """A JPEG of noise, a little over ``size`` bytes."""
    side, data = 200, b""
    while len(data) < size:
        stream = io.BytesIO()
        Pillow.effect_noise((side, side), 80).convert("RGB").save(stream, "JPEG")
        data, side = stream.getvalue(), side + 10
    return data


def samples(jpeg: bytes, count: int) -> Iterator[Sample]:
    """Rows, each with bytes of its own, as a reader would hand them on; without a picture, of text alone."""
    question = "What is the total in the table? " * 8
    for number in range(count):
        text = Text(f"{question}{number}")
        if not jpeg:
            yield Sample(str(number), (text,), [""])
        else:
            # What follows the end of a JPEG is not looked at; these bytes make every row another one.
            yield Sample(str(number), (Image(jpeg + number.to_bytes(8, "big"), str(number)), text), [""])


# --- the cases, each in a process of its own -----------------------------------------------------


def by_evalkit(url: str, rows: Iterator[Sample]) -> int:
    """Requests that ended in an answer, asked by evalkit's client."""

    pictures = EncodedPictures()

    def asking() -> Iterator[Request]:
        for sample in rows:
            yield Request(sample.id, partial(chat.payload, sample, TASK, MODEL, pictures))

    async def main() -> int:
        answered = 0
        async with Client(url, MODEL, SendingPolicy(window=WINDOW)) as client:
            async for _, outcome in client.ask(asking()):
                answered += isinstance(outcome, Answer)
        return answered

    return asyncio.run(main())


def by_requests(url: str, rows: Iterator[Sample]) -> int:
    """Requests that ended in an answer, asked by threads that each hold a ``requests`` session."""
    own, pictures = threading.local(), EncodedPictures()
    room = threading.Semaphore(2 * THREADS)  # without it, the pool would queue every row of the data set

    def ask(sample: Sample) -> bool:
        try:
            if not hasattr(own, "session"):
                own.session = requests.Session()
                own.session.trust_env = False
            body = chat.payload(sample, TASK, MODEL, pictures)
            headers = {"Content-Type": "application/json"}
            with own.session.post(url + chat.PATH, data=body, headers=headers, timeout=60) as response:
                return bool(response.json()["choices"][0]["message"]["content"])
        finally:
            room.release()

    answered = []
    with ThreadPoolExecutor(THREADS) as pool:
        for sample in rows:
            room.acquire()
            asked = pool.submit(ask, sample)
            asked.add_done_callback(lambda done: answered.append(done.result()))
    return sum(answered)


class Watch:
    """Wall and CPU time of this process between two moments."""

    def start(self) -> None:
        self.seconds, self.cpu = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.seconds, self.cpu = time.perf_counter() - self.seconds, time.process_time() - self.cpu


def by_run(url: str, rows: Iterator[Sample], watch: Watch) -> int:
    """Questions that a run of one model has had answered: from its first request to the last answer in its store."""
    with tempfile.TemporaryDirectory() as scratch:
        folder, answered, planned = Path(scratch), 0, 0
        (folder / "task.toml").write_text(OWN_TASK)
        with (folder / "rows.jsonl").open("w", encoding="utf-8") as file:
            for sample in rows:
                (text,) = sample.content
                file.write(json.dumps({"question": text.text, "answer": "42"}) + "\n")
                planned += 1

        def say(event: object) -> None:
            nonlocal answered
            if isinstance(event, ServerState) and event.state == "already running":
                watch.start()
            if isinstance(event, Progress) and event.scored > answered:
                answered = event.scored
                if answered == planned:
                    watch.stop()

        own, window = (str(folder / "task.toml"),), ClientSettings(window=WINDOW)
        urls, to = {MODEL: url}, str(folder / "runs")
        run(Config(ModelChoice(MODEL, MODEL), (), tasks=own, endpoints=urls, output=to, client=window), say)
    return answered


def by_lm_eval(url: str, rows: Iterator[Sample], watch: Watch) -> int:
    """Requests that lm-eval's own client has had answered, as many at once."""
    from lm_eval.api.instance import Instance

    from support.lm_eval_server import stock_model

    model = stock_model(url, MODEL, str(pair.trained()[0]), 4096, chat=True, at_once=WINDOW)
    asked = []
    for sample in rows:
        (text,) = sample.content
        said = model.apply_chat_template([{"role": "user", "content": text.text}])
        asked.append(Instance("generate_until", {}, (said, {"max_gen_toks": 10, "until": []}), len(asked)))
    watch.start()
    answers = model.generate_until(asked, disable_tqdm=True)
    watch.stop()
    return sum(map(bool, answers))


def timed(ask: Any) -> Any:
    """The same with all of it timed."""

    def asked(url: str, rows: Iterator[Sample], watch: Watch) -> int:
        watch.start()
        answered: int = ask(url, rows)
        watch.stop()
        return answered

    return asked


CASES = {"evalkit": timed(by_evalkit), "requests": timed(by_requests), "run": by_run, "lm-eval": by_lm_eval}


def measure(client: str, kind: str, count: int, url: str) -> dict[str, Any]:
    """What one case took, in this process."""
    watch = Watch()
    answered = CASES[client](url, samples(picture(IMAGE_BYTES) if kind == "image" else b"", count), watch)
    if answered != count:
        raise SystemExit(f"{client}, {kind}: {answered} of {count} requests were answered")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    return {
        "client": client,
        "kind": kind,
        "requests": count,
        "per_second": count / watch.seconds,
        "cpu_ms": 1000 * watch.cpu / count,
        "peak_mb": peak / 1e6,
    }


# --- the server ---------------------------------------------------------------------------------


class Static(asyncio.Protocol):
    """One connection: every body, read only for its length, gets the same answer."""

    answer = models = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        self.head = b""
        self.left = 0

    def data_received(self, data: bytes) -> None:
        if not self.left:
            self.head += data
            head, end, body = self.head.partition(b"\r\n\r\n")
            if not end:
                return
            if head.startswith(b"GET"):
                self.head = b""
                self.transport.write(self.models)
                return
            length = head.lower().partition(b"content-length:")[2]
            self.left = int(length.partition(b"\r\n")[0])
            self.head, data = b"", body
        self.left -= len(data)
        if not self.left:
            self.transport.write(self.answer)


def response(said: Any) -> bytes:
    """A whole response with this body."""
    body = json.dumps(said).encode()
    head = b"HTTP/1.1 200 OK\r\nserver: static\r\ncontent-type: application/json\r\n"
    return head + b"content-length: %d\r\n\r\n" % len(body) + body


async def serve() -> None:
    """Listen, say where, and answer until killed."""
    message = {"role": "assistant", "content": "The total is 42. " * 6}
    said = {
        "id": "chatcmpl-0",
        "object": "chat.completion",
        "created": 1,
        "model": MODEL,
        "choices": [{"index": 0, "message": message, "logprobs": None, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": 100, "total_tokens": 140, "completion_tokens": 40},
    }
    Static.answer, Static.models = response(said), response({"object": "list", "data": [{"id": MODEL}]})
    server = await asyncio.get_running_loop().create_server(Static, "127.0.0.1", 0)
    print("http://{}:{}".format(*server.sockets[0].getsockname()), flush=True)
    await server.serve_forever()


@contextmanager
def static_server() -> Iterator[str]:
    """The address of a static server in its own process."""
    command = [sys.executable, __file__, "--serve"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield process.stdout.readline().strip()
        finally:
            process.kill()


# --- the whole ----------------------------------------------------------------------------------


def cases(options: argparse.Namespace) -> list[tuple[str, str, int]]:
    """Client, kind and count of every case, in order."""
    return [
        ("evalkit", "text", options.text),
        ("requests", "text", options.text),
        ("run", "text", options.text),
        ("lm-eval", "text", options.text),
        ("evalkit", "image", options.images),
        ("requests", "image", min(options.images, options.images_beside)),
    ]


def run_case(client: str, kind: str, count: int) -> dict[str, Any]:
    """One case, in its own process against its own server."""
    with static_server() as url:
        words = [sys.executable, __file__, "--case", client, kind, str(count), url]
        done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
    case: dict[str, Any] = json.loads(done.stdout)
    return case


def verdict(case: dict[str, Any]) -> str:
    """The targets that a case misses."""
    least, cpu, peak = TARGETS.get((case["client"], case["kind"]), (None, None, None))
    missed = []
    if least is not None and case["per_second"] < least:
        missed.append(f"under {least}/s")
    if cpu is not None and case["cpu_ms"] > cpu:
        missed.append(f"over {cpu} ms")
    if peak is not None and case["peak_mb"] > peak:
        missed.append(f"over {peak} MB")
    return ", ".join(missed) or ("met" if least is not None else "")


def table(measured: list[dict[str, Any]]) -> Iterator[str]:
    """The cases for people, each evalkit case beside the other one."""
    yield f"{'client':10}{'kind':8}{'requests':>10}{'per second':>12}{'CPU ms':>9}{'peak MB':>9}  targets"
    for case in measured:
        figures = f"{case['requests']:>10,}{case['per_second']:>12,.0f}{case['cpu_ms']:>9.3f}{case['peak_mb']:>9.0f}"
        yield f"{case['client']:10}{case['kind']:8}{figures}  {verdict(case)}".rstrip()
    by_case = {(case["client"], case["kind"]): case for case in measured}
    for kind in dict.fromkeys(case["kind"] for case in measured):
        ours, beside = by_case["evalkit", kind], by_case["requests", kind]
        faster, cheaper = ours["per_second"] / beside["per_second"], beside["cpu_ms"] / ours["cpu_ms"]
        line = f"{faster:.1f} times as many requests per second, {cheaper:.1f} times less CPU per request"
        yield f"{kind}: {line} than requests with {THREADS} threads"


def main() -> None:
    """Run every case, or, in a process of its own, one of them or the server."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--text", type=int, default=10_000, metavar="N", help="text requests")
    parser.add_argument("--images", type=int, default=50_000, metavar="N", help="requests with a 200 KiB image")
    parser.add_argument("--images-beside", type=int, default=5_000, metavar="N", help="the same for the requests loop")
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--case", nargs=4, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
    elif options.case:
        client, kind, count, url = options.case
        print(json.dumps(measure(client, kind, int(count), url)))
    else:
        measured = [run_case(*case) for case in cases(options)]
        if options.json:
            print(json.dumps({"cases": [{**case, "targets": verdict(case)} for case in measured]}, indent=2))
        else:
            print("\n".join(table(measured)))


if __name__ == "__main__":
    main()
