"""What stands on the intervals: averages, attempts, rows tested together, verdicts where what is lost is no chance."""

from __future__ import annotations

import math

import numpy as np

from calibration.draws import BLOCK, FEW_SUBJECTS, Cell, Joint, draw, joint, single_totals, sizes_of
from calibration.measures import Tally, side
from evalkit.comparison import verdict
from evalkit.comparison.losses import Lost
from evalkit.comparison.pairs import Comparison
from evalkit.config.policy import Rule
from evalkit.stats import (
    Grouping,
    average_recovery,
    holm,
    p_of_loss,
    recovery,
    recovery_of,
    repeated_attempts,
)

# --- averages ---

AVERAGES = ((0.02, "even"), (0.02, "all worse"), (0.05, "two to one"), (0.05, "all worse"), (0.1, "even"))
"""Discordance and direction."""
VISION = {"MMMU": (900, 0.5), "MathVista": (1000, 0.57), "ChartQA": (2500, 0.81), "DocVQA": (5349, 0.895)}


def tasks_of(kind: str, discordance: float, direction: str) -> list[Cell]:
    """The tasks of an average: all 0/1 and each sample alone, or of every kind that a suite has."""
    if kind == "binary":
        sizes = [*VISION.values(), (164, 0.6)]
        return [Cell("average", n, "binary", "-", base, discordance, direction) for n, base in sizes]
    return [
        Cell("average", 900, "binary", "-", 0.5, discordance, direction),
        Cell("average", 2500, "binary", "images, correlation 0.2", 0.81, discordance, direction),
        Cell("average", 5349, "fractional", "images, correlation 0.2", 0.88, discordance, direction),
        Cell("average", 14042, "binary", "strata, equal damage", 0.66, discordance, direction),
        Cell("average", 164, "fractional", "-", 0.6, discordance, direction),
    ]


def measure_average(kind: str, discordance: float, direction: str, replicates: int) -> dict[str, object]:
    """Coverage of the average of five tasks."""
    tasks = tasks_of(kind, discordance, direction)
    truths = [joint(task) for task in tasks]
    base, after = sum(truth.probabilities @ truth.pairs for truth in truths)
    ratio = float(after / base)
    tally = Tally()
    for block in range(math.ceil(replicates / BLOCK)):
        for row in zip(*(draw(task, truth, block) for task, truth in zip(tasks, truths, strict=True)), strict=True):
            found = average_recovery(row)
            tally.add((found.low / 100, found.high / 100), ratio)
    return {
        "kind": kind,
        "discordance": discordance,
        "direction": direction,
        "recovery": round(100 * ratio, 3),
        "replicates": tally.defined,
        **tally.shares(),
    }


# --- attempts ---

ATTEMPTS = [
    (attempts, baseline, spread, lost, broken)
    for attempts in (10, 50)
    for baseline, spread, lost, broken in (
        (0.3, 0.5, 0.0, 0.0),
        (0.6, 0.5, 0.0, 0.0),
        (0.6, 0.5, 0.05, 0.0),
        (0.9, 0.5, 0.02, 0.0),
        (0.68, 2.0, 0.0, 0.0),
        (0.68, 2.0, 0.03, 0.0),
        (0.6, 0.5, 0.0, 0.02),
        (0.68, 2.0, 0.0, 0.02),
    )
]
"""Attempts, baseline, concentration of the problems' chances (low: most problems are always or never solved), the share
of every chance that the candidate loses, and the share of problems that it loses altogether."""


def measure_attempts(setting: tuple[int, float, float, float, float], replicates: int) -> dict[str, object]:
    """164 problems: other problems like these ("coverage"), and the same problems attempted again ("if repeated")."""
    attempts, baseline, spread, lost, broken = setting
    n, ratio = 164, (1 - lost) * (1 - broken)
    cell = Cell("attempts", n, f"{attempts} attempts, {spread}, {broken}", "-", baseline, lost, "all worse")
    grid = np.array([(a / attempts, b / attempts) for a in range(attempts + 1) for b in range(attempts + 1)])
    tally, alone = Tally(), Tally()
    by_fieller, widths = 0, []
    for block in range(math.ceil(replicates / BLOCK)):
        rng = cell.generator(block)
        chance = rng.beta(spread * baseline, spread * (1 - baseline), (BLOCK, n))
        kept = chance * (1 - lost) * (rng.random((BLOCK, n)) >= broken)
        before, after = rng.binomial(attempts, chance), rng.binomial(attempts, kept)
        flat = before * (attempts + 1) + after + np.arange(BLOCK)[:, None] * len(grid)
        counts = np.bincount(flat.ravel(), minlength=BLOCK * len(grid)).reshape(BLOCK, len(grid))
        fixed = kept.sum(axis=1) / chance.sum(axis=1)
        for at, totals in enumerate(single_totals(grid, counts, attempts)):
            found = recovery_of(totals)
            widths.append(found.high - found.low)
            by_fieller += found.method == "fieller"
            tally.add((found.low / 100, found.high / 100), ratio)
            sides = ([(value / attempts, attempts) for value in row.tolist()] for row in (before[at], after[at]))
            again = repeated_attempts(*sides)
            alone.add((again.low / 100, again.high / 100), float(fixed[at]))
    return {
        "attempts": attempts,
        "baseline": baseline,
        "spread": spread,
        "broken": broken,
        "recovery": round(100 * ratio, 1),
        "replicates": tally.defined,
        "fieller_share": round(100 * by_fieller / tally.defined, 1),
        "width": round(float(np.median(widths)), 2),
        **tally.shares(),
        "if_repeated": alone.shares(),
    }


# --- several rows ---

ROWS = ((1, "at the threshold"), (7, "at the threshold"), (7, "at 100"), (7, "one of them 3 below"))


def measure_rows(count: int, where: str, replicates: int) -> dict[str, object]:
    """How often some row, and the row that has lost, is called degraded at 99 %: each alone, and held together."""
    threshold, n = 99.0, 5349
    lossless = where == "at 100"
    kinds = [Cell("rows", n, "binary", "-", 0.8, 0.05, str(at)) for at in range(count)]
    losses_of = [0.0 if lossless else 0.01 for _ in range(count)]
    if where == "one of them 3 below":
        losses_of = [0.03, *([0.0] * (count - 1))]
    tasks = [(cell, changing(0.8, 0.05, lost)) for cell, lost in zip(kinds, losses_of, strict=True)]
    alone = together = worst_alone = worst_together = done = 0
    for block in range(math.ceil(replicates / BLOCK)):
        drawn = [
            single_totals(truth.pairs, cell.generator(block).multinomial(n, truth.probabilities, size=BLOCK))
            for cell, truth in tasks
        ]
        for row in zip(*drawn, strict=True):
            below = [at for at, totals in enumerate(row) if side(totals, threshold / 100) < 0]
            stand = holm([p_of_loss((row[at],), threshold) for at in below], count)
            alone += bool(below)
            together += any(stand)
            worst_alone += 0 in below
            worst_together += any(found and at == 0 for at, found in zip(below, stand, strict=True))
            done += 1
    return {
        "rows": count,
        "where": where,
        "replicates": done,
        **{
            name: round(100 * value / done, 2)
            for name, value in (
                ("some_alone", alone),
                ("some_together", together),
                ("first_alone", worst_alone),
                ("first_together", worst_together),
            )
        },
    }


def changing(baseline: float, discordance: float, lost: float) -> Joint:
    """0/1 scores with a share of changes and a recovery of 1 - ``lost``."""
    worse, better = (discordance + lost * baseline) / 2, (discordance - lost * baseline) / 2
    masses = np.array([baseline - worse, worse, better, 1 - baseline - better])
    return Joint(np.array([(1, 1), (1, 0), (0, 1), (0, 0)], float), masses, 1 - lost)


# --- losses that are no chance ---

LOSSES = (
    ("MMLU", 14_042, 0.66, 0.06, 0.985),
    ("MMLU", 14_042, 0.66, 0.06, 1.0),
    ("DocVQA", 5349, 0.88, 0.05, 0.986),
    ("DocVQA", 5349, 0.88, 0.05, 1.0),
)
"""Name, samples, baseline, share that changes, true recovery."""
SHARES = (0.0, 0.0099)
"""Share of all samples that is lost, every one of them a wrong answer of the candidate."""


def measure_losses(setting: tuple[str, int, float, float, float], lost: float, replicates: int) -> dict[str, object]:
    """How often "recovered at 99" is said: by the interval alone, and by the rule that lets lost answers be wrong."""
    name, n, baseline, discordance, recovered = setting
    truth = changing(baseline, discordance, 1 - recovered)
    cell = Cell("losses", n, f"{recovered} {lost}", "-", baseline, discordance, "-")
    by_interval = by_rule = asked = done = 0
    for block in range(math.ceil(replicates / BLOCK)):
        rng = cell.generator(block)
        for counts in rng.multinomial(n, truth.probabilities, size=BLOCK):
            found = _with_losses(truth, counts, round(lost * n), name)
            judged = verdict.judge(found, Rule(99.0, "critical"))
            by_interval += found.recovery.low >= 99.0
            by_rule += judged.verdict is verdict.Verdict.RECOVERED
            asked += "could decide" in judged.reasons[0]
            done += 1
    return {
        "task": name,
        "n": n,
        "recovery": round(100 * recovered, 1),
        "lost": round(100 * lost, 2),
        "replicates": done,
        "by_interval": round(100 * by_interval / done, 2),
        "by_rule": round(100 * by_rule / done, 2),
        "could_decide": round(100 * asked / done, 2),
    }


def _with_losses(truth: Joint, counts: np.ndarray, lost: int, name: str) -> Comparison:
    """The comparison when ``lost`` of the candidate's wrong answers never came: first those the baseline had right."""
    n, gone = int(counts.sum()), np.zeros(4, int)
    gone[1] = min(lost, counts[1])
    gone[3] = lost - gone[1]
    totals = single_totals(truth.pairs, (counts - gone)[None])[0]
    base, cand = (counts @ truth.pairs)[0] / n, ((counts - gone) @ truth.pairs)[1] / n
    return Comparison(
        task=name,
        n=totals.n,
        planned=n,
        failed=lost,
        missing=0,
        lost=lost / n,
        baseline=totals.x,
        candidate=totals.y,
        recovery=recovery_of(totals),
        flips=None,
        ranges=((base, base), (cand, cand + lost / n)) if lost else None,
        losses=Lost(lost) if lost else None,
        totals=totals,
    )


# --- identical and nearly identical models ---


def identical() -> list[dict[str, object]]:
    """The interval itself where nothing or next to nothing changed: no chance in it."""
    found = []
    for n in (30, 164, 456, 900, 1026, 5349, 14042):
        for name, groups in _groupings(n).items():
            for changed in (0, 1, 2):
                baseline = [1.0] * round(0.66 * n) + [0.0] * (n - round(0.66 * n))
                # Spread over the file, so that samples of every group are right and wrong.
                baseline = [baseline[at * 7919 % n] for at in range(n)]
                candidate = list(baseline)
                for at in [at for at, score in enumerate(baseline) if score][:: n // 4][:changed]:
                    candidate[at] = 0.0
                one = recovery(baseline, candidate, groups)
                ends = [round(one.low, 2), round(one.high, 2)]
                found.append({"n": n, "groups": name, "changed": changed, "interval": ends})
    return found


def _groupings(n: int) -> dict[str, Grouping]:
    sizes = sizes_of(Cell("identical", n, "binary", "images, correlation 0.2", 0.66, 0.0, "even"))[0]
    found = {"-": Grouping(), "pictures": Grouping(clusters=_members(sizes))}
    if n in FEW_SUBJECTS:
        found["57 subjects"] = Grouping(strata=_members(FEW_SUBJECTS[n]))
    return found


def _members(sizes: list[int]) -> list[str]:
    return [str(group) for group, size in enumerate(sizes) for _ in range(size)]
