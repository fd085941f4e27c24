"""A question as the store keeps it: without its image bytes, under the digest of what it says."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from hashlib import sha256
from typing import TYPE_CHECKING, Final, TypeAlias

from evalkit.base import codec
from evalkit.base.codec import UNSAID
from evalkit.base.identity import canonical, decoded, digest
from evalkit.base.types import Failure, FailureKind, Image, Json, Sample, Text, Turn
from evalkit.records import storefile

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Iterable, Sequence
    from pathlib import Path


@dataclass(frozen=True, slots=True)
class KeptImage:
    """A picture by its digest: image bytes never enter the store."""

    image: str


_AT_ONCE: Final = 500
"""SQLite took 999 variables in a query at most for long."""
_USUAL: Final = {"id", "content", "references", "cluster"}
_PICTURE: Final = {"image"}
Parts: TypeAlias = tuple[KeptImage | str, ...]


@dataclass(frozen=True, slots=True)
class KeptSample:
    """A planned sample, as a listing names it by its key."""

    id: str
    content: Parts
    references: Json
    cluster: str | None
    # A sample that stands alone is kept as it always was: its key stays what it is.
    turns: tuple[tuple[str, Parts], ...] = field(default=(), metadata=UNSAID)
    """Role and content of each message before."""
    prefix: str = field(default="", metadata=UNSAID)
    kinds: tuple[str, ...] = field(default=(), metadata=UNSAID)

    @classmethod
    def of(cls, sample: Sample) -> KeptSample:
        """A sample as it is kept."""
        turns = tuple([(turn.role, _kept(turn.content)) for turn in sample.turns])
        own = (sample.references, sample.cluster, turns, sample.prefix, sample.kinds)
        return cls(sample.id, _kept(sample.content), *own)

    @property
    def sample(self) -> Sample:
        """The sample that was kept."""
        turns = tuple([Turn(role, _parts(content)) for role, content in self.turns])  # type: ignore[arg-type]
        return Sample(self.id, _parts(self.content), self.references, self.cluster, turns, self.prefix, self.kinds)


def written(sample: Sample) -> tuple[str, str]:
    """Its key and its text. The key is the digest of the text as it stands, so that reading need not spell it again."""
    body = codec.written(KeptSample.of(sample))
    spelled = canonical(body)
    try:
        text = spelled.decode()
    except UnicodeDecodeError:  # half of a surrogate pair, which SQLite does not take
        text = json.dumps(body)
    return sha256(spelled).hexdigest(), text


def read(path: Path, key: object, text: object) -> Sample:
    """A sample of the store in ``path``, whose key is the digest of what it says.

    Stores of formats before 4 have it spelled otherwise.

    Raises:
        StoreError: It is another one, or not there.
    """
    try:
        body = decoded(text) if isinstance(text, str) else None
        if isinstance(text, str) and body is not None and (_digest(text) == key or digest(body) == key):
            if (usual := _usual(body)) is not None:
                return usual
            found: KeptSample = codec.kept(KeptSample, body)
            return found.sample
    except ValueError:  # a misfit is one, too
        pass
    raise storefile.damaged(path, f"sample {str(key)[:12]}")


def _usual(body: Json) -> Sample | None:
    """The sample of a body as most are: a question that stands alone, each value of the type that is expected.

    As the codec reads it, in a sixth of the time, because a report reads hundreds of thousands. None where the codec
    has to look.
    """
    if not isinstance(body, dict) or body.keys() != _USUAL:
        return None
    name, cluster, content = body["id"], body["cluster"], body["content"]
    if type(name) is not str or type(content) is not list or not (cluster is None or type(cluster) is str):
        return None
    parts: list[Text | Image] = []
    for part in content:
        if type(part) is str:
            parts.append(Text(part))
        elif type(part) is dict and part.keys() == _PICTURE and type(part["image"]) is str:
            parts.append(Image(b"", part["image"]))
        else:
            return None
    return Sample(name, tuple(parts), body["references"], cluster)


def _kept(content: Iterable[Text | Image]) -> Parts:
    return tuple([part.text if isinstance(part, Text) else KeptImage(part.sha256) for part in content])


def _parts(kept: Parts) -> tuple[Text | Image, ...]:
    return tuple([Text(part) if isinstance(part, str) else Image(b"", part.image) for part in kept])


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def bad_row(sample: Sample) -> Failure:
    """The failure of a row that could not be made into a question: its one text says why."""
    return Failure(FailureKind.BAD_ROW, sample.text)


def chosen(path: Path, connection: sqlite3.Connection, keys: Sequence[str]) -> dict[str, Sample]:
    """Samples of the store in ``path`` by their keys, read at once.

    Raises:
        StoreError: One is not there, or is not what was written.
    """
    bodies: dict[str, str] = {}
    for first in range(0, len(keys), _AT_ONCE):
        part = keys[first : first + _AT_ONCE]
        marks = ", ".join("?" * len(part))
        bodies.update(connection.execute(f"SELECT digest, body FROM sample WHERE digest IN ({marks})", part).fetchall())  # noqa: S608 - marks alone
    return {key: read(path, key, bodies.get(key)) for key in keys}
