"""Exit codes, from their declaration."""

from __future__ import annotations

from evalkit.base.errors import ExitCode
from reference.declared import UndocumentedError, texts
from reference.markdown import code, table


def text() -> str:
    """The table of codes.

    Raises:
        UndocumentedError: A code has no text below it.
    """
    missing = [one.name for one in ExitCode if one.name not in texts(ExitCode)]
    if missing:
        raise UndocumentedError(f"ExitCode.{missing[0]}: write a sentence below the member")
    rows = [[code(str(int(one))), code(one.name), texts(ExitCode)[one.name]] for one in ExitCode]
    return table(["code", "name", "meaning"], rows)
