"""What a whole run comes to: one line for each candidate, and the exit code that the line names.

Every rendering and every command takes both from here, so that the terminal, the report, the files for CI and the
shell cannot say different things. From the worst to the best:

- not served (exit 5): a model could not be asked, so the candidate beside it is not known as a whole.
- degraded (1): a row that counts lies below its threshold. Certain, whatever else is open.
- not comparable, incomplete (4): a row that counts could not be compared, or lacks too many answers.
- undecided (3): a critical row does not show that it kept its threshold.
- recovered (0): every critical row shows it. Passed (0): no row had to show it, and nothing that counts has degraded.
- not judged (0): no threshold was given; what was found is told without a verdict.

Which rows count is a matter of their tier (``evalkit.comparison.verdict``).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit import stats
from evalkit.base.printable import agreeing, counted, one_line, part_of
from evalkit.base.verdicts import Kind, Verdict
from evalkit.comparison import verdict
from evalkit.comparison.verdict import figures, unchanged

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.errors import ExitCode
    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.verdict import Judgement

_NAMED: Final = 3
"""Rows, or reasons, that a line tells one by one; the others are counted."""
_LONGEST: Final = 300
"""Characters of a reason that came from outside."""
_UNUSABLE: Final = (Verdict.NOT_COMPARABLE, Verdict.INCOMPLETE)
_SMOKE: Final = "a smoke run, of the first questions in stored order"
_DRAWN: Final = "on a part of the questions, drawn at random"
_EARLY: Final = (
    f"stopped early, on this benchmark, with an error of at most {stats.EARLY_ERROR * 100:g} % over all looks"
)


@dataclass(frozen=True, slots=True)
class RowFinding:
    """What one candidate comes to, or the baseline where it is alone."""

    label: str
    kind: Kind
    why: str

    @property
    def exit_code(self) -> ExitCode:
        """What it would be, were this the only candidate."""
        return self.kind.exit_code

    @property
    def sentence(self) -> str:
        """Such as ``DEGRADED (exit 1): ChartQA 96.1 % [94.9, 97.3] is below 98 % (31 answers lost, 9 gained).``."""
        return f"{self.kind.words.upper()} (exit {self.exit_code:d}): {self.why}."


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """What a run comes to."""

    findings: tuple[RowFinding, ...]
    """One for each candidate; the worst first, so that the first line has the exit code of the run."""

    @property
    def kind(self) -> Kind:
        """That of the worst candidate."""
        return self.findings[0].kind

    @property
    def exit_code(self) -> ExitCode:
        """That of the worst candidate."""
        return self.kind.exit_code

    @property
    def lines(self) -> tuple[str, ...]:
        """A sentence for each candidate, named where there are several."""
        if len(self.findings) == 1:
            return (self.findings[0].sentence,)
        return tuple(f"{one_line(one.label)}: {one.sentence}" for one in self.findings)

    def of(self, label: str) -> RowFinding:
        """What one candidate comes to."""
        return next(one for one in self.findings if one.label == label)


def outcome(
    rows: Mapping[str, Sequence[Judgement]],
    *,
    missing: Mapping[str, Sequence[str]] | None = None,
    unanswered: Mapping[str, Sequence[str]] | None = None,
    any_pair: bool = False,
) -> RunOutcome:
    """What judged rows come to.

    Args:
        rows: Candidate label to its rows, tested together; the baseline's label with no rows where it is alone.
        missing: Candidate label to why it, or its baseline, could not be asked.
        unanswered: Without any threshold: candidate label to where it, or its baseline, lost more than is allowed.
        any_pair: Without any threshold, a row with a single pair is compared: files made elsewhere may be parts.
    """
    judged = any(one.rule.min_recovery is not None for found in rows.values() for one in found)
    found = []
    for label, own in rows.items():
        if gone := (missing or {}).get(label, ()):
            found.append(RowFinding(label, Kind.NOT_SERVED, _OutcomeLine(own).not_served(gone)))
        elif judged:
            found.append(_OutcomeLine(own).judged(label))
        else:
            found.append(_OutcomeLine(own).unjudged(label, (unanswered or {}).get(label, ()), any_pair=any_pair))
    order = list(Kind)
    return RunOutcome(tuple(sorted(found, key=lambda one: order.index(one.kind))))


def without_report(reason: str, code: ExitCode) -> str:
    """The line of a run that ended before it had a report."""
    return f"NO REPORT (exit {code:d}): {_short(reason)}."


def exit_code(one: Judgement) -> ExitCode:
    """What one row alone would mean for the shell, in a run that has a threshold."""
    return _kind(one).exit_code


def _kind(one: Judgement) -> Kind:
    """What a row makes of its candidate."""
    if one.rule.min_recovery is None:
        return Kind.NOT_JUDGED
    if one.rule.tier == "advisory":
        return Kind.PASSED
    if one.verdict is Verdict.UNDECIDED and one.rule.tier == "supporting":
        return Kind.PASSED
    if one.verdict is Verdict.RECOVERED and one.rule.tier == "supporting":
        return Kind.PASSED
    return Kind(one.verdict.value) if one.verdict else Kind.NOT_JUDGED


# --- what a line says ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _OutcomeLine:
    """The words about one candidate's rows.

    Where its tasks are parts of one kind, the end of the line says so; where they are not, each row says it itself.
    """

    rows: Sequence[Judgement]

    def judged(self, label: str) -> RowFinding:
        """With a threshold."""
        kinds = {_kind(one) for one in self.rows}
        kind = next(one for one in Kind if one in kinds or one is Kind.NOT_JUDGED)
        counted = [one for one in self.rows if _kind(one) is kind]
        if kind is Kind.DEGRADED:
            told = _listed(map(self._below, counted))
        elif kind in {Kind.NOT_COMPARABLE, Kind.INCOMPLETE, Kind.UNDECIDED}:
            told = self._by_reason(counted)
        elif kind is Kind.RECOVERED:
            told = self._kept(counted)
        else:
            told = "no row had to show that it recovered"
        parts = self._parts(told=counted if kind is Kind.UNDECIDED else [])
        return RowFinding(label, kind, "; ".join([*self._before(kind), told, *self._beside(kind), *parts]))

    def unjudged(self, label: str, unanswered: Sequence[str], *, any_pair: bool) -> RowFinding:
        """Without a threshold: what was found, or why nothing could be."""
        unusable = [one for one in self.rows if one.verdict in _UNUSABLE]
        if any_pair:
            unusable = [one for one in unusable if one.comparison.differences or not one.comparison.n]
        if unusable:
            worst = next(kind for kind in _UNUSABLE if any(one.verdict is kind for one in unusable))
            told = self._by_reason([one for one in unusable if one.verdict is worst])
            return RowFinding(label, Kind(worst.value), "; ".join([told, *self._parts()]))
        if unanswered:
            return RowFinding(label, Kind.INCOMPLETE, "; ".join([_listed(map(_short, unanswered)), *self._parts()]))
        if not self.rows:
            alone = "there is no candidate to judge; every answer that was asked for counts"
            return RowFinding(label, Kind.NOT_JUDGED, alone)
        first = [one for one in self.rows if one.comparison.parts] or list(self.rows)
        told = "no minimum recovery was asked for"
        return RowFinding(label, Kind.NOT_JUDGED, "; ".join([told, _listed(map(self._found, first)), *self._parts()]))

    def not_served(self, missing: Sequence[str]) -> str:
        """Of a candidate that could not be asked everything, or whose baseline could not."""
        lost = [self._below(one) for one in self.rows if _kind(one) is Kind.DEGRADED]
        told = [*map(_short, missing), "what was answered before is in the report"]
        return "; ".join([*told, *([f"of it {_listed(lost)}"] if lost else []), *self._parts()])

    def _before(self, kind: Kind) -> Iterator[str]:
        """What a reader who fears a loss wants to know first."""
        lost = any(one.verdict is Verdict.DEGRADED for one in self.rows)
        if kind in {Kind.UNDECIDED, Kind.PASSED} and not lost:
            yield "nothing degraded"

    def _beside(self, kind: Kind) -> Iterator[str]:
        """What stands beside the reason of a kind."""
        if kind is Kind.DEGRADED:
            unusable = [one for one in self.rows if _kind(one) in {Kind.NOT_COMPARABLE, Kind.INCOMPLETE}]
            if unusable:
                yield f"not usable beside it: {self._names(unusable)}"
        if kind is Kind.RECOVERED:
            open_ones = [one for one in self.rows if one.rule.tier == "supporting" and one.verdict is Verdict.UNDECIDED]
            if open_ones:
                yield f"undecided and only supporting: {self._names(open_ones)}"
        advisory = [one for one in self.rows if _kind(one) is Kind.PASSED and one.verdict is Verdict.DEGRADED]
        if advisory:
            yield f"advisory only: {_listed(map(self._below, advisory))}"

    @property
    def _tasks(self) -> list[Comparison]:
        """Those of the rows that are no averages; all of them where there is nothing else."""
        found = [one.comparison for one in self.rows]
        return [one for one in found if not one.parts] or found

    @property
    def _mixed(self) -> bool:
        """Whether some tasks are another kind of part than others, or none."""
        return len({(one.smoke, one.drawn) for one in self._tasks}) > 1

    def _parts(self, told: Sequence[Judgement] = ()) -> Iterator[str]:
        """That only a part of the questions was asked, and of how many tasks; unless ``told`` gives that as reason."""
        tasks = self._tasks
        smoke, drawn = (sum(getattr(one, name) for one in tasks) for name in ("smoke", "drawn"))
        if smoke and (smoke < len(tasks) or all(one.reasons[0] != verdict.SMOKE for one in told)):
            yield _SMOKE if smoke == len(tasks) else f"{part_of(smoke, len(tasks), 'task')}: {_SMOKE}"
        if drawn:
            yield _DRAWN if drawn == len(tasks) else f"{part_of(drawn, len(tasks), 'task')} {_DRAWN}"
        if any(one.look is not None for one in tasks):
            yield _EARLY

    def _kept(self, rows: Sequence[Judgement]) -> str:
        """The rows that show what they had to."""
        told = _listed(map(self._found, rows))
        thresholds = {one.rule.min_recovery for one in rows}
        least = f"{thresholds.pop():g} %" if len(thresholds) == 1 else "their thresholds"
        return f"{told} {agreeing(len(rows), 'is', 'are')} shown to keep {least}"

    def _below(self, one: Judgement) -> str:
        """A row that lies below its threshold, with the flips behind it."""
        return f"{self._name(one)} {_figures(one)} is below {one.rule.min_recovery:g} %{_flips(one)}"

    def _found(self, one: Judgement) -> str:
        """A row's name, recovery and interval; first, where so it is, that no score changed."""
        same = unchanged(one)
        return f"{self._name(one)}{f': {same},' if same else ''} {_figures(one)}{_flips(one)}"

    def _by_reason(self, rows: Sequence[Judgement]) -> str:
        """Rows that do not decide, those of one reason together."""
        # What a task lacks its average lacks too, in longer words.
        tasks = [one for one in rows if not one.comparison.parts]
        rows = tasks if tasks and rows[0].verdict in _UNUSABLE else rows
        groups: dict[tuple[str, str], list[Judgement]] = {}
        for one in rows:
            groups.setdefault(_reason(one), []).append(one)
        told = []
        for (link, reason), members in groups.items():
            verb = link or (" have " if len(members) > 1 else " has ")
            told.append(f"{self._names(members)}{verb}{reason}")
        return _listed(told)

    def _names(self, rows: Sequence[Judgement]) -> str:
        """``A, B and C``; beyond some the rest is counted."""
        names = [self._name(one) for one in rows[:_NAMED]]
        if len(rows) > _NAMED:
            names.append(f"{len(rows) - _NAMED} more")
        return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"

    def _name(self, one: Judgement) -> str:
        """The row's name, and what it is a part of where the end of the line cannot say it of all."""
        row = one.comparison
        name = one_line(row.task) or "the task"
        marks = [word for word, so in (("smoke run", row.smoke), ("drawn at random", row.drawn)) if so and self._mixed]
        limit = f" ({'in part ' if row.parts else ''}{', '.join(marks)})" if marks else ""
        return f"{name}{' average' if row.parts else ''}{limit}"


def _figures(one: Judgement) -> str:
    return figures(one.comparison, one.rule.min_recovery)


def _flips(one: Judgement) -> str:
    flips = one.comparison.flips
    if flips is None or unchanged(one):
        return ""
    what = "problem" if one.comparison.attempts is not None and not one.comparison.parts else "answer"
    return f" ({counted(flips.regressed, what)} lost, {flips.improved:,} gained)"


def _reason(one: Judgement) -> tuple[str, str]:
    """Why a row does not decide, after what joins it to the row's name; empty for "has"."""
    low, high, least = one.comparison.recovery.low, one.comparison.recovery.high, one.rule.min_recovery
    few = low is not None and high is not None and least is not None and low < least <= high
    if one.verdict is Verdict.UNDECIDED and few and not one.comparison.smoke:
        same = unchanged(one)
        return f": {same}, but " if same else "", f"too few samples to show {least:g} %"
    reason = _short(one.reasons[0])
    keys = [difference.key for difference in one.comparison.differences if difference.key != "samples"]
    if one.verdict is Verdict.NOT_COMPARABLE and keys:
        reason += f" (if that is intended: {' '.join(f'--accept-difference {key}' for key in dict.fromkeys(keys))})"
    return ": ", reason


def _listed(texts: Iterable[str]) -> str:
    told = list(texts)
    more = [f"and {len(told) - _NAMED} more"] if len(told) > _NAMED else []
    return "; ".join([*told[:_NAMED], *more])


def _short(text: str) -> str:
    """A reason in one line, without the full stop that the sentence has of its own."""
    plain = one_line(text).rstrip(".")
    return plain if len(plain) <= _LONGEST else f"{plain[:_LONGEST]}…"
