"""What a task needs of the server that every task of a run shares."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ServingNeeds:
    """What the server has to be started with: the ``[serving]`` table. The needs of a run's tasks are joined."""

    max_model_len: int | None = None
    """Tokens of prompt and answer that must fit; the server gets the largest that a task needs."""
    reasoning_parser: str | None = None
    """vLLM's parser that tells reasoning from the answer, such as ``qwen3``; one for all tasks of a run."""
