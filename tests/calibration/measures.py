"""How often an interval holds the true recovery, cell by cell."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import numpy as np

from calibration.draws import BLOCK, DIRECTIONS, FEW_SUBJECTS, Cell, Joint, draw, joint
from evalkit.stats import PairTotals, recovery_of
from evalkit.stats.interval import RATIO, fieller, method, quantile, statistic
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

    def count(self, side: int) -> None:
        """Count one interval by where the truth lies: see ``side``."""
        self.defined += 1
        self.too_low += side < 0
        self.too_high += side > 0

    def shares(self) -> dict[str, float]:
        """In percent."""
        missed = self.too_low + self.too_high
        return {
            "coverage": round(100 * (1 - missed / self.defined), 2),
            "false_degraded": round(100 * self.too_low / self.defined, 2),
            "false_recovered": round(100 * self.too_high / self.defined, 2),
        }


def side(totals: PairTotals, ratio: float) -> int:
    """On which side of its interval ``ratio`` lies: 0 inside, -1 when the interval lies wholly below, 1 above.

    The interval is every ratio that its own test does not refuse, so one test tells; a test of the study sees that both
    ways agree. The rare Fieller set without ends is left to the package.
    """
    q = quantile(totals, 0.95)
    if method(totals) == "fieller" and totals.x**2 <= q * q * totals.covariance.x:
        found = recovery_of(totals)
        return (found.low / 100 > ratio + 1e-9) - (found.high / 100 < ratio - 1e-9)
    errors = statistic(totals, ratio, RATIO)
    return (errors > q + 1e-9) - (errors < -q - 1e-9)


def measure_block(cell: Cell, truth: Joint, block: int, tally: Tally, alone: Tally) -> int:
    """Add one block to the tallies; returns how many of its intervals were Fieller's."""
    by_fieller = 0
    seen: dict[tuple[object, ...], int] = {}
    for totals in draw(cell, truth, block):
        if totals.x == 0:
            continue
        by_fieller += method(totals) == "fieller"
        key = (totals.cells, totals.covariance, totals.sums)
        if key not in seen:
            seen[key] = side(totals, truth.ratio)
        tally.count(seen[key])
        q = t_quantile(0.975, totals.clusters - 1)
        alone.add(fieller(totals.x, totals.y, totals.covariance, q), truth.ratio)
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
        14042: "57 uneven groups, correlation 0.005",
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
            (900, "30 groups, correlation 0.9"),
            (14042, "57 uneven groups, correlation 0.02"),
        )
        for kind in ("binary", "fractional")
        for baseline in (0.6, 0.95)
        for discordance in (0.02, 0.2)
        for direction in ("even", "all worse")
    ]
    rare = [Cell("stress", n, "noise and breaks", "-", 0.8, 0.2, "even") for n in (164, 900, 5349)]
    return [*single, *clustered, *stress, *rare, *few_changes(), *strata()]


def few_changes() -> list[Cell]:
    """Nearly identical models: so many changes are expected at every n, down to one; whole ones and small ones."""
    return (
        [
            Cell("few changes", n, kind, "-", baseline, changes / n, direction)
            for n in (164, 456, 900, 5349, 14042)
            for kind in ("binary", "fractional")
            for baseline in (0.66, 0.9)
            for changes in (1, 3, 6, 11, 20, 40)
            for direction in ("even", "all worse")
        ]
        + [
            Cell("few changes", 14042, "binary", "-", 0.66, discordance, direction)
            for discordance in (0.005, 0.01)
            for direction in ("even", "all worse")
        ]
        + [
            Cell("few changes", n, "binary", f"images, correlation {together}", 0.66, changes / n, direction)
            for n in (164, 900, 5349)
            for together in (0.2, 0.9)
            for changes in (1, 3, 6, 11, 20, 40)
            for direction in ("even", "all worse")
        ]
    )


def strata() -> list[Cell]:
    """MMLU's 57 subjects, each with its own baseline and its own damage."""
    damages = [
        ("equal", discordance, direction) for discordance in (0.02, 0.05, 0.1) for direction in ("even", "all worse")
    ] + [
        ("unequal", discordance, direction)
        for discordance in (0.02, 0.035, 0.05)
        for direction in ("two to one", "all worse")
    ]
    return [
        Cell("strata", n, "binary", f"strata, {damage} damage", 0.66, discordance, direction)
        for n in FEW_SUBJECTS
        for damage, discordance, direction in damages
    ]


# --- a method that was not chosen ---------------------------------------------------------------


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
