"""Which exception ended a server: of everything that its processes wrote, the first one that is a cause.

vLLM is several processes that write into one log. When one of them fails, it says why, and then all others complain
that it is gone: the last line of a log is nearly always hollow. The cause is the earliest exception of the process that
failed first; within a chain ("The above exception was the direct cause of ...") Python writes the root first, so that
"earliest" holds there as well.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

_PREFIX: Final = re.compile(
    r"^\((?P<process>[^()\n]*? pid=\d+)\) ?(?:(?P<level>[A-Z]+) [\d :.-]+\[[^\]\n]*\] ?)?"
    r"|^(?P<alone>ERROR|WARNING|INFO|DEBUG|CRITICAL) [\d :.-]+\[[^\]\n]*\] ?"
)
"""What vLLM puts in front of every line, also inside a message that has several: the process, and the place."""
_FRAME: Final = re.compile(r'^ *File "(?P<file>[^"]*)", line (?P<line>\d+)(?:, in (?P<function>\S.*))?$')
_RAISED: Final = re.compile(
    r"^(?:[A-Za-z_]\w*\.)*(?P<name>[A-Z]\w*(?:Error|Exception|Failed|Exceeded|Exit|Interrupt|Unavailable)|Exception)"
    r"(?:: ?(?P<text>.*)|\s*)$"
)
_ANY_NAME: Final = re.compile(r"^(?:[A-Za-z_]\w*\.)*(?P<name>[A-Za-z_]\w*)(?:: (?P<text>.*)|:?)$")
"""At the end of a traceback any name is an exception's."""
_HEAD: Final = "Traceback (most recent call last):"
_LINK: Final = re.compile(r"^(?:The above exception was the direct cause|During handling of the above exception)")
_STARTED: Final = "Application startup complete"
_OF_ONE_REQUEST: Final = "Exception in ASGI application"
_FRONT: Final = re.compile(r"api_?server", re.IGNORECASE)
"""The process that talks HTTP. It outlives errors of single requests, which it logs as well."""
SURVIVED: Final = frozenset({"WARNING", "INFO", "DEBUG"})
"""What is logged so did not end anything."""
_MORE_LINES: Final = 3
_MARKS: Final = frozenset("~^ ")
"""Lines under a source line that point at a part of it."""

_HOLLOW: Final = re.compile(
    r"root cause|initialization failed|encountered an issue|Error raised in subprocess|died unexpectedly"
    r"|AsyncLLM output_handler|WorkerProc hit an exception|EngineCore encountered|^Executor failed"
)
"""Complaints that another process, or another exception, is the cause; they say nothing of it."""
_HOLLOW_NAMES: Final = frozenset(
    {"EngineDeadError", "EngineGenerateError", "CancelledError", "StopIteration", "GeneratorExit", "ContextTerminated"}
)
_WEAK: Final = re.compile(r"failed to be inspected|^\d+ validation errors? for|cancelled")
_WEAK_NAMES: Final = frozenset(
    {
        *(
            "CalledProcessError",
            "BrokenPipeError",
            "ConnectionResetError",
            "EOFError",
            "KeyboardInterrupt",
            "SystemExit",
        ),
        *("BrokenProcessPool", "ProcessRaisedException", "ProcessExitedException"),
    }
)
"""What mostly follows from something else, and is the cause where there is nothing else."""


@dataclass(frozen=True, slots=True)
class LogLine:
    """One line of a log."""

    process: str
    """Who wrote it, such as ``EngineCore pid=77``; empty where the line does not say."""
    level: str
    """Such as ``ERROR``; empty for what is no line of a logger's, as Python's own last words."""
    words: str


@dataclass(frozen=True, slots=True)
class Raised:
    """One exception as a log shows it."""

    name: str
    """Its class, without the module."""
    text: str
    """Its message, which may have several lines; empty when it has none."""
    process: str
    level: str
    """Of its line."""
    at: int
    """Number of its line."""
    code: str = ""
    """The line of source that raised it, where the log has it."""
    place: str = ""
    """``FUNCTION in FILE, line N`` of that line."""
    line: str = ""
    """As it stands in the log, without the prefix."""

    @property
    def is_hollow(self) -> bool:
        """Whether it only says that something else went wrong."""
        return self.name in _HOLLOW_NAMES or bool(_HOLLOW.search(self.text))

    @property
    def is_weak(self) -> bool:
        """Whether it counts only where nothing better was raised."""
        return self.name in _WEAK_NAMES or bool(_WEAK.search(self.text))

    @property
    def words(self) -> str:
        """The exception in one line: its message, or the code that raised it where there is none."""
        text = " ".join(self.text.split())
        if text:
            return f"{self.name}: {text}"
        where = f" ({self.place})" if self.place else ""
        return f"{self.name} at `{self.code}`{where}" if self.code else f"{self.name}{where}"


def read(log: str) -> list[LogLine]:
    """The log's lines, without prefixes and without what only a terminal understands."""
    found = []
    for line in printable(log).split("\n"):
        match = _PREFIX.match(line)
        if match is None:
            found.append(LogLine("", "", line))
        else:
            found.append(LogLine(match["process"] or "", match["level"] or match["alone"] or "", line[match.end() :]))
    return found


def candidates(lines: Sequence[LogLine]) -> list[Raised]:
    """The exceptions that may be the cause of the end, the likeliest first."""
    found = _likely(lines)
    return [one for one in found if not one.is_weak] or found


def _likely(lines: Sequence[LogLine]) -> list[Raised]:
    """What may have ended the server, going by who raised it and when."""
    every = [one for one in _exceptions(lines) if one.level not in SURVIVED and not one.is_hollow]
    started = max((at for at, line in enumerate(lines) if _STARTED in line.words), default=-1)
    if started < 0:
        return every
    # What was raised before it answered did not end it; nor did what its front logs, which is about single requests.
    later = [one for one in every if one.at > started]
    inside = [one for one in later if not _FRONT.match(one.process)]
    return inside + [one for one in later if _FRONT.match(one.process) and not one.level]


def _exceptions(lines: Sequence[LogLine]) -> Iterator[Raised]:
    """Every exception of a log, in the order in which they were written."""
    reading: dict[str, _Traceback] = {}
    of_one_request: set[str] = set()
    for at, line in enumerate(lines):
        open_one = reading.get(line.process)
        if line.words.startswith(_HEAD) or _FRAME.match(line.words):
            if open_one is None or line.words.startswith(_HEAD):
                open_one = reading[line.process] = _Traceback()
            open_one.take(line.words)
        elif open_one is not None and (line.words.startswith(" ") or not line.words.strip()):
            open_one.take(line.words)
        else:
            reading.pop(line.process, None)
            if _OF_ONE_REQUEST in line.words:
                of_one_request.add(line.process)
            elif line.level or line.words.startswith("INFO:"):
                of_one_request.discard(line.process)
            match = (_ANY_NAME if open_one is not None else _RAISED).match(line.words)
            if match is not None and not _LINK.match(line.words):
                code, place = open_one.raised if open_one is not None else ("", "")
                level = "INFO" if line.process in of_one_request else line.level
                text = _message(match["text"] or "", lines, at)
                yield Raised(match["name"], text, line.process, level, at, code, place, line.words.strip())


def _message(first: str, lines: Sequence[LogLine], at: int) -> str:
    """A message with those of its further lines that belong to it for certain: the indented ones."""
    said = lines[at]
    rest = []
    for line in lines[at + 1 : at + 1 + _MORE_LINES]:
        if (line.process, line.level) != (said.process, said.level) or not line.words.startswith(" "):
            break
        rest.append(line.words.strip())
    if re.match(r"\d+ validation errors? for", first) and rest:
        # pydantic counts in the first line and says in the second.
        return re.sub(r"^Value error, ", "", rest[0].partition(" [type=")[0])
    return "\n".join([first, *rest])


class _Traceback:
    """The traceback that is being read: its last frame with the source line under it."""

    def __init__(self) -> None:
        self._frame: re.Match[str] | None = None
        self._code = ""

    def take(self, words: str) -> None:
        """Read one more line."""
        frame = _FRAME.match(words)
        if frame:
            self._frame, self._code = frame, ""
        elif words.strip() and not set(words) <= _MARKS and not self._code:
            self._code = words.strip()

    @property
    def raised(self) -> tuple[str, str]:
        """The source line that raised, and where it stands."""
        if self._frame is None:
            return self._code, ""
        file = self._frame["file"].rpartition("/")[2]
        function = f"{self._frame['function']} in " if self._frame["function"] else ""
        return self._code, f"{function}{file}, line {self._frame['line']}"
