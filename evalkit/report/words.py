"""A report in sentences and in the accuracy table, rounded once for every rendering."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from evalkit import stats
from evalkit.base.errors import near_miss
from evalkit.base.printable import agreeing, counted, part_of
from evalkit.comparison import elsewhere, verdict
from evalkit.records import checkpoint
from evalkit.report import how_asked
from evalkit.stats import IntervalQuestion

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.verdicts import Verdict
    from evalkit.comparison.drift import Change
    from evalkit.comparison.pairs import Comparison
    from evalkit.comparison.verdict import Judgement
    from evalkit.records.results import StoredAnswers
    from evalkit.report.facts import ImportedRow, Published, Report, Row
    from evalkit.stats import Estimate, Flips, RecoveryInterval

DASH = "–"
_NAMED: Final = 5
_TRAITS: Final = {"tokens": "long (mean tokens)", "elsewhere": "text in another field"}


def percent(value: float | None) -> str:
    """A 0-1 score as the published tables print it: in percent, two decimals; a dash where there is none."""
    return DASH if value is None else f"{value * 100:.2f}"


def recovery_text(one: Comparison) -> str:
    """A recovery as the published tables print it, with its 95 % interval; a dash where it is undefined."""
    found = one.recovery
    if found.percent is None:
        return DASH
    interval = "" if found.low is None or found.high is None else f" [{found.low:.1f}, {found.high:.1f}]"
    return f"{found.percent:.2f}%{interval}"


def verdict_text(one: Verdict | None) -> str:
    """A verdict in words; a dash where nothing was asked."""
    return DASH if one is None else one.value.replace("_", " ")


# --- sentences ------------------------------------------------------------------------------------


def sentences(report: Report) -> list[str]:
    """The answer first: every average, then every task, of every candidate; each ends with what it is about."""
    prefix = "Smoke run (--limit): " if report.plan.smoke else ""
    found = []
    for label in report.candidates:
        beside = f"{label} beside {report.baseline}"
        for average in report.averages:
            one = average.judgements[label]
            about = f"{average.category} average of {counted(len(one.comparison.parts), 'task')}, {beside}"
            found.append(f"{prefix}{verdict.sentence(one)}: {about}")
        found += [
            f"{prefix}{verdict.sentence(row.judgements[label])}: {row.part.task.title}, {beside}" for row in report.rows
        ]
        found += [f"{verdict.sentence(row.judgements[label])}: {row.title}, {beside}" for row in report.imported]
    return found


def drawn(report: Report) -> str:
    """Which part of each task was asked, and how it was chosen."""
    parts = ", ".join(
        f"{row.part.task.title} {row.part.planned:,} of {row.part.available:,}" for row in report.rows if row.part.drawn
    )
    return (
        f"Drawn at random, by a fixed seed and the samples' names, the same for every model and machine: {parts}; "
        "questions about one picture or page come together, subjects have their shares."
    )


def completeness(report: Report) -> list[str]:
    """One sentence for each thing that limits what the table says."""
    found = [drawn(report)] if report.plan.drawn else []
    found += [*early(report), *questions(report)]
    found += [*report.missing.values(), *report.doubts, *report.notices, *report.warnings, *_how_served(report)]
    found += [*_unknown(report), *_accepted_in_vain(report), *_tested(report)]
    for row in report.rows:
        found += _failures(row)
        found += how_asked.cautions(row)
        for label, one in row.judgements.items():
            found += _reasons(f"{row.part.task.title}, {label}", one)
    for average in report.averages:
        for label, one in average.judgements.items():
            found += _reasons(f"{average.category} average, {label}", one)
    for line in report.imported:
        found += [*_made_elsewhere(line)]
        for label, one in line.judgements.items():
            found += _reasons(f"{line.title}, {label}", one)
    return found


def _made_elsewhere(row: ImportedRow) -> Iterator[str]:
    """Where an imported row is from, and what is not known of it."""
    places = "; ".join(f"{label} from {source}" for label, source in row.sources.items())
    yield f"{row.title}: not asked by this run, answers were read: {places}."
    if row.unknown:
        yield f"{row.title}: not told by the files, and so not compared: {', '.join(row.unknown)}."
    for label, name in row.named.items():
        yield f"{row.title}: the file calls the model '{name}', this run {label}; that they are one is not checked."


def early(report: Report) -> Iterator[str]:
    """What holds of tasks that were not asked to their end; nothing where there are none."""
    if report.stopped:
        yield (
            f"Stopped early (--stop-early): {', '.join(report.stopped)}. A recovery is known there as well as its "
            "verdict needs it, and looks a few tenths of a point farther from the threshold than it is, because asking "
            "stops where it looks clear. That is no score for a card: no model_card.md is written, and no records of "
            "these tasks. The same command without --stop-early asks the rest."
        )


def questions(report: Report) -> Iterator[str]:
    """What each kind of interval in the report is an answer to: one sentence for each that it has."""
    rows = [(row.part.task.title, row.judgements) for row in report.rows]
    rows += [(f"{one.category} average", one.judgements) for one in report.averages]
    rows += [(row.title, row.judgements) for row in report.imported]
    found = [(f"{name}, {label}", one.comparison) for name, of in rows for label, one in of.items()]
    if any(one.recovery.low is not None and one.look is None for _, one in found) or any(
        row.drift for row in report.rows
    ):
        yield (
            f'Intervals beside a recovery, a score or a difference are "{IntervalQuestion.LIKE_THESE}": '
            "where it could lie had other samples of the same kind been asked."
        )
    if any(one.repeated.low is not None for _, one in found):
        yield (
            f'Intervals "{IntervalQuestion.REPEATED}" hold noise alone: '
            "where a recovery could lie were the same samples asked of the same models again."
        )
    if any(one.look is not None for _, one in found):
        yield (
            f'Intervals beside the recovery of what was stopped early are "{IntervalQuestion.THIS_BENCHMARK}": '
            "repeated intervals. That any look misses what all questions would give has a chance of at most "
            f"{stats.EARLY_ERROR * 100:g} %."
        )
    parts = [(place, one) for place, of in found if of.look is None and (one := of.on_benchmark).low is not None]
    if parts:
        drawn = [f"{place} [{one.low:.1f}, {one.high:.1f}]" for place, one in parts if one.low != one.high]
        exact = "where all samples of a task were asked and answered, its recovery is the number itself"
        few = f"of a part, and of a task with lost answers at their worst and best: {'; '.join(drawn)}"
        told = [*([exact] if len(drawn) < len(parts) else []), *([few] if drawn else [])]
        yield f'Intervals "{IntervalQuestion.THIS_BENCHMARK}" leave no other samples to chance: {"; ".join(told)}.'
    yield from _without_interval(rows)


def _without_interval(rows: Sequence[tuple[str, Mapping[str, Judgement]]]) -> Iterator[str]:
    """Which of the rows that have a recovery lack an interval, and why; a recovery that is undefined says so itself."""
    for question in IntervalQuestion:
        lacking: dict[str, list[str]] = {}
        for name, of in rows:
            found = {label: _interval(one.comparison, question) for label, one in of.items()}
            bare = {label: one for label, one in found.items() if one.low is None and one.percent is not None}
            reasons = {label: one.reason or "" for label, one in bare.items()}
            alike = len(reasons) == len(of) and len(set(reasons.values())) == 1
            for label, reason in list(reasons.items())[: 1 if alike else None]:
                lacking.setdefault(reason, []).append(name if alike else f"{name}, {label}")
        for reason, places in lacking.items():
            of_what = "any row" if len(places) == len(rows) > 1 else "; ".join(places)
            yield f'No interval "{question}" of {of_what}: {reason}.'


def _interval(one: Comparison, question: IntervalQuestion) -> RecoveryInterval:
    """The interval that answers a question, with the recovery that is shown."""
    if one.look is not None and question is IntervalQuestion.LIKE_THESE:
        why = "asking stopped where all questions of the benchmark would decide alike"
        return replace(one.recovery, low=None, high=None, reason=why)
    found = {
        IntervalQuestion.LIKE_THESE: one.recovery,
        IntervalQuestion.THIS_BENCHMARK: one.on_benchmark,
        IntervalQuestion.REPEATED: one.repeated,
    }[question]
    return replace(found, percent=one.recovery.percent)


def _failures(row: Row) -> Iterator[str]:
    for label, score in row.scores.items():
        place = f"{row.part.task.title}, {label}"
        if score.failed:
            kinds = ", ".join(f"{count} {kind}" for kind, count in score.failures.items())
            yield (
                f"{place}: {part_of(score.failed, score.planned, 'sample', ('has', 'have'))} no answer ({kinds}); "
                f"{agreeing(score.failed, 'it is', 'they are')} not scored as wrong."
            )
        for fault, ids in score.left_out.items():
            some = ", ".join(ids[:_NAMED]) + (", ..." if len(ids) > _NAMED else "")
            counts = part_of(len(ids), score.planned, "sample", ("counts", "count"))
            yield f"{place}: {counts} in no mean: {fault} ({some})."
        if score.truncated:
            share = score.truncated / score.scored
            yield f"{place}: {part_of(score.truncated, score.scored, 'answer')} ({share:.1%}) ended at the token limit."
        if score.empty:
            yield f"{place}: {part_of(score.empty, score.scored, 'answer', ('is', 'are'))} without words."
        if score.reasoned:
            some = part_of(score.reasoned, score.scored, "answer", ("has", "have"))
            read = "scored with the answer" if row.part.task.score_reasoning else "kept, and not scored"
            yield f"{place}: {some} reasoning that the server has cut off; it is {read}."
        for name, count in score.elsewhere.items():
            yield f"{place}: {elsewhere.counted(count, score.scored, name)}."


def _reasons(place: str, one: Judgement) -> Iterator[str]:
    """What a reader should hold against a verdict; why it was given stands in its sentence."""
    yield from (f"{place}: {text}." for text in one.reasons[1:])


def _how_served(report: Report) -> Iterator[str]:
    """What a reader must know of the servers."""
    for one in report.plan.contenders:
        label = one.model.label
        if one.model.endpoint:
            yield f"{label} was asked on a server that evalkit did not start; its weights are known by name only."
            if found := (report.provenance.endpoints or {}).get(label):
                yield f"{label}: {standing(found)}."
        if one.engine.numerics.get("trust-remote-code"):
            yield f"{label}: code from the model's repository was allowed to run (trust_remote_code)."


def standing(found: StoredAnswers) -> str:
    """What the stored answers of a server that evalkit did not start were worth, as ``vouching`` has found it."""
    asked, same = found.asked, found.same
    if found.how == "vouched":
        return f"its answers are those of '{found.revision}', as the user vouches (--endpoint-is)"
    if found.how == "compared":
        return f"answers of earlier runs are used again: {asked} of them, asked again, came back the same"
    if found.how == "own":
        return "every answer was asked for by this run"
    if not asked:
        return "none of its stored answers can be compared (they were drawn by chance), so everything is asked again"
    other = asked - same
    return (
        f"{part_of(other, asked, 'stored answer')}, asked again, came back otherwise: it may be another model or "
        "server than before, so everything is asked again (--endpoint-is MODEL=REVISION vouches for a server)"
    )


def _tested(report: Report) -> Iterator[str]:
    """How many rows of each candidate were tested."""
    for label in report.candidates:
        family = verdict.family_sentence(report.rows_of(label))
        if family is not None:
            yield f"{label}: {family}."


def _unknown(report: Report) -> Iterator[str]:
    """What could not be compared; told once, although it holds for every task."""
    if report.rows:
        for label, items in report.rows[0].comparability.unknown.items():
            yield f"{label}: not known, and so not compared: {', '.join(items)}."


def _accepted_in_vain(report: Report) -> Iterator[str]:
    """Accepted differences that are none: a misspelt key must not look like one that was used."""
    compared = [row.comparability for row in report.compared]
    seen = {one.key for each in compared for found in each.differences.values() for one in found}
    known = {key for each in compared for told in each.settings.values() for key in told}
    accepted = report.rows[0].comparability.accepted if report.rows else ()
    for key in accepted:
        if key not in seen:
            hint = "" if key in known else f"; there is no such item, {near_miss(key, known)}"
            yield f"--accept-difference {key}: nothing of that name differs{hint}"


# --- what else the report shows ----------------------------------------------------------------------


def weights_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body: how every model is quantized and how large it is, as its files say."""
    head = ["Model", "Scheme", "Weights", "Stored as", "Quantized layers"]
    return head, [
        [one.model.label, *_weights(report.checkpoints.get(one.model.label))] for one in report.plan.contenders
    ]


def _weights(one: checkpoint.Checkpoint | None) -> list[str]:
    if one is None:
        return ["files not on this machine", DASH, DASH, DASH]
    if one.weight_bytes is None:
        return [one.scheme, "not readable", DASH, DASH]
    kinds = ", ".join(f"{kind} {count / one.weight_bytes:.0%}" for kind, count in one.dtypes.items())
    layers = ", ".join(f"{name.replace('_', ' ')} {count}" for name, count in one.layers.items())
    return [one.scheme, checkpoint.size(one.weight_bytes), kinds, layers or "none"]


def drift_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body: how answers came out, baseline beside candidate. Traits that neither shows are left out."""
    head = ["Task", "Candidate", "Answers that are", report.baseline, "Candidate's", "Difference", ""]
    body = [
        [row.part.task.title, label, *_change(one)]
        for row in report.rows
        for label, found in row.drift.items()
        for one in found
        if one.baseline or one.candidate
    ]
    return head, body


def _change(one: Change) -> list[str]:
    scale, unit = (1.0, "") if one.trait == "tokens" else (100.0, " %")
    name = _TRAITS.get(one.trait, one.trait)
    found = one.difference
    value = DASH if found.value is None else f"{found.value * scale:+.2f}"
    interval = (
        "" if found.low is None or found.high is None else f" [{found.low * scale:+.2f}, {found.high * scale:+.2f}]"
    )
    sides = [f"{side * scale:.2f}{unit}" for side in (one.baseline, one.candidate)]
    return [name, *sides, value + interval + _times(one.ratio), "changed" if one.flagged else ""]


def _times(ratio: Estimate | None) -> str:
    """How many times as long the candidate's answers are: what serving them costs more."""
    if ratio is None or ratio.value is None:
        return ""
    ends = "" if ratio.low is None or ratio.high is None else f" [{ratio.low:.2f}, {ratio.high:.2f}]"
    return f"; × {ratio.value:.2f}{ends}"


def noise_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body: flips of the baseline against itself beside those of every candidate; empty without them."""
    head = ["Task", "Samples", f"{report.baseline} again", *report.candidates]
    body = [
        [
            row.part.task.title,
            str(row.noise.samples),
            _flips(row.noise.itself),
            *(_flips(row.noise.candidates[label]) for label in report.candidates),
        ]
        for row in report.rows
        if row.noise is not None
    ]
    return head, body


def _flips(one: Flips) -> str:
    share = "" if one.discordance is None else f" ({one.discordance:.1%})"
    return f"{one.regressed} worse, {one.improved} better{share}"


def published_table(report: Report) -> tuple[list[str], list[list[str]]]:
    """Heading and body: every published recovery beside the measured one; empty where nothing was published."""
    head = ["Row", "Candidate", "Published recovery", "Measured recovery", "Published lies"]
    body = [
        [title, label, *_published(one, judgements[label])]
        for title, judgements, found in [
            *((row.part.task.title, row.judgements, row.published) for row in report.rows),
            *((f"{one.category} average", one.judgements, one.published) for one in report.averages),
        ]
        for label, one in found.items()
    ]
    return head, body


def _published(one: Published, measured: Judgement) -> list[str]:
    shown = DASH if one.beside.published is None else f"{one.beside.published:.2f}%"
    return [f"{shown} ({one.baseline} to {one.candidate})", recovery_text(measured.comparison), one.beside.standing]


def differences(report: Report) -> list[str]:
    """What differs between baseline and candidates, each once, with whether it was accepted."""
    found = []
    for compared in (row.comparability for row in report.compared):
        for label, listed in compared.differences.items():
            for one in listed:
                accepted = " (accepted as intended)" if one.key in compared.accepted else ""
                found.append(f"{label}: {one.what}{accepted}")
    return list(dict.fromkeys(found))
