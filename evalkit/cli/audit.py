"""``evalkit audit``: does a published card's arithmetic hold, and which of its differences are noise?"""

from __future__ import annotations

import codecs
import json
import os
from pathlib import Path
from typing import TYPE_CHECKING

import click

from evalkit import cards
from evalkit.base.errors import DataError, ExitCode, UsageError
from evalkit.base.printable import one_line, printable
from evalkit.files import textfile

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.cards import Card

_FIX = "give a model card with an accuracy or cost table, in Markdown, HTML or plain text, or a TOML table"
_CARDS = frozenset({".md", ".markdown", ".html", ".htm"})
"""What is read of a folder."""
_MOST_CARDS = 5000
_STDIN = Path("-")
_FIRST = 400
"""Bytes of a file that tell its encoding."""


@click.command(
    "audit",
    help="Recompute the recoveries, averages, speedups and cost figures of each CARD, a published model card "
    "(Markdown, HTML, plain text or TOML) or a folder of them, and list each that does not follow from the others. "
    "Several cards are compared as well: one baseline has one figure. A CARD of - is standard input. "
    "The exit code is 0 when all figures follow, 1 "
    "when one does not, 2 when a file cannot be read, and 4 when no figure of any card could be checked.",
)
@click.argument("paths", metavar="CARD...", nargs=-1, type=click.Path(exists=True, allow_dash=True, path_type=Path))
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
@click.option("--markdown", "as_comment", is_flag=True, help="Print a Markdown comment for a pull request.")
@click.option(
    "--allow-unchecked",
    is_flag=True,
    help="Exit with 0 where no figure could be checked, as a hook needs for files without tables.",
)
def command(paths: tuple[Path, ...], *, as_json: bool, as_comment: bool, allow_unchecked: bool) -> ExitCode:
    """Print what was found; the exit code is 1 when a figure does not follow, 4 when none could be checked."""
    if as_json and as_comment:
        raise UsageError("--json and --markdown are two forms of one output", fix="give one of them")
    if not paths:
        raise UsageError("no card was named", fix=f"{_FIX}, a folder of cards, or - for standard input")
    read = {_named(path): _read(path) for path in _files(paths)}
    across = cards.together(read) if len(read) > 1 else None
    report = cards.AuditReport(tuple((name, cards.audit(card)) for name, card in read.items()), across)
    if as_json:
        click.echo(json.dumps(cards.as_object(report), ensure_ascii=False))
    elif as_comment:
        click.echo(cards.as_markdown(report), nl=False)
    else:
        for line in cards.as_lines(report):
            click.echo(printable(line))
        if not report.checked:
            click.echo(f"no figure could be checked; {'none rests on others' if report.unchecked else _FIX}")
    if report.wrong:
        return ExitCode.GATE_FAILED
    return ExitCode.FINE if report.checked or allow_unchecked else ExitCode.INCOMPLETE


def _files(paths: Sequence[Path]) -> list[Path]:
    """The cards that were named, and those of the folders among them; each once.

    Raises:
        DataError: A folder has no card, or far too many, or cannot be read.
    """
    found: list[Path] = []
    for path in paths:
        if not path.is_dir():
            found.append(path)
            continue
        try:
            inside = sorted(_inside(path))
        except OSError as error:
            where = one_line(_named(Path(error.filename or path)))
            raise DataError(f"{where}: cannot be read ({error.strerror})", fix="check its permissions") from error
        if not inside:
            raise DataError(
                f"{one_line(_named(path))}: no card in this folder", fix=f"cards end with {', '.join(sorted(_CARDS))}"
            )
        found += inside
    if len(found) > _MOST_CARDS:
        raise DataError(f"{len(found):,} cards, more than {_MOST_CARDS:,}", fix="give fewer folders at a time")
    return list(dict.fromkeys(found))


def _inside(folder: Path) -> Iterator[Path]:
    """The cards of a folder and of those below it, without hidden ones. A folder that cannot be read is an OSError."""

    def refuse(error: OSError) -> None:
        raise error

    for where, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [one for one in folders if not one.startswith(".")]
        found = (Path(where, name) for name in names if not name.startswith("."))
        yield from (one for one in found if one.suffix.lower() in _CARDS and one.is_file())


def _named(path: Path) -> str:
    """A card's name, which any encoding can have: of bytes that are no UTF-8 their numbers."""
    return "standard input" if path == _STDIN else str(path).encode("utf-8", "backslashreplace").decode()


def _read(path: Path) -> Card:
    """The card in a file.

    Raises:
        DataError: It cannot be read or is too large.
        ConfigError: A TOML table has a wrong key or value.
    """
    name = one_line(_named(path))
    try:
        with click.open_file(path, "rb") as stream:
            raw = stream.read(cards.MOST_CHARACTERS + 1)
    except OSError as error:
        raise DataError(
            f"{name}: cannot be read ({error.strerror})", fix="check the path and its permissions"
        ) from error
    if len(raw) > cards.MOST_CHARACTERS:
        raise DataError(f"{name}: larger than {cards.MOST_CHARACTERS:,} bytes", fix=_FIX)
    if _is_utf16(raw[:_FIRST]):
        raise DataError(f"{name}: its encoding is UTF-16, and a card is read in UTF-8", fix="save it in UTF-8")
    if path.suffix.lower() == ".toml":
        return cards.card_of(cards.published(textfile.toml(path), name))
    return cards.card(raw.decode("utf-8-sig", errors="replace"))


def _is_utf16(first: bytes) -> bool:
    """Whether a file begins with UTF-16's mark, or with letters of which every other byte is 0."""
    return first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) or 3 * first.count(0) > len(first)
