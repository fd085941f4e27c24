"""What ``evalkit.testing`` gives, from its list of names and their docstrings; what its server can be told to do."""

from __future__ import annotations

import inspect
import re

from evalkit import testing
from evalkit.testing import contract, replies
from reference.declared import UndocumentedError, prose
from reference.markdown import code, table
from reference.public import sections

_PART = re.compile(r"^``(?P<name>[^`]+)`` +(?P<meaning>.+)$", re.MULTILINE)


def text() -> str:
    """A section for each function and class.

    Raises:
        UndocumentedError: One of them, or a method, has no docstring.
    """
    found = {name: getattr(testing, name) for name in testing.__all__}
    return sections({name: one for name, one in found.items() if inspect.isclass(one) or inspect.isfunction(one)})


def parts() -> str:
    """A row for each part that has a name.

    Raises:
        UndocumentedError: One of them has no line in the docstring of its module.
    """
    told = {one["name"].partition(":")[0]: one for one in _PART.finditer(replies.__doc__ or "")}
    if missing := replies.PARTS.keys() - told.keys():
        raise UndocumentedError(f"evalkit.testing.replies: say what {', '.join(sorted(missing))} does")
    rows = [[code(told[name]["name"]), prose(told[name]["meaning"])] for name in replies.PARTS]
    return table(["part", "what it does"], rows)


def rules() -> str:
    """A row for each rule of the contract."""
    return table(["rule", "what it asks"], [[code(rule), meaning] for rule, meaning in contract.RULES.items()])
