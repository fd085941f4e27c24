"""A comparison and a policy become a verdict with its reasons, the rows' verdicts an exit code.

Verdicts of a row, against a threshold in percent of recovery:

- recovered: the whole interval is at or above the threshold. Never for a smoke run.
- degraded: the whole interval is below it.
- undecided: the interval holds the threshold, or there is none.
- incomplete: more samples than allowed have no pair, or all of them.
- not comparable: the two sides did not answer the same questions in the same way.

What a row does to the exit code depends on its tier:

- critical: the candidate has to show that it recovered. Degraded fails the gate, undecided is undecided.
- supporting: the candidate passes unless it is shown to have degraded; undecided is fine.
- advisory: reported, never blocks.

An incomplete or not comparable row blocks in the first two tiers. A failed gate (1) goes before not comparable or
incomplete (4), and that before undecided (3). A row without a threshold is not judged.

By default rows are critical, except that tasks which an average covers are supporting: the average carries the claim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.errors import ExitCode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalkit.pairs import Attempts, Comparison
    from evalkit.policy import Rule


class Verdict(StrEnum):
    """What a comparison says of a candidate."""

    RECOVERED = "recovered"
    DEGRADED = "degraded"
    UNDECIDED = "undecided"
    INCOMPLETE = "incomplete"
    NOT_COMPARABLE = "not_comparable"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A comparison with its verdict."""

    comparison: Comparison
    rule: Rule
    verdict: Verdict | None
    """None when no threshold was set, and nothing else stands in the way."""
    reasons: tuple[str, ...]
    """Why this verdict, then what a reader should hold against it."""
    more: int | None = None
    """How many more samples would decide an undecided row; None when no number would, or none is known."""


def judge(comparison: Comparison, rule: Rule, max_failed: float = 0.01) -> Judgement:
    """The verdict on one row.

    Args:
        comparison: The row.
        rule: Its threshold and tier, as ``Policy.for_task`` or ``for_average`` returns it.
        max_failed: Largest share of planned samples that may lack a pair.
    """
    verdict, reason, more = _verdict(comparison, rule.min_recovery, max_failed)
    # An undecided row without an interval has told one of them already, as why nothing can be decided.
    cautions = [text for text in _cautions(comparison, rule.min_recovery) if not reason.endswith(f": {text}")]
    return Judgement(comparison, rule, verdict, (reason, *cautions), more)


def exit_code(judgements: Iterable[Judgement]) -> ExitCode:
    """What the verdicts of all rows mean for the shell."""
    worst = ExitCode.FINE
    # By rank, not by number: a failed gate is certain, whatever else is open.
    rank = (ExitCode.FINE, ExitCode.UNDECIDED, ExitCode.INCOMPLETE, ExitCode.GATE_FAILED)
    for one in judgements:
        worst = max(worst, _row_code(one), key=rank.index)
    return worst


def sentence(judgement: Judgement) -> str:
    """The answer in one line: recovery, interval, verdict, and what it rests on."""
    one, threshold = judgement.comparison, judgement.rule.min_recovery
    words = ["RECOVERY", _recovery_text(one, threshold)]
    if judgement.verdict is not None:
        words.append(judgement.verdict.value.replace("_", " "))
        if threshold is not None:
            words.append(f"at >= {threshold:g} %")
    return f"{' '.join(words)} ({'; '.join([_counts(one), *_closing(judgement)])})"


def _verdict(one: Comparison, threshold: float | None, max_failed: float) -> tuple[Verdict | None, str, int | None]:
    """Verdict, its reason, and how many more samples would decide."""
    if one.differences:
        return Verdict.NOT_COMPARABLE, "; ".join(difference.what for difference in one.differences), None
    if one.n == 0:
        return Verdict.INCOMPLETE, "no sample was scored for both models", None
    if one.lost > max_failed:
        return Verdict.INCOMPLETE, _incomplete(one, max_failed), None
    if one.attempts is not None and one.attempts.share > max_failed:
        return Verdict.INCOMPLETE, _attempts(one.attempts, max_failed), None
    if threshold is None:
        undefined = one.recovery.reason if one.recovery.percent is None else None
        return None, undefined or "not judged: no minimum recovery was asked for", None
    return _against(one, threshold)


def _against(one: Comparison, threshold: float) -> tuple[Verdict, str, int | None]:
    """The verdict of an interval on a threshold."""
    low, high = one.recovery.low, one.recovery.high
    if low is None or high is None:
        return Verdict.UNDECIDED, f"the task cannot decide: {one.recovery.reason}", None
    if high < threshold:
        return Verdict.DEGRADED, f"the whole 95 % interval is below {threshold:g} %", None
    if low >= threshold and one.smoke:
        return Verdict.UNDECIDED, "a smoke run covers a part of the task and cannot show recovery", None
    if low >= threshold:
        return Verdict.RECOVERED, f"the whole 95 % interval is at or above {threshold:g} %", None
    more = _more(one, threshold)
    return Verdict.UNDECIDED, f"the 95 % interval reaches to both sides of {threshold:g} %", more


def _more(one: Comparison, threshold: float) -> int | None:
    """How many more samples would decide; of an average, when all its tasks grow alike."""
    if one.totals is not None:
        return stats.samples_to_decide(one.totals, threshold)
    return stats.samples_to_decide_average(one.tasks, threshold) if one.tasks else None


def _attempts(one: Attempts, max_failed: float) -> str:
    lost = f"{one.failed:,} of {one.planned:,} attempts of {one.label} have no answer"
    return f"{lost} ({one.share * 100:.3g} %; at most {max_failed * 100:g} % may lack one)"


def _incomplete(one: Comparison, max_failed: float) -> str:
    lost = f"{one.planned - one.n:,} of {one.planned:,} planned samples have no pair"
    where = " of its worst task" if one.parts else ""
    return f"{lost} ({one.lost * 100:.3g} %{where}; at most {max_failed * 100:g} % may lack one)"


def _cautions(one: Comparison, threshold: float | None) -> Iterator[str]:
    """What a reader should hold against a verdict."""
    if one.smoke:
        yield "a smoke run: only a part of the task was asked"
    if one.recovery.reason and one.recovery.percent is not None:
        yield one.recovery.reason
    if one.bounds is not None:
        low, high = one.bounds
        least, most = _digits((low, high), threshold)
        end = "without end" if math.isinf(high) else f"{most} %"
        yield f"counting what is lost as worst and best puts recovery between {least} % and {end}"
    yield from one.cautions


def _row_code(one: Judgement) -> ExitCode:
    if one.rule.min_recovery is None or one.rule.tier == "advisory" or one.verdict is Verdict.RECOVERED:
        return ExitCode.FINE
    if one.verdict is Verdict.DEGRADED:
        return ExitCode.GATE_FAILED
    if one.verdict is Verdict.UNDECIDED:
        return ExitCode.FINE if one.rule.tier == "supporting" else ExitCode.UNDECIDED
    return ExitCode.INCOMPLETE


def _recovery_text(one: Comparison, threshold: float | None) -> str:
    found = one.recovery
    if found.percent is None:
        return "undefined"
    if found.low is None or found.high is None:
        return f"{_digits((found.percent,), threshold)[0]} %"
    middle, low, high = _digits((found.percent, found.low, found.high), threshold)
    return f"{middle} % [{low}, {high}]"


def _digits(values: tuple[float, ...], threshold: float | None) -> list[str]:
    """Values with one decimal, or with as many as keep each on its side of the threshold."""
    for places in range(1, 7):
        texts = [f"{value:.{places}f}" for value in values]
        if threshold is None or all(
            (float(text) >= threshold) == (value >= threshold) for text, value in zip(texts, values, strict=True)
        ):
            break
    return texts


def _counts(one: Comparison) -> str:
    parts = [f"n = {one.n:,}"]
    parts += [f"{one.failed:,} failed"] if one.failed else []
    parts += [f"{one.missing:,} missing"] if one.missing else []
    return ", ".join(parts)


def _closing(judgement: Judgement) -> Iterator[str]:
    """What the bracket says after the counts."""
    one, verdict = judgement.comparison, judgement.verdict
    if one.smoke:
        yield "smoke run"
    if verdict in {Verdict.NOT_COMPARABLE, Verdict.INCOMPLETE} or (verdict and one.recovery.low is None):
        yield judgement.reasons[0]
    elif one.recovery.percent is None:
        yield str(one.recovery.reason)
    elif verdict is Verdict.UNDECIDED and judgement.more:
        alike = ", spread over the tasks as now" if one.parts else ""
        text = f"about {_about(judgement.more):,} more samples would decide{alike}"
        short = one.available is not None and one.n + judgement.more > one.available
        yield text + (f", but {_room(one)}" if short else "")
    elif verdict is Verdict.UNDECIDED and judgement.more is None and (one.totals or one.tasks) and not one.smoke:
        yield "more samples would not decide: the recovery found is the threshold itself"


def _room(one: Comparison) -> str:
    if not one.parts:
        return f"the task has only {one.available:,}"
    return f"the tasks have no more than {one.available:,}" if one.available != one.n else "the tasks have no more"


def _about(count: int) -> int:
    """Two leading digits: more would pretend to know the spread of samples not seen."""
    scale: int = 10 ** max(0, len(str(count)) - 2)
    return math.ceil(count / scale) * scale
