"""The tasks and suites that can be run: the built-in ones, and those in folders of the user's own."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from evalkit import cards
from evalkit.base.errors import ConfigError, DataError, EvalkitError, UsageError, near_miss
from evalkit.files import resources, textfile
from evalkit.files.textfile import short
from evalkit.tasks import extensions, task_file
from evalkit.tasks.lm_eval import named

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evalkit.base.task_parts import NormalisedAverage
    from evalkit.base.types import Task
    from evalkit.cards import PublishedTable
    from evalkit.tasks.task_file import Suite

DEFAULT_SUITE = "pixtral-card"

T = TypeVar("T", "Task", "Suite")


def tasks(extra: Sequence[Path] = ()) -> dict[str, Task]:
    """Every task by name, the built-in ones first; files that are no task are left out (`broken`).

    A task in a folder of ``extra`` takes the place of one of the same name that came before; its ``source`` says
    where it is from, and `replaced` lists such names.

    Raises:
        UsageError: A folder of ``extra`` is not there, or holds no task.
    """
    return _tasks(extra).found


def suites(extra: Sequence[Path] = ()) -> dict[str, Suite]:
    """Every suite by name, from ``suites/`` in the same folders; files that are no suite are left out (`broken`).

    Raises:
        UsageError: As for `tasks`.
    """
    return _suites(extra).found


def broken(extra: Sequence[Path] = ()) -> list[EvalkitError]:
    """What is wrong with the files that are no tasks or suites, or that name something that is not there."""
    both = [*_tasks(extra).broken.items(), *_suites(extra).broken.items()]
    return list({error.message: error for _, error in both}.values())


def _tasks(extra: Sequence[Path]) -> _Read[Task]:
    shelf = _built_in_tasks(short(resources.tasks())).copy()
    for folder in _own(extra):
        shelf.add(folder.glob("*.toml"), task_file.task)
    return shelf


@cache
def _built_in_tasks(_: str) -> _Read[Task]:
    """Read once, for a command asks for them half a dozen times; what they are named by depends on where it runs."""
    shelf: _Read[Task] = _Read({}, {})
    for folder in _built_in():
        shelf.add(folder.glob("*.toml"), task_file.task)
    return shelf


def _suites(extra: Sequence[Path]) -> _Read[Suite]:
    shelf: _Read[Suite] = _Read({}, {})
    for folder in (*_built_in(), *_own(extra)):
        shelf.add((folder / "suites").glob("*.toml"), lambda mapping, source, _: task_file.suite(mapping, source))
    known = _tasks(extra)
    for suite in list(shelf.found.values()):
        if error := _fault(suite, known):
            shelf.spoil(suite.name, error)
    return shelf


def _fault(suite: Suite, known: _Read[Task]) -> ConfigError | None:
    """What is wrong with the names in a suite."""
    for name in suite.tasks:
        if name not in known.found and name not in known.broken and not named.is_named(name):
            return ConfigError(f"{suite.source}: tasks: unknown task '{name}'", fix=near_miss(name, known.found))
    categories = {known.found[name].category for name in suite.tasks if name in known.found}
    for name in suite.averages or ():
        if name not in categories:
            return ConfigError(
                f"{suite.source}: averages: no task of the suite is of category '{name}'",
                fix=near_miss(name, categories),
            )
    return None


def replaced(extra: Sequence[Path]) -> list[str]:
    """A sentence for each folder of ``extra`` whose files have taken the place of built-in tasks or suites."""
    before: dict[str, Task | Suite] = {**tasks(), **suites()}
    after: dict[str, Task | Suite] = {**tasks(extra), **suites(extra)}
    folders: dict[Path, dict[str, Path]] = {}
    for name, one in before.items():
        if name in after and after[name].source != one.source:
            file = Path(after[name].source)
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
    known = _tasks(extra)
    found: dict[str, Task] = {}
    for name in names:
        for meant in _by_lm_eval(name) or [known.known(name) or _elsewhere(name, known.found, extra)]:
            task = extensions.loaded(meant)
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


def normalised(names: Sequence[str], suite: str | None, extra: Sequence[Path] = ()) -> NormalisedAverage | None:
    """The chosen suite's average above chance, with its tasks as they are named in a run.

    Raises:
        UsageError: There is no such suite; with the near miss.
        ConfigError: A file is wrong.
    """
    found = _suite(names, suite, extra)
    one = found.normalised if found else None
    return one and replace(one, tasks=tuple(replace(task, task=task.task.replace(":", ".")) for task in one.tasks))


def _suite(names: Sequence[str], suite: str | None, extra: Sequence[Path]) -> Suite | None:
    """The suite that is meant: the default one when neither a suite nor a task is named."""
    wanted = suite if suite or names else DEFAULT_SUITE
    if not wanted:
        return None
    known = _suites(extra)
    found = known.known(wanted)
    if found is None:
        raise UsageError(f"unknown suite '{wanted}'", fix=near_miss(wanted, known.found))
    return found


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
        return cards.published(toml(path), short(path))
    found = cards.table_of(cards.card(_text(path)), short(path))
    if not found.rows:
        raise DataError(
            f"{short(path)}: no score of a known benchmark in any table",
            fix="name a model card with an accuracy table, or a TOML table as in tasks/published",
        )
    return found


def _text(path: Path) -> str:
    try:
        with path.open("rb") as stream:
            return stream.read(cards.MOST_CHARACTERS).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise DataError(f"{short(path)}: cannot be read ({error.strerror})", fix="correct --published") from error


def _shipped() -> list[PublishedTable]:
    return [
        cards.published(toml(path), short(path)) for path in sorted((resources.tasks() / "published").glob("*.toml"))
    ]


def toml(path: Path) -> dict[str, Any]:
    """What a TOML file says; messages name it as `textfile.short` does.

    Raises:
        DataError: The file cannot be read, or is not UTF-8.
        ConfigError: It is not TOML.
    """
    return textfile.toml(path, short(path))


def _built_in() -> tuple[Path, Path]:
    """Folders of task files, in the order in which a later one takes the place of an earlier one."""
    return resources.tasks(), resources.tasks() / "demo"


def _own(extra: Sequence[Path]) -> Sequence[Path]:
    """Folders of the user's own, which come after those."""
    for folder in extra:
        if not folder.is_dir():
            raise UsageError(f"{folder} is not a folder", fix="name a folder of task files with --tasks-dir")
        if not (any(folder.glob("*.toml")) or any((folder / "suites").glob("*.toml"))):
            raise UsageError(f"{folder} holds no task file", fix="put NAME.toml into it, or leave --tasks-dir out")
    return extra


@dataclass(slots=True)
class _Read(Generic[T]):
    """What the files of some folders describe, and what is wrong with the others; one spoils none of its neighbours."""

    found: dict[str, T]
    broken: dict[str, EvalkitError]
    """By the name that the file gives, or by that of the file where it gives none."""

    def add(self, paths: Iterable[Path], read: Callable[[Mapping[str, Any], str, Path], T]) -> None:
        """The files of one folder: each takes the place of what has its name, whether it is right or wrong."""
        here: dict[str, str] = {}
        for path in sorted(paths):
            name = path.stem
            try:
                mapping = toml(path)
                name = str(mapping.get("name") or name)
                one = read(mapping, short(path), path.parent)
            except EvalkitError as error:
                self.spoil(name, error)
            else:
                if name in here:
                    twice = ConfigError(
                        f"{short(path)}: name: '{name}' is the name in {here[name]} too",
                        fix="give one of them another name",
                    )
                    self.spoil(name, twice)
                else:
                    self.found[name] = one
                    self.broken.pop(name, None)
            here.setdefault(name, short(path))

    def copy(self) -> _Read[T]:
        """The same, to be added to."""
        return _Read(dict(self.found), dict(self.broken))

    def spoil(self, name: str, error: EvalkitError) -> None:
        """A name is known, and cannot be had."""
        self.found.pop(name, None)
        self.broken[name] = error

    def known(self, name: str) -> T | None:
        """What has this name; None when nothing has.

        Raises:
            EvalkitError: The file of this name is wrong.
        """
        if name in self.broken:
            raise self.broken[name]
        return self.found.get(name)


def _by_lm_eval(name: str) -> list[Task]:
    """What lm-eval's files describe, a group as its rows; none for a name that means nothing of lm-eval's."""
    return [task_file.task(one, name) for one in named.mappings(name)] if named.is_named(name) else []


def _elsewhere(name: str, known: Mapping[str, Task], extra: Sequence[Path]) -> Task:
    """The task of a file that is named by its path."""
    if name.endswith(".toml") or os.sep in name:
        return task_file.task(toml(Path(name)), short(Path(name)), Path(name).parent)
    if "," in name:
        parts = [part.strip() for part in name.split(",") if part.strip()]
        fix = "repeat --task: " + " ".join(f"--task {part}" for part in parts)
        raise UsageError(f"unknown task '{name}': a comma joins no names", fix=fix)
    if name in suites(extra):
        raise UsageError(f"'{name}' is a suite, not a task", fix=f"choose it with --suite {name}")
    raise UsageError(f"unknown task '{name}'", fix=near_miss(name, known))
