"""The flips of a report as the page shows them, within a budget for pictures and one for answers."""

from __future__ import annotations

import json
from base64 import b64encode
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from evalkit.base.identity import file_name
from evalkit.base.types import Image, Text
from evalkit.comparison import flips
from evalkit.report.marks import Piece, cut, pieces
from evalkit.report.words import percent
from evalkit.tasks.metrics.why import Known, settings_of, why

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.types import Json, Sample, Task
    from evalkit.comparison.flips import Flip, FlipList, FlipReply
    from evalkit.report.facts import Report

PICTURES: Final = 5_000_000
"""Characters of embedded pictures in one page."""
TEXTS: Final = 8_000_000
"""Characters of answers in one page: it should open at once on a telephone."""
_QUESTION: Final = 6_000


@dataclass(frozen=True, slots=True)
class Evidence:
    """What a page can show of single samples."""

    flips: Sequence[FlipList] = ()
    pictures: Mapping[str, bytes] = field(default_factory=dict)
    """Small WEBP pictures by the sha256 of the image they were made of."""
    run: str = ""
    """Id of the run, for the command that opens the viewer."""


@dataclass(frozen=True, slots=True)
class Answered:
    """One model's side of a card."""

    label: str
    pieces: tuple[Piece, ...]
    note: str
    """What is left out of the answer, and where it is."""
    parsed: str | None
    score: str
    mean: str
    """Score over all attempts; empty for a single one."""
    why: str
    """Why it got its score, in one line."""
    facts: tuple[tuple[str, str], ...]
    reasoning: str
    """What the server has cut off in front of the answer."""


@dataclass(frozen=True, slots=True)
class FlipCard:
    """One flip."""

    anchor: str
    direction: str
    sample: str
    group: str
    """What it is correlated with; empty when it stands alone."""
    attempts: int
    question: str
    question_note: str
    pictures: tuple[str, ...]
    """Base64 of the embedded ones."""
    unseen: int
    """Images of the sample that are not embedded."""
    references: tuple[str, ...]
    sides: tuple[Answered, Answered]


@dataclass(frozen=True, slots=True)
class Deck:
    """The cards of one task and candidate."""

    task: str
    title: str
    candidate: str
    regressed: int
    improved: int
    cards: tuple[FlipCard, ...]

    @property
    def unseen(self) -> int:
        """Flips that the page does not show."""
        return self.regressed + self.improved - len(self.cards)


def decks(report: Report, evidence: Evidence, *, pictures: int = PICTURES, texts: int = TEXTS) -> list[Deck]:
    """Every task and candidate with flips; the budgets are spent on the most informative ones, all lists in turn."""
    dealer = _Dealer(report, evidence.pictures, pictures, texts)
    dealt: dict[int, list[FlipCard]] = {}
    for owner, flip in flips.in_turn(evidence.flips):
        card = dealer.card(owner, flip)
        if card is not None:
            dealt.setdefault(id(owner), []).append(card)
    return [
        Deck(
            one.task,
            dealer.tasks[one.task].title,
            one.candidate,
            one.regressed,
            one.improved,
            tuple(dealt.get(id(one), ())),
        )
        for one in evidence.flips
        if one.regressed or one.improved
    ]


class _Dealer:
    """Makes cards while the budgets last."""

    def __init__(self, report: Report, pictures: Mapping[str, bytes], room: int, texts: int) -> None:
        self.tasks: dict[str, Task] = {row.part.task.name: row.part.task for row in report.rows}
        self._baseline = report.baseline
        self._pictures, self._room, self._texts = pictures, room, texts
        self._dealt = 0

    def card(self, owner: FlipList, flip: Flip) -> FlipCard | None:
        """The card of a flip; None when there is no room for its answers."""
        task = self.tasks[owner.task]
        texts = [cut(one.answer.text or "") for one in (flip.baseline, flip.candidate)]
        self._texts -= sum(len(text) for text, _ in texts)
        self._texts -= sum(len(cut(one.answer.reasoning or "")[0]) for one in (flip.baseline, flip.candidate))
        if self._texts < 0:
            return None
        self._dealt += 1
        labels = (self._baseline, owner.candidate)
        marked = pieces(texts[0][0], texts[1][0])
        base, cand = (
            _answered((label, task, flip), reply, (marked[at], texts[at][1]))
            for at, (label, reply) in enumerate(zip(labels, (flip.baseline, flip.candidate), strict=True))
        )
        question, note = cut(_question(flip.sample), _QUESTION)
        shown = tuple(self._embedded(flip.sample))
        images = sum(isinstance(part, Image) for part in flip.sample.content)
        return FlipCard(
            anchor=f"flip-{self._dealt}",
            direction=flip.direction,
            sample=flip.sample.id,
            group=flip.sample.cluster or "",
            attempts=flip.attempts,
            question=question,
            question_note=note,
            pictures=shown,
            unseen=images - len(shown),
            references=tuple(_references(flip.sample.references)),
            sides=(base, cand),
        )

    def _embedded(self, sample: Sample) -> Iterator[str]:
        for part in sample.content:
            if isinstance(part, Image) and part.sha256 in self._pictures:
                data = b64encode(self._pictures[part.sha256]).decode("ascii")
                if len(data) <= self._room:
                    self._room -= len(data)
                    yield data


def _answered(of: tuple[str, Task, Flip], reply: FlipReply, text: tuple[Sequence[Piece], str]) -> Answered:
    (label, task, flip), (marked, note) = of, text
    answer, headline = reply.answer, reply.scores[task.headline]
    known = Known(answer.scored(task), settings_of(task))
    if note:
        note = f"{note} in samples/{file_name(label)}/{task.name}.jsonl"
    told = [
        ("ended", {"stop": "by itself", "length": "at the token limit"}.get(answer.finish_reason or "", "unknown")),
        ("tokens", "unknown" if answer.completion_tokens is None else f"{answer.completion_tokens:,}"),
        ("latency", f"{answer.latency_s:.2f} s"),
        *((name, percent(score.value)) for name, score in reply.scores.items() if name != task.headline),
        *(("note", note_text) for note_text in dict.fromkeys(one.note for one in reply.scores.values()) if note_text),
    ]
    return Answered(
        label=label,
        pieces=tuple(marked),
        note=note,
        parsed=headline.parsed,
        score=percent(headline.value),
        mean=percent(reply.value) if flip.attempts > 1 else "",
        why=why(task.headline, headline, flip.sample.references, task.dialect, answer.judgement, known),
        facts=tuple(told),
        reasoning=cut(answer.reasoning or "")[0],
    )


def _question(sample: Sample) -> str:
    """The question's texts with a mark where each image stands."""
    words, images = [], 0
    for part in sample.content:
        if isinstance(part, Text):
            words.append(part.text)
        else:
            images += 1
            words.append(f"[image {images}]")
    return "\n".join(words)


def _references(found: Json) -> list[str]:
    """References one by one where they are a list of plain values, otherwise as JSON."""
    if isinstance(found, list) and all(isinstance(one, str | int | float) for one in found):
        return [str(one) for one in dict.fromkeys(found)]
    return [found if isinstance(found, str) else json.dumps(found, ensure_ascii=False, sort_keys=True)]
