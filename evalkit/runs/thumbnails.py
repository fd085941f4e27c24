"""Small pictures of the images of chosen flips, kept beside a run: rendering its report again needs no data."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError, unwritable
from evalkit.base.identity import decoded
from evalkit.base.types import Image
from evalkit.comparison import flips
from evalkit.files import private
from evalkit.report import PICTURES
from evalkit.tasks import images

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Sample
    from evalkit.comparison.flips import FlipList
    from evalkit.runs.prepare import Source

FOLDER: Final = "thumbnails"
LONGEST_EDGE: Final = 448
"""Pixels: the axis labels of a chart can still be read, and a few hundred pictures fit into a report."""
_WANTED = "wanted.json"
"""Which images the pictures here were chosen from; when a run is repeated its data need not be read once more."""


def keep(folder: Path, lists: Sequence[FlipList], sources: Iterable[Source], budget: int = PICTURES) -> None:
    """Make ``<sha256>.webp`` for the images of chosen flips, the most informative first, as far as the budget goes.

    An image that cannot be found or read again is left out: the report says so, and the run is none the worse.

    Args:
        folder: Where they are kept; pictures there that are no longer wanted are removed.
        lists: The chosen flips.
        sources: The tasks' samples with their image bytes; read only when something is missing.
        budget: Characters of Base64 that all pictures may take together.

    Raises:
        OutputError: The folder cannot be written.
    """
    wanted: dict[str, dict[str, None]] = {}
    order: dict[str, None] = {}
    for owner, flip in flips.in_turn(lists):
        digests = [part.sha256 for part in flip.sample.content if isinstance(part, Image)]
        order.update(dict.fromkeys(digests))
        if digests:
            wanted.setdefault(owner.task, {})[flip.sample.id] = None
    if not order or _chosen_from(folder) == [*order]:
        return
    found: dict[str, bytes] = {}
    for source in sources:
        found |= _pictures(source, wanted.get(source.part.task.name, {}))
    _write(folder, _affordable(order, found, budget), [*order])


def read(folder: Path) -> dict[str, bytes]:
    """The pictures in a folder by the sha256 of their images; empty where none were kept."""
    return {path.stem: path.read_bytes() for path in sorted(folder.glob("*.webp"))}


def _chosen_from(folder: Path) -> list[str]:
    try:
        found = decoded((folder / _WANTED).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return []
    return found if isinstance(found, list) else []


def _pictures(source: Source, ids: Iterable[str]) -> dict[str, bytes]:
    """The pictures of some samples; the data are read no further than the last of them."""
    missing, found = set(ids), dict[str, bytes]()
    if not missing:
        return found
    try:
        for sample, _ in source.samples():
            if sample.id in missing:
                missing.discard(sample.id)
                found |= _of_sample(sample)
            if not missing:
                break
    except DataError:
        # The data went away since the run was planned; what was found is as good as ever.
        return found
    return found


def _of_sample(sample: Sample) -> dict[str, bytes]:
    found = {}
    for part in sample.content:
        if isinstance(part, Image):
            try:
                found[part.sha256] = images.small(part.data, LONGEST_EDGE)
            except DataError:
                continue
    return found


def _affordable(order: Iterable[str], found: Mapping[str, bytes], budget: int) -> dict[str, bytes]:
    """What fits; a picture that does not fit makes room for smaller ones behind it."""
    taken = {}
    for digest in order:
        size = -(-len(found.get(digest, b"")) // 3) * 4
        if 0 < size <= budget:
            taken[digest] = found[digest]
            budget -= size
    return taken


def _write(folder: Path, pictures: Mapping[str, bytes], order: Sequence[str]) -> None:
    try:
        private.folder(folder)
        for path in folder.glob("*.webp"):
            if path.stem not in pictures:
                path.unlink()
        for digest, data in pictures.items():
            with open(folder / f"{digest}.webp", "wb", opener=private.opener) as stream:
                stream.write(data)
        # Last: it says that all of them are there.
        with open(folder / _WANTED, "w", encoding="utf-8", opener=private.opener) as stream:
            stream.write(json.dumps(order) + "\n")
    except OSError as error:
        raise unwritable(folder, error, "choose another --output, then run the same command again") from error
