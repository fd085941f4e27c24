"""lm-eval's task files: one is found by its name and read with what it includes; nothing in them is executed."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from hashlib import sha256
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

from evalkit.base.errors import DataError, InfrastructureError, UsageError, near_miss
from evalkit.base.identity import digest
from evalkit.tasks.lm_eval import functions, index
from evalkit.tasks.lm_eval.functions import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json

_DEEPEST: Final = 20
"""How many files may include each other."""


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc] # yaml brings no types
    """YAML in which a function stays its name; read by libyaml where yaml was built with it, ten times as fast."""


_Loader.add_constructor(FUNCTION, lambda loader, node: f"{FUNCTION} {loader.construct_scalar(node)}")


@dataclass(frozen=True, slots=True)
class TaskSource:
    """A task or a group as lm-eval's files describe it."""

    name: str
    path: Path
    config: Mapping[str, Json]
    """The file with what it includes; a function is a text that begins with ``!function``."""
    read: tuple[Path, ...]
    """Every YAML file that was read for it."""
    changes: Mapping[str, Json] = field(default_factory=dict)
    """What groups change of the task within their own lists: it stands in ``config``, and in none of its files."""
    inline: bool = False
    """Described whole within a group's list: there is nothing beside the changes."""

    def changed(self, changes: Mapping[str, Json]) -> TaskSource:
        """The task with what a group says over its files."""
        return replace(self, config={**self.config, **changes}, changes=changes) if changes else self

    @property
    def members(self) -> tuple[Json, ...] | None:
        """What a group consists of; None for a task."""
        found = self.config.get("task")
        return tuple(found) if "group" in self.config and isinstance(found, list) else None

    @property
    def digest(self) -> str:
        """Of the files that were read, the Python files beside them, and what groups change."""
        folders = {path.parent for path in self.read}
        folders |= {place for text in functions.texts(self.changes) if (place := functions.folder_of(text))}
        beside = [path for folder in folders for path in folder.glob("*.py")]
        found = sha256()
        for path in sorted({*self.read, *beside}, key=lambda one: (one.name, str(one))):
            found.update(f"{sha256(path.read_bytes()).hexdigest()}  {path.name}\n".encode())
        if self.changes:
            found.update(digest(functions.unplaced(dict(self.changes))).encode())
        return found.hexdigest()


def release() -> str:
    """The installed lm-eval's release.

    Raises:
        InfrastructureError: It is not installed.
    """
    try:
        return version("lm_eval")
    except PackageNotFoundError as error:
        raise InfrastructureError(
            "lm-eval is not installed", fix="install it beside evalkit: pip install 'lm-eval[api]'"
        ) from error


@cache
def folder() -> Path:
    """Where the installed lm-eval has its tasks.

    Raises:
        InfrastructureError: It is not installed.
    """
    release()
    spec = find_spec("lm_eval")
    if spec is None or spec.origin is None:
        raise InfrastructureError("lm-eval cannot be found", fix="install it anew: pip install 'lm-eval[api]'")
    return Path(spec.origin).parent / "tasks"


def find(name: str, include: Path | None = None) -> TaskSource:
    """The task or group of a name, one of the user's own folder first.

    Args:
        name: As lm-eval knows it.
        include: A folder of lm-eval task files of the user's own.

    Raises:
        UsageError: There is none, with the near miss; or it is a tag.
        DataError: A file cannot be read.
    """
    if include is not None:
        own = index.read([include])
        if name in own.files:
            return _source(name, include / own.files[name])
    known = index.cached(folder(), release())
    if name in known.files:
        return _source(name, folder() / known.files[name])
    if name in known.tags:
        some = ", ".join(known.tags[name][:5])
        raise UsageError(f"lm-eval's '{name}' is a tag, not a task or group", fix=f"name its tasks, such as {some}")
    raise UsageError(f"lm-eval has no task '{name}'", fix=f"{near_miss(name, known.files)}; evalkit tasks search WORD")


def exists(name: str, include: Path | None = None) -> bool:
    """Whether a file or a tag has this name."""
    known = index.cached(folder(), release())
    own = index.read([include]) if include is not None else index.TaskNames()
    return any(name in one.files or name in one.tags for one in (known, own))


def tagged(name: str, include: Path | None = None) -> list[str]:
    """The tasks that have a tag, in lm-eval's order; none where no task has it, or a task is called so."""
    known = index.cached(folder(), release())
    own = index.read([include]) if include is not None else index.TaskNames()
    if name in known.files or name in own.files:
        return []
    return sorted({*known.tags.get(name, ()), *own.tags.get(name, ())})


def _source(name: str, path: Path) -> TaskSource:
    config, read = load(path)
    return TaskSource(name, path, config, tuple(read))


def load(path: Path, before: Sequence[Path] = ()) -> tuple[dict[str, Json], list[Path]]:
    """What a file says, merged over what it includes as lm-eval merges it, and the files that were read.

    Raises:
        DataError: A file is not there, is no YAML mapping, or includes itself.
    """
    path = path.resolve()
    if path in before or len(before) > _DEEPEST:
        raise DataError(f"{path}: it includes itself", fix="correct its include")
    said = dict(_parsed(path))
    read, merged = [path], dict[str, Any]()
    included = said.pop("include", None) or []
    for one in included if isinstance(included, list) else [included]:
        inner, more = load(path.parent / str(one), (*before, path))
        inner.pop("task_list", None)
        merged |= inner
        read += more
    return merged | said, read


def _parsed(path: Path) -> Mapping[str, Any]:
    try:
        stat = path.stat()
        said = _parsed_once(path, stat.st_mtime_ns, stat.st_size)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise DataError(f"{path}: cannot be read: {str(error).splitlines()[0]}", fix="correct the file") from error
    if not isinstance(said, dict):
        raise DataError(f"{path}: is no YAML mapping", fix="a task file has keys such as task and dataset_path")
    return said


@lru_cache(maxsize=4096)
def _parsed_once(path: Path, changed_ns: int, size: int) -> Any:
    """A command reads a group several times, and its tasks include the same files; nobody changes what this gives."""
    del changed_ns, size
    return yaml.load(path.read_text(encoding="utf-8"), Loader=_Loader)  # noqa: S506 - a safe loader
