"""The ``[settings]`` of a task that evalplus's rules judge."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalkit.base import codec

if TYPE_CHECKING:
    from evalkit.base.types import Task


@dataclass(frozen=True, slots=True)
class EvalPlusSettings:
    """How HumanEval or MBPP is asked and judged; the defaults are those of the published commands, except ``bos``."""

    bos: Literal["one", "published"] = "one"
    """How a prompt begins: with one BOS token, or as the published commands sent it, with what the tokenizer adds in
    front of what the chat template has already written (usually a second BOS)."""
    instruction: str = ""
    """What stands above the problem; empty for evalplus's own sentence."""
    response: str = ""
    """How a chat model's answer begins, above its code block; empty for evalplus's own sentence."""
    plus: bool = True
    """Whether the further tests of HumanEval+ or MBPP+ are run as well."""
    find_zero: Literal["published", "mended"] = "published"
    """HumanEval/32, which every program fails in evalplus 0.3.1 (its check of a root does not note that it held):
    counted so, as published, or by the same check with the note."""
    min_time_limit_s: float = 1.0
    """CPU seconds that every single call may take at least."""
    gt_time_factor: float = 4.0
    """CPU seconds that a call may take, as a multiple of what the problem's own solution took."""
    memory_mib: int = 4096
    """Memory of a program."""
    workers: int = 0
    """Programs judged at a time; 0 for half of the machine's cores, at most 16."""


def settings_of(task: Task) -> EvalPlusSettings:
    """The settings of a task.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(EvalPlusSettings, task.settings, task.source or task.name)
    codec.refuse(
        [
            *codec.above(0, {"settings.min_time_limit_s": found.min_time_limit_s}),
            *codec.at_least(1, {"settings.gt_time_factor": found.gt_time_factor}),
            *codec.at_least(64, {"settings.memory_mib": found.memory_mib}),
            *codec.at_least(0, {"settings.workers": found.workers}),
        ],
        task.source or task.name,
    )
    return found
