"""MMLU's files: a folder of ``<subject>/{dev,test}-*.parquet``, the user's own or the hub's as fetched."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from functools import cache
from hashlib import file_digest, sha256
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Final

import pyarrow.parquet as pq

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.base.printable import agreeing, counted
from evalkit.files import textfile
from evalkit.tasks.rows import local

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from evalkit.base.types import Json, Task

SHOTS_SPLIT: Final = "dev"
ASKED_SPLIT: Final = "test"
SPLITS: Final = (SHOTS_SPLIT, ASKED_SPLIT)
COLUMNS: Final = ("question", "choices", "answer")
"""Columns of ``cais/mmlu`` that lm-eval's templates read."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_OWNERS_LAYOUT = "lay it out as cais/mmlu is: <subject>/dev-*.parquet and <subject>/test-*.parquet"


@dataclass(frozen=True, slots=True)
class Mirror:
    """Files of some or all subjects."""

    files: Mapping[str, Mapping[str, tuple[Path, ...]]]
    """Subject to split to its files, in lm-eval's order of subjects."""
    revision: str
    """A commit on the hub, or a digest of the files."""


@cache
def subjects() -> dict[str, Path]:
    """Every subject that the installed lm-eval asks about, with lm-eval's own file for it.

    Raises:
        InfrastructureError: lm-eval is not installed, or has no MMLU where version 0.4.13 has it.
    """
    # Found without importing it: lm-eval takes seconds to load, and a list of names does not need it.
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise InfrastructureError(
            "lm-eval is not installed", fix="install it beside evalkit: pip install 'lm-eval[api]==0.4.13'"
        )
    folder = Path(spec.origin).parent / "tasks" / "mmlu" / "default"
    found = {path.stem.removeprefix("mmlu_"): path for path in sorted(folder.glob("mmlu_*.yaml"))}
    if not found:
        raise InfrastructureError(f"{folder}: no MMLU tasks in the installed lm-eval", fix="install lm-eval 0.4.13")
    return found


@cache
def categories() -> dict[str, str]:
    """The category of every subject, such as ``social_sciences``, as lm-eval's own files group them."""
    import yaml  # noqa: PLC0415 - comes with lm-eval

    tags = {name: yaml.safe_load(path.read_text(encoding="utf-8"))["tag"] for name, path in subjects().items()}
    return {name: str(tag).removeprefix("mmlu_").removesuffix("_tasks") for name, tag in tags.items()}


def mirror(task: Task, data: Path | None, shots: int, tell: Callable[[str], None]) -> Mirror:
    """The files that ``task`` reads: those in ``data``, those beside the task file, or those on the hub.

    A local folder may hold any of the subjects; the hub's has to hold all.

    Raises:
        DataError: A subject lacks a split, a column or enough shots; or there is no subject at all.
        InfrastructureError: The hub cannot be reached, and its cache does not have the files.
    """
    if data is None and task.dataset.id:
        folder, commit = _fetched(task, tell)
        found = _listed(folder)
        _complete(found, f"{task.dataset.id} at {commit}")
        revision = commit
    else:
        folder = data if data is not None else _beside(task)
        found = _listed(folder)
        revision = _digest(found)
    for subject, splits in found.items():
        for split, paths in splits.items():
            _check(subject, split, paths, shots if split == SHOTS_SPLIT else 1)
    return Mirror(found, revision)


def narrowed(files: Mirror, folder: Path) -> Mirror:
    """Copies of the files in ``folder`` with the columns that lm-eval's templates read, and no others.

    Raises:
        DataError: A file cannot be read.
    """
    return Mirror(
        {
            subject: {
                split: tuple(_narrow(path, folder / subject) for path in paths) for split, paths in splits.items()
            }
            for subject, splits in files.files.items()
        },
        files.revision,
    )


def _narrow(path: Path, folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    copy = folder / path.name
    if path.suffix == local.PARQUET:
        pq.write_table(pq.read_table(path, columns=list(COLUMNS)), copy)
        return copy
    with copy.open("w", encoding="utf-8") as stream:
        for _, row in textfile.objects(path):
            stream.write(json.dumps({name: row[name] for name in COLUMNS}) + "\n")
    return copy


def _beside(task: Task) -> Path:
    """The folder of subjects beside the task file that ``dataset.files`` points into."""
    return local.matching(Path(task.source).parent, task.dataset.files)[0].parent.parent


def _listed(folder: Path) -> dict[str, dict[str, tuple[Path, ...]]]:
    """The subjects in a folder, each with the files of both splits."""
    if not folder.is_dir():
        raise DataError(f"{folder}: no such folder", fix=f"name a folder with --data mmlu=FOLDER; {_OWNERS_LAYOUT}")
    found = {}
    for subject in subjects():
        if (folder / subject).is_dir():
            found[subject] = {split: _split(folder / subject, split) for split in SPLITS}
    if not found:
        raise DataError(f"{folder}: no folder is named after a subject of MMLU", fix=_OWNERS_LAYOUT)
    return found


def _split(folder: Path, split: str) -> tuple[Path, ...]:
    paths = sorted(folder.glob(f"{split}-*{local.PARQUET}")) or sorted(folder.glob(f"{split}*.jsonl"))
    if not paths:
        raise DataError(f"{folder}: no file of the split '{split}'", fix=f"add {split}-00000-of-00001.parquet there")
    return tuple(paths)


def _complete(found: Mapping[str, Json], place: str) -> None:
    missing = [subject for subject in subjects() if subject not in found]
    if missing:
        some = f"{counted(len(missing), 'subject')} {agreeing(len(missing), 'is', 'are')}"
        raise DataError(
            f"{place}: {some} missing, the first is {missing[0]}",
            fix="correct dataset.id and dataset.revision, or give local files with --data mmlu=FOLDER",
        )


def _check(subject: str, split: str, paths: tuple[Path, ...], least: int) -> None:
    """The columns are there, and enough rows; only the ends of parquet files are read for that."""
    rows = 0
    for path in paths:
        columns, count = _parquet(path) if path.suffix == local.PARQUET else _lines(path)
        missing = [name for name in COLUMNS if name not in columns]
        if missing:
            raise DataError(f"{path}: no column '{missing[0]}'", fix=f"it needs {', '.join(COLUMNS)}")
        rows += count
    if rows < least:
        has = f"has {counted(rows, 'row')}, {least} {agreeing(least, 'is', 'are')} needed"
        raise DataError(
            f"{paths[0].parent}: the split '{split}' of {subject} {has}",
            fix="complete the files" if split == ASKED_SPLIT else "complete the files, or ask with fewer shots",
        )


def _parquet(path: Path) -> tuple[list[str], int]:
    footer = local.footer(path)
    return list(footer.schema.to_arrow_schema().names), footer.num_rows


def _lines(path: Path) -> tuple[list[str], int]:
    rows = [line for _, line in textfile.objects(path)]
    return [name for name in COLUMNS if all(name in row for row in rows)], len(rows)


def _digest(found: Mapping[str, Mapping[str, tuple[Path, ...]]]) -> str:
    """``sha256:`` and the digest of the list of every file with its digest."""
    listing = sha256()
    for subject, splits in found.items():
        for paths in splits.values():
            for path in paths:
                with path.open("rb") as file:
                    listing.update(f"{file_digest(file, 'sha256').hexdigest()}  {subject}/{path.name}\n".encode())
    return f"sha256:{listing.hexdigest()}"


# --- the hub ---


def _fetched(task: Task, tell: Callable[[str], None]) -> tuple[Path, str]:
    """The data set's folder in the hub's cache, and its commit. A pinned one that is there needs no network."""
    from huggingface_hub import snapshot_download  # noqa: PLC0415 - local files must not wait for the hub's library
    from huggingface_hub.utils.tqdm import disable_progress_bars  # noqa: PLC0415

    disable_progress_bars()
    dataset = task.dataset
    patterns = [f"{subject}/{split}-*{local.PARQUET}" for subject in subjects() for split in SPLITS]

    def snapshot(*, cached: bool) -> Path:
        return Path(
            snapshot_download(
                dataset.id,
                repo_type="dataset",
                revision=dataset.revision,
                allow_patterns=patterns,
                local_files_only=cached,
            )
        )

    if _COMMIT.fullmatch(dataset.revision):
        try:
            folder = snapshot(cached=True)
            _complete(_listed(folder), dataset.id)
        except Exception:  # noqa: BLE001, S110 - not there, or not all of it: whatever the reason, it is fetched below
            pass
        else:
            return folder, folder.name
    tell(f"fetching {dataset.id} at {dataset.revision}: {len(patterns)} small files")
    try:
        folder = snapshot(cached=False)
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise InfrastructureError(
            f"{dataset.id}: not fetched: {reason}",
            fix="run again while online: what has arrived is kept; or give local files with --data mmlu=FOLDER",
        ) from error
    return folder, folder.name
