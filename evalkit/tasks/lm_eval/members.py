"""The tasks of lm-eval's groups, with what a group changes of them within its own list, as lm-eval itself does it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.errors import UsageError
from evalkit.tasks.lm_eval import files, functions
from evalkit.tasks.lm_eval.files import TaskSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalkit.base.types import Json

    Children = Iterator[tuple[str, list[TaskSource]]]

_OF_GROUPS: Final = frozenset({"group", "group_alias", "task", "aggregate_metric_list", "metadata"})
"""Fields of a group; all else that its file says is said of each of its tasks."""
_NAMES: Final = frozenset({"task_alias", "tag", "task_list"})
"""What moves neither a question nor a score."""


def expanded(source: TaskSource, own: Path | None, changes: Mapping[str, Json] | None = None) -> Iterator[TaskSource]:
    """A task, or every task of a group and of the groups within it, in lm-eval's order.

    A group whose list names a task twice has it once, where it is named first and as it is named last: lm-eval keeps
    what is below a group by name.

    Args:
        source: The task or group.
        own: A folder of lm-eval task files of the user's own.
        changes: What groups around it say over its files; theirs wins over its own, as in lm-eval.

    Raises:
        UsageError: A group says what cannot be asked here, and what that is.
    """
    if source.members is None:
        yield source.changed(changes or {})
        return
    inner = {**_changes(source, source.config), **(changes or {})}
    children: dict[str, list[TaskSource]] = {}
    for member in source.members:
        children.update(_member(source, member, own, inner))
    yield from chain.from_iterable(children.values())


def _member(group: TaskSource, member: Json, own: Path | None, changes: Mapping[str, Json]) -> Children:
    """What one entry of a group's list stands for, by name: a name, one with changes, or what stands there whole.

    An entry that changes a tag or a group changes each of its tasks. lm-eval 0.4.13 also gives them all the entry's
    name, and keeps the last of them: a group with such an entry (``openllm``) has fewer tasks there.
    """
    entry: Mapping[str, Any] = {"task": member} if isinstance(member, str) else member
    name = entry.get("group", entry.get("task")) if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise UsageError(
            f"lm-eval's group '{group.name}' has an entry without a task, which lm-eval cannot build either",
            fix="name its tasks one by one",
        )
    inside = f"{group.name}::{name}"
    if "group" in entry and not files.exists(name, own):
        yield inside, list(expanded(TaskSource(inside, group.path, entry, group.read), own, changes))
        return
    own_changes = {**changes, **_changes(group, entry)}
    if files.exists(name, own):
        for task in files.tagged(name, own) or [name]:
            yield task, list(expanded(files.find(task, own), own, own_changes))
        return
    if len(entry) == 1:
        raise UsageError(
            f"lm-eval's group '{group.name}' names '{name}', which no file has",
            fix="name the tasks that are meant one by one (`evalkit tasks search`)",
        )
    yield inside, [TaskSource(inside, group.path, own_changes, group.read, own_changes, inline=True)]


def _changes(group: TaskSource, said: Mapping[str, Json]) -> dict[str, Json]:
    """What of a group's file, or of an entry of its list, is said of its tasks.

    Raises:
        UsageError: It names what lm-eval cannot build, or functions whose module cannot be told.
    """
    found = {key: value for key, value in said.items() if key not in _OF_GROUPS | _NAMES}
    if "include" in found:
        raise UsageError(
            f"lm-eval's group '{group.name}' includes a file within its list, which lm-eval cannot build either",
            fix="write each of these tasks into a file of its own, and name that folder with settings.include_path",
        )
    if any(functions.texts(found)) and len({path.parent for path in group.read}) > 1:
        raise UsageError(
            f"lm-eval's group '{group.name}' changes its tasks by functions, and includes a file of another folder",
            fix="name its tasks one by one",
        )
    return {key: functions.placed(value, group.path.parent) for key, value in found.items()}
