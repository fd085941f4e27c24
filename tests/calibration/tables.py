"""The study as Markdown."""

from __future__ import annotations

import math


def verdict(row: dict[str, object]) -> str:
    """What a row says about the 94 to 96 % band."""
    if row["coverage"] < 94:
        return "below"
    return "in" if row["coverage"] <= 96 else "above"


def header(*names: str) -> list[str]:
    """The first two lines of a table."""
    return ["", "| " + " | ".join(names) + " |", "|" + "---|" * len(names)]


def line(*entries: object) -> str:
    """A line of a table; fractions get one decimal."""
    return "| " + " | ".join(f"{e:.1f}" if isinstance(e, float) else str(e) for e in entries) + " |"


def percent(share: float) -> str:
    """A share in percent, with the decimals that it needs."""
    return f"{share:.0%}" if share >= 0.0095 else f"{100 * share:.3f}%"


def errors(shares: dict[str, float]) -> tuple[float, float, float]:
    """Coverage and the two ways to miss, in percent."""
    return float(shares["coverage"]), float(shares["false_degraded"]), float(shares["false_recovered"])


def table(study: dict[str, object]) -> str:
    """The whole study."""
    margin = 200 * math.sqrt(0.95 * 0.05 / study["replicates"])
    lines = [
        "# Calibration of the recovery interval",
        "",
        f"Made by `{study['command']}` (seed {study['seed']}, numpy {study['numpy']}).",
        f"{study['replicates']:,} data sets per row: coverage is known to +-{margin:.2f} points (two standard errors).",
        "Rows of samples that share clusters, averages, attempts, losses and the bootstrap rest on 2,000 (+-0.97).",
        "",
        "- **coverage**: how often the 95 % interval holds the true recovery; wanted: 94 to 96.",
        "- **false degraded**: the interval lies wholly below a threshold that equals the true recovery; wanted: at",
        "  most 5, expected 2.5. **false recovered**: it lies wholly above.",
        "- **Fieller used**: in how many data sets enough samples carried the variance (100, or 40 with 10 attempts",
        "  or more); the others got the score interval, or where samples share clusters that of their sums.",
        "  **Fieller alone**: what Fieller with Student's t would have done on the same data.",
        "- **all worse**: every change is a loss, which makes the difference as skew as it can be.",
        "- **fractional**: three changes in five are small (0.1), the others whole. **noise and breaks**: one sample",
        "  in five changes by 0.1 in either direction, but one in a hundred is lost altogether.",
        "- **few changes**: 1, 3, 6, 11, 20 or 40 changes are expected whatever the number of samples.",
        "- **strata**: 57 subjects, each with its own baseline; equal damage flips the same share of each, unequal",
        "  damage falls on every third.",
        "",
        "Above 96 is caution, not error: where three or eight samples change, or few clusters hold what changes, no",
        "interval can meet 95 % exactly, and the one used then covers too often rather than too seldom.",
        "",
        "## Summary",
    ]
    lines += [*summary(study["cells"]), *side_tables(study), "", "## Every row", *rows(study["cells"]), ""]
    return "\n".join(lines)


def summary(cells: list[dict[str, object]]) -> list[str]:
    """One line for each number of samples and kind of cluster."""
    lines = header(
        "rows",
        "count",
        "in 94-96",
        "above",
        "below",
        "lowest",
        "highest",
        "worst false degraded",
        "worst false recovered",
        "Fieller alone: lowest",
        "its worst false recovered",
    )
    for group in dict.fromkeys((r["group"], r["n"], r["clusters"]) for r in cells):
        part = [r for r in cells if (r["group"], r["n"], r["clusters"]) == group]
        verdicts = [verdict(r) for r in part]
        lines.append(
            line(
                f"{group[0]}, n = {group[1]:,}" + ("" if group[2] == "-" else f", {group[2]}"),
                len(part),
                *(verdicts.count(word) for word in ("in", "above", "below")),
                min(r["coverage"] for r in part),
                max(r["coverage"] for r in part),
                max(r["false_degraded"] for r in part),
                max(r["false_recovered"] for r in part),
                min(r["fieller_alone"]["coverage"] for r in part),
                max(r["fieller_alone"]["false_recovered"] for r in part),
            )
        )
    return lines


def side_tables(study: dict[str, object]) -> list[str]:
    """What stands on the intervals, and the bootstrap."""
    return [
        *nearly_identical(study["identical"]),
        *averages(study["average"]),
        *attempts(study["attempts"]),
        *several_rows(study["rows"]),
        *lost(study["losses"]),
        *bootstrap(study["bootstrap"]),
    ]


_MISSES = ("coverage", "false degraded", "false recovered")


def nearly_identical(found: list[dict[str, object]]) -> list[str]:
    """The intervals themselves where no answer, one or two changed."""
    lines = ["", "## Identical and nearly identical models (baseline 0.66; every change is a loss)"]
    lines += header("n", "groups", "no change", "one", "two")
    for n, groups in dict.fromkeys((r["n"], r["groups"]) for r in found):
        part = [r["interval"] for r in found if (r["n"], r["groups"]) == (n, groups)]
        lines.append(line(f"{n:,}", groups, *(f"[{low:.2f}, {high:.2f}]" for low, high in part)))
    return lines


def averages(found: list[dict[str, object]]) -> list[str]:
    """The row of averages."""
    lines = ["", "## The row of averages"]
    lines += [
        "",
        "Binary: four vision tasks and one of 164 problems. Mixed: 900 single samples, 2,500 and 5,349 (fractional) on",
        "shared pictures, 14,042 in 57 strata and 164 fractional scores.",
    ]
    lines += header("tasks", "discordance", "direction", "true recovery", *_MISSES)
    return lines + [
        line(r["kind"], f"{r['discordance']:.0%}", r["direction"], f"{r['recovery']:.2f}", *errors(r)) for r in found
    ]


def attempts(found: list[dict[str, object]]) -> list[str]:
    """Problems with many attempts."""
    lines = ["", "## 164 problems with 10 and 50 attempts each, averaged within a problem first"]
    lines += [
        "",
        "**Spread**: how far the problems' chances lie apart (0.5: most are nearly always or nearly never solved).",
        "**Broken**: problems that the candidate loses altogether. **If repeated**: the interval of the attempts",
        "alone, against the recovery of these very problems.",
    ]
    lines += header(
        *("attempts", "baseline", "spread", "broken", "true recovery", "Fieller used, %", "median width"),
        *(*_MISSES, "if repeated: coverage"),
    )
    return lines + [
        line(
            *(r["attempts"], str(r["baseline"]), str(r["spread"]), f"{r['broken']:.0%}", r["recovery"]),
            *(r["fieller_share"], f"{r['width']:.2f}", *errors(r), float(r["if_repeated"]["coverage"])),
        )
        for r in found
    ]


def several_rows(found: list[dict[str, object]]) -> list[str]:
    """Rows tested together."""
    lines = ["", "## Rows tested together (5,349 samples each, 5 % of them change, threshold 99)"]
    lines += header("rows", "true recovery", "some row degraded: each alone", "Holm", "first row: alone", "Holm")
    names = ("some_alone", "some_together", "first_alone", "first_together")
    return lines + [line(r["rows"], r["where"], *(float(r[name]) for name in names)) for r in found]


def lost(found: list[dict[str, object]]) -> list[str]:
    """Verdicts where wrong answers are lost."""
    lines = ["", '## "Recovered at 99" where what is lost are wrong answers of the candidate']
    lines += header(
        *("task", "n", "true recovery", "lost, %", "by the interval, %", "by the rule, %", "lost ones could decide, %")
    )
    return lines + [
        line(
            *(r["task"], f"{r['n']:,}", r["recovery"], f"{r['lost']:.2f}"),
            *(float(r[name]) for name in ("by_interval", "by_rule", "could_decide")),
        )
        for r in found
    ]


def bootstrap(found: list[dict[str, object]]) -> list[str]:
    """The method that was not chosen."""
    lines = [
        "",
        "## Why not bootstrap-t (baseline 0.95, 999 resamples)",
        "",
        "A bootstrap cannot draw a change that nobody has seen, and with few changes its standard error is often 0.",
        *header("n", "scores", "discordance", "direction", "data sets", *_MISSES, "score: coverage"),
    ]
    return lines + [
        line(
            *(r["n"], r["kind"], f"{r['discordance']:.0%}", r["direction"], r["replicates"]),
            *errors(r["bootstrap_t"]),
            float(r["chosen"]["coverage"]),
        )
        for r in found
    ]


def rows(cells: list[dict[str, object]]) -> list[str]:
    """The long table."""
    lines = header(
        *("n", "scores", "clusters", "baseline", "discordance", "direction", "true recovery", "Fieller used, %"),
        *("coverage", "94-96", "false degraded", "false recovered"),
        *("Fieller alone: coverage", "false degraded", "false recovered"),
    )
    lines += [
        line(
            *(f"{r['n']:,}", r["kind"], r["clusters"], f"{r['baseline']:.2f}", percent(r["discordance"])),
            *(r["direction"], f"{r['recovery']:.2f}", r["fieller_share"], r["coverage"], verdict(r)),
            *(r["false_degraded"], r["false_recovered"]),
            *errors(r["fieller_alone"]),
        )
        for r in cells
    ]
    return lines
