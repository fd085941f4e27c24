"""Comparisons of scores that exist already: files of any tool that evalkit reads, tables, or plain numbers."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from evalkit import answers, harnesses, stats
from evalkit.answers import MetricChoice, lines
from evalkit.answers.sides import judged, matched
from evalkit.base.errors import DataError
from evalkit.comparison.outcome import outcome
from evalkit.config.policy import Policy
from evalkit.public import frames

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pandas import DataFrame

    from evalkit.answers import ReadAnswers
    from evalkit.answers.sides import Compared
    from evalkit.comparison.outcome import RunOutcome
    from evalkit.stats import RecoveryInterval


@dataclass(frozen=True, slots=True)
class PairedScores:
    """Two models on the same samples."""

    compared: Compared = field(repr=False)
    """Every average and task with its verdict, unrounded."""

    @property
    def outcome(self) -> str:
        """What it comes to, in a line."""
        return "\n".join(self._outcome.lines)

    @property
    def exit_code(self) -> int:
        """What ``evalkit compare`` ends with: 0, 1 degraded, 3 undecided, 4 incomplete or not comparable."""
        return int(self._outcome.exit_code)

    @property
    def _outcome(self) -> RunOutcome:
        return outcome({"candidate": self.compared.rows}, any_pair=True)

    def rows(self) -> DataFrame:
        """A line for each average or task: ``task`` and, as in ``Run.rows``, ``n`` to ``improved``."""
        found = [{"task": row.comparison.task, **frames.judged(row)} for row in self.compared.rows]
        kinds = {name: kind for name, kind in frames.ROWS.items() if name == "task" or name in frames.JUDGED}
        return pd.DataFrame(found, columns=list(kinds)).astype(kinds)


def compare(
    baseline: str | Path | DataFrame,
    candidate: str | Path | DataFrame,
    *,
    min_recovery: float | None = None,
    metric: str | None = None,
    accept_differences: Sequence[str] = (),
) -> PairedScores:
    """Recovery and verdict from scores that exist already, sample by sample, as ``evalkit compare`` finds them.

    Args:
        baseline: A file or folder of a tool that evalkit reads (its own runs and exports, lm-eval, evalplus,
            mistral-evals, JSON lines, CSV, parquet), or a table with a line for each sample: ``id`` and ``score`` (0-1;
            missing for a failure), optional ``task``, ``model``, ``problem`` (lines that share it are attempts and are
            averaged), ``cluster`` or ``stratum``.
        candidate: The same of the other model.
        min_recovery: Percent that the candidate has to keep; without it nothing is judged.
        metric: Where a source has several.
        accept_differences: Keys of differences between the two sides that are intended.

    Raises:
        EvalkitError: A source cannot be read, or the two do not fit each other.
    """
    choice = MetricChoice("baseline", metric, groups_of=harnesses.groups)
    found = _read(baseline, choice), _read(candidate, replace(choice, role="candidate"))
    sides = matched((_name(baseline, "baseline"), _name(candidate, "candidate")), found)
    rules = Policy(min_recovery=min_recovery)
    return PairedScores(judged(sides, found[0].averages or found[1].averages, rules, accept_differences))


def recovery(
    baseline: Sequence[float],
    candidate: Sequence[float],
    *,
    clusters: Sequence[str | None] | None = None,
    strata: Sequence[str | None] | None = None,
) -> RecoveryInterval:
    """Recovery in percent of paired scores, with its 95 % interval.

    >>> found = recovery([1, 1, 0, 1] * 100, [1, 1, 0, 1] * 99 + [1, 0, 0, 1])
    >>> round(found.percent, 2), round(found.low, 1), round(found.high, 1)
    (99.67, 98.1, 100.9)

    Fieller's (1954) interval with the paired covariance where enough samples differ, else the score interval.

    Args:
        baseline: Scores from 0 to 1, such as a list, an array or a Series.
        candidate: ``candidate[i]`` answers the same question as ``baseline[i]``.
        clusters: For each sample the group that it was drawn with (picture, page); None for one that stands alone.
        strata: For each sample the fixed group that it is of, such as a subject.

    Raises:
        DataError: A score that is missing or outside 0 to 1, or sequences of different lengths.
    """

    def listed(groups: Sequence[str | None] | None) -> list[str | None] | None:
        return None if groups is None else list(groups)

    groups = stats.Grouping(listed(clusters), listed(strata))
    return stats.recovery(_numbers(baseline, "baseline"), _numbers(candidate, "candidate"), groups)


def _numbers(scores: Sequence[float], what: str) -> list[float]:
    found = []
    for position, score in enumerate(scores, start=1):
        try:
            found.append(float(score))
        except (TypeError, ValueError):
            fix = "pass only the samples that both answered, each with a score from 0 to 1"
            raise DataError(f"{what}: score number {position} is {score!r}", fix=fix) from None
    return found


def _read(source: str | Path | DataFrame, choice: MetricChoice) -> ReadAnswers:
    if isinstance(source, pd.DataFrame):
        name = _name(source, choice.role)
        return lines.read(Path(name), frames.lines(source, name), choice)
    return answers.read(Path(source), choice)


def _name(source: str | Path | DataFrame, role: str) -> str:
    return f"the {role}'s table" if isinstance(source, pd.DataFrame) else str(source)
