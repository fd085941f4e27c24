"""A report as ``annotations.txt``: what GitHub shows beside a job, once the file is printed there.

An error stands where a row keeps the exit code from being 0, a warning where an advisory row degraded, or something
speaks against the baseline as a measure. GitHub shows ten of each kind of a step: what is beyond is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.errors import ExitCode
from evalkit.base.printable import counted, one_line
from evalkit.base.verdicts import Kind, Verdict
from evalkit.comparison import verdict
from evalkit.comparison.outcome import exit_code, without_report

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.comparison.verdict import Judgement
    from evalkit.report.facts import Report

_MOST: Final = 10
_LONGEST: Final = 1_000
"""Characters of a message."""
_RANK: Final = (ExitCode.GATE_FAILED, ExitCode.INCOMPLETE, ExitCode.UNDECIDED)


def job_annotations(report: Report) -> str:
    """The lines, the worst rows first; empty where there is nothing to say."""
    errors = [("not served", one.sentence) for one in report.outcome.findings if one.kind is Kind.NOT_SERVED]
    rows = [(name, one) for name, one in _rows(report) if one.rule.min_recovery is not None]
    blocking = [(name, one) for name, one in rows if _blocks(one)]
    blocking.sort(key=lambda row: _RANK.index(exit_code(row[1])))
    errors += [(_words(one), f"{name}: {verdict.sentence(one)}") for name, one in blocking]
    advisory = [row for row in rows if row[1].rule.tier == "advisory" and row[1].verdict is Verdict.DEGRADED]
    warnings = [("degraded, advisory", f"{name}: {verdict.sentence(one)}") for name, one in advisory]
    warnings += [("before you read on", text) for text in report.doubts]
    return "".join(f"{line}\n" for line in [*_lines("error", errors), *_lines("warning", warnings)])


def job_annotations_stopped(reason: str, code: ExitCode = ExitCode.INFRASTRUCTURE) -> str:
    """The line of a run that ended without a report."""
    return "".join(f"{line}\n" for line in _lines("error", [("no report", without_report(reason, code))]))


def _rows(report: Report) -> Iterator[tuple[str, Judgement]]:
    """Every average and task of every candidate, with what a reader calls it."""
    for label in report.candidates:
        for average in report.averages:
            yield f"{average.category} average, {label}", average.judgements[label]
        for row in report.rows:
            yield f"{row.part.task.title}, {label}", row.judgements[label]


def _blocks(one: Judgement) -> bool:
    return one.rule.tier != "advisory" and exit_code(one) is not ExitCode.FINE


def _words(one: Judgement) -> str:
    return "not judged" if one.verdict is None else one.verdict.value.replace("_", " ")


def _lines(kind: str, told: Sequence[tuple[str, str]]) -> Iterator[str]:
    """Commands of GitHub's, none of which a label or a title can end."""
    shown = told if len(told) <= _MOST else told[: _MOST - 1]
    for title, text in shown:
        yield f"::{kind} title={_property(f'evalkit: {title}')}::{_escaped(text)}"
    if len(told) > len(shown):
        yield f"::{kind} title=evalkit::{counted(len(told) - len(shown), 'more row')}; the summary has all"


def _escaped(text: str) -> str:
    return one_line(text)[:_LONGEST].replace("%", "%25")


def _property(text: str) -> str:
    return _escaped(text).replace(":", "%3A").replace(",", "%2C")
