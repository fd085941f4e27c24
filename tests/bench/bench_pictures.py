"""Measures questions that share a picture: encoded once, and sent one first and its siblings after its answer.

Run it with ``nox -s bench -- pictures``: requests a second of VQAv2's shape (640 x 480, five questions a picture,
encoded as the published protocol does) against a static server, each picture encoded once beside once a question.
With ``--server URL --model NAME`` a live vLLM is asked instead, rows in the order of the data beside one question of a
picture first, with the hits of its prefix cache, and distinct pictures alone as the limit (``--shape``, ``--order`` and
``--window`` choose; without them about four minutes on one H100). Every case asks pictures
of its own, so that none finds what another left in a cache.
"""

from __future__ import annotations

import argparse
import asyncio
import io
import json
import random
import subprocess
import sys
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import requests
from bench_client import MODEL, static_server
from PIL import Image as Pillow
from PIL import ImageDraw

from evalkit.base.types import Answer, Dataset, Decoding, Image, Sample, Task, Text
from evalkit.client import Client, SendingPolicy
from evalkit.client.pictures import EncodedPictures
from evalkit.harnesses.chat import ChatSession

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SHAPES = {"vqav2": (640, 480, "JPEG", 5), "docvqa": (1700, 2200, "PNG", 4)}
"""Width, height, format, questions a picture."""


LIVE = ("as they come", "one first", "distinct")


def task(name: str, tokens: int = 10) -> Task:
    """A task of that shape."""
    dataset = Dataset(id="", split="bench")
    decoding = Decoding(max_tokens=tokens)
    return Task(name, name, dataset, decoding, metrics=("anls",), headline="anls", category="Bench", title=name)


def picture(name: str, seed: int) -> Image:
    """A drawn picture: a blurred pattern or a page, with words on it."""
    width, height, kind, _ = SHAPES[name]
    drawn = random.Random(seed)
    if kind == "JPEG":
        noise = Pillow.frombytes(
            "RGB", (width // 16, height // 16), drawn.randbytes(3 * (width // 16) * (height // 16))
        )
        whole = noise.resize((width, height))
    else:
        whole = Pillow.new("L", (width, height), 255)
    pen = ImageDraw.Draw(whole)
    for line in range(60, height - 60, 34):
        pen.text((80, line), " ".join(f"w{drawn.randrange(10**5)}" for _ in range(width // 60)), fill=0)
    stream = io.BytesIO()
    whole.save(stream, kind)
    return Image.of(stream.getvalue())


def samples(name: str, first: int, pictures: int, questions: int) -> Iterator[tuple[str, Sample]]:
    """Questions about pictures that no other case asks about; each row has bytes of its own, as a reader makes them."""
    for seed in range(first, first + pictures):
        one = picture(name, seed)
        for question in range(questions):
            own = Image(bytes(bytearray(one.data)), one.sha256)
            text = Text(f"\nWhat is word {question} of line {question + 3}?\nAnswer with a single word or phrase.")
            yield f"{seed} {question}", Sample(f"{seed} {question}", (own, text), [""])


def ask(options: argparse.Namespace, url: str, name: str, rows: list[tuple[str, Sample]], case: str) -> dict[str, Any]:
    """Send the rows and count what came."""
    # Without room to keep any, each question encodes its picture.
    kept = EncodedPictures(0) if case == "encoded anew" else EncodedPictures()
    session = ChatSession(task(name), options.model, kept)

    async def main() -> tuple[int, str]:
        requests_ = session.requests(rows)
        if case in ("as they come", "encoded anew"):
            requests_ = (replace(request, beginning="") for request in requests_)
        async with Client(url, options.model, SendingPolicy(window=options.window, widest=options.widest)) as client:
            count = sum([isinstance(outcome, Answer) async for _, outcome in client.ask(requests_)])
            moved = client.first.window
            return count, f"{moved.smallest} to {moved.largest}"

    before = cache_counts(url) if case in LIVE else (0.0, 0.0)
    started, cpu = time.perf_counter(), time.process_time()
    answered, window = asyncio.run(main())
    seconds, cpu = time.perf_counter() - started, time.process_time() - cpu
    if answered != len(rows):
        raise SystemExit(f"{name}, {case}: {answered} of {len(rows)} requests were answered")
    asked, hits = (now - then for now, then in zip(cache_counts(url) if case in LIVE else before, before, strict=True))
    return {
        "shape": name,
        "case": case,
        "window": window,
        "requests": len(rows),
        "per_second": len(rows) / seconds,
        "cpu_ms": 1000 * cpu / len(rows),
        "prefix_hits": hits / asked if asked else None,
    }


def cache_counts(url: str) -> tuple[float, float]:
    """Tokens that vLLM looked up in its prefix cache so far, and those that it found; zeros of another server."""
    found = {"queries": 0.0, "hits": 0.0}
    try:
        said = requests.get(url + "/metrics", timeout=10).text
    except requests.RequestException:
        return 0.0, 0.0
    for line in said.splitlines():
        for name in found:
            if line.startswith(f"vllm:prefix_cache_{name}_total"):
                found[name] += float(line.rsplit(" ", 1)[1])
    return found["queries"], found["hits"]


def live(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A server that runs: the orders, for each shape, a few times over."""
    first = 10**6 * options.seed
    for name in options.shape or SHAPES:
        questions = SHAPES[name][3]
        count = options.pictures if name == "vqav2" else max(1, options.pictures // 3)
        ask(options, options.server, name, list(samples(name, first, 8, questions)), "warming up")
        first += 8
        for _ in range(options.times):
            for case in options.order or LIVE:
                rows = list(samples(name, first, count, 1 if case == "distinct" else questions))
                first += count
                yield ask(options, options.server, name, rows, case)


def share_of_limit(found: Sequence[dict[str, Any]], name: str) -> str:
    """How near a shape's questions came to what its distinct pictures alone allow; empty where one was not measured."""
    best = {one["case"]: one["per_second"] for one in found if one["shape"] == name}
    if not {"one first", "distinct"} <= best.keys():
        return ""
    limit = best["distinct"] * SHAPES[name][3]
    return f"{name}: one first reaches {best['one first'] / limit:.0%} of the distinct-picture limit ({limit:.1f}/s)"


def local(options: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """A static server: what the client's side can do, each case in a process of its own."""
    for case in ("encoded once", "encoded anew"):
        with static_server() as url:
            words = [sys.executable, __file__, "--case", case, "--server", url, "--pictures", str(options.pictures)]
            done = subprocess.run(words, stdout=subprocess.PIPE, check=True, text=True)
        yield json.loads(done.stdout)


def main() -> None:
    """Measure and print, a line a case."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--server", help="the address of a server that runs")
    parser.add_argument("--model", default=MODEL, help="how that server names its model")
    parser.add_argument("--window", type=int, default=256, help="requests under way")
    parser.add_argument("--widest", type=int, default=0, help="let the window move by the server's load, up to this")
    parser.add_argument("--pictures", type=int, default=300, help="pictures a case (of pages a third)")
    parser.add_argument("--times", type=int, default=1, help="how often each case is measured")
    parser.add_argument("--shape", action="append", choices=SHAPES, help="only this one; may be repeated")
    parser.add_argument("--order", action="append", choices=LIVE, help="only this one; may be repeated")
    parser.add_argument("--seed", type=int, default=1, help="another one for a server that has been asked before")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.case:
        rows = list(samples("vqav2", 0, options.pictures, SHAPES["vqav2"][3]))
        print(json.dumps(ask(options, options.server, "vqav2", rows, options.case)))
        return
    measured = []
    for found in live(options) if options.server else local(options):
        measured.append(found)
        hits = "" if found["prefix_hits"] is None else f", prefix hits {found['prefix_hits']:.0%}"
        print(
            f"{found['shape']}, {found['case']}: {found['requests']} requests, {found['window']} under way, "
            f"{found['per_second']:.1f}/s, "
            f"{found['cpu_ms']:.2f} ms CPU each{hits}",
            flush=True,
        )
    for name in SHAPES:
        if told := share_of_limit(measured, name):
            print(told)


if __name__ == "__main__":
    main()
