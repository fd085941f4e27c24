"""What a run leaves for people and other tools, in ``runs/<run-id>/``: written whole or not at all."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TYPE_CHECKING

from evalkit import places, report
from evalkit.errors import OutputError
from evalkit.identity import file_name
from evalkit.score import scores, tally
from evalkit.types import Answer, Text

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.plan import Contender, Plan, PlannedTask
    from evalkit.report import Report
    from evalkit.store import Store
    from evalkit.types import Json, Record


def build(plan: Plan, store: Store, notices: Sequence[str], provenance: Mapping[str, Json]) -> Report:
    """The report of a plan, scored again from the store."""
    tallies = {
        (one.model.label, part.task.name): tally(
            part.task, one.model.label, store.records(part.listing, one.fingerprint(), part.checker)
        )
        for one in plan.contenders
        for part in plan.tasks
    }
    return report.build(plan, tallies, notices=notices, provenance=provenance)


def write(folder: Path, built: Report, store: Store) -> None:
    """``results.json``, ``report.md``, ``report.html`` and ``samples/<model>/<task>.jsonl``.

    Raises:
        OutputError: The folder cannot be written.
    """
    templates = {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(places.reports().iterdir())
        if path.suffix in {".j2", ".css"}
    }
    write_text(folder / "results.json", [report.results_text(built)])
    write_text(folder / "report.md", [report.markdown(built)])
    write_text(folder / "report.html", [report.html(built, templates)])
    for one in built.plan.contenders:
        for part in built.plan.tasks:
            lines = _lines(part, one, store)
            write_text(folder / "samples" / file_name(one.model.label) / f"{part.task.name}.jsonl", lines)


def write_text(path: Path, parts: Iterable[str]) -> None:
    """Write a file whole: a reader sees the old one or the new one, never half of one."""
    unfinished = path.with_name(path.name + ".part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with unfinished.open("w", encoding="utf-8", errors="backslashreplace") as stream:
            stream.writelines(parts)
        unfinished.replace(path)
    except OSError as error:
        raise OutputError(
            f"{path}: {error.strerror}", fix="make room or choose another --output, then run the same command again"
        ) from error


def _lines(part: PlannedTask, one: Contender, store: Store) -> Iterator[str]:
    for record in store.records(part.listing, one.fingerprint(), part.checker):
        yield json.dumps(_line(part, record), ensure_ascii=False) + "\n"


def _line(part: PlannedTask, record: Record) -> dict[str, Json]:
    sample, outcome = record.sample, record.outcome
    line: dict[str, Json] = {
        "id": sample.id,
        "content": [
            {"text": item.text} if isinstance(item, Text) else {"image_sha256": item.sha256} for item in sample.content
        ],
        "references": sample.references,
        "cluster": sample.cluster,
    }
    if isinstance(outcome, Answer):
        found = scores(outcome, sample.references, part.task)
        return {
            **line,
            "answer": outcome.text,
            "score": found[part.task.headline].value,
            "scores": {name: asdict(score) for name, score in found.items()},
            "finish_reason": outcome.finish_reason,
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "latency_s": outcome.latency_s,
            "tries": outcome.tries,
        }
    if outcome is None:
        return {**line, "failure": {"kind": "not_asked", "message": ""}}
    return {**line, "failure": {"kind": outcome.kind.value, "message": outcome.message}, "tries": outcome.tries}
