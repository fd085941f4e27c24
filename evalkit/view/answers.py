"""One sample with every model's answer, ready for a page."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple, cast

from evalkit.base.errors import EvalkitError
from evalkit.base.types import Score
from evalkit.report.marks import SHOWN, Piece, pieces
from evalkit.tasks.metrics.why import Known, why
from evalkit.view.pictures import QUICK

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Dialect, Json
    from evalkit.view.pictures import Pictures
    from evalkit.view.samples import FoundSamples, Samples

_FACTS = {
    "finish_reason": "ended by",
    "completion_tokens": "answer tokens",
    "prompt_tokens": "prompt tokens",
    "latency_s": "latency (s)",
    "tries": "tries",
}


@dataclass(frozen=True, slots=True)
class AnswerPart:
    """A piece of the question: a text, or an image."""

    text: str | None
    image: str | None = None
    """The image's sha256."""
    missing: str = ""
    """Why the image cannot be shown."""
    left_out: int = 0
    """Characters of the text beyond those that are shown."""
    role: str = ""
    """Who speaks, where an earlier message begins, or the question after one."""


@dataclass(frozen=True, slots=True)
class Pane:
    """One model's answer."""

    label: str
    model: int
    present: bool
    """False when the run's folder lacks this model's line."""
    pieces: tuple[Piece, ...]
    left_out: int
    """Characters beyond those that are shown."""
    silent: bool
    """An answer without words."""
    failure: tuple[str, str] | None
    """Kind and message."""
    flip: str | None
    scores: tuple[tuple[str, float | None, str | None, str | None], ...]
    """Metric, score, what was parsed, note; the headline first."""
    why: str
    """Why it got its headline score, in one line; empty where it has none."""
    facts: tuple[tuple[str, str], ...]
    checked: str
    """What a checker said of the answer, as JSON; empty when there was none."""
    reasoning: str
    """What the server has cut off in front of the answer; empty when there was none, or nothing but that came."""


class _Rule(NamedTuple):
    """How a task scores."""

    headline: str
    dialect: str
    settings: Mapping[str, Json]


def question(line: Mapping[str, Json], found: FoundSamples, task: str, pictures: Pictures) -> list[AnswerPart]:
    """What the sample asked, in its order: earlier messages first."""
    turns = line.get("turns") or []
    own = {"role": "user" if turns else "", "content": line["content"]}
    begun = {"role": "assistant, begun", "content": [{"text": line["prefix"]}]} if line.get("prefix") else None
    return [
        part for turn in (*turns, own, *([begun] if begun else [])) for part in _message(turn, found, task, pictures)
    ]


def _message(turn: Mapping[str, Json], found: FoundSamples, task: str, pictures: Pictures) -> list[AnswerPart]:
    parts: list[AnswerPart] = []
    for part in turn["content"]:
        role = "" if parts else str(turn["role"])
        digest = part.get("image_sha256")
        if digest:
            missing = _missing(pictures, task, found.position, str(digest))
            parts.append(AnswerPart(None, str(digest), missing, role=role))
        else:
            text = str(part.get("text", ""))
            parts.append(AnswerPart(text[:SHOWN], left_out=max(0, len(text) - SHOWN), role=role))
    return parts


def references(line: Mapping[str, Json]) -> list[str]:
    """What answers are compared with, an entry each."""
    value = line.get("references")
    entries = value if isinstance(value, list) else [] if value is None else [value]
    shown = [one if isinstance(one, str) else json.dumps(one, ensure_ascii=False, indent=2) for one in entries]
    return [text[:SHOWN] for text in shown]


def panes(samples: Samples, found: FoundSamples, beside: int) -> list[Pane]:
    """Every model's answer, the baseline first.

    Candidates are marked against the baseline, and the baseline against the candidate ``beside``.
    """
    labels = samples.files.models
    lines = {model: samples.line(found, model) for model in range(len(labels))}
    texts = {model: (line or {}).get("answer") for model, line in lines.items()}
    files, task = samples.files, found.task
    rule = _Rule(files.headlines[task], files.dialects[task], files.settings[task])
    made = []
    for model, label in enumerate(labels):
        other = texts.get(0 if model else beside) if len(labels) > 1 else None
        made.append(_pane(found, model, label, lines[model], (other, rule)))
    return made


def _pane(
    found: FoundSamples,
    model: int,
    label: str,
    line: Mapping[str, Json] | None,
    against: tuple[str | None, _Rule],
) -> Pane:
    other, rule = against
    headline = rule.headline
    line, present = line or {}, line is not None
    text, failure = line.get("answer"), line.get("failure")
    entry = found.entries.get(model)
    scores = line.get("scores") or {}
    names = sorted(scores, key=lambda name: name != headline)
    judgement = line.get("verdict")
    return Pane(
        label,
        model,
        present,
        tuple(_marked(text or "", other)),
        max(0, len(text or "") - SHOWN),
        present and not failure and not (text or "").strip(),
        (str(failure.get("kind")), str(failure.get("message"))[:SHOWN]) if failure else None,
        entry.flip if entry else None,
        tuple((name, *_score(scores[name])) for name in names),
        _why(rule, scores[headline], line) if headline in scores else "",
        (
            *((words, _fact(line[key])) for key, words in _FACTS.items() if line.get(key) is not None),
            *(_elsewhere(line.get("elsewhere")) if not (text or "").strip() else ()),
        ),
        json.dumps(judgement, ensure_ascii=False, indent=2)[:SHOWN] if judgement is not None else "",
        str((line.get("elsewhere") or {}).get("text", ""))[:SHOWN] if (text or "").strip() else "",
    )


def _elsewhere(found: Json) -> Iterator[tuple[str, str]]:
    """What came back in another field than the content."""
    if isinstance(found, dict):
        yield f"came back as {found.get('place')}", str(found.get("text"))[:SHOWN]


def _marked(own: str, other: str | None) -> list[Piece]:
    """An answer with what the other side does not have marked; nothing is where there is no other side."""
    if other is None or own == other:
        return [Piece(own[:SHOWN], differs=False)] if own else []
    return pieces(own[:SHOWN], other[:SHOWN])[0]


def _score(score: Mapping[str, Json]) -> tuple[float | None, str | None, str | None]:
    parsed, note = score.get("parsed"), score.get("note")
    return score.get("value"), None if parsed is None else str(parsed)[:SHOWN], None if note is None else str(note)


def _why(rule: _Rule, stated: Mapping[str, Json], line: Mapping[str, Json]) -> str:
    value, parsed, note = _score(stated)
    judged = line.get("verdict")
    score, known = Score(value or 0.0, parsed, note), Known(line.get("answer"), rule.settings)
    return why(rule.headline, score, line.get("references"), cast("Dialect", rule.dialect), judged, known)


def _fact(value: Json) -> str:
    return f"{value:.2f}" if isinstance(value, float) else str(value)


def _missing(pictures: Pictures, task: str, position: int, digest: str) -> str:
    """Why the image is not there; empty when it is, or when finding out would keep the page waiting."""
    try:
        spot = pictures.spot(task, position)
        if spot.size <= QUICK:
            pictures.load(spot, digest)
    except EvalkitError as error:
        return f"{error.message}; {error.fix}"
    return ""
