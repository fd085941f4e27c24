"""What an untrusted program may use, and how its run ended."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Limits:
    """What one program may use; what it breaks ends it or makes its own call fail."""

    wall_s: float
    """Seconds from the start of its interpreter; at their end the whole tree is killed."""
    cpu_s: float
    """CPU seconds of each process, rounded up to whole ones (the system counts no finer)."""
    silent_s: float = inf
    """Seconds from its start within which it must have written something; killed like one that runs out of time."""
    memory_bytes: int = 4 * 2**30
    """Address space of each process (``MemoryError`` beyond), and resident memory of all together (killed beyond)."""
    processes: int = 16
    """Processes and threads at a time, the program itself included; beyond, starting one fails."""
    file_bytes: int = 64 * 2**20
    """Size of one file, and of all files in the private folder together."""
    output_bytes: int = 16 * 2**20
    """Bytes on standard output, and the same again on standard error; killed beyond."""


@dataclass(frozen=True, slots=True)
class Ended:
    """How one program ended, as seen from outside of it."""

    returncode: int | None
    """Exit status, ``-N`` when signal N ended it, None when evalkit ended it for a broken limit."""
    output: bytes
    """What it wrote on standard output, at most ``output_bytes``."""
    overflow: bool
    """It wrote more than ``output_bytes``."""
    timed_out: bool
    """It ran out of wall or CPU seconds."""
    killed_by: str
    """``""``, ``"time"``, ``"memory"``, ``"processes"``, ``"output"``, or ``"signal N"`` not sent by evalkit."""
    seconds: float
    """Wall seconds of the program, its interpreter's start included, the sandbox's own work excluded."""
    stderr: bytes
    """The last few kilobytes that it wrote on standard error."""


class Sandbox(Protocol):
    """Runs one untrusted Python program at a time per call; calls may overlap in several threads."""

    @property
    def name(self) -> str:
        """``"bubblewrap"``, ``"namespaces"`` or ``"none"``."""

    def run(self, program: bytes, stdin: bytes, limits: Limits) -> Ended:
        """Run Python source in a clean interpreter, give it ``stdin``, and wait until nothing of it is left.

        Raises:
            SandboxError: The walls could not be built, or something of the program could not be ended.
        """
