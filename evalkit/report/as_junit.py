"""A report as ``junit.xml``: one test case for each row of the gate, for CI systems that read nothing else.

What a case says follows the exit code (``evalkit.comparison.verdict``): a failure or an error stands where the row
keeps the exit code from being 0, and nowhere else.

- failure: the row degraded, or a critical row is undecided.
- error: the row is incomplete or not comparable, a model could not be served (a case of its own tells that), or the run
  ended before it had a report.
- skipped: the row is advisory, or was not judged.
- passed: the row recovered, or it is supporting and not shown to have degraded.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal
from xml.etree import ElementTree as ET

from evalkit.base.errors import ExitCode
from evalkit.base.printable import one_line, part_of, printable
from evalkit.base.verdicts import Kind, Verdict
from evalkit.comparison import verdict
from evalkit.comparison.outcome import exit_code, without_report
from evalkit.report.facts import AVERAGE, IMPORTED

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.comparison.verdict import Judgement
    from evalkit.records.plan import Plan
    from evalkit.report.facts import Report, Row

_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""What XML 1.0 has no way to write, not even as a character reference (section 2.2 of the recommendation)."""


@dataclass(frozen=True, slots=True)
class _Case:
    """One test case."""

    group: str
    name: str
    text: str
    """The sentence of the row."""
    state: Literal["passed", "failure", "error", "skipped"] = "passed"
    kind: str = ""
    reason: str = ""


def junit(report: Report) -> str:
    """The document; a suite for each candidate, or one for the baseline when it has no candidate.

    Its name is what the run comes to, because nothing else stands before the first case for every reader.
    """
    gated = any(one.rule.min_recovery is not None for one in report.judgements)
    suites = {label: list(_cases(report, label, gated=gated)) for label in report.candidates}
    if not suites:
        suites = {report.baseline: [_alone(row, report) for row in report.rows]}
    for one in report.outcome.findings:
        if one.kind is Kind.NOT_SERVED:
            suites[one.label].insert(0, _Case("run", "served", one.sentence, "error", "infrastructure", one.why))
    return _document(suites, report.outcome.lines)


def junit_stopped(plan: Plan, reason: str, *, code: ExitCode = ExitCode.INFRASTRUCTURE) -> str:
    """The document of a run that ended before it had a report: every row of its gate is an error."""
    rows = [(part.task.category, part.task.title) for part in plan.tasks]
    rows += [(category, AVERAGE) for category in plan.averages()]
    return _document(
        {
            one.model.label: [_Case(group, name, reason, "error", "infrastructure", reason) for group, name in rows]
            for one in plan.candidates or (plan.baseline,)
        },
        [without_report(reason, code)],
    )


def _cases(report: Report, label: str, *, gated: bool) -> Iterator[_Case]:
    for row in report.rows:
        yield _case(row.part.task.category, row.part.task.title, row.judgements[label], gated=gated)
    for average in report.averages:
        yield _case(average.category, AVERAGE, average.judgements[label], gated=gated)
    for line in report.imported:
        yield _case(IMPORTED, line.title, line.judgements[label], gated=gated)


def _case(group: str, name: str, one: Judgement, *, gated: bool) -> _Case:
    """One row; ``gated`` when some row of the report has a threshold."""
    text, reason = verdict.sentence(one) + _answers(one), "; ".join(one.reasons)
    kind = one.verdict.value if one.verdict else "not_judged"
    unusable = one.verdict in {Verdict.INCOMPLETE, Verdict.NOT_COMPARABLE}
    if unusable and not gated:
        return _Case(group, name, text, "error", kind, reason)
    if one.rule.min_recovery is None:
        return _Case(group, name, text, "skipped", kind, f"not judged: {reason}" if unusable else reason)
    if one.rule.tier == "advisory":
        return _Case(group, name, text, "skipped", kind, f"advisory, {kind.replace('_', ' ')}: {reason}")
    code = exit_code(one)
    if code is ExitCode.FINE:
        return _Case(group, name, text)
    return _Case(group, name, text, "error" if code is ExitCode.INCOMPLETE else "failure", kind, reason)


def _answers(one: Judgement) -> str:
    """The question that the sentence's interval is an answer to; empty where it has none."""
    found = one.comparison.recovery
    return "" if found.low is None or found.high is None else f'; 95 % interval "{found.question}"'


def _alone(row: Row, report: Report) -> _Case:
    """A baseline without a candidate: nothing is judged but whether it answered."""
    task, score = row.part.task, row.scores[report.baseline]
    answered = score.planned - score.failed
    text = f"{part_of(answered, score.planned, 'sample', ('has', 'have'))} an answer"
    if score.failed > report.policy.max_failed * score.planned:
        return _Case(task.category, task.title, text, "error", Verdict.INCOMPLETE.value, text)
    return _Case(task.category, task.title, text, "skipped", "not_judged", "there is no candidate to judge")


def _document(suites: dict[str, list[_Case]], lines: Sequence[str]) -> str:
    name = _clean(f"evalkit: {' | '.join(lines)}")
    root = ET.Element("testsuites", {"name": name, **_counts(case for cases in suites.values() for case in cases)})
    for label, cases in suites.items():
        suite = ET.SubElement(root, "testsuite", {"name": _clean(label), **_counts(cases)})
        suite.set("skipped", str(sum(case.state == "skipped" for case in cases)))
        for case in cases:
            _add(suite, label, case)
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def _counts(cases: Iterable[_Case]) -> dict[str, str]:
    """The numbers that a suite begins with. No time is told: a row is not run, it is judged."""
    states = [case.state for case in cases]
    return {
        "tests": str(len(states)),
        "failures": str(states.count("failure")),
        "errors": str(states.count("error")),
        "time": "0",
    }


def _add(suite: ET.Element, label: str, case: _Case) -> None:
    place = ".".join(_clean(one_line(part)).replace(".", "_") or "_" for part in ("evalkit", label, case.group))
    name = _clean(one_line(case.name)) or "_"
    element = ET.SubElement(suite, "testcase", {"classname": place, "name": name, "time": "0"})
    if case.state != "passed":
        ET.SubElement(element, case.state, {"type": case.kind, "message": _clean(case.reason)})
        if case.state != "skipped":
            element[-1].text = _clean(case.text)
    ET.SubElement(element, "system-out").text = _clean(case.text)


def _clean(text: str) -> str:
    return _FORBIDDEN.sub("\N{REPLACEMENT CHARACTER}", printable(text))
