"""What a run remembers of itself, as JSON and back: its plan, and the terms that its report is judged by.

With these and the samples store a report is made again without a config, a server or a data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from types import NoneType, UnionType
from typing import TYPE_CHECKING, Any, Literal, Union, cast, get_args, get_origin, get_type_hints

from evalkit import cards
from evalkit.base import types
from evalkit.cards.figures import Printed
from evalkit.config import policy
from evalkit.records import checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.terms import Terms

if TYPE_CHECKING:
    from evalkit.base.types import Json, Task

_NAMES: dict[str, Any] = {"Mapping": Mapping, **vars(cards), **vars(checkpoint), **vars(policy), **vars(types)}
"""What the annotations of the nouns may name: their own modules import it for the type checker alone."""


def plan_json(plan: Plan) -> dict[str, Json]:
    """A plan as JSON, with everything resolved; ``models`` begins with the baseline."""
    return {
        "key": plan.key,
        "smoke": plan.smoke,
        "models": [_contender(one) for one in plan.contenders],
        "tasks": _written(plan.tasks),
        "repeat": None if plan.repeat is None else _contender(plan.repeat),
        "repeated": _written(plan.repeated),
    }


def plan_from(found: Mapping[str, Json]) -> Plan:
    """The plan that ``plan_json`` wrote.

    Raises:
        ValueError: It is not such a plan.
    """
    try:
        baseline, *candidates = [_read(Contender, one) for one in found["models"]]
        return Plan(
            baseline=baseline,
            candidates=tuple(candidates),
            tasks=_read(tuple[PlannedTask, ...], found["tasks"]),
            smoke=bool(found["smoke"]),
            repeat=_read(Contender | None, found["repeat"]),
            repeated=_read(tuple[PlannedTask, ...], found["repeated"]),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a plan of a run ({error})") from error


def task_from(found: Mapping[str, Json]) -> Task:
    """A task of a plan that ``plan_json`` wrote.

    Raises:
        ValueError: It is not such a task.
    """
    try:
        return cast("Task", _read(types.Task, found))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"not a task of a run ({error})") from error


def terms_json(terms: Terms) -> dict[str, Json]:
    """Terms as JSON, but for how exams were held and judged: a run keeps that beside them."""
    return {key: value for key, value in _written(terms).items() if key not in {"exams", "checks"}}


def terms_from(body: Mapping[str, Json]) -> Terms:
    """The terms in what a run keeps: ``terms`` as ``terms_json`` wrote it, ``exams`` and ``checks``.

    Raises:
        ValueError: They are not there, or are something else.
    """
    try:
        found = {**body["terms"], "exams": body.get("exams", {}), "checks": body.get("checks", {})}
        return cast("Terms", _read(Terms, found))
    except (KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no terms of a report ({error})") from error


def _contender(one: Contender) -> dict[str, Json]:
    return {**_written(one), "identity": one.identity}


def _written(value: Any) -> Any:
    """A noun as JSON."""
    if isinstance(value, Printed):
        return value.text
    if is_dataclass(value):
        return {field.name: _written(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, Mapping):
        return {key: _written(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_written(item) for item in value]
    return value


def _read(hint: Any, value: Any) -> Any:
    """A noun from its JSON; keys that it does not have are passed over, so that a newer evalkit's file can be read."""
    origin = get_origin(hint)
    if origin in {Union, UnionType}:
        return None if value is None else _read(_branch(hint, value), value)
    if origin is tuple:
        return tuple(_read(get_args(hint)[0], item) for item in value)
    if origin is Mapping:
        return {key: _read(get_args(hint)[1], item) for key, item in value.items()}
    if is_dataclass(hint):
        return _noun(hint, value)
    return _plain(hint, value)


def _noun(hint: Any, value: Any) -> Any:
    if hasattr(hint, "parse"):
        return hint.parse(value)
    hints = get_type_hints(hint, localns=_NAMES)
    return hint(**{key: _read(hints[key], item) for key, item in value.items() if key in hints})


def _plain(hint: Any, value: Any) -> Any:
    if hint is Any or get_origin(hint) is Literal or isinstance(value, hint):
        return value
    if hint is float and isinstance(value, int):
        return float(value)
    raise TypeError(f"{value!r} where {hint.__name__} should be")


def _branch(hint: Any, value: Any) -> Any:
    """The alternative of a union that ``value`` can mean: a noun for an object, otherwise the plain one."""
    options = [option for option in get_args(hint) if option is not NoneType]
    fitting = [option for option in options if _is_table(option) == isinstance(value, Mapping)]
    return (fitting or options)[0]


def _is_table(hint: Any) -> bool:
    """Whether JSON writes it as an object."""
    return get_origin(hint) is Mapping or (is_dataclass(hint) and not hasattr(hint, "parse"))
