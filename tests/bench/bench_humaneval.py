"""Measures HumanEval's generation and judging as ``evalkit run`` does them, on a server that runs.

::

    python tests/bench/bench_humaneval.py --url http://127.0.0.1:8000 --model FOLDER

The problems are made up (``evalkit.demo.texts``), as many as HumanEval has, and so are the attempts at each. A model
of random weights never stops by itself: every attempt is then as long as ``--max-tokens``, the most that it can cost.
Of the wall time, the generating is from the first to the last time that the server's count of tokens was seen to grow.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

from counters import counters

from evalkit.client import control
from evalkit.demo import texts

TASK = """\
name = "humaneval-shaped"
title = "HumanEval-shaped"
category = "Text"
benchmark = "humaneval"
metrics = ["pass@1"]
headline = "pass@1"
[dataset]
id = ""
split = "test"
files = ["problems.jsonl"]
[decoding]
n = {attempts}
temperature = 0.2
top_p = 0.95
max_tokens = {tokens}
[settings]
plus = false
"""


@dataclass
class Watch:
    """Notes when a server generates."""

    url: str
    over: threading.Event = field(default_factory=threading.Event)
    grew: list[float] = field(default_factory=list)

    def look(self) -> None:
        """Until it is over."""
        seen = counters(self.url)["generated"]
        while not self.over.wait(0.5):
            now = counters(self.url)["generated"]
            if now > seen:
                self.grew.append(time.perf_counter())
            seen = now

    @property
    def generating_s(self) -> float:
        """From the first growth to the last."""
        return self.grew[-1] - self.grew[0] if self.grew else 0.0


def main() -> None:
    """Make the task, run it, print what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--url", required=True, help="a server that runs")
    parser.add_argument("--model", required=True, help="folder or hub id of the model behind it")
    parser.add_argument("--problems", type=int, default=164)
    parser.add_argument("--attempts", type=int, default=50)
    parser.add_argument("--max-tokens", type=int, default=768)
    parser.add_argument("--window", type=int, default=16, help="problems under way at once")
    parser.add_argument("--unsafe-exec", action="store_true", help="judge without a sandbox")
    given = parser.parse_args()
    url = control.server_root(given.url)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "task.toml").write_text(TASK.format(attempts=given.attempts, tokens=given.max_tokens))
        problems = texts.write_humaneval(folder / "problems.jsonl", given.problems)
        words = [sys.executable, "-m", "evalkit", "run", "--json", "-o", str(folder / "runs")]
        words += ["--baseline", f"model={given.model}", "--endpoint", f"model={url}", "--window", str(given.window)]
        words += ["--task", str(folder / "task.toml"), "--data", f"humaneval-shaped={problems}"]
        words += ["--unsafe-exec"] * given.unsafe_exec
        before, started, watch = counters(url), time.perf_counter(), Watch(url)
        watching = threading.Thread(target=watch.look, daemon=True)
        watching.start()
        done = subprocess.run(words, stdout=subprocess.PIPE, text=True, check=False)
        took = time.perf_counter() - started
        watch.over.set()
        watching.join()
        if done.returncode:
            sys.exit(done.returncode)
        show(json.loads(done.stdout), before, counters(url), (took, watch.generating_s))


def show(found: dict, before: dict[str, float], after: dict[str, float], seconds: tuple[float, float]) -> None:
    """The figures, as a Markdown table."""
    (row,) = found["tasks"]
    scored = row["scores"]["model"]
    tokens, finished = (after[key] - before[key] for key in ("generated", "finished"))
    took, generating = seconds
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    print("| attempts | failed | finished | tokens | wall s | generating s | tokens/s | client CPU s |")
    print("|---|---|---|---|---|---|---|---|")
    print(
        f"| {scored['scored']:,} | {scored['failed']} | {finished:,.0f} | {tokens:,.0f} | {took:.1f} "
        f"| {generating:.1f} | {tokens / max(generating, 1e-9):,.0f} | {used.ru_utime + used.ru_stime:.1f} |"
    )


if __name__ == "__main__":
    main()
