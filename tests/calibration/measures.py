"""How often an interval holds the true recovery, cell by cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np
from draws import BLOCK, DIRECTIONS, Cell, Joint, draw, joint, single_totals

from evalkit.stats import average_recovery, recovery_of
from evalkit.stats.interval import fieller, method
from evalkit.stats.quantiles import t_quantile


@dataclass
class Tally:
    """Outcomes of one interval over the replicates."""

    defined: int = 0
    too_low: int = 0
    """The whole interval lies below the true recovery: at a threshold equal to it, a false "degraded"."""
    too_high: int = 0
    """The whole interval lies above it: a false "recovered"."""

    def add(self, ends: tuple[float, float] | None, ratio: float) -> None:
        """Count one interval; an unbounded one (None) holds everything."""
        self.defined += 1
        if ends is not None:
            self.too_low += ends[1] < ratio - 1e-9
            self.too_high += ends[0] > ratio + 1e-9

    def shares(self) -> dict[str, float]:
        """In percent."""
        missed = self.too_low + self.too_high
        return {
            "coverage": round(100 * (1 - missed / self.defined), 2),
            "false_degraded": round(100 * self.too_low / self.defined, 2),
            "false_recovered": round(100 * self.too_high / self.defined, 2),
        }


def measure_block(cell: Cell, truth: Joint, block: int, tally: Tally, alone: Tally) -> int:
    """Add one block to the tallies; returns how many of its intervals were Fieller's."""
    by_fieller = 0
    seen: dict[tuple[object, ...], tuple[float, float] | None] = {}
    for totals in draw(cell, truth, block):
        if totals.x == 0:
            continue
        by_fieller += method(totals) == "fieller"
        key = (totals.cells, totals.covariance)
        if key not in seen:
            found = recovery_of(totals)
            seen[key] = None if found.low is None else (found.low / 100, found.high / 100)
        tally.add(seen[key], truth.ratio)
        quantile = t_quantile(0.975, totals.clusters - 1)
        alone.add(fieller(totals.x, totals.y, totals.covariance, quantile), truth.ratio)
    return by_fieller


def measure(cell: Cell, replicates: int) -> dict[str, object] | None:
    """One row of the table; None where the cell cannot exist."""
    truth = joint(cell)
    if truth is None:
        return None
    tally, alone = Tally(), Tally()
    by_fieller, first_block = 0, None
    for block in range(math.ceil(replicates / BLOCK)):
        by_fieller += measure_block(cell, truth, block, tally, alone)
        first_block = first_block or asdict(tally)
    return {
        **asdict(cell),
        "recovery": round(100 * truth.ratio, 3),
        "replicates": tally.defined,
        "fieller_share": round(100 * by_fieller / tally.defined, 1),
        **tally.shares(),
        "fieller_alone": alone.shares(),
        "first_block": first_block,
    }


def cells() -> list[Cell]:
    """Every cell of the study, feasible or not."""
    grid = [
        (kind, baseline, discordance)
        for kind in ("binary", "fractional")
        for baseline in (0.3, 0.6, 0.95)
        for discordance in (0.02, 0.05, 0.1, 0.2)
    ]
    single = [
        Cell("single", n, kind, "-", baseline, discordance, direction)
        for n in (164, 900, 5349, 14042)
        for kind, baseline, discordance in grid
        for direction in DIRECTIONS
    ]
    shapes = {
        164: "images, correlation 0.2",
        900: "images, correlation 0.2",
        5349: "images, correlation 0.2",
        14042: "subjects, correlation 0.005",
    }
    clustered = [
        Cell("clustered", n, kind, shape, baseline, discordance, direction)
        for n, shape in shapes.items()
        for kind, baseline, discordance in grid
        for direction in ("even", "all worse")
    ]
    stress = [
        Cell("stress", n, kind, shape, baseline, discordance, direction)
        for n, shape in (
            (10, "-"),
            (30, "-"),
            (900, "5 groups, correlation 0.02"),
            (900, "10 groups, correlation 0.02"),
            (900, "30 groups, correlation 0.02"),
            (14042, "subjects, correlation 0.02"),
        )
        for kind in ("binary", "fractional")
        for baseline in (0.6, 0.95)
        for discordance in (0.02, 0.2)
        for direction in ("even", "all worse")
    ]
    rare = [Cell("stress", n, "noise and breaks", "-", 0.8, 0.2, "even") for n in (164, 900, 5349)]
    return single + clustered + stress + rare


# --- the row of averages, attempts, and the methods that were not chosen ------------------------

VISION = {"MMMU": (900, 0.5), "MathVista": (1000, 0.57), "ChartQA": (2500, 0.81), "DocVQA": (5349, 0.895)}


def measure_average(discordance: float, direction: str, replicates: int) -> dict[str, object]:
    """Coverage of the average of four vision tasks and one of 164 problems."""
    tasks = [
        Cell("average", n, "binary", "-", baseline, discordance, direction)
        for n, baseline in [*VISION.values(), (164, 0.6)]
    ]
    truths = [joint(task) for task in tasks]
    base, after = sum(truth.probabilities @ truth.pairs for truth in truths)
    ratio = float(after / base)
    tally = Tally()
    for block in range(math.ceil(replicates / BLOCK)):
        for row in zip(*(draw(task, truth, block) for task, truth in zip(tasks, truths, strict=True)), strict=True):
            found = average_recovery(row)
            tally.add((found.low / 100, found.high / 100), ratio)
    return {
        "discordance": discordance,
        "direction": direction,
        "recovery": round(100 * ratio, 3),
        "replicates": tally.defined,
        **tally.shares(),
    }


def measure_attempts(baseline: float, lost: float, replicates: int) -> dict[str, object]:
    """164 problems with 10 attempts each: every problem has its own chance to pass, of which ``lost`` is lost."""
    n, attempts = 164, 10
    cell = Cell("attempts", n, "attempts", "-", baseline, lost, "all worse")
    tally = Tally()
    grid = np.array([(a / attempts, b / attempts) for a in range(attempts + 1) for b in range(attempts + 1)])
    by_fieller = 0
    for block in range(math.ceil(replicates / BLOCK)):
        rng = cell.generator(block)
        chance = rng.beta(0.5 * baseline, 0.5 * (1 - baseline), (BLOCK, n))
        before, after = rng.binomial(attempts, chance), rng.binomial(attempts, chance * (1 - lost))
        flat = before * (attempts + 1) + after + np.arange(BLOCK)[:, None] * len(grid)
        counts = np.bincount(flat.ravel(), minlength=BLOCK * len(grid)).reshape(BLOCK, len(grid))
        for totals in single_totals(grid, counts):
            found = recovery_of(totals)
            by_fieller += found.method == "fieller"
            tally.add((found.low / 100, found.high / 100), 1 - lost)
    return {
        "baseline": baseline,
        "recovery": round(100 * (1 - lost), 1),
        "replicates": tally.defined,
        "fieller_share": round(100 * by_fieller / tally.defined, 1),
        **tally.shares(),
    }


def measure_bootstrap(cell: Cell, replicates: int, resamples: int = 999) -> dict[str, object]:
    """The bootstrap-t interval of the same cell: studentised y - r x, resampled, without the pairs nobody saw."""
    truth = joint(cell)
    tally, chosen = Tally(), Tally()
    for block in range(math.ceil(replicates / BLOCK)):
        rng = cell.generator(1_000_000 + block)
        for totals in draw(cell, truth, block):
            found = recovery_of(totals)
            chosen.add((found.low / 100, found.high / 100), truth.ratio)
            pairs = np.array([pair[:2] for pair in totals.cells])
            counts = np.array([pair[2] for pair in totals.cells])
            again = rng.multinomial(totals.n, counts / totals.n, size=resamples)
            low, high = np.sort(studentised(pairs, again, totals.y / totals.x))[[24, 974]]
            observed = studentised(pairs, counts[None], truth.ratio)[0]
            tally.defined += 1
            tally.too_high += bool(observed > high)
            tally.too_low += bool(observed < low)
    return {**asdict(cell), "replicates": tally.defined, "bootstrap_t": tally.shares(), "chosen": chosen.shares()}


def studentised(pairs: np.ndarray, counts: np.ndarray, ratio: float) -> np.ndarray:
    """(mean(y) - ratio * mean(x)) over its standard error, 0 where neither varies."""
    n = counts[0].sum()
    values = pairs[:, 1] - ratio * pairs[:, 0]
    mean = counts @ values / n
    error = np.sqrt(np.maximum(counts @ values**2 / n - mean**2, 0) / n)
    flat = error < 1e-12
    return np.where(flat, np.where(abs(mean) < 1e-12, 0, np.copysign(np.inf, mean)), mean / np.where(flat, 1, error))


def bootstrap_cells() -> list[Cell]:
    """Where samples that change are few, and where they begin to suffice."""
    return [
        Cell("single", n, kind, "-", 0.95, discordance, direction)
        for n, discordance in ((164, 0.02), (164, 0.05), (900, 0.02), (900, 0.05))
        for kind in ("binary", "fractional")
        for direction in ("even", "all worse")
    ]
