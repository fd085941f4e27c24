"""Where a task's rows come from: files of the user's, or a data set on the hub at a commit that is known."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError, InfrastructureError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.types import Json
    from evalkit.tasks.lm_eval.files import TaskSource

_READERS: Final = {".parquet": "parquet", ".jsonl": "json", ".json": "json", ".csv": "csv"}
"""Ending of a file to what reads it in ``datasets``."""


@dataclass(frozen=True, slots=True)
class LeafData:
    """The rows of one task of lm-eval's."""

    overrides: Mapping[str, Json]
    """Over the task's file, so that lm-eval reads these rows."""
    revision: str
    """A commit on the hub, or ``sha256:`` and a digest of the files."""


def asked_split(config: Mapping[str, Json]) -> str:
    """The split whose rows are asked."""
    return str(config.get("test_split") or config.get("validation_split"))


def shots_split(config: Mapping[str, Json]) -> str | None:
    """The split that solved examples are taken from, by lm-eval's rules; None where the task brings its own."""
    further = config.get("fewshot_config") or {}
    stated = further.get("split") or config.get("fewshot_split")
    if stated or further.get("samples"):
        return str(stated) if stated else None
    return str(config.get("training_split") or config.get("validation_split") or config.get("test_split"))


def local(leaf: TaskSource, place: Path, shots: int) -> LeafData:
    """The rows in a file, which are those that are asked, or in a folder with a file for each split.

    In a folder ``<split>.*``, ``<split>-*`` and ``<split>/*`` are looked for in ``<task>/``, ``<dataset_name>/``,
    ``data/`` and the folder itself; parquet, JSON lines and CSV are read.

    Raises:
        DataError: A split that is needed is not there, or is in files of several kinds.
    """
    asked, examples = asked_split(leaf.config), shots_split(leaf.config)
    found = {asked: _files(leaf, place, asked)}
    if examples not in (None, asked):
        here = [] if place.is_file() else _files(leaf, place, examples)
        if here:
            found[examples] = here
        elif shots:
            raise DataError(
                f"{place}: '{leaf.name}' takes its {shots} solved examples from the split '{examples}'",
                fix=f"name a folder with {examples}.jsonl and {asked}.jsonl, or ask without: settings.shots = 0",
            )
    if not found[asked]:
        raise DataError(
            f"{place}: no file of the split '{asked}' of '{leaf.name}'", fix=f"add {asked}.jsonl or .parquet"
        )
    kinds = {_READERS[path.suffix] for paths in found.values() for path in paths}
    if len(kinds) > 1:
        raise DataError(
            f"{place}: files of several kinds for '{leaf.name}'", fix="write all splits as one kind of file"
        )
    files = {split: [str(path.absolute()) for path in paths] for split, paths in found.items()}
    overrides: dict[str, Json] = {
        "dataset_path": kinds.pop(),
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files},
    }
    if examples not in (None, *found):
        # lm-eval reads that split whether it takes examples from it or not.
        overrides |= {"training_split": None, "fewshot_split": asked, "fewshot_config": None}
    return LeafData(overrides, _digest(path for split in sorted(found) for path in found[split]))


def on_hub(leaf: TaskSource, revision: str) -> LeafData:
    """The data set that the task names, at the commit that ``revision`` stands for now.

    Raises:
        InfrastructureError: The hub cannot be reached, and its cache has not been told.
    """
    path = str(leaf.config.get("dataset_path") or "")
    kept = {
        key: value for key, value in (leaf.config.get("dataset_kwargs") or {}).items() if key != "trust_remote_code"
    }
    if path in _READERS.values():
        return LeafData({"dataset_kwargs": kept or None}, leaf.digest)
    commit = _commit(path, revision)
    return LeafData({"dataset_kwargs": {**kept, "revision": commit}}, commit)


def _files(leaf: TaskSource, place: Path, split: str) -> list[Path]:
    if place.is_file():
        if place.suffix not in _READERS:
            raise DataError(f"{place}: unknown kind of file", fix=f"write {', '.join(_READERS)}")
        return [place]
    names = (leaf.name, str(leaf.config.get("dataset_name") or ""), "data", "")
    for folder in [place / name for name in names if name or name == ""]:
        found = [
            path for pattern in (f"{split}.*", f"{split}-*", f"{split}/*") for path in sorted(folder.glob(pattern))
        ]
        if readable := [path for path in found if path.suffix in _READERS]:
            return readable
    return []


def _digest(paths: Iterator[Path] | Sequence[Path]) -> str:
    found = sha256()
    for path in paths:
        with path.open("rb") as file:
            found.update(f"{file_digest(file, 'sha256').hexdigest()}  {path.name}\n".encode())
    return f"sha256:{found.hexdigest()}"


def _commit(path: str, revision: str) -> str:
    from huggingface_hub import HfApi, constants  # noqa: PLC0415 - local files must not wait for the hub's library
    from huggingface_hub.file_download import repo_folder_name  # noqa: PLC0415

    try:
        return str(HfApi().dataset_info(path, revision=revision, timeout=10).sha)
    except Exception as error:
        note = Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=path, repo_type="dataset"), "refs", revision)
        if note.is_file():
            return note.read_text(encoding="utf-8").strip()
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InfrastructureError(
            f"{path}: the hub cannot be reached, and its cache lacks this data set: {reason}",
            fix="connect once and run `evalkit fetch --rows`, or give local files with --data TASK=FILE",
        ) from error
