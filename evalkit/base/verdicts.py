"""What a comparison says of a candidate, and what a whole run comes to: the words of every output."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

from evalkit.base.errors import ExitCode


class Verdict(StrEnum):
    """What a comparison says of a candidate."""

    RECOVERED = "recovered"
    DEGRADED = "degraded"
    UNDECIDED = "undecided"
    INCOMPLETE = "incomplete"
    NOT_COMPARABLE = "not_comparable"


class Kind(StrEnum):
    """What a run, or a candidate of it, comes to; the worst first."""

    NOT_SERVED = "not_served"
    DEGRADED = "degraded"
    NOT_COMPARABLE = "not_comparable"
    INCOMPLETE = "incomplete"
    UNDECIDED = "undecided"
    RECOVERED = "recovered"
    PASSED = "passed"
    NOT_JUDGED = "not_judged"

    @property
    def exit_code(self) -> ExitCode:
        """What a shell is told."""
        return _CODES[self]

    @property
    def words(self) -> str:
        """The kind as it is read."""
        return self.value.replace("_", " ")


_CODES: Final = {
    Kind.NOT_SERVED: ExitCode.INFRASTRUCTURE,
    Kind.DEGRADED: ExitCode.GATE_FAILED,
    Kind.NOT_COMPARABLE: ExitCode.INCOMPLETE,
    Kind.INCOMPLETE: ExitCode.INCOMPLETE,
    Kind.UNDECIDED: ExitCode.UNDECIDED,
    Kind.RECOVERED: ExitCode.FINE,
    Kind.PASSED: ExitCode.FINE,
    Kind.NOT_JUDGED: ExitCode.FINE,
}
