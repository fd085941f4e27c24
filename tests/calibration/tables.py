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
        "",
        "- **coverage**: how often the 95 % interval holds the true recovery; wanted: 94 to 96.",
        "- **false degraded**: the interval lies wholly below a threshold that equals the true recovery; wanted: at",
        "  most 5, expected 2.5. **false recovered**: it lies wholly above.",
        "- **Fieller used**: in how many data sets at least 100 clusters carried the variance; the others got the",
        "  score interval. **Fieller alone**: what Fieller with Student's t would have done on the same data.",
        "- **all worse**: every change is a loss, which makes the difference as skew as it can be.",
        "- **fractional**: three changes in five are small (0.1), the others whole. **noise and breaks**: one sample",
        "  in five changes by 0.1 in either direction, but one in a hundred is lost altogether.",
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
    """The averages, the attempts, and the bootstrap."""
    misses = ("coverage", "false degraded", "false recovered")
    lines = ["", "## The row of averages (four vision tasks and one of 164 problems)"]
    lines += header("discordance", "direction", "true recovery", *misses)
    lines += [
        line(f"{r['discordance']:.0%}", r["direction"], f"{r['recovery']:.2f}", *errors(r)) for r in study["average"]
    ]
    lines += ["", "## 164 problems with 10 attempts each, averaged within a problem first"]
    lines += header("baseline", "true recovery", "Fieller used, %", *misses)
    lines += [line(str(r["baseline"]), r["recovery"], r["fieller_share"], *errors(r)) for r in study["attempts"]]
    lines += [
        "",
        "## Why not bootstrap-t (baseline 0.95, 999 resamples)",
        "",
        "A bootstrap cannot draw a change that nobody has seen, and with few changes its standard error is often 0.",
        *header("n", "scores", "discordance", "direction", "data sets", *misses, "score: coverage"),
    ]
    lines += [
        line(
            *(r["n"], r["kind"], f"{r['discordance']:.0%}", r["direction"], r["replicates"]),
            *errors(r["bootstrap_t"]),
            float(r["chosen"]["coverage"]),
        )
        for r in study["bootstrap"]
    ]
    return lines


def rows(cells: list[dict[str, object]]) -> list[str]:
    """The long table."""
    lines = header(
        *("n", "scores", "clusters", "baseline", "discordance", "direction", "true recovery", "Fieller used, %"),
        *("coverage", "94-96", "false degraded", "false recovered"),
        *("Fieller alone: coverage", "false degraded", "false recovered"),
    )
    lines += [
        line(
            *(f"{r['n']:,}", r["kind"], r["clusters"], f"{r['baseline']:.2f}", f"{r['discordance']:.0%}"),
            *(r["direction"], f"{r['recovery']:.2f}", r["fieller_share"], r["coverage"], verdict(r)),
            *(r["false_degraded"], r["false_recovered"]),
            *errors(r["fieller_alone"]),
        )
        for r in cells
    ]
    return lines
