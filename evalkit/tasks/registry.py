"""The tasks and suites that can be run: the built-in ones, and those in folders of the user's own."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from evalkit import cards
from evalkit.base.errors import ConfigError, DataError, UsageError, near_miss
from evalkit.files import resources, textfile
from evalkit.tasks import task_file

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evalkit.base.types import Task
    from evalkit.cards import PublishedTable
    from evalkit.tasks.task_file import Suite

DEFAULT_SUITE = "pixtral-card"

T = TypeVar("T", "Task", "Suite")


def tasks(extra: Sequence[Path] = ()) -> dict[str, Task]:
    """Every task by name, the built-in ones first.

    A task in a folder of ``extra`` takes the place of one of the same name that came before; its ``source`` says
    where it is from, and `replaced` lists such names.

    Raises:
        ConfigError: A file is not a task, or two files of one folder have the same name.
        UsageError: A folder of ``extra`` is not there, or holds no task.
    """
    found: dict[str, Task] = {}
    for folder in _folders(extra):
        found |= _load(folder.glob("*.toml"), task_file.task)
    return found


def suites(extra: Sequence[Path] = ()) -> dict[str, Suite]:
    """Every suite by name, from ``suites/`` in the same folders.

    Raises:
        ConfigError: A file is not a suite, or names a task that does not exist.
    """
    found: dict[str, Suite] = {}
    for folder in _folders(extra):
        found |= _load((folder / "suites").glob("*.toml"), task_file.suite)
    known = tasks(extra)
    for suite in found.values():
        for name in suite.tasks:
            if name not in known:
                raise ConfigError(f"{suite.source}: tasks: unknown task '{name}'", fix=near_miss(name, known))
        categories = {known[name].category for name in suite.tasks}
        for name in suite.averages or ():
            if name not in categories:
                raise ConfigError(
                    f"{suite.source}: averages: no task of the suite is of category '{name}'",
                    fix=near_miss(name, categories),
                )
    return found


def replaced(extra: Sequence[Path]) -> list[str]:
    """A sentence for each folder of ``extra`` whose files have taken the place of built-in tasks or suites."""
    before: dict[str, Task | Suite] = {**tasks(), **suites()}
    after: dict[str, Task | Suite] = {**tasks(extra), **suites(extra)}
    folders: dict[Path, dict[str, Path]] = {}
    for name, one in before.items():
        file = Path(after[name].source)
        if after[name].source != one.source:
            folders.setdefault(file.parent, {})[name] = file
    return [
        f"{name} is not the built-in one: it was read from {file}"
        if len(found) == 1
        else f"{', '.join(found)} are not the built-in ones: they were read from {file.parent}"
        for found in folders.values()
        for name, file in list(found.items())[:1]
    ]


def find(names: Iterable[str], extra: Sequence[Path] = ()) -> list[Task]:
    """The named tasks, each once, in the order of their naming. A name may be the path of a task file.

    Raises:
        UsageError: There is no such task; with the near miss.
        ConfigError: A task file is wrong.
    """
    known = tasks(extra)
    found: dict[str, Task] = {}
    for name in names:
        task = known.get(name) or _elsewhere(name, known, extra)
        other = found.setdefault(task.name, task)
        if other.source != task.source:
            raise UsageError(
                f"{other.source} and {task.source} are both named '{task.name}'", fix="give one another name"
            )
    return list(found.values())


def chosen(names: Sequence[str], suite: str | None, extra: Sequence[Path] = ()) -> list[Task]:
    """The tasks of a suite, then the named ones; the default suite's when neither is given.

    Raises:
        UsageError: There is no such suite or task; with the near miss.
        ConfigError: A file is wrong.
    """
    found = _suite(names, suite, extra)
    return find((*(found.tasks if found else ()), *names), extra)


def averages(names: Sequence[str], suite: str | None, extra: Sequence[Path] = ()) -> tuple[str, ...] | None:
    """Categories that the chosen suite averages; None when it leaves that to the tasks, or there is no suite.

    Raises:
        UsageError: There is no such suite; with the near miss.
        ConfigError: A file is wrong.
    """
    found = _suite(names, suite, extra)
    return found.averages if found else None


def _suite(names: Sequence[str], suite: str | None, extra: Sequence[Path]) -> Suite | None:
    """The suite that is meant: the default one when neither a suite nor a task is named."""
    wanted = suite if suite or names else DEFAULT_SUITE
    if not wanted:
        return None
    known = suites(extra)
    if wanted not in known:
        raise UsageError(f"unknown suite '{wanted}'", fix=near_miss(wanted, known))
    return known[wanted]


def published(files: Sequence[str] = (), baseline: str = "") -> list[PublishedTable]:
    """The published tables in ``files``, taken to be of ``baseline``, then those that evalkit ships.

    Raises:
        DataError: A file cannot be read, or holds no figure of a known benchmark.
        ConfigError: A TOML table has a wrong key or value.
    """
    own = [replace(_published_in(Path(file)), baseline=baseline) for file in files]
    return own + _shipped()


def _published_in(path: Path) -> PublishedTable:
    if path.suffix.lower() == ".toml":
        return cards.published(toml(path), shown(path))
    found = cards.table_of(cards.card(_text(path)), shown(path))
    if not found.rows:
        raise DataError(
            f"{shown(path)}: no score of a known benchmark in any table",
            fix="name a model card with an accuracy table, or a TOML table as in tasks/published",
        )
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(cards.MOST_CHARACTERS).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{shown(path)}: cannot be read ({error.strerror})", fix="correct --published") from error


def _shipped() -> list[PublishedTable]:
    return [
        cards.published(toml(path), shown(path)) for path in sorted((resources.tasks() / "published").glob("*.toml"))
    ]


def toml(path: Path) -> dict[str, Any]:
    """What a TOML file says; messages name it as `shown` does.

    Raises:
        DataError: The file cannot be read, or is not UTF-8.
        ConfigError: It is not TOML.
    """
    return textfile.toml(path, shown(path))


def shown(path: Path) -> str:
    """A path as short as it is clear: relative when it lies in the folder where evalkit runs."""
    try:
        return str(path.resolve().relative_to(Path.cwd().resolve()))
    except (ValueError, OSError):
        return str(path)


def _folders(extra: Sequence[Path]) -> list[Path]:
    """Folders of task files, in the order in which a later one takes the place of an earlier one."""
    built_in = resources.tasks()
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", fix="name a folder of task files with --tasks-dir")
        if not (any(folder.glob("*.toml")) or any((folder / "suites").glob("*.toml"))):
            raise UsageError(f"{folder} holds no task file", fix="put NAME.toml into it, or leave --tasks-dir out")
    return [built_in, built_in / "demo", *extra]


def _load(paths: Iterable[Path], read: Callable[[Mapping[str, Any], str], T]) -> dict[str, T]:
    """What the files of one folder describe, by name."""
    found: dict[str, T] = {}
    for path in sorted(paths):
        one = read(toml(path), shown(path))
        if one.name in found:
            raise ConfigError(
                f"{one.source}: name: '{one.name}' is the name in {found[one.name].source} too",
                fix="give one of them another name",
            )
        found[one.name] = one
    return found


def _elsewhere(name: str, known: Mapping[str, Task], extra: Sequence[Path]) -> Task:
    """The task of a file that is named by its path."""
    if name.endswith(".toml") or os.sep in name:
        return task_file.task(toml(Path(name)), shown(Path(name)))
    if "," in name:
        parts = [part.strip() for part in name.split(",") if part.strip()]
        fix = "repeat --task: " + " ".join(f"--task {part}" for part in parts)
        raise UsageError(f"unknown task '{name}': a comma joins no names", fix=fix)
    if name in suites(extra):
        raise UsageError(f"'{name}' is a suite, not a task", fix=f"choose it with --suite {name}")
    raise UsageError(f"unknown task '{name}'", fix=near_miss(name, known))
