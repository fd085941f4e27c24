"""``samples/<model>/<task>.jsonl``: every planned sample of a run with what became of it, a line each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass
from hashlib import file_digest
from typing import TYPE_CHECKING, Self, TextIO

from evalkit import harnesses
from evalkit.base import codec
from evalkit.base.errors import OutputError, unwritable
from evalkit.base.identity import file_name
from evalkit.base.types import Answer, Text
from evalkit.comparison.score import fixed_groups, hanging
from evalkit.files import private
from evalkit.records.sample_lines import AnsweredLine, AskedLine, EarlierMessage, FailedLine, LinePart, WhyNot

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Image, Sample, Task
    from evalkit.comparison.score import ScoredRecord
    from evalkit.records.plan import Plan, PlannedTask

_LINE = json.JSONEncoder(ensure_ascii=False).encode


@dataclass(frozen=True, slots=True)
class _Begun:
    """The files of one task."""

    fixed: bool
    """Whether its groups are all that there are."""
    streams: list[TextIO]
    """In the order of the models."""


class SampleFiles:
    """Writes them while the samples pass by; a reader sees the old ones until `keep` is called. A context manager."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Prepare to write into ``folder``, which need not be there."""
        self._folder = folder
        self._labels = [one.model.label for one in plan.contenders]
        self._open: dict[str, _Begun] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close what is open; what was not kept goes."""
        self._stack.close()
        for name, begun in self._open.items():
            for label in self._labels[: len(begun.streams)]:
                self._unfinished(label, name).unlink(missing_ok=True)

    def add(self, part: PlannedTask, found: Sequence[ScoredRecord]) -> None:
        """A planned sample, as each model was asked it.

        Raises:
            OutputError: The folder cannot be written.
        """
        try:
            begun = self._open.get(part.task.name) or self._begin(part.task)
            # What all models share is spelled once.
            shared = _LINE(codec.written(_asked(found[0].sample, fixed=begun.fixed)))[:-1]
            for stream, record in zip(begun.streams, found, strict=True):
                stream.write(f"{shared}, {_LINE(codec.written(_own(record, part.task.headline)))[1:]}\n")
        except OSError as error:
            raise unwritable(self._folder, error, private.ANOTHER_OUTPUT) from error

    def keep(self) -> None:
        """Put the written files in the place of earlier ones.

        Raises:
            OutputError: The folder cannot be written.
        """
        try:
            self._stack.close()
            for name in self._open:
                for label in self._labels:
                    self._unfinished(label, name).replace(self._path(label, name))
        except OSError as error:
            raise unwritable(self._folder, error, private.ANOTHER_OUTPUT) from error
        self._open.clear()

    def digests(self, task: str) -> dict[str, str]:
        """Model label to the digest of its file of a task, of those that are in their place.

        Raises:
            OutputError: One cannot be read.
        """
        try:
            return {label: _digest(path) for label in self._labels if (path := self._path(label, task)).is_file()}
        except OSError as error:
            raise unwritable(self._folder, error, private.ANOTHER_OUTPUT) from error

    def stand(self, task: str, told: Mapping[str, str]) -> bool:
        """Whether the files of a task are those with the digests that were ``told``, and need not be written again."""
        try:
            return self.digests(task) == told
        except OutputError:  # what cannot be read can be written anew
            return False

    def _begin(self, task: Task) -> _Begun:
        """A file for each model; those of the task before are whole."""
        self._stack.close()
        begun = self._open.setdefault(task.name, _Begun(fixed_groups(task, harnesses.harness(task)), []))
        for label in self._labels:
            private.folder(self._path(label, task.name).parent)
            path = self._unfinished(label, task.name)
            stream = open(path, "w", encoding="utf-8", errors="backslashreplace", opener=private.opener)  # noqa: SIM115
            begun.streams.append(self._stack.enter_context(stream))
        return begun

    def _path(self, label: str, task: str) -> Path:
        return self._folder / file_name(label) / f"{task}.jsonl"

    def _unfinished(self, label: str, task: str) -> Path:
        return self._folder / file_name(label) / f"{task}.jsonl.part"


def _digest(path: Path) -> str:
    with path.open("rb") as stream:
        return file_digest(stream, "blake2b").hexdigest()


def _content(parts: Iterable[Text | Image]) -> tuple[LinePart, ...]:
    return tuple(
        [LinePart(text=one.text) if isinstance(one, Text) else LinePart(image_sha256=one.sha256) for one in parts]
    )


def _asked(sample: Sample, *, fixed: bool) -> AskedLine:
    """What of a line all models share."""
    return AskedLine(
        id=sample.id,
        turns=tuple([EarlierMessage(one.role, _content(one.content)) for one in sample.turns]),
        content=_content(sample.content),
        prefix=sample.prefix,
        references=sample.references,
        **hanging(sample, fixed=fixed),
    )


def _own(record: ScoredRecord, headline: str) -> AnsweredLine | FailedLine:
    """What became of the sample: what of a line is one model's."""
    outcome = record.outcome
    if not isinstance(outcome, Answer):
        return FailedLine(WhyNot(outcome.kind.value, outcome.message), outcome.tries)
    found = record.scores[headline]
    return AnsweredLine(
        answer=outcome.text,
        score=None if found.left_out else found.value,
        left_out=(found.note or None) if found.left_out else "",
        scores=record.scores,
        finish_reason=outcome.finish_reason,
        prompt_tokens=outcome.prompt_tokens,
        completion_tokens=outcome.completion_tokens,
        latency_s=outcome.latency_s,
        tries=outcome.tries,
        judgement=None if outcome.judgement is None else dict(outcome.judgement),
        elsewhere=outcome.elsewhere,
    )
