"""``evalkit audit``: does a published card's arithmetic hold, and which of its differences are noise?"""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit import cards
from evalkit.base.errors import DataError, ExitCode
from evalkit.base.printable import agreeing, part_of, printable
from evalkit.files import textfile

if TYPE_CHECKING:
    from evalkit.base.types import Json
    from evalkit.cards import Audit, Card, Finding, Noise

_FIX = "give a model card with an accuracy or cost table, in Markdown, HTML or plain text, or a TOML table"


@click.command(
    "audit",
    help="Recompute the recoveries, averages and cost figures of CARD, a published model card (Markdown, plain text "
    "or TOML), and list each that does not follow from the others. The exit code is 0 when all follow, otherwise 1.",
)
@click.argument("card", metavar="CARD", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def command(card: Path, *, as_json: bool) -> ExitCode:
    """Print what was found; the exit code is 1 when a figure does not follow."""
    found = cards.audit(_read(card))
    if as_json:
        click.echo(json.dumps(_object(str(card), found), ensure_ascii=False))
    else:
        for line in _lines(found):
            click.echo(printable(line))
    return ExitCode.GATE_FAILED if found.findings else ExitCode.FINE


def _read(path: Path) -> Card:
    """The card in a file.

    Raises:
        DataError: It cannot be read, is too large, or has no table that can be audited.
        ConfigError: A TOML table has a wrong key or value.
    """
    try:
        with path.open("rb") as stream:
            raw = stream.read(cards.MOST_CHARACTERS + 1)
    except OSError as error:
        raise DataError(
            f"{path}: cannot be read ({error.strerror})", fix="check the path and its permissions"
        ) from error
    if len(raw) > cards.MOST_CHARACTERS:
        raise DataError(f"{path}: larger than {cards.MOST_CHARACTERS:,} bytes", fix=_FIX)
    if path.suffix.lower() == ".toml":
        return cards.card_of(cards.published(textfile.toml(path), str(path)))
    found = cards.card(raw.decode("utf-8-sig", errors="replace"))
    if not found.accuracy and not found.costs:
        passed = "no table found" if not found.notices else f"no table that can be audited ({found.notices[0]})"
        raise DataError(f"{path}: {passed}", fix=_FIX)
    return found


def _object(card: str, found: Audit) -> dict[str, Json]:
    """The audit for programs: percent and dollars as the card has them."""
    return {
        "card": card,
        "follows": not found.findings,
        "checked": found.checked,
        **{key: value for key, value in asdict(found).items() if key not in {"checked", "noise"}},
        "noise": [{**asdict(one), "is_noise": one.is_noise} for one in found.noise],
    }


# --- text ---------------------------------------------------------------------------------------


def _lines(found: Audit) -> list[str]:
    """The audit for a reader: what is wrong first, then the summary, then what else is worth knowing."""
    lines = [_finding(one) for one in found.findings]
    good = found.checked - len(found.findings)
    summary = f"{part_of(good, found.checked, 'figure', ('follows', 'follow'))} from the others"
    if found.findings:
        summary += f", {len(found.findings)} {agreeing(len(found.findings), 'does', 'do')} not"
    if found.unchecked:
        summary += f"; {len(found.unchecked)} could not be checked"
    lines += [
        summary,
        *(f"  not checked: {one}" for one in found.unchecked),
        *(f"  note: {one}" for one in found.notices),
    ]
    if found.prices:
        lines += ["", "Price of an hour that the cost figures imply:"]
        lines += [
            f"  {', '.join(filter(None, (one.table, one.hardware))) or 'all'}: ${one.low:.4f} to ${one.high:.4f} "
            f"({part_of(one.agree, one.figures, 'figure', ('agrees', 'agree'))})"
            for one in found.prices
        ]
    if found.savings:
        lines += ["", "Cost reduction is a mean of ratios; one query of each use case costs so much less:"]
        lines += [
            f"  {one.table}, {', '.join(filter(None, (one.hardware, one.model)))}: mean ratio {one.mean_ratio:.2f}, "
            f"all together {one.pooled_ratio:.2f} ({_cheaper(one.cheaper_percent)})"
            for one in found.savings
        ]
    return lines + _noise(found.noise)


def _cheaper(percent: float) -> str:
    return f"{abs(percent):.0f} % {'cheaper' if percent >= 0 else 'dearer'}"


def _finding(one: Finding) -> str:
    _, point, decimals = one.right.rstrip("%").rpartition(".")
    places = len(decimals) + 1 if point else 1
    return (
        f"{one.table}, {one.row}, {one.column}: printed {one.printed}, but {one.right} follows "
        f"(rounding allows {one.low:.{places}f} to {one.high:.{places}f}, tolerance {one.tolerance:.{places + 1}f}): "
        f"{one.because}"
    )


def _noise(rows: tuple[Noise, ...]) -> list[str]:
    """The table of unpaired intervals."""
    if not rows:
        return []
    several = len({one.candidate for one in rows}) > 1
    names = [f"{one.row}, {one.candidate}" if several else one.row for one in rows]
    width = max(map(len, names))
    lines = [
        "",
        "Interval of each recovery by its number of samples (95 %, unpaired); a row that holds 100 % could be noise:",
    ]
    for name, one in zip(names, rows, strict=True):
        said = "could be noise" if one.is_noise else "more than noise"
        lines.append(
            f"  {name:<{width}}  n = {one.n:>7,}  {one.recovery:6.2f} % [{one.low:.1f}, {one.high:.1f}]  {said}"
        )
    lines.append("  Pairing the samples usually makes an interval two to three times narrower; a card has no samples.")
    return lines
