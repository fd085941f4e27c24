"""What a candidate was calibrated on, by digests, and whether a benchmark asks just that.

Calibration data that are asked as well make a candidate look better than it is. Of a picture the digest of its bytes
is compared, as the data sets store them. Of a question without pictures the words are: the whole, and every paragraph
of eight words or more, without regard to case and blanks. A paragraph that several questions of a task share (an
introduction, a shot) is none of them. The words of a question about a picture are not compared: without its picture
it is another question.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final

from evalkit.base.types import Image

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Self

    from evalkit.base.types import Json, Sample

_WORDS: Final = 8
_PARAGRAPH: Final = re.compile(r"\n\s*\n")


@dataclass(frozen=True, slots=True)
class Leak:
    """A sample of a task that is among the calibration data."""

    task: str
    sample: str
    """Its id."""
    what: str
    """``picture`` or ``text``, with the beginning of its digest."""
    row: int | None
    """Place in the calibration data, counted from 0; None where that was not kept."""

    def __str__(self) -> str:
        """Such as ``docvqa sample '49153' (picture 1f2e3d4c5b6a, row 17 of the calibration data)``."""
        place = "" if self.row is None else f", row {self.row} of the calibration data"
        return f"{self.task} sample '{self.sample}' ({self.what}{place})"


@dataclass(frozen=True, slots=True)
class Calibrated:
    """Digests of calibration data, each with the row that it stands in."""

    pictures: Mapping[str, int | None] = field(default_factory=dict)
    texts: Mapping[str, int | None] = field(default_factory=dict)

    @classmethod
    def of(cls, pictures: Mapping[str, int], texts: Iterable[tuple[str, int]]) -> Self:
        """Of pictures by the sha256 of their bytes, and of texts."""
        return cls(pictures, {found: row for text, row in texts for found in _digests(text)})

    @classmethod
    def recorded(cls, record: Mapping[str, Json]) -> Self:
        """As a candidate's record has it; empty where it was calibrated on nothing, or nothing is known of it."""
        said = record.get("calibration")
        lists = [said.get(name) if isinstance(said, Mapping) else None for name in ("pictures", "texts")]
        return cls(*(dict.fromkeys(map(str, one)) if isinstance(one, list) else {} for one in lists))

    def stored(self) -> dict[str, Json]:
        """As the record has it."""
        return {"pictures": sorted(self.pictures), "texts": sorted(self.texts)}

    def leaks(self, task: str, samples: Iterable[Sample]) -> list[Leak]:
        """The samples of a task that are among the data, in order."""
        found: list[Leak] = []
        shared: dict[str, list[Leak]] = {}
        for sample in samples:
            shown = [part.sha256 for part in sample.content if isinstance(part, Image)]
            hit = next((one for one in shown if one in self.pictures), None)
            if hit is not None:
                found.append(Leak(task, sample.id, f"picture {hit[:12]}", self.pictures[hit]))
            for one in () if shown else _digests(sample.text) & self.texts.keys():
                shared.setdefault(one, []).append(Leak(task, sample.id, f"text {one[:12]}", self.texts[one]))
        alone = {ones[0].sample: ones[0] for ones in shared.values() if len(ones) == 1}
        return [*found, *alone.values()]


def _digests(text: str) -> set[str]:
    """Digests of the whole text and of its longer paragraphs."""
    return {sha256(part.encode("utf-8", "replace")).hexdigest() for part in _parts(text)}


def _parts(text: str) -> Iterator[str]:
    pieces = _PARAGRAPH.split(text)
    for piece in [text, *pieces]:
        words = piece.casefold().split()
        if len(words) >= _WORDS:
            yield " ".join(words)
