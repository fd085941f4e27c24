"""The first screen of the page: what each candidate kept, the accuracy table, and what there is to trust it by."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import agreeing, counted, part_of
from evalkit.base.verdicts import Kind, Verdict
from evalkit.cards import Standing
from evalkit.comparison import verdict
from evalkit.report import accuracy, categories, how_asked, words

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.comparison.pairs import Difference
    from evalkit.comparison.verdict import Judgement
    from evalkit.report.accuracy import AccuracyRow
    from evalkit.report.facts import Comparability, Report
    from evalkit.report.forest import Axis, Mark

_CLAIMS: Final = 3
_NAMED: Final = 3
_BESIDE: Final = 2
_ROWS: Final = 12
_TRAITS: Final = {
    "unparsed": "unreadable",
    "truncated": "cut short",
    "empty": "empty",
    "elsewhere": "text in another field",
    "tokens": "length",
}
_OUTCOMES: Final = {
    Kind.NOT_SERVED: ("bad", "!"),
    Kind.DEGRADED: ("bad", "✗"),
    Kind.NOT_COMPARABLE: ("bad", "≠"),
    Kind.INCOMPLETE: ("unsure", "!"),
    Kind.UNDECIDED: ("unsure", "?"),
    Kind.RECOVERED: ("good", "✓"),
    Kind.PASSED: ("good", "✓"),
    Kind.NOT_JUDGED: ("plain", "○"),
}
_SIGNS: Final = {
    Verdict.RECOVERED: ("good", "✓"),
    Verdict.DEGRADED: ("bad", "✗"),
    Verdict.UNDECIDED: ("unsure", "?"),
    Verdict.INCOMPLETE: ("unsure", "!"),
    Verdict.NOT_COMPARABLE: ("bad", "≠"),
}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A verdict with the sign and the tone it is shown in; the word always stands beside them."""

    word: str
    tone: str
    sign: str


@dataclass(frozen=True, slots=True)
class ScoreCell:
    """One candidate on one row."""

    label: str
    score: str
    recovery: str
    interval: str
    stamp: Stamp | None
    mark: Mark | None
    percent: float | None
    """The recovery unrounded, by which rows are sorted."""
    unchanged: str = ""
    """What is said of a row whose scores are the same on both sides, in two words."""
    regressed: int = 0
    """Samples with a lower score than the baseline's; of an average those of its tasks together."""
    improved: int = 0
    """With a higher one."""
    baseline: str = ""
    """The baseline's score over this candidate's pairs, where the candidates have others."""


@dataclass(frozen=True, slots=True)
class ScreenLine:
    """One row of the accuracy table."""

    category: str
    opens: bool
    """Whether it is the first of its category, and so shows the name of it."""
    closes: bool
    """Whether it is the last one."""
    title: str
    metric: str
    baseline: str
    cells: tuple[ScoreCell, ...]
    average: bool
    own: str = ""
    """Own means over all that a model answered, where they are others than those shown."""


@dataclass(frozen=True, slots=True)
class FirstClaim:
    """What is said first of a candidate: one average, or a task where there is none."""

    name: str
    cell: ScoreCell
    sentence: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """One candidate's answer to "what did quantization cost"."""

    label: str
    stamp: Stamp
    """What the candidate comes to as a whole, whatever its average says."""
    outcome: str
    claims: tuple[FirstClaim, ...]
    counts: str
    loss: str
    """The group of samples that lost most, where that is beyond chance."""


@dataclass(frozen=True, slots=True)
class Ground:
    """One thing that speaks for or against trusting the numbers."""

    name: str
    text: str
    tone: str
    place: str
    """Anchor of the section that says more."""


def stamp(one: Judgement) -> Stamp | None:
    """The verdict as it is shown; None when the row was not judged."""
    if one.verdict is None:
        return None
    tone, sign = _SIGNS[one.verdict]
    return Stamp(words.verdict_text(one.verdict), tone, sign)


def lines(report: Report, axis: Axis | None) -> list[ScreenLine]:
    """The accuracy table: the same rows, order and rounding as in every other rendering."""
    rows = accuracy.rows(report)
    categories = [row.category for row in rows]
    return [
        ScreenLine(
            category=row.category,
            opens=row.category not in categories[max(at - 1, 0) : at],
            closes=row.category not in categories[at + 1 : at + 2],
            title=row.title,
            metric=row.metric,
            baseline=row.baseline,
            cells=tuple(_cell(label, row, axis) for label in row.judgements),
            average=row.average,
            own=row.own,
        )
        for at, row in enumerate(rows)
    ]


def many(report: Report, table: Sequence[ScreenLine]) -> bool:
    """Whether a matrix of rows and candidates is the first look.

    Two candidates on a dozen rows still stand under each other in one window, which has their intervals beside them;
    three on seven rows do not.
    """
    return len(report.candidates) > _BESIDE or (len(report.candidates) == _BESIDE and len(table) > _ROWS)


def candidates(
    report: Report, table: Sequence[ScreenLine], groups: Sequence[categories.CategoryTable]
) -> list[Candidate]:
    """What is said first of every candidate: its averages, or its tasks where there is no average.

    ``groups`` are the tables of the report's groups.
    """
    averaged = any(line.average for line in table)
    found = []
    for at, label in enumerate(report.candidates):
        claims = tuple(
            FirstClaim(
                f"{line.category} average" if line.average else line.title,
                line.cells[at],
                verdict.sentence(row.judgements[label]),
            )
            for row, line in zip(accuracy.rows(report), table, strict=True)
            if line.average or not averaged
        )
        own = report.outcome.of(label)
        loss = categories.largest_loss(groups, label)
        worn = Stamp(own.kind.words, *_OUTCOMES[own.kind])
        found.append(Candidate(label, worn, own.sentence, claims[:_CLAIMS], _counts(label, report), loss))
    return found


def grounds(report: Report) -> list[Ground]:
    """What there is to trust the numbers by, or to doubt them for."""
    found = [_answered(report), *([_comparable(report), _form(report)] if report.candidates else [])]
    if report.plan.smoke:
        text = (
            "the first rows in stored order were asked (--limit), and they stand for no others: this shows that the "
            "run works, not what quantization costs"
        )
        found.insert(0, Ground("Smoke run", text, "unsure", "answers"))
    elif report.plan.drawn:
        found.insert(0, Ground("A part, drawn at random", _drawn(report), "good", "answers"))
    return [*found, *_imported(report), *_again(report), *_published(report), *_weights(report)]


def _drawn(report: Report) -> str:
    """How much of all; the part of each task stands in its own sentence, which has the room."""
    parts = [row.part for row in report.rows if row.part.drawn]
    asked, there = sum(one.planned for one in parts), sum(one.available for one in parts)
    return f"{asked:,} of {there:,} samples, by a fixed seed and their names: the same for every model and machine"


def _cell(label: str, row: AccuracyRow, axis: Axis | None) -> ScoreCell:
    one = row.judgements[label]
    flips = one.comparison.flips
    shown, _, interval = words.recovery_text(one.comparison).partition(" ")
    return ScoreCell(
        label=label,
        score=row.scores[label],
        recovery=shown,
        interval=interval,
        stamp=stamp(one),
        mark=axis.mark(one) if axis else None,
        percent=one.comparison.recovery.percent,
        unchanged=_unchanged(one),
        regressed=flips.regressed if flips else 0,
        improved=flips.improved if flips else 0,
        baseline=row.baselines[label] if row.apart else "",
    )


def _unchanged(one: Judgement) -> str:
    """What ``verdict.unchanged`` says, in two words that a column has room for."""
    if not verdict.unchanged(one):
        return ""
    return "same answers" if one.comparison.same_answers else "same scores"


def _counts(label: str, report: Report) -> str:
    """``7 tasks: 5 recovered, 2 undecided``."""
    verdicts = Counter(row.judgements[label].verdict for row in report.compared)
    total = counted(len(report.rows), "task")
    if report.imported:
        total += f" and {counted(len(report.imported), 'imported one')}"
    parts = [f"{verdicts[one]} {words.verdict_text(one)}" for one in Verdict if verdicts[one]]
    parts += [f"{verdicts[None]} without a threshold to judge by"] if verdicts[None] else []
    return f"{total}: {', '.join(parts)}"


def _answered(report: Report) -> Ground:
    scores = [score for row in report.rows for score in row.scores.values()]
    planned, failed = sum(one.planned for one in scores), sum(one.failed for one in scores)
    if not failed:
        text = f"all of {counted(planned, 'planned answer')} are there"
        return Ground("Complete", text, "good", "answers")
    text = f"{part_of(failed, planned, 'answer', ('is', 'are'))} missing, not counted as wrong"
    return Ground("Not complete", text, "unsure", "answers")


def _comparable(report: Report) -> Ground:
    """Whether both sides answered the same questions in the same way."""
    compared = [row.comparability for row in report.compared]
    found = {(one.key, one.key in each.accepted) for each in compared for one in _unlike(each)}
    open_ones = sum(not accepted for _, accepted in found)
    if open_ones:
        text = f"{_things(open_ones)} that must be equal on both sides, and nobody has declared that intended"
        return Ground("Not comparable", text, "bad", "comparability")
    unknown = any(each.unknown for each in compared)
    if found:
        return Ground("Comparable", f"{_things(len(found))}, declared as intended", "unsure", "comparability")
    if unknown:
        text = "nothing that is known differs; not everything is known of every server"
        return Ground("Comparable", text, "unsure", "comparability")
    if any(True for row in report.rows for _ in how_asked.cautions(row)):
        text = "the settings are equal, but not all models were asked alike"
        return Ground("Comparable", text, "unsure", "answers")
    text = "same samples, prompts and serving on both sides"
    return Ground("Comparable", text, "good", "comparability")


def _unlike(compared: Comparability) -> Iterator[Difference]:
    for listed in compared.differences.values():
        yield from listed


def _imported(report: Report) -> Iterator[Ground]:
    """How much of the table this run has not asked."""
    if report.imported:
        count = len(report.imported)
        text = (
            f"{counted(count, 'row')} {agreeing(count, 'was', 'were')} made elsewhere: paired and judged here, but how "
            "the models were asked is known only as far as the files tell"
        )
        yield Ground("Imported", text, "unsure", "answers")


def _things(count: int) -> str:
    return f"{counted(count, 'thing')} {agreeing(count, 'differs', 'differ')}"


def _form(report: Report) -> Ground:
    """Whether answers changed apart from what they are worth."""
    changed = [
        f"{row.part.task.title}, {label}: {', '.join(traits)}"
        for row in report.rows
        for label, found in row.drift.items()
        if (traits := [_TRAITS[one.trait] for one in found if one.flagged])
    ]
    if not changed:
        same = "answers that are unreadable, cut short, empty or longer: no change beyond chance"
        return Ground("Same form", same, "good", "drift")
    listed = "; ".join(changed[:_NAMED]) + (f" and {len(changed) - _NAMED} more" if len(changed) > _NAMED else "")
    return Ground("Form changed", listed, "unsure", "drift")


def _again(report: Report) -> Iterator[Ground]:
    """What the baseline does to itself when it is asked twice."""
    found = [row.noise for row in report.rows if row.noise is not None]
    if found:
        flipped = sum(one.itself.regressed + one.itself.improved for one in found)
        asked = sum(one.samples for one in found)
        text = f"asked twice, the baseline's own score changed on {part_of(flipped, asked, 'sample')}"
        yield Ground("Noise floor", text, "good" if not flipped else "unsure", "drift")


def _weights(report: Report) -> Iterator[Ground]:
    """What the models' files say against the comparison being what it claims to be."""
    for text in report.missing.values():
        yield Ground("Missing", text.removeprefix("missing: "), "unsure", "answers")
    if report.warnings:
        more = f" (and {len(report.warnings) - 1} more)" if len(report.warnings) > 1 else ""
        yield Ground("Weights", report.warnings[0].removesuffix(".") + more, "unsure", "answers")


def _published(report: Report) -> Iterator[Ground]:
    """How many published figures the measured intervals hold."""
    found = [one for row in report.rows for one in row.published.values()]
    found += [one for average in report.averages for one in average.published.values()]
    if found:
        inside = sum(one.beside.standing is Standing.INSIDE for one in found)
        published = counted(len(found), "published recovery", "published recoveries")
        text = f"{inside} of {published} {agreeing(inside, 'lies', 'lie')} inside the measured interval"
        yield Ground("Published", text, "good" if inside == len(found) else "unsure", "published")
