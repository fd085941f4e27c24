"""Options that take one value are given once: of two click would take the last, without a word."""

from __future__ import annotations

from collections import Counter
from typing import Final

import click

from evalkit.base.errors import UsageError

_FIXES: Final = {"--suite": "one suite, and the other's tasks with --task; or a suite of your own that lists both's"}


def refuse_repeated(command: click.Command, name: str, parent: click.Context, args: list[str]) -> None:
    """Refuse arguments of a command, or of one below it, that give such an option twice.

    Raises:
        UsageError: They do (evalkit's), or they cannot be parsed (click's).
    """
    context = click.Context(command, parent=parent, info_name=name, **command.context_settings)
    _, rest, given = command.make_parser(context).parse_args(list(args))
    counts = Counter(max(one.opts, key=len) for one in given if _takes_one(one))
    for option, times in counts.items():
        if times > 1:
            what = "twice" if times == 2 else f"{times} times"
            raise UsageError(f"{option} is given {what}", fix=_FIXES.get(option, "keep the one that is meant"))
    if isinstance(command, click.Group) and rest:
        below = command.get_command(context, rest[0])
        if below is not None:
            refuse_repeated(below, rest[0], context, rest[1:])


def _takes_one(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag or parameter.count)
