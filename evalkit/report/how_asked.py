"""How a task was asked and judged, in the words of its harness: what holds for all models is told once."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.report.facts import Row


def sentences(row: Row) -> list[str]:
    """What a reader should know of how one task was asked and judged."""
    told = {label: words.sentences for label, words in row.asked.items()}
    shared = [text for text in next(iter(told.values()), ()) if all(text in found for found in told.values())]
    found = [f"every model: {text}" if len(told) > 1 else f"{next(iter(told))}: {text}" for text in shared]
    found += [f"{label}: {text}" for label, texts in told.items() for text in texts if text not in shared]
    return [*found, *row.judged]


def cautions(row: Row) -> Iterator[str]:
    """Ways of asking that differ between the models: the difference may be theirs, not the quantization's."""
    for name in dict.fromkeys(name for words in row.asked.values() for name in words.ways):
        ways = {label: words.ways[name] for label, words in row.asked.items() if name in words.ways}
        if len(set(ways.values())) > 1:
            told = ", ".join(f"{label} {way}" for label, way in ways.items())
            yield f"{row.part.task.title}: not all models were asked alike: {told}."
