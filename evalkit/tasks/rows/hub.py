"""Files on the Hugging Face hub: which commit, which files, how many rows, and the files themselves when needed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import pyarrow as pa
import requests
from huggingface_hub import HfApi, constants, errors, get_token, hf_hub_download, hf_hub_url
from huggingface_hub.file_download import repo_folder_name
from huggingface_hub.utils.tqdm import disable_progress_bars

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.tasks.rows import local

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    import pyarrow.parquet as pq

    from evalkit.base.types import Dataset
    from evalkit.tasks.benchmarks import Benchmark
    from evalkit.tasks.rows.local import FilePart

_COMMIT = re.compile(r"[0-9a-f]{40}")
_SHARD = re.compile(r"-\d{5}-of-(?P<count>\d{5})\b")
_TAIL = 1 << 17
"""Bytes at the end of a remote parquet file in which its footer is looked for first."""
_DEADLINE_S = 30.0
_UNKNOWN_SIZE = 1 << 40
"""What a file counts for whose size the hub does not tell: nobody should wait for it unasked."""

_ABSENT = (errors.RepositoryNotFoundError, errors.RevisionNotFoundError, errors.HFValidationError)


@dataclass(frozen=True, slots=True)
class _Split:
    """A split's files at one commit."""

    dataset: Dataset
    commit: str
    sizes: dict[str, int | None]
    """File to bytes, in the order of the rows; None when only the cache was asked."""


def open_split(dataset: Dataset, benchmark: Benchmark, tell: Callable[[str], None]) -> tuple[str, list[FilePart]]:
    """The commit that ``dataset.revision`` names, and the split's files, none of them fetched yet.

    Raises:
        DataError: There is no such data set, revision or file.
        InfrastructureError: The hub cannot be reached, and the cache does not have the answer.
    """
    # They would run across evalkit's own display, and into its JSON lines.
    disable_progress_bars()
    split = _cached(dataset) if _COMMIT.fullmatch(dataset.revision) else None
    split = split or _listed(dataset)
    return split.commit, [_part(split, name, benchmark, tell) for name in split.sizes]


def at_hand(dataset: Dataset) -> bool:
    """Whether the hub's cache has the whole split."""
    split = _cached(dataset)
    return split is not None and bool(split.sizes)


def _listed(dataset: Dataset) -> _Split:
    """What the hub says; what the cache says when the hub does not answer."""
    try:
        found = HfApi().dataset_info(dataset.id, revision=dataset.revision, files_metadata=True, timeout=_DEADLINE_S)
    except errors.GatedRepoError as error:
        raise _gated(dataset) from error
    except _ABSENT as error:
        raise DataError(
            f"{dataset.id} at {dataset.revision}: no such data set or revision on the hub",
            fix="correct dataset.id and dataset.revision; a private one needs HF_TOKEN",
        ) from error
    except Exception as error:  # noqa: BLE001 - the library's HTTP client, and so its errors, differ by version
        return _cached(dataset) or _unreachable(dataset, error)
    commit = str(found.sha)
    _remember(dataset, commit)
    sizes = {sibling.rfilename: sibling.size for sibling in found.siblings or ()}
    names = _in_split(dataset, sizes)
    if not names:
        others = [name for name in sizes if Path(name).suffix in {local.PARQUET, *local.JSON_LINES}]
        raise DataError(
            f"{dataset.id} at {commit}: no file matches {', '.join(dataset.files)}",
            fix=f"data files there: {', '.join(others[:8]) or 'none'}",
        )
    return _Split(dataset, commit, {name: sizes[name] for name in names})


def _gated(dataset: Dataset) -> DataError:
    return DataError(
        f"{dataset.id}: its owner wants to know who reads it", fix="accept the conditions on the hub and set HF_TOKEN"
    )


def _unreachable(dataset: Dataset, error: Exception) -> NoReturn:
    reason = str(error).splitlines() or [type(error).__name__]
    raise InfrastructureError(
        f"{dataset.id}: the hub cannot be reached and the cache lacks this split: {reason[0]}",
        fix="connect once and run `evalkit fetch`, or give local files with --data TASK=FILE",
    ) from error


def _folder(dataset: Dataset) -> Path:
    """The data set's folder in the hub's cache: ``refs/<revision>`` and ``snapshots/<commit>/<file>``."""
    return Path(constants.HF_HUB_CACHE, repo_folder_name(repo_id=dataset.id, repo_type="dataset"))


def _remember(dataset: Dataset, commit: str) -> None:
    """Keep what a branch pointed to, as the hub's library does, so that the cache can answer the next time."""
    if dataset.revision != commit:
        note = _folder(dataset) / "refs" / dataset.revision
        note.parent.mkdir(parents=True, exist_ok=True)
        note.write_text(commit, encoding="utf-8")


def _cached(dataset: Dataset) -> _Split | None:
    """The split as the cache has it, or None when it is not there as a whole."""
    commit = dataset.revision
    if not _COMMIT.fullmatch(commit):
        note = _folder(dataset) / "refs" / dataset.revision
        if not note.is_file():
            return None
        commit = note.read_text(encoding="utf-8").strip()
    snapshot = _folder(dataset) / "snapshots" / commit
    names = [path.relative_to(snapshot).as_posix() for path in snapshot.rglob("*") if path.is_file()]
    if not all(_whole(pattern, _matching(pattern, names)) for pattern in dataset.files):
        return None
    return _Split(dataset, commit, dict.fromkeys(_in_split(dataset, names)))


def _whole(pattern: str, names: Sequence[str]) -> bool:
    """Whether ``names`` are all that can match. ``x-00002-of-00006.parquet`` says that there are six."""
    counts = [found["count"] for found in map(_SHARD.search, names) if found]
    numbered = len(counts) == len(names) and {int(count) for count in counts} == {len(names)}
    return numbered or list(names) == [pattern]


def _in_split(dataset: Dataset, names: Iterable[str]) -> list[str]:
    """The names that match, in the order of the patterns, sorted within each."""
    known = list(names)
    return list(dict.fromkeys(name for pattern in dataset.files for name in _matching(pattern, known)))


def _matching(pattern: str, names: Iterable[str]) -> list[str]:
    """The paths that match folder by folder, sorted: a ``*`` does not reach into folders."""
    wanted = pattern.split("/")
    split = {name: name.split("/") for name in sorted(names)}
    return [
        name for name, pieces in split.items() if len(pieces) == len(wanted) and all(map(fnmatchcase, pieces, wanted))
    ]


def _part(split: _Split, name: str, benchmark: Benchmark, tell: Callable[[str], None]) -> FilePart:
    if name.endswith(local.PARQUET):
        return local.Parquet(
            f"{split.dataset.id}/{name}",
            benchmark,
            partial(_fetched, split, name, tell),
            partial(_footer, split, name, tell),
            lambda: 0 if _here(split, name) else split.sizes[name] or _UNKNOWN_SIZE,
        )
    # Lines can only be counted by reading them.
    return local.part(_fetched(split, name, tell), benchmark)


def _here(split: _Split, name: str) -> Path | None:
    path = _folder(split.dataset) / "snapshots" / split.commit / name
    return path if path.is_file() else None


def _fetched(split: _Split, name: str, tell: Callable[[str], None]) -> Path:
    """The file in the cache, fetched if need be; an interrupted transfer is continued."""
    here = _here(split, name)
    if here:
        return here
    size = split.sizes[name]
    tell(f"fetching {split.dataset.id}/{name}" + (f" ({size / 1e6:,.0f} MB)" if size else ""))
    try:
        return Path(hf_hub_download(split.dataset.id, name, repo_type="dataset", revision=split.commit))
    except errors.GatedRepoError as error:
        raise _gated(split.dataset) from error
    except Exception as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise InfrastructureError(
            f"{split.dataset.id}/{name}: not fetched: {reason[0]}",
            fix="run again: what has arrived is kept; or give local files with --data TASK=FILE",
        ) from error


def _footer(split: _Split, name: str, tell: Callable[[str], None]) -> pq.FileMetaData:
    """The footer of a file, without the file where the hub sends parts of files."""
    here = _here(split, name)
    size = split.sizes[name]
    if not here and size:
        tail = _tail(split, name, min(size, _TAIL))
        # The last eight bytes are the footer's length and a mark.
        length = int.from_bytes(tail[-8:-4], "little") + 8
        if len(tail) < length <= size:
            tail = _tail(split, name, length)
        if len(tail) >= length:
            return local.footer(pa.BufferReader(tail))
    return local.footer(here or _fetched(split, name, tell))


def _tail(split: _Split, name: str, length: int) -> bytes:
    """The last ``length`` bytes of a file on the hub; empty when it will not send a part."""
    url = hf_hub_url(split.dataset.id, name, repo_type="dataset", revision=split.commit)
    size = split.sizes[name] or 0
    headers = {"Range": f"bytes={size - length}-{size - 1}", "Accept-Encoding": "identity"}
    token = get_token()
    if token:
        # Not passed on when the hub sends us to another host for the file.
        headers["Authorization"] = f"Bearer {token}"
    try:
        with requests.get(url, headers=headers, timeout=_DEADLINE_S, stream=True) as reply:
            return reply.content if reply.status_code == requests.codes.partial_content else b""
    except requests.RequestException:
        # The whole file is asked for next, and that says why it cannot be had.
        return b""
