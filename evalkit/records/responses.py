"""An outcome as a row of the store's table ``response``, and back.

A failure has its kind in ``failure`` and its words in ``message``; an answer has neither. Before format 4 the words of
a failure stood in ``text``, where an answer has its own. A row's seal is of the columns that formats before 4 have, and
of the message where there is one: an answer's seal did not move when the column came.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.types import FINAL, WHOLE, Answer, Elsewhere, Failure, FailureKind, ended
from evalkit.records import storefile

if TYPE_CHECKING:
    from collections.abc import Container
    from pathlib import Path

    from evalkit.base.types import Outcome

SEALED_SINCE: Final = 3
MESSAGE_SINCE: Final = 4
_ELSEWHERE_SINCE: Final = 2
COLUMNS: Final = (*storefile.SEALED["response"], "message", "seal")
_ENDINGS = ", ".join(f"'{word}'" for word in sorted(filter(None, WHOLE)))
"""Words of ``WHOLE`` for SQL: a stored answer with another one is a failure, and is asked again."""
PUT: Final = (
    f"INSERT INTO response ({', '.join(COLUMNS)}) VALUES ({', '.join('?' * len(COLUMNS))})"  # noqa: S608 - names of ours
    f" ON CONFLICT (fingerprint) DO UPDATE SET {', '.join(f'{name}=excluded.{name}' for name in COLUMNS[1:])}"
    f" WHERE response.failure IS NOT NULL OR response.finish_reason NOT IN ({_ENDINGS})"
)
"""Keeps a row; an answer is never replaced."""


def selected(version: int) -> str:
    """``COLUMNS`` for a query to a store of some format, NULL for those that it has not."""
    since = {"elsewhere": _ELSEWHERE_SINCE, "seal": SEALED_SINCE, "message": MESSAGE_SINCE}
    return ", ".join(name if version >= since.get(name, 0) else "NULL" for name in COLUMNS)


def seal(row: tuple[object, ...], message: object) -> str:
    """The seal of a row with these values in the columns before the message."""
    return storefile.seal(*row) if message is None else storefile.seal(*row, message)


def written(fingerprint: str, outcome: Outcome, run: str) -> tuple[object, ...]:
    """The values of ``COLUMNS`` for an outcome that a run has brought."""
    if isinstance(outcome, Answer):
        # SQLite takes no lone surrogates, which a broken tokenizer can emit through JSON.
        text = None if outcome.text is None else outcome.text.encode("utf-8", "replace").decode()
        beside = json.dumps([outcome.elsewhere.place, outcome.elsewhere.text]) if outcome.elsewhere else None
        tokens = _whole(outcome.prompt_tokens), _whole(outcome.completion_tokens)
        own: tuple[object, ...] = (None, text, outcome.finish_reason, *tokens)
        message = None
    else:
        own, beside = (outcome.kind.value, None, None, None, None), None
        message = outcome.message.encode("utf-8", "replace").decode()
    row = (fingerprint, *own, float(outcome.latency_s), int(outcome.tries), run, beside)
    return (*row, message, seal(row, message))


def read(path: Path, version: int, row: tuple[Any, ...]) -> Outcome:
    """The outcome in a row of ``COLUMNS`` of the store in ``path``, which is of format ``version``.

    Raises:
        StoreError: The row is not what was written.
    """
    *values, message, sealed = row
    if version >= SEALED_SINCE and seal(tuple(values), message) != sealed:
        raise storefile.damaged(path, f"a row of 'response' ({str(row[0])[:40]})")
    _, failure, text, finish, prompt, completion, latency, tries, _, beside = values
    if failure is not None:
        return Failure(FailureKind(failure), text if version < MESSAGE_SINCE else message, latency, tries)
    if finish not in WHOLE:  # kept by an evalkit that took it for an answer's ending
        return Failure((was := ended(finish)).kind, was.message, latency, tries)
    elsewhere = Elsewhere(*json.loads(beside)) if beside else None
    return Answer(text, finish, prompt, completion, latency, tries, elsewhere=elsewhere)


def kind(failure: str | None, finish_reason: str | None) -> FailureKind | None:
    """What kind of failure these two columns are of; None for an answer."""
    if failure is not None:
        return FailureKind(failure)
    return None if finish_reason in WHOLE else ended(finish_reason or "").kind


def settled(outcome: Outcome | None, final: Container[FailureKind] = FINAL) -> bool:
    """Whether asking again would bring nothing: an answer, or a failure that is final."""
    return outcome is not None and is_final(None if isinstance(outcome, Answer) else outcome.kind, final)


def is_final(kind: FailureKind | None, final: Container[FailureKind] = FINAL) -> bool:
    """The same by the kind of failure alone, which is None for an answer."""
    return kind is None or kind in final


def _whole(count: float | None) -> int | None:
    """A count as SQLite gives it back."""
    return None if count is None else int(count)
