"""Servers that outlived the evalkit that started them: a note beside each log says what to look for."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError, unwritable
from evalkit.base.identity import decoded
from evalkit.files import private
from evalkit.processes.group import Group

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    import psutil

SUFFIX: Final = ".server.json"
_PATIENCE_S: Final = 20.0


@dataclass(frozen=True, slots=True)
class Orphan:
    """A server of an earlier run that still lives."""

    pids: tuple[int, ...]
    """Everything that belongs to it, in ascending order."""
    command: tuple[str, ...]
    note: Path
    group: Group


def note_path(log: Path) -> Path:
    """Where the note about the server with this log lies."""
    return log.with_name(log.name + SUFFIX)


def write_note(log: Path, command: Sequence[str], mark: str, leader: psutil.Process | None = None) -> None:
    """Leave a note about a server, before it is started (no ``leader`` yet) and again when its pid is known.

    Raises:
        UsageError: The folder cannot be written.
    """
    path = note_path(log)
    known = {"pid": leader.pid, "created": leader.create_time()} if leader else {}
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        private.folder(path.parent)
        os.close(private.descriptor(draft, os.O_WRONLY))
        draft.write_text(json.dumps({"command": list(command), "mark": mark, **known}), encoding="utf-8")
        draft.replace(path)
    except OSError as error:
        raise unwritable(path, error, "choose another --output folder") from error


def remove_note(log: Path) -> None:
    """Take the note back: the server is gone."""
    note_path(log).unlink(missing_ok=True)


def orphans(folder: Path) -> list[Orphan]:
    """The servers noted anywhere below ``folder`` that still live; notes about others are removed.

    Whoever calls this must know that no other evalkit works in ``folder``, or that one's server is an orphan, too.
    """
    found = []
    for note in sorted(folder.rglob(f"*{SUFFIX}")):
        group, command = _read(note)
        members = group.members() if group else []
        if group and members:
            found.append(Orphan(tuple(process.pid for process in members), command, note, group))
        else:
            note.unlink(missing_ok=True)
    return found


def _read(note: Path) -> tuple[Group | None, tuple[str, ...]]:
    try:
        said = decoded(note.read_text(encoding="utf-8"))
        # Without a pid evalkit was killed between the two notes: the mark alone then finds the server.
        group = Group(said.get("pid"), float(said.get("created", 0)), str(said["mark"]), noted=True)
        return group, tuple(said["command"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None, ()


def stop_orphan(orphan: Orphan, patience_s: float = _PATIENCE_S) -> None:
    """End a server of an earlier run.

    Raises:
        InfrastructureError: It lives even after SIGKILL.
    """
    left = orphan.group.end(patience_s)
    if left:
        raise InfrastructureError(
            f"the server of an earlier run cannot be stopped: {_pids(left)} still there after SIGKILL",
            fix=f"end it as its owner or as root (kill -9 {' '.join(map(str, left))}), then run the same command again",
        )
    orphan.note.unlink(missing_ok=True)


def clear_orphans(folder: Path, tell: Callable[[str], None]) -> None:
    """End the servers that a killed evalkit left behind below ``folder``, as ``orphans`` finds them.

    Raises:
        InfrastructureError: One of them lives even after SIGKILL.
    """
    for orphan in orphans(folder):
        tell(f"stopping a server that an earlier run left behind: {', '.join(map(str, orphan.pids))}")
        stop_orphan(orphan)


def _pids(pids: Sequence[int]) -> str:
    return ("pid " if len(pids) == 1 else "pids ") + ", ".join(map(str, pids))
