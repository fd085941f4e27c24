"""What the tasks of a run need of the one server that each model has: joined, or refused where they contradict."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from evalkit import serve
from evalkit.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json, Task
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender

_LENGTH: Final = "max-model-len"
_PARSER: Final = "reasoning-parser"


def joined(config: Config, tasks: Sequence[Task]) -> Config:
    """The config with the flags that its tasks need beside those that the user gave.

    Raises:
        UsageError: Two tasks, or a task and the user, need a flag otherwise; with both names.
    """
    given = {name.lstrip("-").replace("_", "-"): value for name, value in config.serve.args.items()}
    needed = dict(_flags(given, tasks, serve.PROFILES[config.serve.profile]))
    return replace(config, serve=replace(config.serve, args={**config.serve.args, **needed})) if needed else config


def refuse_short(contenders: Iterable[Contender], tasks: Sequence[Task]) -> None:
    """Refuse a model whose context, or whose running server, is shorter than a task needs.

    Raises:
        UsageError: With the names of both.
    """
    needed, name = max(((task.serving.max_model_len or 0, task.name) for task in tasks), default=(0, ""))
    for one in contenders if needed else ():
        at_server = one.engine.numerics.get("max_model_len") if one.model.endpoint else None
        length = at_server if one.model.endpoint else serve.context_length(one.model)
        if isinstance(length, int) and length < needed:
            whose = f"the server of {one.model.label}" if one.model.endpoint else one.model.label
            raise UsageError(
                f"{name} needs a context of {needed:,} tokens, {whose} has {length:,}",
                fix="start it with a longer one"
                if one.model.endpoint
                else "leave the task out, or write one of your "
                "own with fewer decoding.max_tokens and another serving.max_model_len",
            )


def _flags(given: Mapping[str, Json], tasks: Sequence[Task], profile: Mapping[str, Json]) -> Iterator[tuple[str, Json]]:
    parsers = {task.serving.reasoning_parser: task.name for task in tasks if task.serving.reasoning_parser}
    if len(parsers) > 1:
        (one, first), (other, second), *_ = parsers.items()
        raise UsageError(
            f"{first} needs --{_PARSER} {one}, {second} needs {other}, and a model has one server for all tasks",
            fix="ask them in two runs, or give both the same serving.reasoning_parser",
        )
    for parser, name in parsers.items():
        if given.get(_PARSER, parser) != parser:
            raise UsageError(
                f"{name} needs --{_PARSER} {parser}, and --serve-arg says {given[_PARSER]}",
                fix="leave the flag out, or change serving.reasoning_parser in the task's file",
            )
        if _PARSER not in given:
            yield _PARSER, parser
    lengths = {task.serving.max_model_len: task.name for task in tasks if task.serving.max_model_len}
    longest = max(lengths, default=0)
    chosen = given.get(_LENGTH, profile.get(_LENGTH))
    if not isinstance(chosen, int) or chosen >= longest:
        return
    if _LENGTH in given:
        raise UsageError(
            f"{lengths[longest]} needs --{_LENGTH} {longest}, and --serve-arg says {chosen}",
            fix=f"raise the flag to {longest}, leave it out, or change serving.max_model_len in the task's file",
        )
    yield _LENGTH, longest
