"""evalplus's sanitizer with the same result, without its cubic cost.

evalplus looks for the longest run of lines that is valid Python by trying every run. Here longer runs are tried before
shorter ones, runs with the same text once, and runs that a shorter one has proved wrong not at all. What is made of the
run that is found (imports, and the definitions that the wanted function needs) is left to evalplus's own function.
"""

from __future__ import annotations

import ast
import warnings
from itertools import accumulate
from types import FunctionType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator

WORK: Final = 150_000_000
"""Characters that may be parsed for one answer. A count and not a time, so that it is the same for every model and on
every machine; about a minute at the slowest."""
_READ_TO_THE_END: Final = ("never closed", "unterminated", "EOF")
_HASH_PRIME: Final = (1 << 61) - 1
_HASH_BASE: Final = 0x1F3D_5B79_A2C4_E687


class SanitizeError(Exception):
    """No program can be had from an answer; the sentence says why."""


def sanitize(text: str, entry_point: str) -> str:
    """What ``evalplus.sanitize.sanitize(text, entry_point)`` returns.

    Raises:
        SanitizeError: The text has null bytes or lone surrogates, nests too deeply, or would take minutes; evalplus
            itself ends with an error, or does not end, at such texts.
    """
    if "\0" in text:
        raise SanitizeError("null byte in the answer")
    try:
        text.encode()
        code = _extract_target(text, entry_point).strip()
    except UnicodeEncodeError:
        raise SanitizeError("lone surrogate in the answer") from None
    except RecursionError:
        raise SanitizeError("the answer nests too deeply") from None
    return code or longest_valid(text)


def _extract_target(text: str, entry_point: str) -> str:
    """The function of that name in evalplus, over our search for the longest run."""
    from evalplus import sanitize as theirs  # noqa: PLC0415 - only where answers are judged

    function = theirs.extract_target_code_or_empty
    space = {**function.__globals__, "code_extract": longest_valid}
    return str(FunctionType(function.__code__, space, argdefs=function.__defaults__)(text, entry_point))


def longest_valid(text: str) -> str:
    """The run of at least two lines with the most lines that are not blank which Python can parse.

    Of several, the one that begins first, and of these the shortest; the first line alone when there is none.

    Raises:
        SanitizeError: It would take minutes to find.
        RecursionError: A run nests too deeply for Python's parser.
    """
    search = _Search(text)
    for first, last in search.runs():
        if search.parses(first, last):
            return "\n".join(search.lines[first : last + 1])
    return search.lines[0]


class _Search:
    """The lines of one text, and what is known of their runs."""

    def __init__(self, text: str) -> None:
        self.lines = text.split("\n")
        self._counts = [0, *accumulate(bool(line.strip()) for line in self.lines)]
        self._starts = [0, *accumulate(len(line) + 1 for line in self.lines)]
        # Blank lines of spaces and tabs mean nothing to Python's tokenizer; other blanks (a form feed, a no-break
        # space) and everything beside a carriage return are tried like any line.
        plain = "\r" not in text
        self._blank = [plain and not line.strip(" \t") for line in self.lines]
        self._hashes = self._hashed()
        self._known: dict[tuple[int, int], bool] = {}
        self._dead: dict[int, int] = {}
        self._left = WORK

    def _hashed(self) -> list[int]:
        """Hashes of the text before each line, for telling equal runs without joining them."""
        hashes, value = [0], 0
        numbers: dict[str, int] = {}
        for line in self.lines:
            value = (value * _HASH_BASE + numbers.setdefault(line, len(numbers) + 1)) % _HASH_PRIME
            hashes.append(value)
        self._powers = list(accumulate(self.lines, lambda power, _: power * _HASH_BASE % _HASH_PRIME, initial=1))
        return hashes

    def runs(self) -> Iterator[tuple[int, int]]:
        """Runs that can win, best first: most lines that are not blank, then first begun, then shortest.

        Blank lines before a run change nothing, so of the runs that differ in these only the longest is tried; blank
        lines after it change nothing either, except after a backslash.
        """
        heads = list(self._heads())
        ends = self._ends()
        for count in range(self._counts[-1], 0, -1):
            for first, head in heads:
                wanted = self._counts[head] + count
                if wanted > self._counts[-1]:
                    break
                for last in ends.get(wanted, ()):
                    if last > first and last >= head:
                        yield first, last

    def _heads(self) -> Iterator[tuple[int, int]]:
        """Where runs begin: (with the blank lines before, without them)."""
        first = 0
        for number, blank in enumerate(self._blank):
            if not blank:
                yield first, number
                first = number + 1

    def _ends(self) -> dict[int, list[int]]:
        """Where runs end, by the number of lines with content up to there."""
        ends: dict[int, list[int]] = {}
        for number, blank in enumerate(self._blank):
            # One blank line ends a single line that makes a run; a second one, what a backslash has joined to it.
            near = self._blank[max(0, number - 2) : number]
            if not blank or not all(near) or len(near) < min(2, number):
                ends.setdefault(self._counts[number + 1], []).append(number)
        return ends

    def parses(self, first: int, last: int) -> bool:
        """Whether Python can parse a run.

        Raises:
            SanitizeError: Too much has been parsed for this text.
        """
        head = first
        while self._blank[head] and head < last:
            head += 1
        if last >= self._dead.get(head, last + 1):
            return False
        length = last + 1 - head
        key = (length, (self._hashes[last + 1] - self._hashes[head] * self._powers[length]) % _HASH_PRIME)
        known = self._known.get(key)
        if known is None:
            known = self._known[key] = self._parse(head, last)
        return known

    def _parse(self, head: int, last: int) -> bool:
        text = "\n".join(self.lines[head : last + 1])
        reached = len(text)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        except SyntaxError as error:
            line = error.end_lineno or error.lineno or 0
            if 0 < line <= last - head + 1:
                # Only these messages name the last token that was read: with more lines the same tokens are read.
                if error.msg in {"invalid syntax", "unexpected indent"}:
                    self._dead[head] = min(self._dead.get(head, len(self.lines)), head + line - 1)
                # Others stand where something was opened, and everything after it was read.
                if not any(word in error.msg for word in _READ_TO_THE_END):
                    reached = self._starts[head + line] - self._starts[head]
            return False
        except MemoryError:
            return False
        else:
            return True
        finally:
            self._left -= reached + len(text) // 64 + 1
            if self._left < 0:
                raise SanitizeError("too many lines that Python cannot parse")
