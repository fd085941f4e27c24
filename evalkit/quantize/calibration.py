"""Calibration data: rows of a file or a data set as chats, as many as were asked for, with digests of what they hold.

Without a word the published choice is taken: the first 512 rows of flickr30k's test split, each picture with the
question what it shows and its captions; for a model that cannot see, the first of ultrachat_200k, as llm-compressor's
own examples have it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError, InfrastructureError, UsageError
from evalkit.base.identity import digest
from evalkit.base.types import Dataset
from evalkit.files import textfile
from evalkit.records.calibration import Calibrated
from evalkit.tasks.benchmarks import Benchmark
from evalkit.tasks.rows import open_rows

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from evalkit.base.types import Json

LONGEST: Final = 2048
"""Tokens of a chat, as published."""
_PICTURES: Final = Dataset("lmms-lab/flickr30k", "test", files=("data/test-*.parquet",))
_TEXTS: Final = Dataset("HuggingFaceH4/ultrachat_200k", "train_sft", files=("data/train_sft-*.parquet",))
_QUESTION: Final = "What does this image show?"
"""As llm-compressor asks of flickr30k's pictures."""
_IMAGES: Final = ("image", *(f"image_{number}" for number in range(1, 10)))
_FORMS: Final = (
    "give rows with `messages` (pictures in `image` or `image_1` to `image_9`), `image` and `caption`, or `text`"
)


def _never(row: Mapping[str, Json], prompt: str, position: int) -> None:
    """Rows of calibration are no questions of a benchmark."""
    raise NotImplementedError(row, prompt, position)


_COLUMNS: Final = Benchmark((), _IMAGES, _never, ("messages", "caption", "text"))  # type: ignore[arg-type]


@dataclass(frozen=True, slots=True)
class Conversation:
    """One row of calibration."""

    row: int
    """Its place in the data, counted from 0."""
    pictures: tuple[bytes, ...]
    messages: tuple[Mapping[str, Json], ...] = ()
    text: str = ""
    """Plain text, where there are no messages."""

    @property
    def words(self) -> list[str]:
        """Its texts: each message's, or the plain one."""
        return [self.text] if self.text else [_words(message["content"]) for message in self.messages]


@dataclass(frozen=True, slots=True)
class Calibration:
    """What a model is calibrated on."""

    name: str
    revision: str
    """A commit of the hub, or ``sha256:...`` of the local files."""
    chats: tuple[Conversation, ...]

    @property
    def sees(self) -> bool:
        """Whether there are pictures in it; then every chat has one."""
        return bool(self.chats[0].pictures)

    @property
    def digest(self) -> str:
        """The sha256 of what all chats hold, in order."""
        return digest([[list(one.messages), one.text, list(map(_sha256, one.pictures))] for one in self.chats])

    @property
    def content(self) -> Calibrated:
        """What it holds, by digests."""
        pictures = {_sha256(picture): one.row for one in self.chats for picture in one.pictures}
        return Calibrated.of(pictures, ((text, one.row) for one in self.chats for text in one.words))

    def write(self, folder: Path) -> Path:
        """Write the chats where the worker reads them; returns the file of lines, with pictures beside it."""
        folder.mkdir()
        file = folder / "chats.jsonl"
        with file.open("w", encoding="utf-8") as stream:
            for one in self.chats:
                names = [f"{one.row}-{number}" for number, _ in enumerate(one.pictures)]
                for name, picture in zip(names, one.pictures, strict=True):
                    (folder / name).write_bytes(picture)
                said = {"text": one.text} if one.text else {"messages": list(one.messages), "images": names}
                stream.write(json.dumps(said) + "\n")
        return file


def read(given: str, samples: int, *, sees: bool, tell: Callable[[str], None]) -> Calibration:
    """The first ``samples`` rows of what was named.

    Args:
        given: A file or folder, or a data set on the hub (``owner/name``, ``owner/name:data/train-*.parquet``); empty
            for the published one.
        samples: How many; fewer where there are fewer.
        sees: Whether the model takes pictures.
        tell: Hears before something takes long.

    Raises:
        UsageError: Rows are of no known form, or show pictures to a model that cannot see.
        InfrastructureError: The hub cannot be reached.
    """
    data = Path(given) if given and Path(given).exists() else None
    dataset = Dataset("", "calibration", files=("*",)) if data else _named(given) if given else _usual(sees=sees)
    try:
        rows = open_rows(dataset, benchmark=_COLUMNS, data=data, base=Path(), tell=tell)
        found = tuple(_chat(row, place, dataset.id or given) for place, row in enumerate(islice(rows, samples)))
    except InfrastructureError as error:
        raise InfrastructureError(
            f"calibration: {error.message}", fix="give a local file with --calibration FILE.parquet", evidence=""
        ) from error
    name = f"{dataset.id} ({dataset.files[0]})" if dataset.id else Path(given).name
    _refuse_mixed(found, name, sees=sees)
    return Calibration(name, rows.revision, found)


def _usual(*, sees: bool) -> Dataset:
    return _PICTURES if sees else _TEXTS


def _named(given: str) -> Dataset:
    """A data set on the hub.

    Raises:
        UsageError: It is no name of one.
    """
    name, _, files = given.partition(":")
    if name.count("/") != 1 or name.startswith((".", "/", "~")) or not all(name.split("/")):
        raise UsageError(
            f"--calibration {given}: there is no such file, and no data set is called so",
            fix="check the path; a data set on the hub is named owner/name, or owner/name:data/train-*.parquet",
        )
    return Dataset(name, "calibration", files=(files or "data/train-*.parquet",))


def _refuse_mixed(chats: Sequence[Conversation], name: str, *, sees: bool) -> None:
    shown = [one for one in chats if one.pictures]
    if shown and not sees:
        raise UsageError(f"{name}: row {shown[0].row} has a picture, and the model cannot see", fix="give rows of text")
    if shown and len(shown) < len(chats):
        blind = next(one for one in chats if not one.pictures)
        raise UsageError(
            f"{name}: row {blind.row} has no picture, while others have",
            fix="give rows that all have pictures, or none: the model is traced with the first",
        )


# --- rows ---


def _chat(row: Mapping[str, Json], place: int, name: str) -> Conversation:
    where = f"{name}: row {place}"
    pictures = tuple(cell["bytes"] for column in _IMAGES if (cell := row.get(column)) is not None)
    messages, captions, text = row.get("messages"), row.get("caption"), row.get("text")
    if isinstance(messages, list) and messages:
        return Conversation(place, pictures, tuple(_messages(messages, len(pictures), where)))
    if pictures and captions and (isinstance(captions, str) or all(isinstance(one, str) for one in captions)):
        said = captions if isinstance(captions, str) else " ".join(captions)
        asked = [*({"type": "image"} for _ in pictures), {"type": "text", "text": _QUESTION}]
        return Conversation(
            place, pictures, ({"role": "user", "content": asked}, {"role": "assistant", "content": said})
        )
    if isinstance(text, str) and text.strip() and not pictures:
        return Conversation(place, (), text=text)
    has = ", ".join(name for name, value in row.items() if value is not None)
    raise DataError(f"{where}: of no form that a model can be calibrated on (it has {has or 'nothing'})", fix=_FORMS)


def _messages(messages: Sequence[Json], pictures: int, where: str) -> Iterator[dict[str, Json]]:
    """The messages of a chat; pictures that none of them places stand before the first question."""
    made = [_message(one, where) for one in messages]
    places = sum(_is_image(chunk) for one in made for chunk in _chunks(one["content"]))
    if not places and pictures:
        first = next((one for one in made if one["role"] == "user"), made[0])
        first["content"] = [*({"type": "image"} for _ in range(pictures)), *_chunks(first["content"])]
        places = pictures
    if places != pictures:
        raise DataError(f"{where}: its messages place {places} pictures, and it has {pictures}", fix=_FORMS)
    yield from made


def _message(one: Json, where: str) -> dict[str, Json]:
    role, content = (one.get("role"), one.get("content")) if isinstance(one, Mapping) else (None, None)
    if not isinstance(role, str) or not isinstance(content, str | list):
        raise DataError(f"{where}: not a message: {textfile.shown(one)}", fix='write {"role": ..., "content": ...}')
    if isinstance(content, list):
        # Tables give every chunk the keys of all of them.
        content = [{"type": "image"} if _is_image(c) else {"type": "text", "text": _chunk(c, where)} for c in content]
    return {"role": role, "content": content}


def _chunk(chunk: Json, where: str) -> str:
    if isinstance(chunk, Mapping) and isinstance(chunk.get("text"), str):
        return str(chunk["text"])
    raise DataError(f"{where}: a part of a message is neither text nor image: {textfile.shown(chunk)}", fix=_FORMS)


def _is_image(chunk: Json) -> bool:
    return isinstance(chunk, Mapping) and chunk.get("type") == "image"


def _chunks(content: Json) -> list[Json]:
    return content if isinstance(content, list) else [{"type": "text", "text": content}]


def _words(content: Json) -> str:
    return "\n".join(chunk["text"] for chunk in _chunks(content) if not _is_image(chunk))


def _sha256(data: bytes) -> str:
    return sha256(data).hexdigest()
