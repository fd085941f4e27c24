"""Options that take one value are given one: of two click would take the last, without a word."""

from __future__ import annotations

from copy import copy
from typing import Any, Final

import click

from evalkit.base.errors import UsageError

_FIXES: Final = {"--suite": "one suite, and the other's tasks with --task; or a suite of your own that lists both's"}


def refuse_repeated(command: click.Command, name: str, parent: click.Context, args: list[str]) -> None:
    """Refuse arguments of a command, or of one below it, that give such an option two values.

    One value that is given again says nothing new, and who asks for help is helped.

    Raises:
        UsageError: They do (evalkit's), or they cannot be parsed (click's).
    """
    context = click.Context(command, parent=parent, info_name=name, **command.context_settings)
    collecting = click.Command(name, params=[_collecting(one) for one in command.params])
    collecting.allow_interspersed_args = command.allow_interspersed_args
    values, rest, given = collecting.make_parser(context).parse_args(list(args))
    if any(one.is_eager for one in given):
        return
    for one in filter(_takes_one, command.params):
        _refuse_two(one, values.get(one.name or ""))
    if isinstance(command, click.Group) and rest:
        below = command.get_command(context, rest[0])
        if below is not None:
            refuse_repeated(below, rest[0], context, rest[1:])


def _refuse_two(option: click.Parameter, values: Any) -> None:
    # An option whose value may be left out has a mark of click's in its place, which is equal to itself alone.
    if isinstance(values, list) and any(value != values[0] for value in values):
        flag = max(option.opts, key=len)
        what = "twice" if len(values) == 2 else f"{len(values)} times"
        raise UsageError(f"{flag} is given {what}", fix=_FIXES.get(flag, "keep the one that is meant"))


def _collecting(parameter: click.Parameter) -> click.Parameter:
    """The parameter, or one that keeps every value that it is given."""
    if not _takes_one(parameter):
        return parameter
    found = copy(parameter)
    found.multiple = True
    return found


def _takes_one(parameter: click.Parameter) -> bool:
    return isinstance(parameter, click.Option) and not (parameter.multiple or parameter.is_flag or parameter.count)
