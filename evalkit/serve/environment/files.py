"""Identity of a model in a local folder: a digest over every file that can move an answer."""

from __future__ import annotations

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from typing import Final

from platformdirs import user_cache_path

from evalkit.base.errors import DataError
from evalkit.base.identity import decoded, digest

_PICTURES: Final = frozenset({".png", ".jpg", ".jpeg", ".gif", ".svg", ".webp", ".pdf"})
_TEXTS: Final = ("readme", "license", "licence", "notice", "changelog", "use_policy")
_RECORDS: Final = frozenset(
    {"recipe.yaml", "evalkit-quantize.json", "training_args.bin", "trainer_state.json", "all_results.json"}
)
"""What tools leave beside a model about how it was made."""
_SMALL_BYTES: Final = 2**16
"""Smaller files are read again each time: that costs less than remembering them."""
_SETTLED_S: Final = 2.0
"""A file that changed just now may change again within the clock's grain, unseen in its times."""
_THREADS: Final = 4


def folder_digest(folder: Path, cache: Path | None = None) -> str:
    """The sha256 over names and contents of the model's files; where they lie and when they were written do not count.

    Digests of large files are remembered in ``cache`` (a JSON file in evalkit's cache folder by default) under path,
    size, times and inode, so that 24 GB are read once.

    Raises:
        DataError: The folder has no ``config.json``, or a file of it cannot be read.
    """
    if not (folder / "config.json").is_file():
        raise DataError(
            f"{folder}: no config.json in it, is it a model folder?",
            fix="name the folder that save_pretrained wrote or that was downloaded whole",
        )
    files = model_files(folder)
    memory = _Memory(cache or user_cache_path("evalkit") / "digests.json")
    try:
        with ThreadPoolExecutor(_THREADS) as pool:
            digests = list(pool.map(memory.digest, files))
    except OSError as error:
        raise DataError(
            f"{error.filename or folder}: cannot be read ({error.strerror})", fix="copy or download the model again"
        ) from error
    memory.save()
    return digest(
        sorted([path.relative_to(folder).as_posix(), found] for path, found in zip(files, digests, strict=True))
    )


def model_files(folder: Path) -> list[Path]:
    """Every file that can move an answer, sorted: all that are not known to be harmless; a dangling link, too."""
    found = []
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        found += [Path(place, name) for name in names if not _is_harmless(name)]
    return sorted(path for path in found if path.is_file() or path.is_symlink())


def _is_harmless(name: str) -> bool:
    stem, suffix = os.path.splitext(name.lower())  # noqa: PTH122 - a name, not a path
    return (
        name.startswith(".")
        or suffix in _PICTURES
        or suffix == ".md"
        or name in _RECORDS
        or (stem.startswith(_TEXTS) and suffix in {"", ".txt", ".rst"})
    )


class _Memory:
    """Digests of large files, remembered between runs."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._known = self._read()
        self._changed = False

    def digest(self, path: Path) -> str:
        """The sha256 of a file's content."""
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            key = str(path.resolve())
            mark = [state.st_size, state.st_mtime_ns, state.st_ctime_ns, state.st_ino]
            entry = self._known.get(key)
            if entry and entry[:-1] == mark:
                return str(entry[-1])
            found = file_digest(file, "sha256").hexdigest()
            after = os.fstat(file.fileno())
        changed = max(state.st_mtime, state.st_ctime)
        untouched = (after.st_size, after.st_mtime_ns, after.st_ctime_ns) == tuple(mark[:3])
        if state.st_size > _SMALL_BYTES and untouched and time.time() - changed > _SETTLED_S:
            self._known[key] = [*mark, found]
            self._changed = True
        return found

    def save(self) -> None:
        """Write what was learnt; a cache that cannot be written only costs time."""
        if not self._changed:
            return
        kept = {path: entry for path, entry in self._known.items() if Path(path).exists()}
        draft = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            draft.write_text(json.dumps(kept), encoding="utf-8")
            draft.replace(self._path)
        except OSError:
            with suppress(OSError):
                draft.unlink()

    def _read(self) -> dict[str, list[int | str]]:
        try:
            known = decoded(self._path.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            return {}
        if not isinstance(known, dict):
            return {}
        return {path: entry for path, entry in known.items() if isinstance(entry, list) and len(entry) == 5}
