"""A run's samples as lines of one table: what each column holds is declared here, and nowhere else."""

from __future__ import annotations

import json
from array import array
from dataclasses import asdict, dataclass, fields
from math import isnan, nan
from typing import TYPE_CHECKING, Any, Final, get_args, get_type_hints

from evalkit import harnesses
from evalkit.base.types import Answer
from evalkit.comparison.score import grouped, unit
from evalkit.stats import SAME_WITHIN

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json, Record, Sample
    from evalkit.comparison.score import Scoring
    from evalkit.records.plan import Plan, PlannedTask
    from evalkit.records.store import Store

_KINDS: Final = {str: "string", int: "Int64", float: "Float64"}


@dataclass(frozen=True, slots=True, kw_only=True)
class SampleLine:
    """One planned sample (of a task with attempts: one attempt) and what became of it with one model."""

    id: str | None = None
    """The sample; with `task` and `model` it names the line."""
    task: str | None = None
    """The task's name."""
    category: str | None = None
    """The task's category, such as Vision."""
    subject_area: str | None = None
    """Of a task whose parts have parts: the wider one, such as MMLU's stem."""
    subject: str | None = None
    """The part of the task that the sample is of and that is compared on its own, such as MMLU's astronomy; several
    kinds of one question, as DocVQA names them, with `; ` between them."""
    problem: str | None = None
    """Of a task with attempts: what several lines are attempts at."""
    attempt: int | None = None
    """Of a task with attempts: which one, from 0."""
    question_text: str | None = None
    """The text of the message that was answered, without its pictures and the messages before it."""
    attempts: int | None = None
    """How often the task asks each question."""
    model: str | None = None
    """The label of the model that was asked."""
    role: str | None = None
    """`baseline` or `candidate`."""
    answer: str | None = None
    """What the model said."""
    metric: str | None = None
    """The task's headline metric."""
    score: float | None = None
    """What the headline metric gives, 0 to 1; empty for a failure, and where the references are at fault."""
    flip: str | None = None
    """Of a candidate: whether this line scores as the baseline's with the same id: `same`, `regressed` or `improved`;
    empty where one of them has no score."""
    parsed: str | None = None
    """What the headline metric has read in the answer."""
    scores: str | None = None
    """A JSON object with every metric's `value`, `parsed` and `note`."""
    verdict: str | None = None
    """The judgement of a checker on an answer that is a program: a JSON object with its own keys, such as `base`."""
    finish_reason: str | None = None
    """How the answer ended."""
    prompt_tokens: int | None = None
    """Tokens that went in, pictures included, as the server counts them."""
    completion_tokens: int | None = None
    """Tokens that came out, reasoning included, as the server counts them."""
    latency_s: float | None = None
    """Seconds from the first byte of the request's last try to the last of its response."""
    tries: int | None = None
    """How often the request was sent."""
    elsewhere: str | None = None
    """A JSON object with what the response had in another field than its content, where that was blank."""
    failure: str | None = None
    """The kind of failure, where there is no answer."""
    failure_message: str | None = None
    """What was said of it."""
    cluster: str | None = None
    """The group that the sample was drawn with, such as a picture's."""
    stratum: str | None = None
    """The fixed part that it is of."""
    dialect: str | None = None
    """Whose reading of the metrics."""
    part: str | None = None
    """Whether `all` of the task was asked, a part that was `drawn` at random, or the `first` samples."""
    available: int | None = None
    """How many samples (or problems) the task's data has."""


NAMES: Final = tuple(one.name for one in fields(SampleLine))
COLUMNS: Final = {name: _KINDS[get_args(kind)[0]] for name, kind in get_type_hints(SampleLine).items()}
"""Column to its pandas type; every one of them can be empty."""


def sample_lines(plan: Plan, store: Store) -> Iterator[SampleLine]:
    """Every planned sample of every model of a run, the baseline's first, in the order in which they were asked."""
    before: dict[str, array[float]] = {}
    for one in plan.contenders:
        candidate = one is not plan.baseline
        for part in plan.tasks:
            table = _TaskTable(part, harnesses.harness(part.task), one.model.label, candidate=candidate)
            earlier, scores = before.get(part.task.name), array("d")
            for at, record in enumerate(store.records(part.listing, one.fingerprint(), part.checker)):
                line = table.line(record, earlier[at] if earlier else nan)
                scores.append(nan if line.score is None else line.score)
                yield line
            if not candidate:
                before[part.task.name] = scores


class _TaskTable:
    """The lines of one task and model."""

    def __init__(self, part: PlannedTask, scoring: Scoring, label: str, *, candidate: bool) -> None:
        self._part, self._scoring, self._candidate = part, scoring, candidate
        task = part.task
        self._several = task.decoding.n
        self._shared: dict[str, Any] = {
            "task": task.name,
            "category": text(task.category),
            "attempts": self._several,
            "model": text(label),
            "role": "candidate" if candidate else "baseline",
            "metric": task.headline,
            "dialect": task.dialect,
            "part": "first" if part.smoke else "drawn" if part.drawn else "all",
            "available": -(-part.available // self._several),
        }

    def line(self, record: Record, before: float) -> SampleLine:
        """A sample with what became of it; ``before`` is the baseline's score, nan where it has none."""
        outcome = record.outcome
        known = {**self._shared, **self._place(record.sample)}
        if isinstance(outcome, Answer):
            return SampleLine(**known, **self._answered(record.sample, outcome, before))
        if outcome is None:
            return SampleLine(**known, failure="not_asked")
        more: dict[str, Any] = {"latency_s": outcome.latency_s, "tries": outcome.tries}
        return SampleLine(**known, failure=outcome.kind.value, failure_message=text(outcome.message), **more)

    def _place(self, sample: Sample) -> dict[str, Any]:
        task, parts = self._part.task, [*self._scoring.parts(sample)]
        several = self._several > 1
        return {
            "id": text(sample.id),
            "question_text": text(sample.text),
            # No kind of a question lies within another.
            "subject_area": text(parts[0]) if len(parts) > 1 and not sample.kinds else None,
            "subject": text("; ".join(sample.kinds or parts[-1:])) or None,
            "problem": text(unit(sample, task)) if several else None,
            "attempt": int(number) if several and (number := sample.id.rpartition("#")[2]).isdecimal() else None,
            **{name: text(group) for name, group in grouped(sample, task, self._scoring).items()},
        }

    def _answered(self, sample: Sample, answer: Answer, before: float) -> dict[str, Any]:
        task = self._part.task
        found = self._scoring.score(task, sample, answer)
        headline = found[task.headline]
        score = None if headline.left_out else headline.value
        return {
            "answer": text(answer.text),
            "score": score,
            "flip": _flip(before, score) if self._candidate else None,
            "parsed": text(headline.parsed),
            "scores": json.dumps({name: asdict(one) for name, one in found.items()}),
            "verdict": None if answer.judgement is None else json.dumps(dict(answer.judgement)),
            "finish_reason": text(answer.finish_reason),
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.completion_tokens,
            "latency_s": answer.latency_s,
            "tries": answer.tries,
            "elsewhere": None if answer.elsewhere is None else json.dumps(asdict(answer.elsewhere)),
        }


def values(line: SampleLine) -> tuple[Json, ...]:
    """A line's values in the order of `NAMES`."""
    return tuple(getattr(line, name) for name in NAMES)


def text(value: str | None) -> str | None:
    """A text that every format can hold: half of a surrogate pair is written as its code."""
    return None if value is None else value.encode("utf-8", "backslashreplace").decode()


def _flip(before: float, after: float | None) -> str | None:
    if after is None or isnan(before):
        return None
    if abs(after - before) <= SAME_WITHIN:
        return "same"
    return "improved" if after > before else "regressed"
