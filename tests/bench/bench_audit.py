"""Measures ``evalkit audit`` on a folder of made-up cards.

::

    python tests/bench/bench_audit.py --cards 1000

Every card has six tables in the shapes of the tests, filled with random results, and some words; every fourth has a
wrong figure in one of its tables. The command is a process of its own, as a user starts it.
"""

from __future__ import annotations

import argparse
import json
import random
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.cardshapes import SHAPES, SIZES, Results, Writer

WORDS = "This model was obtained by quantizing the weights and activations to 8 bits. It serves with vLLM.\n\n"


def results(rng: random.Random) -> Results:
    """Right answers and seconds of a baseline and two candidates."""
    tasks = rng.sample(list(SIZES), 6)

    def right(task: str) -> tuple[int, ...]:
        base = rng.uniform(0.3, 0.95)
        return tuple(min(SIZES[task], round(SIZES[task] * base * factor)) for factor in (1, 0.99, 0.95))

    groups = {
        "Leaderboard": {task: right(task) for task in tasks[:4]},
        "Text": {task: right(task) for task in tasks[4:]},
    }
    seconds = {use: tuple(rng.uniform(5, 9) * factor for factor in (1, 0.7, 0.5)) for use in ("Chat", "Docs")}
    return Results(groups, seconds=seconds)


def card(rng: random.Random, *, wrong: bool) -> str:
    """One card's text."""
    measured = results(rng)
    parts = [WORDS * rng.randint(1, 20)]
    for number, shape in enumerate(rng.sample(SHAPES, 6)):
        honest = Writer(measured)
        text = shape(honest)
        if wrong and number == 0:
            key = rng.choice(list(honest.inputs or honest.derived))
            text = shape(Writer(measured, planted={key: "12.34"}))
        parts.append(f"## Part {number}\n\n{text}")
    return "\n".join(parts)


def main() -> None:
    """Make the cards, audit them together, and print what it took."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--cards", type=int, default=1000)
    wanted = parser.parse_args()
    rng = random.Random(1)
    with tempfile.TemporaryDirectory() as folder:
        size = 0
        for number in range(wanted.cards):
            text = card(rng, wrong=number % 4 == 0)
            size += len(text)
            Path(folder, f"card{number:05}.md").write_text(text, encoding="utf-8")
        began = time.perf_counter()
        words = [sys.executable, "-m", "evalkit", "audit", folder, "--json"]
        found = json.loads(subprocess.run(words, capture_output=True, text=True, check=False).stdout)
        took = time.perf_counter() - began
        spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = spent.ru_utime + spent.ru_stime
    print(
        f"{wanted.cards:,} cards, {size / 1e6:.1f} MB, {found['checked']:,} figures checked, {found['do_not']:,} wrong"
    )
    print(f"{took:.1f} s, {cpu:.1f} s of the processor, {1000 * cpu / wanted.cards:.1f} ms a card")


if __name__ == "__main__":
    main()
