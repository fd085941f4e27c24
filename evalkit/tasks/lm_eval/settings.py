"""The ``[settings]`` of a task that lm-eval has by name."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

from evalkit.base import codec

if TYPE_CHECKING:
    from evalkit.base.types import Json

AskingMethod = Literal["fast", "echo"]


@dataclass(frozen=True, slots=True)
class NamedTaskSettings:
    """The ``[settings]`` table of the task file."""

    task: str
    """The name of one of lm-eval's tasks or groups (``evalkit tasks search WORD``)."""
    shots: int | None = None
    """Solved examples before each question; left out: as the task says."""
    chat: bool | None = None
    """Whether answers are generated as chat, or as the continuation of a plain text; left out: as chat where the task
    generates, as plain text where it weighs choices."""
    shots_as_turns: bool = True
    """With ``chat``: each example is a message and its answer; else all stand in one message."""
    system: str = ""
    """With ``chat``: a system prompt in front."""
    gen_kwargs: Mapping[str, Any] = field(default_factory=dict)
    """Over those of the task: ``until``, ``max_gen_toks`` and the sampling fields of ``[decoding]``."""
    recommended: bool = False
    """Draw as the baseline's ``generation_config.json`` says, as ``[decoding]`` does with the key of this name."""
    repeats: int = 1
    """How often each question is asked; the scores are averaged within a question."""
    include_path: str = ""
    """A folder of lm-eval task files of your own, beside the task file; looked at before lm-eval's."""
    metric: str = ""
    """The one in the table, such as ``exact_match,strict-match`` or ``acc_norm``; left out: ``acc_norm`` where the task
    has it, else the first that it lists."""
    leaves_out: tuple[str, ...] | None = None
    """Of a group: tasks that are not in the row; left out: those that have not got the row's metric."""
    unweighted: tuple[str, ...] | None = None
    """Of a group: metrics whose score is the mean of its tasks' scores, each counting alike whatever its size; left
    out: as the group says (``weight_by_size``)."""
    method: AskingMethod = "fast"
    """Of choices that are one token each: ``fast`` where the server proves fit for it, or always ``echo``."""
    max_length: int = 4096
    """Tokens of prompt, continuation and one more, where choices are weighed. A longer one is an error, never cut."""
    add_bos: bool = True
    """Begin prompts that are no chat with the beginning-of-sequence token, where the tokenizer has one."""
    forced_bos: bool = True
    """With ``add_bos``: also where the tokenizer would not add it by itself, as lm-eval's ``--model vllm``; false is
    the way of its ``local-completions``."""


def read(table: Mapping[str, Json], source: str) -> NamedTaskSettings:
    """What the table says.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    place = f"{source}: settings"
    found = codec.read(NamedTaskSettings, table, place)
    least = {"shots": found.shots, "repeats": found.repeats - 1}
    faults = [*codec.at_least(0, least), *codec.at_least(3, {"max_length": found.max_length})]
    codec.refuse(faults, place)
    return found
