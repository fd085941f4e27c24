"""The ``[settings]`` of a task that lm-eval's group makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from evalkit.base import codec

if TYPE_CHECKING:
    from evalkit.base.types import Task

Method = Literal["fast", "echo"]


@dataclass(frozen=True, slots=True)
class LmEvalSettings:
    """The ``[settings]`` table of the task file."""

    shots: int = 5
    """Solved questions before each question."""
    method: Method = "fast"
    """``fast`` where the server proves fit for it, or always ``echo``, as lm-eval's own API models ask."""
    max_length: int = 4096
    """Tokens of prompt, continuation and the one generated token. A longer prompt is an error, never cut."""
    add_bos: bool = True
    """Begin prompts with the beginning-of-sequence token, where the tokenizer has one: lm-eval's ``add_bos_token``."""
    forced_bos: bool = True
    """With ``add_bos``: also where the tokenizer would not add it by itself, as lm-eval's ``--model vllm``; false is
    the way of its ``local-completions``, which leaves it to the tokenizer."""


def settings_of(task: Task) -> LmEvalSettings:
    """What ``task``'s table says.

    Raises:
        ConfigError: It has an unknown key or an impossible value.
    """
    source = f"{task.source or task.name}: settings"
    found = codec.read(LmEvalSettings, task.settings, source)
    least = {"shots": found.shots}
    codec.refuse([*codec.at_least(0, least), *codec.at_least(3, {"max_length": found.max_length})], source)
    return found
