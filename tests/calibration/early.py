"""Simulation study of early decisions: how often do the looks err, what do they save, and what would peeking do?

``PYTHONPATH=tests python -m calibration.early`` (or ``nox -s calibrate``) makes finite benchmarks whose recovery is
known exactly, asks them in random orders, and looks as a run does. It writes ``early.json`` beside this file and the
table in ``docs/explanation/early.md``. The arithmetic of the looks is written for many orders at once; a test sees that
``evalkit.stats.early`` comes to the same.
"""

from __future__ import annotations

import argparse
import json
import re
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from evalkit.stats import Schedule
from evalkit.stats.early import boundary, fractions, information
from evalkit.stats.quantiles import two_sided

REPLICATES = 10_000
SEED = 20261127
HERE = Path(__file__).parent
TABLE = HERE / "early.json"
PAGE = HERE.parents[1] / "docs/explanation/early.md"
BEGIN, END = "<!-- made by calibration.early -->", "<!-- end -->"
THRESHOLD = 0.99
TRUTHS = (1.0, 0.995, 0.99, 0.96)
_PSEUDO_CHANGES = 2.0


class Shape(NamedTuple):
    """A benchmark: pictures with so many questions each."""

    name: str
    units: int
    sizes: tuple[int, ...]
    """In turn, the questions of a picture."""
    baseline: float
    changed: float
    """Share of questions whose score changes when nothing is lost."""
    steps: int
    """Scores are multiples of 1 / steps."""


MMMU = Shape("MMMU", 900, (1,), 0.5, 0.08, 1)
MATH = Shape("MathVista", 1_000, (1,), 0.57, 0.08, 1)
CHARTS = Shape("ChartQA", 2_500, (1,), 0.81, 0.06, 1)
PAGES = Shape("DocVQA", 1_286, (1, 2, 4, 6, 8), 0.89, 0.06, 10)
PICTURES = Shape("VQAv2", 40_504, (3, 4, 5, 6, 8), 0.78, 0.08, 3)
MMLU = Shape("MMLU", 14_042, (1,), 0.66, 0.08, 1)
ROWS: dict[str, tuple[Shape, ...]] = {
    **{one.name: (one,) for one in (MMMU, CHARTS, PAGES, MMLU, PICTURES)},
    "vision average": (MMMU, MATH, CHARTS, PAGES, PICTURES),
}


class Pictures(NamedTuple):
    """A finite benchmark, a row for each picture: its questions, and both models' scores added up."""

    size: np.ndarray
    x: np.ndarray
    y: np.ndarray


def made(shape: Shape, recovery: float) -> Pictures:
    """The whole benchmark with this recovery, to about one question; the same each time."""
    chance = np.random.default_rng([SEED, shape.units, round(1e6 * recovery)])
    size = np.resize(shape.sizes, shape.units)
    of = np.repeat(np.arange(shape.units), size)
    # Half of what decides a question is its picture.
    hard = 0.5**0.5 * (chance.standard_normal(shape.units)[of] + chance.standard_normal(len(of)))
    hard = hard if len(shape.sizes) > 1 else chance.standard_normal(len(of))
    x = (hard > np.quantile(hard, 1.0 - shape.baseline)).astype(float)
    if shape.steps > 1:
        some = chance.random(len(of)) < 0.2
        x[some] = chance.integers(1, shape.steps, some.sum()) / shape.steps
    # What is easily lost or won hangs together within a picture as well.
    near = np.argsort(0.5 * chance.random(shape.units)[of] + chance.random(len(of)))
    lost, half = (1.0 - recovery) * x.sum(), shape.changed * len(of) / 2.0
    down, up = near[x[near] > 0.0], near[x[near] < 1.0]
    y = _changed(x, down, half + lost / 2.0, 0.0)
    y = _changed(y, up, half - lost / 2.0, 1.0)
    short = y.sum() - recovery * x.sum()
    rest = chance.permutation(np.flatnonzero((y > 0.0) if short > 0.0 else (y < 1.0)))
    y = _changed(y, rest, abs(short), 0.0 if short > 0.0 else 1.0)
    return Pictures(size, np.bincount(of, x), np.bincount(of, y))


def _changed(scores: np.ndarray, which: np.ndarray, total: float, to: float) -> np.ndarray:
    """Scores of which some are changed, until their changes add up to about so much."""
    steps = np.cumsum(np.abs(scores[which] - to))
    found = scores.copy()
    found[which[: np.searchsorted(steps, total)]] = to
    return found


class Seen(NamedTuple):
    """A task at every look of one order: distance of the candidate's mean from T times the baseline's, and variance."""

    away: np.ndarray
    variance: np.ndarray
    bare: np.ndarray
    """The variance without pseudo-changes."""
    samples: np.ndarray


def seen(whole: Pictures, counts: np.ndarray, ratio: float, chance: np.random.Generator) -> Seen:
    """One random order of the pictures, after so many of them (none of ``counts`` is above all)."""
    units = len(whole.size)
    order = chance.permutation(units)[: counts[-1]]
    d, s = (whole.y - ratio * whole.x)[order], whole.size[order].astype(float)
    sums = [np.cumsum(one)[counts - 1] for one in (d, s, d * d, d * s, s * s)]
    total, samples, squares, both, sizes = sums
    mean = total / samples
    left = np.maximum(0.0, 1.0 - counts / units)
    spread = (squares - 2.0 * mean * both + mean * mean * sizes) * counts / (counts - 1.0) / samples**2
    return Seen(mean, left * (spread + _PSEUDO_CHANGES / samples**2), left * spread, samples)


def looks(row: tuple[Shape, ...]) -> tuple[list[np.ndarray], float]:
    """How many pictures of each task every look sees, and the constant: as ``evalkit.runs.early`` has them."""
    most = max(shape.units for shape in row)
    parts = fractions(most)
    counts = []
    for shape in row:
        share = np.array(parts) * most / shape.units
        share = np.ones(len(parts)) if len(row) > 1 and shape.units < 1_000 else np.minimum(share, 1.0)
        counts.append(np.maximum(2, np.round(share * shape.units)).astype(int))
    return counts, boundary(Schedule(len(parts), () if len(row) > 1 else information(parts)))


def measure(name: str, recovery: float, replicates: int) -> dict[str, Any]:
    """One row of the table."""
    row, chance = ROWS[name], np.random.default_rng([SEED, len(name), round(1e6 * recovery)])
    wholes = [made(shape, recovery) for shape in row]
    means = [(one.x.sum() / one.size.sum(), one.y.sum() / one.size.sum()) for one in wholes]
    truth = float(sum(y for _, y in means) / sum(x for x, _ in means))
    # On the threshold means exactly on it, to the last question.
    on_threshold = recovery == THRESHOLD
    threshold = truth if on_threshold else THRESHOLD
    everything = int(sum(one.size.sum() for one in wholes))
    samples = [int(one.size.sum()) for one in wholes]
    if not fractions(max(shape.units for shape in row)):
        return {"row": name, "recovery": round(100 * truth, 2), "replicates": 0, "samples": everything, "looks": 0}
    counts, constant = looks(row)
    found = dict.fromkeys(("recovered", "degraded", "peeked", "missed", "stopped"), 0)
    asked, overshoot = 0.0, 0.0
    for _ in range(replicates):
        ratios = (threshold,) if on_threshold else (threshold, truth)
        state = chance.bit_generator.state
        by_ratio = []
        for ratio in ratios:
            chance.bit_generator.state = state
            by_ratio.append(_together([seen(*one, ratio, chance) for one in zip(wholes, counts, strict=True)]))
        at, real = by_ratio[0], by_ratio[-1]
        beyond = np.abs(at.away) >= constant * np.sqrt(at.variance)
        found["peeked"] += bool((np.abs(at.away) >= two_sided(0.95) * np.sqrt(at.bare)).any())
        if not beyond.any():
            asked += 1.0
            continue
        stop = int(np.argmax(beyond))
        found["stopped"] += 1
        found["recovered" if at.away[stop] > 0.0 else "degraded"] += 1
        found["missed"] += bool(abs(real.away[stop]) > constant * np.sqrt(real.variance[stop]))
        asked += at.samples[stop] / everything
        overshoot += float(np.sign(at.away[stop]) * real.away[stop])
    share = {name: round(100 * value / replicates, 2) for name, value in found.items()}
    base = float(sum(x for x, _ in means)) / len(means)
    return {
        "row": name,
        "recovery": round(100 * truth, 2),
        "on_threshold": on_threshold,
        "replicates": replicates,
        "samples": everything,
        "of_tasks": samples,
        "looks": len(counts[0]),
        "constant": round(constant, 3),
        **share,
        "asked": round(100 * float(asked) / replicates, 2),
        "overshoot": round(100 * float(overshoot) / base / max(1, found["stopped"]), 3),
    }


def _together(tasks: list[Seen]) -> Seen:
    """The mean of tasks, each counting the same; the samples add up."""
    share = 1.0 / len(tasks)
    return Seen(
        share * sum(one.away for one in tasks),
        share * share * sum(one.variance for one in tasks),
        share * share * sum(one.bare for one in tasks),
        sum(one.samples for one in tasks),
    )


def text(study: dict[str, Any]) -> str:
    """The table for people."""
    lines = [
        f"Made by `{study['command']}`: made-up benchmarks of each",
        "shape and truth, threshold 99;",
        f"{study['replicates']:,} random orders where the truth lies on the threshold, at most 1,000 elsewhere.",
        "Figures are percent; *misses*: the repeated interval of the look that stopped does not hold the truth;",
        "*asked*: of all questions, orders that go on to the whole included; *beyond*: how far the estimate of a",
        "stopped order lies farther from the threshold than the truth, in points.",
        "",
        "| row | questions | looks | truth | recovered early | degraded early | peeking | misses | asked | beyond |",
        "|---|---|---|---|---|---|---|---|---|---|",
    ]
    for one in study["rows"]:
        head = f"| {one['row']} | {one['samples']:,} | {one['looks'] or 'none: asked whole'} "
        if not one["replicates"]:
            lines.append(head + "| any | – | – | – | – | 100 | – |")
            continue
        peeked = f"{one['peeked']:.1f}" if one["on_threshold"] else "–"
        truth = f"{one['recovery']:.1f}" + (" (on the threshold)" if one["on_threshold"] else "")
        cells = (truth, f"{one['recovered']:.1f}", f"{one['degraded']:.1f}", peeked, f"{one['missed']:.1f}")
        beyond = "–" if one["on_threshold"] else f"{one['overshoot']:.2f}"
        lines.append(head + "| " + " | ".join(cells) + f" | {one['asked']:.1f} | {beyond} |")
    return "\n".join(lines)


def page(study: dict[str, Any], before: str) -> str:
    """The page with its table made anew."""
    made_text = f"{BEGIN}\n\n{text(study)}\n\n{END}"
    return re.sub(re.escape(BEGIN) + ".*" + re.escape(END), lambda _: made_text, before, flags=re.DOTALL)


def wanted() -> list[tuple[str, float]]:
    """Every row: name and recovery; one for what is asked whole in any case."""
    return [
        (name, truth)
        for name, shapes in ROWS.items()
        for truth in (TRUTHS if fractions(max(one.units for one in shapes)) else TRUTHS[:1])
    ]


def orders(recovery: float, replicates: int) -> int:
    """How many of a row: an error needs more than a mean."""
    return replicates if recovery == THRESHOLD else min(replicates, 1_000)


def main() -> None:
    """Run the study and write both files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--replicates", type=int, default=REPLICATES)
    parser.add_argument("--processes", type=int, default=2)
    arguments = parser.parse_args()
    with ProcessPoolExecutor(arguments.processes) as pool:
        running = [pool.submit(measure, *one, orders(one[1], arguments.replicates)) for one in wanted()]
        rows = [one.result() for one in running]
    study = {
        "command": f"PYTHONPATH=tests python -m calibration.early --replicates {arguments.replicates}",
        "seed": SEED,
        "replicates": arguments.replicates,
        "rows": rows,
    }
    lines = ",\n".join(json.dumps(one) for one in rows)
    head = json.dumps({key: value for key, value in study.items() if key != "rows"})
    TABLE.write_text(f'{head[:-1]}, "rows": [\n{lines}\n]}}\n', encoding="utf-8")
    PAGE.write_text(page(study, PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main()
