"""A question as the store keeps it: without its image bytes, under the digest of what it says."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit.base.identity import canonical, decoded, digest
from evalkit.base.types import Failure, FailureKind, Image, Sample, Text, Turn
from evalkit.records import storefile

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from evalkit.base.types import Json


def written(sample: Sample) -> tuple[str, str]:
    """Its key and its text. The key is the digest of the text as it stands, so that reading need not spell it again."""
    content = _parts_json(sample.content)
    body: dict[str, Json] = {
        "id": sample.id,
        "content": content,
        "references": sample.references,
        "cluster": sample.cluster,
    }
    # A sample that stands alone is kept as it always was: its key stays what it is.
    if sample.turns:
        body["turns"] = [[turn.role, _parts_json(turn.content)] for turn in sample.turns]
    body |= {"prefix": sample.prefix} if sample.prefix else {}
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
    except ValueError:
        body = None
    if not isinstance(text, str) or body is None or not (_digest(text) == key or digest(body) == key):
        raise storefile.damaged(path, f"sample {str(key)[:12]}")
    turns = tuple(Turn(role, _parts(content)) for role, content in body.get("turns", ()))
    content, prefix = _parts(body["content"]), body.get("prefix", "")
    return Sample(body["id"], content, body["references"], body["cluster"], turns, prefix)


def _parts_json(content: Iterable[Text | Image]) -> list[Json]:
    return [part.text if isinstance(part, Text) else {"image": part.sha256} for part in content]


def _parts(written: list[Json]) -> tuple[Text | Image, ...]:
    return tuple(Text(part) if isinstance(part, str) else Image(b"", part["image"]) for part in written)


def _digest(text: str) -> str:
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def bad_row(sample: Sample) -> Failure:
    """The failure of a row that could not be made into a question: its one text says why."""
    return Failure(FailureKind.BAD_ROW, sample.text)
