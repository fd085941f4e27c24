"""A comparison and a policy become a verdict with its reasons; `outcome` says what the rows come to.

Verdicts of a row, against a threshold in percent of recovery:

- recovered: the whole interval is at or above the threshold.
- degraded: the whole interval is below it, and stays so when all rows of the candidate are tested together.
- undecided: the interval holds the threshold, or there is none.
- incomplete: more samples than allowed have no pair, or all of them.
- not comparable: the two sides did not answer the same questions in the same way.

A part of a task that was drawn at random is judged like the whole. The first rows in stored order (a smoke run) stand
for no others, so they are undecided whatever their interval says.

What has no answer may not be a random part: it can be exactly what a candidate cannot do. So recovered and degraded
hold only if they still do with the interval's end moved as far as the lost answers can move the recovery, all of the
candidate's wrong and all of the baseline's right, or the other way round.

"Degraded" is said of a candidate by any of its rows, and each of several rows at the threshold comes out so by chance
in 2.5 of 100 runs. So the rows of a candidate are held to Holm's rule (1979): the chance that any of them is called
degraded without being so stays 2.5 %. All rows that have a threshold and an interval are one family, averages included,
since a gate fails at any of them. "Recovered" needs no such rule: a candidate that passes has to show it in every row.
The printed intervals stay those of 95 %.

What a row does to the run's outcome, and so to the exit code, depends on its tier:

- critical: the candidate has to show that it recovered. Degraded fails the gate, undecided is undecided.
- supporting: the candidate passes unless it is shown to have degraded; undecided is fine.
- advisory: reported, never blocks.

An incomplete or not comparable row blocks in the first two tiers. A failed gate (1) goes before not comparable or
incomplete (4), and that before undecided (3). A row without a threshold is not judged.

By default rows are critical, except that tasks which an average covers are supporting: the average carries the claim.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.base.printable import agreeing, counted, part_of
from evalkit.base.verdicts import Verdict
from evalkit.comparison import early

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.comparison.losses import Attempts, Lost
    from evalkit.comparison.pairs import Comparison
    from evalkit.config.policy import Rule
    from evalkit.stats import MoreSamples


_AGAIN = {
    "noise floor": "the same questions asked of both models again would give [{}] by the noise floor alone",
    "attempts": "the same problems attempted once more would give [{}] by the chance of the attempts alone",
    "combined": "the same questions of all tasks asked again would give [{}] by what is known of their noise alone",
}
_LIKELY = 0.5, 0.8
"""Chances to decide for which the number of samples is told."""
_HARDLY = 0.1
"""A chance below which what is left is said to be too little."""
SMOKE = "a smoke run asks the first samples in stored order, which stand for no others: no verdict either way"
"""Why the first rows of a task are undecided, whatever they show."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """A comparison with its verdict."""

    comparison: Comparison
    rule: Rule
    verdict: Verdict | None
    """None when no threshold was set, and nothing else stands in the way."""
    reasons: tuple[str, ...]
    """Why this verdict, then what a reader should hold against it."""
    more: MoreSamples | None = None
    """How likely more samples would decide an undecided row; None when it is not samples that it lacks, when all are
    asked, or when there are too few to tell."""
    p: float | None = None
    """One-sided p of a row whose interval lies below its threshold, lost answers at their best; otherwise None."""
    tested: int = 1
    """How many rows of the candidate were held to the level of ``p`` together."""


def judge(comparison: Comparison, rule: Rule, max_failed: float = 0.01) -> Judgement:
    """The verdict on one row alone; ``together`` holds it against the candidate's other rows.

    Args:
        comparison: The row.
        rule: Its threshold and tier, as ``Policy.for_task`` or ``for_average`` returns it.
        max_failed: Largest share of planned samples that may lack a pair.
    """
    verdict, reason, more = _verdict(comparison, rule.min_recovery, max_failed)
    # An undecided row without an interval has told one of them already, as why nothing can be decided.
    cautions = [text for text in _cautions(comparison, rule.min_recovery) if not reason.endswith(f": {text}")]
    p = _p_of_loss(comparison, rule.min_recovery) if verdict is Verdict.DEGRADED else None
    return Judgement(comparison, rule, verdict, (reason, *cautions), more, p)


def together(rows: Sequence[Judgement]) -> list[Judgement]:
    """The rows of one candidate, each judged alone, with "degraded" left only where Holm's rule leaves it."""
    family = sum(map(_tested, rows))
    found = [row.p for row in rows if row.p is not None]
    stand = iter(stats.holm(found, family))
    return [
        replace(row, tested=family) if row.p is None or next(stand) else _not_beyond_chance(row, family) for row in rows
    ]


def family_sentence(rows: Sequence[Judgement]) -> str | None:
    """How many rows of one candidate were tested for a loss together; None where it was one at most."""
    family = max((row.tested for row in rows), default=0)
    if family < 2:
        return None
    return (
        f"{family} rows were tested for a loss together (Holm): the chance that any of them is called degraded without "
        f"being so is at most {stats.ONE_SIDED * 100:g} %"
    )


def sentence(judgement: Judgement) -> str:
    """The answer in one line: that nothing changed where so it is, recovery, interval, verdict, what it rests on."""
    one, threshold = judgement.comparison, judgement.rule.min_recovery
    same = unchanged(judgement)
    words = [*([f"{same}:"] if same else []), "RECOVERY", figures(one, threshold)]
    if judgement.verdict is not None:
        words.append(judgement.verdict.value.replace("_", " "))
        if threshold is not None:
            words.append(f"at >= {threshold:g} %")
    return f"{' '.join(words)} ({'; '.join([_counts(one), *_closing(judgement)])})"


def figures(one: Comparison, threshold: float | None) -> str:
    """``98.7 % [97.2, 99.9]``, each on its own side of the threshold; ``undefined`` where there is no recovery."""
    found = one.recovery
    if found.percent is None:
        return "undefined"
    if found.low is None or found.high is None:
        return f"{_digits((found.percent,), threshold)[0]} %"
    middle, low, high = _digits((found.percent, found.low, found.high), threshold)
    return f"{middle} % [{low}, {high}]"


def unchanged(judgement: Judgement) -> str:
    """What is said first of a row whose scores are the same on both sides, and not 0 on all; otherwise empty.

    Answers can change without their scores: that none did is said only where the texts are known to be equal.
    """
    one = judgement.comparison
    if one.recovery.percent is None or one.flips is None or one.flips.regressed + one.flips.improved:
        return ""
    return "no answer changed" if one.same_answers else "no score changed"


def _verdict(
    one: Comparison, threshold: float | None, max_failed: float
) -> tuple[Verdict | None, str, MoreSamples | None]:
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


def _against(one: Comparison, threshold: float) -> tuple[Verdict, str, MoreSamples | None]:
    """The verdict of an interval on a threshold."""
    low, high = one.recovery.low, one.recovery.high
    if low is None or high is None:
        return Verdict.UNDECIDED, f"the {_kind(one)} cannot decide: {one.recovery.reason}", None
    if one.smoke:
        return Verdict.UNDECIDED, SMOKE, None
    down, up = _moves(one)
    if high < threshold and high + up < threshold:
        return Verdict.DEGRADED, f"the whole {_interval(one)} is below {threshold:g} %", None
    if low >= threshold and low - down >= threshold:
        return Verdict.RECOVERED, f"the whole {_interval(one)} is at or above {threshold:g} %", None
    if one.losses is not None and not low < threshold <= high:
        return Verdict.UNDECIDED, _could_decide(one.losses), None
    more = _more(one, threshold)
    return Verdict.UNDECIDED, f"the {_interval(one)} reaches to both sides of {threshold:g} %", more


def _interval(one: Comparison) -> str:
    """Which interval it is that decides."""
    return (
        "95 % interval"
        if one.look is None
        else f"repeated interval (error at most {stats.EARLY_ERROR * 100:g} % over all looks)"
    )


def _moves(one: Comparison) -> tuple[float, float]:
    """How far what is lost can move the recovery down and up, in points."""
    if one.bounds is None or one.recovery.percent is None:
        return 0.0, 0.0
    worst, best = one.bounds
    return max(0.0, one.recovery.percent - worst), max(0.0, best - one.recovery.percent)


def _could_decide(lost: Lost) -> str:
    """What a row lacks whose interval alone would decide, and how to get it."""
    one = lost.count == 1
    text = f"the {lost.count:,} lost {lost.unit[:-1] if one else lost.unit} could decide"
    if lost.final is None:
        return f"{text}: ask {'it' if one else 'them'} again"
    if lost.final == 0:
        return f"{text}: the same command asks {'it' if one else 'them'} again"
    if lost.final >= lost.count:
        return f"{text}, but asking again brings none of them: the server refuses the request, or the row is damaged"
    return f"{text}: the same command asks again all but {lost.final:,}, which are refused or damaged for good"


def _p_of_loss(one: Comparison, threshold: float | None) -> float | None:
    """One-sided p of a loss, against the threshold less what lost answers can add to the recovery."""
    if threshold is None:
        return None
    least = threshold - _moves(one)[1]
    if one.look is not None:
        return one.look.p_of_loss(least)
    return stats.p_of_loss((one.totals,) if one.totals is not None else one.tasks, least, one.weights)


def _tested(row: Judgement) -> bool:
    """Whether a row could have come out degraded."""
    kinds = {Verdict.RECOVERED, Verdict.DEGRADED, Verdict.UNDECIDED}
    judged = row.rule.min_recovery is not None and row.verdict in kinds
    return judged and row.comparison.recovery.high is not None and not row.comparison.smoke


def _not_beyond_chance(row: Judgement, family: int) -> Judgement:
    """A row whose interval lies below its threshold, but no farther than one of so many may by chance."""
    least = f"{row.rule.min_recovery:g} %"
    reason = (
        f"the {_interval(row.comparison)} is below {least}, but {family} rows were tested, and one of so many "
        f"comes out so by chance more often than in {stats.ONE_SIDED * 100:g} of 100 runs (p = {row.p:.2g}, Holm)"
    )
    return replace(row, verdict=Verdict.UNDECIDED, reasons=(reason, *row.reasons[1:]), tested=family)


def _more(one: Comparison, threshold: float) -> MoreSamples | None:
    """How many more samples would decide, if there are more; of an average, when all its tasks grow alike."""
    if one.look is not None or (one.available is not None and one.available <= one.planned):
        return None
    if one.totals is not None:
        return stats.samples_to_decide(one.totals, threshold)
    return stats.samples_to_decide_average(one.tasks, threshold, weights=one.weights) if one.tasks else None


def _attempts(one: Attempts, max_failed: float) -> str:
    lost = (
        f"{part_of(one.failed, one.planned, 'attempt')} of {one.label} {agreeing(one.failed, 'has', 'have')} no answer"
    )
    return f"{lost} ({one.share * 100:.3g} %; at most {max_failed * 100:g} % may lack one)"


def _incomplete(one: Comparison, max_failed: float) -> str:
    count = one.planned - one.n
    lost = f"{part_of(count, one.planned, 'planned sample', ('has', 'have'))} no pair"
    where = " of its worst task" if one.parts else ""
    return f"{lost} ({one.lost * 100:.3g} %{where}; at most {max_failed * 100:g} % may lack one)"


def _cautions(one: Comparison, threshold: float | None) -> Iterator[str]:
    """What a reader should hold against a verdict."""
    if one.smoke and threshold is None:
        yield SMOKE
    if one.recovery.reason and one.recovery.percent is not None:
        yield one.recovery.reason
    if one.bounds is not None:
        low, high = one.bounds
        least, most = _digits((low, high), threshold)
        end = "without end" if math.isinf(high) else f"{most} %"
        yield f"counting what is lost as worst and best puts recovery between {least} % and {end}"
    again = one.repeated
    if again.low is not None and again.high is not None:
        ends = ", ".join(_digits((again.low, again.high), threshold))
        yield f"if repeated: {_AGAIN[again.method or ''].format(ends)}"
    yield from one.cautions


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
    lost = one.losses
    if lost is not None and lost.unit != "samples":
        what = counted(lost.count, "attempt") if lost.unit == "attempts" else f"{lost.count:,} {lost.unit}"
        parts.append(f"{what} without an answer")
    return ", ".join(parts)


def _of_all(one: Comparison) -> str:
    """The mark of a part that was drawn."""
    if one.parts or one.available is None:
        return "a part of each task, drawn at random" if one.parts else "a part of the task, drawn at random"
    return f"on {one.planned:,} of {counted(one.available, 'question')}, drawn at random"


def _closing(judgement: Judgement) -> Iterator[str]:
    """What the bracket says after the counts."""
    one, verdict = judgement.comparison, judgement.verdict
    if one.look is not None:
        yield f"{early.words(one, one.look)}; error at most {stats.EARLY_ERROR * 100:g} % over all looks"
        yield "not a score for a model card"
    elif one.smoke:
        yield "smoke run: the first samples in stored order, no verdict either way"
    elif one.drawn:
        yield _of_all(one)
    if verdict in {Verdict.NOT_COMPARABLE, Verdict.INCOMPLETE} or (verdict and one.recovery.low is None):
        yield judgement.reasons[0]
    elif one.recovery.percent is None:
        yield str(one.recovery.reason)
    elif verdict is Verdict.UNDECIDED and one.look is None and _open(judgement):
        yield _would_decide(one, judgement.more, f"{judgement.rule.min_recovery:g} %")
    elif verdict is Verdict.UNDECIDED and judgement.reasons[0] != SMOKE:
        yield judgement.reasons[0]


def _open(judgement: Judgement) -> bool:
    """Whether it is samples that a row lacks: its interval holds the threshold."""
    found, least = judgement.comparison.recovery, judgement.rule.min_recovery
    if judgement.comparison.smoke or found.low is None or found.high is None or least is None:
        return False
    return found.low < least <= found.high


def _would_decide(one: Comparison, more: MoreSamples | None, threshold: str) -> str:
    """How likely more samples would decide, as far as that is known and as far as there are any."""
    this = f"this {_kind(one)}"
    room = None if one.available is None else max(0, one.available - one.planned)
    if room == 0:
        asked = f"{counted(one.planned, 'sample')} {agreeing(one.planned, 'is', 'are')} asked"
        return f"{this} cannot decide at {threshold}: all {asked}"
    if more is None:
        return "too few to tell how many more samples would decide"
    alike = ", spread over the tasks as now" if one.parts else ""
    counts = [(max(1, more.samples(chance)), chance) for chance in _LIKELY]
    if room is not None:
        chance = more.chance(room)
        if chance < _HARDLY:
            least = f"would do so in fewer than {_HARDLY * 100:.0f} of 100 such cases"
            left = f"{counted(room, 'sample')} that {agreeing(room, 'is', 'are')} left"
            return f"{this} can hardly decide at {threshold}: the {left} {least}"
        counts = [(count, likely) for count, likely in counts if count < room]
        counts += [(room, chance)] if len(counts) < len(_LIKELY) else []
    (first, likely), *others = counts
    all_of = "all " if first == room else "about "
    samples = counted(_about(first, room), "more sample")
    text = f"{all_of}{samples} would decide in {likely * 100:.0f} of 100 such cases"
    text += "".join(f", {_about(count, room):,} in {chance * 100:.0f}" for count, chance in others)
    return f"{text}{alike}" if room is not None else f"{text}{alike}; whether there are so many is not known"


def _kind(one: Comparison) -> str:
    return "average" if one.parts else "task"


def _about(count: int, room: int | None) -> int:
    """Two leading digits, but of all that are left: more would pretend to know the spread of samples not seen."""
    scale: int = 10 ** max(0, len(str(count)) - 2)
    return count if count == room else math.ceil(count / scale) * scale
