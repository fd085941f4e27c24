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

_FORMAT: Final = 2
_KEY: Final = re.compile(rb"^[\"']?(task|group|tag|class|include)[\"']?[ \t]*:[ \t]*(.*)$", re.MULTILINE)
_ENTRY: Final = re.compile(rb"[ \t]*-[ \t]*(.+)")
_Keys = dict[str, list[str]]
"""A key that names something, to its values."""


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
        included: dict[str, _Keys] = {}
        for parts in sorted(_files(folder)):
            # Texts, not paths: of fourteen thousand, making a Path of each takes twice as long as reading it.
            place = "/".join(parts)
            _add(found, _merged(f"{folder}/{place}", included), place)
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


def _merged(path: str, included: dict[str, _Keys], before: tuple[str, ...] = ()) -> _Keys:
    """The keys of a file over those of the files that it includes, of which each is read once."""
    with open(path, "rb") as file:  # noqa: PTH123
        own = _keys(file.read())
    found: _Keys = {}
    for one in own.get("include", []):
        inner = os.path.normpath(os.path.join(os.path.dirname(path), one))  # noqa: PTH118, PTH120
        # One that is not there, or comes back to itself, is told when the task is asked for.
        if inner not in included and inner not in before:
            with suppress(OSError):
                included[inner] = _merged(inner, included, (*before, path, inner))
        found |= included.get(inner, {})
    return found | own


def _keys(text: bytes) -> _Keys:
    """The keys of a file that name something, each with its values."""
    found: _Keys = {}
    for match in _KEY.finditer(text):
        value = _plain(match[2])
        values = [value] if value else list(_entries(text[match.end() + 1 :]))
        found.setdefault(match[1].decode(), [one.decode(errors="replace") for one in values])
    return found


def _add(found: TaskNames, keys: _Keys, place: str) -> None:
    # lm-eval's order: a class is a task even where it names the group that it is of.
    kind = "group" if "group" in keys and "class" not in keys else "task"
    name = next(iter(keys.get(kind, [])), "")
    if not name or name.startswith("[") or name in found.files:
        return
    found.files[name] = place
    if kind == "group":
        found.groups.append(name)
        return
    for tag in keys.get("tag", []):
        found.tags.setdefault(tag, []).append(name)


def _plain(value: bytes) -> bytes:
    return value.split(b" #")[0].strip().strip(b"\"'")


def _entries(text: bytes) -> Iterator[bytes]:
    for line in text.splitlines():
        match = _ENTRY.fullmatch(line)
        if match is None:
            return
        yield _plain(match[1])
