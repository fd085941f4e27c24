"""What the answer to a task's heaviest prompt, asked before all others, says of what would become of the others."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.types import Failure, FailureKind

if TYPE_CHECKING:
    from evalkit.base.types import Outcome, Replies, Task

_TOO_LONG = re.compile(r"context length|max_model_len|longer than the max", re.IGNORECASE)


def check_speaks(url: str, task: Task, outcome: Outcome | Replies, *, heard: bool) -> None:
    """Stop at a server that takes requests and answers none; all others would wait as long.

    Args:
        url: The server's address.
        task: Whose prompt it is.
        outcome: What became of it.
        heard: Whether the server has answered anything at all.

    Raises:
        InfrastructureError: It has not.
    """
    if isinstance(outcome, Failure) and outcome.kind is FailureKind.DEADLINE and not heard:
        raise InfrastructureError(
            f"{url}: the server answered nothing: {outcome.message}, in {outcome.tries} tries "
            f"({outcome.kind} of {task.name})",
            fix="see what the server is doing; where it is only slow, raise deadline_s under [client]",
        )


def cut_short(label: str, task: Task, outcome: Outcome | Replies, longest: int | None, *, allow_overlong: bool) -> str:
    """Tell at the start of the run, not after it, that answers would be cut short: vLLM does that silently.

    Args:
        label: The model's.
        task: Whose prompt it is.
        outcome: What became of it.
        longest: Tokens of prompt and answer that the server takes; None where it does not say.
        allow_overlong: Prompts that do not fit are to count as failures.

    Returns:
        A sentence; empty where the longest answer fits.

    Raises:
        UsageError: The prompt alone does not fit.
    """
    first = outcome[0] if isinstance(outcome, tuple) else outcome
    place = f"{label}: the largest prompt of {task.name}"
    if isinstance(first, Failure):
        if first.kind is FailureKind.REFUSED and _TOO_LONG.search(first.message) and not allow_overlong:
            raise UsageError(
                f"{place} does not fit the model's context ({first.message})",
                fix="raise --serve-arg max-model-len=N, or count such samples as failed with --allow-overlong",
            )
    elif first and longest and first.prompt_tokens and longest - first.prompt_tokens < task.decoding.max_tokens:
        room = f"{longest - first.prompt_tokens} of {task.decoding.max_tokens} answer tokens"
        return f"{place} ({first.prompt_tokens} tokens) leaves {room} within max-model-len {longest}"
    return ""
