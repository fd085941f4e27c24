"""``samples/<model>/<task>.jsonl``: every planned sample of a run with what became of it, a line each."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import asdict, fields
from typing import TYPE_CHECKING, Self, TextIO

from evalkit import harnesses
from evalkit.base.errors import unwritable
from evalkit.base.identity import file_name
from evalkit.base.types import Answer, Score, Text
from evalkit.comparison.score import grouped
from evalkit.files import private

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from evalkit.base.types import Image, Json
    from evalkit.comparison.score import ScoredRecord
    from evalkit.records.plan import Plan, PlannedTask

_SCORE = tuple(one.name for one in fields(Score))
_LINE = json.JSONEncoder(ensure_ascii=False).encode
ANOTHER_OUTPUT = "choose another --output, then run the same command again"


class SampleFiles:
    """Writes them while the samples pass by; a reader sees the old ones until `keep` is called. A context manager."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        """Prepare to write into ``folder``, which need not be there."""
        self._folder = folder
        self._labels = [one.model.label for one in plan.contenders]
        self._open: dict[str, list[TextIO]] = {}
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        """Nothing is written yet."""
        return self

    def __exit__(self, *exc: object) -> None:
        """Close what is open; what was not kept goes."""
        self._stack.close()
        for name, streams in self._open.items():
            for label in self._labels[: len(streams)]:
                self._unfinished(label, name).unlink(missing_ok=True)

    def add(self, part: PlannedTask, found: Sequence[ScoredRecord]) -> None:
        """A planned sample, as each model was asked it.

        Raises:
            OutputError: The folder cannot be written.
        """
        sample, harness = found[0].sample, harnesses.harness(part.task)
        turns = [{"role": one.role, "content": _content(one.content)} for one in sample.turns]
        shared = {
            "id": sample.id,
            **({"turns": turns} if turns else {}),
            "content": _content(sample.content),
            **({"prefix": sample.prefix} if sample.prefix else {}),
            "references": sample.references,
            **grouped(sample, part.task, harness),
        }
        # What all models share is spelled once.
        begun = _LINE(shared)[:-1]
        try:
            streams = self._open.get(part.task.name) or self._begin(part.task.name)
            for stream, record in zip(streams, found, strict=True):
                stream.write(f"{begun}, {_LINE(_own(record, part.task.headline))[1:]}\n")
        except OSError as error:
            raise unwritable(self._folder, error, ANOTHER_OUTPUT) from error

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
            raise unwritable(self._folder, error, ANOTHER_OUTPUT) from error
        self._open.clear()

    def _begin(self, name: str) -> list[TextIO]:
        """A file for each model; those of the task before are whole."""
        self._stack.close()
        streams = self._open.setdefault(name, [])
        for label in self._labels:
            private.folder(self._path(label, name).parent)
            path = self._unfinished(label, name)
            stream = open(path, "w", encoding="utf-8", errors="backslashreplace", opener=private.opener)  # noqa: SIM115
            streams.append(self._stack.enter_context(stream))
        return streams

    def _path(self, label: str, task: str) -> Path:
        return self._folder / file_name(label) / f"{task}.jsonl"

    def _unfinished(self, label: str, task: str) -> Path:
        return self._folder / file_name(label) / f"{task}.jsonl.part"


def _content(parts: Iterable[Text | Image]) -> list[Json]:
    return [{"text": item.text} if isinstance(item, Text) else {"image_sha256": item.sha256} for item in parts]


def _own(record: ScoredRecord, headline: str) -> dict[str, Json]:
    """What became of the sample: what of a line is one model's."""
    outcome = record.outcome
    if not isinstance(outcome, Answer):
        return {"failure": {"kind": outcome.kind.value, "message": outcome.message}, "tries": outcome.tries}
    found = record.scores[headline]
    return {
        "answer": outcome.text,
        "score": None if found.left_out else found.value,
        **({"left_out": found.note} if found.left_out else {}),
        "scores": {name: _score(score) for name, score in record.scores.items()},
        "finish_reason": outcome.finish_reason,
        "prompt_tokens": outcome.prompt_tokens,
        "completion_tokens": outcome.completion_tokens,
        "latency_s": outcome.latency_s,
        "tries": outcome.tries,
        **({"verdict": dict(outcome.judgement)} if outcome.judgement is not None else {}),
        **({"elsewhere": asdict(outcome.elsewhere)} if outcome.elsewhere is not None else {}),
    }


def _score(score: Score) -> dict[str, Json]:
    # As ``asdict`` has it, which copies every value and takes as long as scoring does.
    return {name: getattr(score, name) for name in _SCORE}
