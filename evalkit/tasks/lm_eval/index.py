"""The names of lm-eval's tasks: read from the files themselves once for each release, and kept.

lm-eval's own index parses every file with all that it includes, which takes most of a minute.
"""

from __future__ import annotations

import json
import os
import re
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_cache_path

from evalkit.base.identity import decoded

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_FORMAT: Final = 1
_KEY: Final = re.compile(rb"^[\"']?(task|group|tag)[\"']?[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"[ \t]*-[ \t]*(.+)")


@dataclass(slots=True)
class TaskNames:
    """Names of tasks and groups, and of tags."""

    files: dict[str, str] = field(default_factory=dict)
    """Name to the path of its file, within its folder."""
    groups: list[str] = field(default_factory=list)
    """Those of them that are groups."""
    tags: dict[str, list[str]] = field(default_factory=dict)
    """Tag to the names of its tasks."""


def cached(folder: Path, release: str) -> TaskNames:
    """The names in lm-eval's own folder, from the cache where they were read before."""
    return _cached(folder, user_cache_path("evalkit") / "lm_eval" / f"names-{release}-{_FORMAT}.json")


@lru_cache(maxsize=1)
def _cached(folder: Path, kept: Path) -> TaskNames:
    """Once in a process: every built-in task that lm-eval describes is looked up, and there are thousands of names."""
    with suppress(OSError, ValueError, TypeError, KeyError):
        said = decoded(kept.read_text(encoding="utf-8"))
        if said["folder"] == str(folder):
            return TaskNames(said["files"], said["groups"], said["tags"])
    found = read([folder])
    with suppress(OSError):
        kept.parent.mkdir(parents=True, exist_ok=True)
        unfinished = kept.with_name(f"{kept.name}.{os.getpid()}.part")
        unfinished.write_text(json.dumps({"folder": str(folder), **asdict(found)}), encoding="utf-8")
        unfinished.replace(kept)
    return found


def read(folders: Iterable[Path]) -> TaskNames:
    """The names in some folders; of two files with one name the first counts, as in lm-eval."""
    found = TaskNames()
    for folder in folders:
        for parts in sorted(_files(folder)):
            place = "/".join(parts)
            # Texts, not paths: of fourteen thousand, making a Path of each takes twice as long as reading it.
            with open(f"{folder}/{place}", "rb") as file:  # noqa: PTH123
                _add(found, file.read(), place)
    return found


def search(names: TaskNames, word: str) -> list[tuple[str, str]]:
    """Every name that holds ``word``, whatever its case, with its kind: the shortest first."""
    wanted = word.casefold()
    groups = set(names.groups)
    kinds = {name: "group" if name in groups else "task" for name in names.files}
    kinds |= {name: "tag" for name in names.tags if name not in kinds}
    found = [name for name in kinds if wanted in name.casefold()]
    return [(name, kinds[name]) for name in sorted(found, key=lambda name: (len(name), name))]


def _files(folder: Path) -> Iterator[list[str]]:
    """The parts of each file's path within the folder."""
    for place, _, names in os.walk(folder):
        parts = list(Path(place).relative_to(folder).parts)
        yield from ([*parts, name] for name in names if name.endswith(".yaml"))


def _add(found: TaskNames, text: bytes, place: str) -> None:
    keys: dict[bytes, tuple[bytes, int]] = {}
    for match in _KEY.finditer(text):
        keys.setdefault(match[1], (_plain(match[2]), match.end()))
    kind = b"group" if b"group" in keys else b"task"
    name = keys.get(kind, (b"", 0))[0].decode(errors="replace")
    if not name or name.startswith("[") or name in found.files:
        return
    found.files[name] = place
    if kind == b"group":
        found.groups.append(name)
        return
    value, end = keys.get(b"tag", (b"", 0))
    for tag in [value.decode(errors="replace")] if value else _entries(text[end + 1 :] if end else b""):
        found.tags.setdefault(tag, []).append(name)


def _plain(value: bytes) -> bytes:
    return value.split(b" #")[0].strip().strip(b"\"'")


def _entries(text: bytes) -> Iterator[str]:
    for line in text.splitlines():
        match = _ENTRY.fullmatch(line)
        if match is None:
            return
        yield _plain(match[1]).decode(errors="replace")
