"""Why a server did not start, or died: from the text of its log and its exit status to a reason and a way out."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import one_line
from evalkit.serve import causes
from evalkit.serve.rules import KILLED_FIX, RULES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.serve.causes import LogLine, Raised
    from evalkit.serve.rules import CauseRule


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a log says about the end of a server."""

    reason: str
    """One line that may be printed as it is."""
    fix: str
    quote: str = ""
    """The line of the log that says so; empty when none does."""


_COMPILED: Final = tuple(
    (
        re.compile(rule.pattern, re.MULTILINE | (re.DOTALL if "{0," in rule.pattern or ".*?" in rule.pattern else 0)),
        rule,
    )
    for rule in RULES
)

# Harmless lines that mention an error only to warn of it.
_NOISE: Final = re.compile(r"Found ulimit of ")
# A traceback quotes source lines, which hold the messages of errors that did not happen.
_SOURCE: Final = re.compile(r"^(?: {4,}|  File \").*$", re.MULTILINE)
_CHAIN: Final = 4
"""Exceptions of one process that are looked at for a known fault."""
_LONGEST: Final = 300
_LONGEST_QUOTE: Final = 1000
_UNSEEN: Final = re.compile(r"Engine core initialization failed|EngineDeadError|died unexpectedly")
_STATUS: Final = re.compile(r"Failed core proc\(s\): \{[^}]*?: (-?\d+)|exit code:? (-?\d+)")
"""What one of vLLM's processes ended with, in another's words."""


def classify(log: str, returncode: int | None) -> Diagnosis:
    """The reason for a server's end.

    The earliest exception of the process that failed first is the cause, whatever stands below it. Memory is blamed
    only where the system, an exit status or CUDA says so.

    Args:
        log: What it wrote since its start, or the end of it.
        returncode: As ``subprocess`` gives it, negative for a signal; None while it still runs.
    """
    lines = causes.read(log)
    found = causes.candidates(lines)
    if not found:
        return _by_rule(lines) or _by_status(lines, returncode)
    # Another exception of the same process may say it better than the first one, another process's never does.
    same = [one for one in found if one.process == found[0].process][:_CHAIN]
    known = next((known for one in same if (known := _by_rule_of(one)) is not None), None)
    # What stands above the cause may explain it; what stands below only follows from it.
    return known or _by_rule(lines[: found[0].at]) or _in_its_words(found[0])


def _by_rule_of(one: Raised) -> Diagnosis | None:
    """What a rule says of an exception."""
    block = f"{one.name}: {one.text}\n{one.code}\n{one.place}\n"
    for pattern, rule in _COMPILED:
        match = pattern.search(block)
        if match:
            return _said(rule, match, one.words, one.line)
    return None


def _by_rule(lines: Sequence[LogLine]) -> Diagnosis | None:
    """What a rule says of the lines outside of tracebacks, those that only inform left out."""
    kept = (line.words for line in lines if line.level not in causes.SURVIVED and not _NOISE.search(line.words))
    text = _SOURCE.sub("", "\n".join(kept))
    for pattern, rule in _COMPILED:
        match = pattern.search(text)
        if match:
            start = text.rfind("\n", 0, match.start()) + 1
            line = text[start : start + _LONGEST_QUOTE].partition("\n")[0].strip()
            return _said(rule, match, line, line)
    return None


def _said(rule: CauseRule, match: re.Match[str], words: str, quote: str) -> Diagnosis:
    groups = {name: _short(value or "") for name, value in {**match.groupdict(), "words": words}.items()}
    return Diagnosis(one_line(rule.reason.format(**groups)), rule.fix.format(**groups), quote[:_LONGEST_QUOTE])


def _in_its_words(one: Raised) -> Diagnosis:
    return Diagnosis(_short(one.words), "read the log around this error", one.line[:_LONGEST_QUOTE])


def _short(text: str) -> str:
    line = one_line(text)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def _by_status(lines: Sequence[LogLine], returncode: int | None) -> Diagnosis:
    """What is left when the log has no known sign: the signal that ended it, or nothing."""
    text = "\n".join(line.words for line in lines)
    statuses = [int(one or two) for one, two in _STATUS.findall(text)]
    signals = [-status for status in (returncode, *statuses) if status is not None and status < 0]
    who = "it" if returncode is not None and returncode < 0 else "one of its processes"
    if signal.SIGKILL in signals:
        return Diagnosis(f"{who} was killed (signal 9), as a system does that runs out of memory", KILLED_FIX)
    if signal.SIGILL in signals:
        return Diagnosis(
            f"{who} was ended by SIGILL: this build has instructions that the processor does not know",
            "serve with a vLLM that is built for this processor (--vllm-python)",
        )
    if signals:
        name = signal.Signals(signals[0]).name if signals[0] in set(signal.Signals) else f"signal {signals[0]}"
        return Diagnosis(f"{who} was ended by {name}", "the last lines of its log may say why")
    if "shutdown triggered" in text:
        return Diagnosis("it was asked to stop by somebody else (SIGTERM or SIGINT)", "run the same command again")
    if _UNSEEN.search(text):
        return Diagnosis(
            "one of its processes ended and left no reason in the log",
            "look into the system's log (dmesg) for a process that was killed, or run the command below by hand",
        )
    how = "it stopped" if returncode is None else f"it ended with exit status {returncode}"
    return Diagnosis(f"{how} for an unknown reason", "read the log, or run the command below by hand")
