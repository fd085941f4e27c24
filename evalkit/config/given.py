"""The options of the command line, in the shape of the file whose place they take."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from evalkit.base.errors import UsageError
from evalkit.config.options import BY_NAME

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.base.types import Json
    from evalkit.config.option import Option


def as_mapping(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options that were used, in the shape of the file.

    Args:
        given: Option name to value, as click passes them: None, an empty tuple or False when not used.

    Raises:
        UsageError: A pair has no ``=``, or a key or a release is named twice.
    """
    found: dict[str, Any] = {}
    for name, value in given.items():
        if value is None or value is False or value == ():
            continue
        option = BY_NAME[name]
        if not option.place:
            continue
        if option.kind == "releases":
            found = over(found, {"serve": _named_releases(value)})
            continue
        table, _, key = option.place.rpartition(".")
        (found.setdefault(table, {}) if table else found)[key] = _written(option, value)
    return found


def _written(option: Option, value: Any) -> Any:
    if option.kind in {"pairs", "flags"}:
        return _pairs(option, value)
    if option.kind == "files":
        return [_files(option, text) for text in value]
    return list(value) if isinstance(value, tuple) else value


def _pairs(option: Option, values: Sequence[str]) -> dict[str, Json]:
    """``KEY=VALUE`` options as a mapping. A flag may lack its value: it is only switched on then.

    A flag's value is JSON where it can be, as in the file it would be TOML.
    """
    found: dict[str, Json] = {}
    for text in values:
        key, sign, value = text.partition("=")
        bare = option.kind == "flags"
        if not key or not (sign or bare):
            fix = f"write {option.flag} {option.form}"
            raise UsageError(f"{option.flag} {text}: is not of the form {option.form}", fix=fix)
        told: Json = value if not bare else _flag(value) if sign else True
        refuse_second(found, key, told, option.flag)
        found[key] = told
    return found


def refuse_second(found: Mapping[str, Any], key: str, value: Json, flag: str) -> None:
    """Refuse another value for a key that an option names again: the last would win without a word.

    Args:
        found: What was given before.
        key: Empty for an option that has none.
        value: The one that is given now; an equal one says nothing new.
        flag: The option.

    Raises:
        UsageError: ``found`` has the key with another value.
    """
    # As JSON: to Python 1 and true are equal.
    if key in found and json.dumps(found[key]) != json.dumps(value):
        raise UsageError(f"{flag} {f'{key}= ' if key else ''}is given twice", fix="keep the one that is meant")


def _files(option: Option, text: str) -> dict[str, Json]:
    """``TASK=BASE,CAND``, with a file more for each further candidate."""
    task, _, places = text.partition("=")
    base, *others = places.split(",")
    if not task or not base or not others or not all(others):
        raise UsageError(
            f"{option.flag} {text}: is not of the form {option.form}",
            fix="name the baseline's file and one for each candidate; a path with a comma stands in [[imported]]",
        )
    return {"task": task, "baseline": base, "candidates": others}


def _named_releases(values: Sequence[str]) -> dict[str, Json]:
    """``--vllm RELEASE`` for every model, ``--vllm MODEL=RELEASE`` for one."""
    found: dict[str, Json] = {}
    for text in values:
        model, sign, release = text.rpartition("=")
        if sign:
            models = found.setdefault("models", {})
            named = {"vllm": release}
            refuse_second(models, model, named, "--vllm")
            models[model] = named
        elif found.get("vllm", text) != text:
            raise UsageError(
                f"--vllm {text}: {found['vllm']} is named already", fix=f"for one model write --vllm MODEL={text}"
            )
        else:
            found["vllm"] = text
    return found


def _flag(value: str) -> Json:
    try:
        # NaN and Infinity are no JSON, whatever Python's reader says: they stay text.
        return json.loads(value, parse_constant=str)
    except (ValueError, RecursionError):
        return value


def over(low: Mapping[str, Any], high: Mapping[str, Any]) -> dict[str, Any]:
    """``low`` with what ``high`` says in its place, table by table."""
    merged = dict(low)
    for key, value in high.items():
        below = merged.get(key)
        merged[key] = over(below, value) if isinstance(below, Mapping) and isinstance(value, Mapping) else value
    return merged


def has(options: Mapping[str, Any], place: str) -> bool:
    """Whether the value at a dotted place, or something around it, was given on the command line."""
    found: Any = options
    for key in re.sub(r"\[\d+\]", "", place).split("."):
        if not isinstance(found, Mapping):
            return True
        if key not in found:
            return False
        found = found[key]
    return True
