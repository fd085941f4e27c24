"""The tasks of lm-eval's groups, with what a group changes of them within its own list, as lm-eval itself does it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from evalkit.base.errors import UsageError
from evalkit.tasks.lm_eval import files
from evalkit.tasks.lm_eval.files import FUNCTION, TaskSource

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from evalkit.base.types import Json

_OF_GROUPS: Final = frozenset({"group", "group_alias", "task", "aggregate_metric_list", "metadata"})
"""Fields of a group; all else that its file says is said of each of its tasks."""
_NAMES: Final = frozenset({"task_alias", "tag", "task_list"})
"""What moves neither a question nor a score."""


def expanded(source: TaskSource, own: Path | None, changes: Mapping[str, Json] | None = None) -> Iterator[TaskSource]:
    """A task, or every task of a group and of the groups within it, in lm-eval's order.

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
    inner = {**_changes(source.name, source.config), **(changes or {})}
    for member in source.members:
        yield from _member(source, member, own, inner)


def _member(group: TaskSource, member: Json, own: Path | None, changes: Mapping[str, Json]) -> Iterator[TaskSource]:
    """What one entry of a group's list stands for: a name, a name with changes, or a group that stands there whole."""
    entry: Mapping[str, Any] = {"task": member} if isinstance(member, str) else member
    name = entry.get("group", entry.get("task")) if isinstance(entry, dict) else None
    if not isinstance(name, str):
        raise UsageError(f"lm-eval's group '{group.name}' has an entry without a task", fix="name its tasks one by one")
    if "group" in entry and not files.exists(name, own):
        whole = TaskSource(f"{group.name}::{name}", group.path, entry, group.read)
        yield from expanded(whole, own, changes)
        return
    if not files.exists(name, own):
        said = (
            "describes '{}' within its own list, and no file has it"
            if len(entry) > 1
            else "names '{}', which no file has"
        )
        raise UsageError(
            f"lm-eval's group '{group.name}' {said.format(name)}",
            fix="name the tasks that are meant one by one (`evalkit tasks search`), or write it into a file of its own "
            "and name that folder with settings.include_path",
        )
    own_changes = {**changes, **_changes(group.name, entry)}
    for task in files.tagged(name, own) or [name]:
        yield from expanded(files.find(task, own), own, own_changes)


def _changes(group: str, said: Mapping[str, Json]) -> dict[str, Json]:
    """What of a group's file, or of an entry of its list, is said of its tasks.

    Raises:
        UsageError: It names a file or a function, which would be looked for beside another file.
    """
    found = {key: value for key, value in said.items() if key not in _OF_GROUPS | _NAMES}
    for key, value in found.items():
        if key == "include" or FUNCTION in repr(value):
            raise UsageError(
                f"lm-eval's group '{group}' changes '{key}' of its tasks by code or by another file",
                fix="name its tasks one by one",
            )
    return found
