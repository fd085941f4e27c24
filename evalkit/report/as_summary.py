"""A report as ``summary.md``: the answer for the page of a CI job, never larger than that page takes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.errors import ExitCode
from evalkit.comparison.outcome import without_report
from evalkit.report import above_chance, accuracy, markup, words

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from evalkit.records.plan import Plan
    from evalkit.report.facts import Report

MOST_BYTES = 1_048_576
"""GitHub drops the whole summary of a step when it is larger (1024 KiB, in UTF-8)."""
_LINE, _CELL = 4_000, 400
"""Characters of a sentence, and of a cell of the table."""
_RESERVE = 512
"""Bytes kept for saying what was cut."""


def summary(report: Report, most_bytes: int = MOST_BYTES) -> str:
    """Sentences, the accuracy table and what limits it; cut between rows, and saying so, at ``most_bytes``."""
    head, body = accuracy.table(report)
    cut = _Cut(most_bytes - _RESERVE)
    cut.add("title", [f"## {_title(report)}", ""])
    for text in report.outcome.lines:
        cut.add("outcomes", [f"**{_line(text)}**", ""])
    for text in report.doubts:
        cut.add("doubts", [f"Before you read on: {_line(text)}", ""])
    sentences = [f"- {_line(text)}" for text in words.sentences(report)]
    cut.rows("sentences", sentences)
    if cut.add("table", [*([""] if sentences else []), *markup.table([_short(cell, _CELL) for cell in head], [])]):
        cut.rows("rows of the table", [markup.row([_short(cell, _CELL) for cell in cells]) for cells in body])
    chance = above_chance.table(report)
    if chance[1] and cut.add("scores above chance", ["", *markup.table(chance[0], [])]):
        cut.rows("rows of scores above chance", [markup.row(cells) for cells in chance[1]])
    notes = [
        f"- {_line(text)}"
        for text in [*words.completeness(report), *words.differences(report), *above_chance.sentences(report)]
    ]
    if notes and cut.add("notes", ["", "What limits these numbers:", ""]):
        cut.rows("notes", notes)
    return cut.text()


def summary_stopped(
    plan: Plan, reason: str, most_bytes: int = MOST_BYTES, *, code: ExitCode = ExitCode.INFRASTRUCTURE
) -> str:
    """The summary of a run that ended before it had a report."""
    cut = _Cut(most_bytes - _RESERVE)
    labels = [one.model.label for one in plan.contenders]
    cut.add("title", ["## No report: the run ended early", "", f"**{_line(without_report(reason, code))}**", ""])
    cut.rows("lines", [_line(reason), "", f"Models: {_line(', '.join(labels))}"])
    return cut.text()


def _title(report: Report) -> str:
    named = ", ".join(report.candidates)
    return _line(f"Recovery of {named} beside {report.baseline}" if named else f"Scores of {report.baseline}")


def _line(text: str) -> str:
    return markup.escaped(_short(text, _LINE))


def _short(text: str, most: int) -> str:
    """One overlong name must not take the place of everything else."""
    return text if len(text) <= most else f"{text[:most]}… ({len(text):,} characters)"


class _Cut:
    """Lines up to a number of bytes, and what was left out."""

    def __init__(self, room: int) -> None:
        self._room = room
        self._lines: list[str] = []
        self._left_out: dict[str, int] = {}

    def add(self, what: str, lines: Sequence[str]) -> bool:
        """Add lines that belong together, if they fit."""
        needed = sum(len(line.encode(errors="backslashreplace")) + 1 for line in lines)
        if needed > self._room or what in self._left_out:
            self._left_out[what] = self._left_out.get(what, 0) + 1
            return False
        self._room -= needed
        self._lines += lines
        return True

    def rows(self, what: str, lines: Iterable[str]) -> None:
        """Add lines one by one; from the first that does not fit, all are left out."""
        for line in lines:
            self.add(what, [line])

    def text(self) -> str:
        """What was added, and a last line for what was not."""
        if self._left_out:
            cut = ", ".join(f"{what} ({count:,})" for what, count in self._left_out.items())
            self._lines += ["", f"**Cut to the size that a job summary may have. Left out: {cut}.** report.md has all."]
        return "\n".join(self._lines) + "\n"
