"""Words of a server, a model or a file as a terminal and a report may show them."""

from __future__ import annotations

import re
from typing import Final

_SEQUENCE: Final = re.compile(
    # What a terminal obeys (ECMA-48): CSI with its end, OSC and its kin with all that they carry, two-byte escapes.
    r"(?:\x1b\[|\x9b)[0-?]*[ -/]*[@-~]"
    r"|(?:\x1b[\]PX^_]|[\x9d\x90\x98\x9e\x9f])[^\x07\x1b\x9c]*(?:\x07|\x1b\\|\x9c)?"
    r"|\x1b[ -/]*[0-~]"
)
_CONTROL: Final = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters but tab and line feed, what breaks a line or turns it around, and half characters."""
_ACTS: Final = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
"""What a spreadsheet takes for the beginning of a formula, in both widths."""
_GUARD: Final = "'"
_SECRET: Final = re.compile(r"(^|_)(TOKEN|SECRET|PASSWORD|CREDENTIALS?|KEY)$", re.IGNORECASE)


def printable(text: str) -> str:
    r"""The text without what moves a cursor, colours, rings or turns a line around; line ends are ``\n``.

    A sequence for a terminal goes whole; any other control character leaves a replacement character, so that a
    reader sees that something stood there. A carriage return is a line end: what followed it would have been written
    over what stood before it.
    """
    lines = _SEQUENCE.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", lines)


def one_line(text: str) -> str:
    """``printable``, with every run of blanks and line ends as one blank."""
    return " ".join(printable(text).split())


def counted(count: int, noun: str, several: str = "") -> str:
    """``1 sample``, ``1,234 samples``; a noun whose plural takes more than an s brings it along."""
    return f"{count:,} {agreeing(count, noun, several or noun + 's')}"


def part_of(count: int, whole: int, noun: str, verbs: tuple[str, str] | None = None) -> str:
    """``1 of 456 samples``; with verbs, one for 1 and one for all else: ``1 of 456 samples has``."""
    verb = "" if verbs is None else f" {agreeing(count, *verbs)}"
    return f"{count:,} of {counted(whole, noun)}{verb}"


def agreeing(count: int, one: str, several: str) -> str:
    """The word that goes with ``count`` things: 1 sample *has*, 2 samples *have*."""
    return one if count == 1 else several


def guarded(text: str) -> str:
    """The text as a cell that no spreadsheet takes for a formula: with an apostrophe before what would be one."""
    return f"{_GUARD}{text}" if text.startswith(_ACTS) else text


def unguarded(cell: str) -> str:
    """The text that `guarded` made a cell of."""
    return cell[len(_GUARD) :] if cell.startswith(tuple(_GUARD + one for one in _ACTS)) else cell


def is_secret(variable: str) -> bool:
    """Whether an environment variable's name says that its value must not be shown or kept."""
    return bool(_SECRET.search(variable))
