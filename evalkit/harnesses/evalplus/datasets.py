"""The two data sets that evalplus has: what is unlike in one and the other."""

from __future__ import annotations

import ast
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.harnesses.evalplus import installed

if TYPE_CHECKING:
    from collections.abc import Collection

_READER: Final = "mbpp_deserialize_inputs"


@dataclass(frozen=True, slots=True)
class ProblemSet:
    """One of evalplus's data sets."""

    name: str
    """As evalplus's functions call it, and as a task file names the benchmark."""
    title: str
    file: str
    """What evalplus's releases call its file."""
    typed: bool
    """Whether arguments have types that JSON has not, which evalplus restores."""


SETS: Final = {
    one.name: one
    for one in (
        ProblemSet("humaneval", "HumanEval+", "HumanEvalPlus.jsonl.gz", typed=False),
        ProblemSet("mbpp", "MBPP+", "MbppPlus.jsonl.gz", typed=True),
    )
}


def reader(name: str, task_id: str) -> list[str]:
    """What restores the types of a problem's arguments: source and name of evalplus's function, and the problem.

    Empty where JSON has them all.

    Raises:
        InfrastructureError: This evalplus has no such function.
    """
    return [_source(), _READER, task_id] if SETS[name].typed else []


def returns_nothing_comparable(name: str) -> Collection[str]:
    """Functions of a data set whose result is only asked whether it is there, as evalplus lists them.

    Raises:
        InfrastructureError: This evalplus has no such list.
    """
    return _not_none() if SETS[name].typed else ()


@cache
def _source() -> str:
    text = installed.source("data", "mbpp.py")
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef) and node.name == _READER:
            return ast.get_source_segment(text, node) or ""
    raise InfrastructureError(f"evalplus/data/mbpp.py: no function {_READER}", fix=installed.INSTALL)


@cache
def _not_none() -> frozenset[str]:
    for node in ast.parse(installed.source("eval", "_special_oracle.py")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MBPP_OUTPUT_NOT_NONE_TASKS":
            return frozenset(ast.literal_eval(node.value))
    raise InfrastructureError("evalplus/eval/_special_oracle.py: a list is missing", fix=installed.INSTALL)
