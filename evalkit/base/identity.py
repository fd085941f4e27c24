"""Identities are digests of content: one spelling of a JSON value, its sha256, and how such a value is read."""

from __future__ import annotations

import json
import math
from hashlib import sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Json


_SPELLING = json.JSONEncoder(sort_keys=True, separators=(",", ":"), ensure_ascii=False)
"""Made once: ``json.dumps`` makes one for every value that it is not to spell in its usual way."""


def canonical(value: Json) -> bytes:
    """The one JSON spelling of ``value`` that digests are taken of."""
    text = _SPELLING.encode(value)
    # Lone surrogates can come out of JSON; they must have a digest too.
    return text.encode("utf-8", "surrogatepass")


def digest(value: Json) -> str:
    """The sha256, in hex, of the canonical JSON of ``value``."""
    return sha256(canonical(value)).hexdigest()


def said(texts: Mapping[str, str | None]) -> str:
    """What tells answers apart: digests of the texts by id of the attempt, in whatever order they came.

    A single one is its own, because what was answered is held only against what another model answered to the same.
    """
    if len(texts) == 1:
        (only,) = texts.values()
        if only is not None:
            return only
    return digest(sorted(texts.items()))[:16]


def decoded(text: str | bytes) -> Json:
    """The JSON value that a text from outside spells.

    Raises:
        ValueError: It spells none, or one that is nested too deep to be read.
    """
    try:
        return json.loads(text)
    except RecursionError:
        raise ValueError("nested too deep") from None


def own_id(value: Json) -> str | None:
    """The id that a data set gives something, as text; None where it gives none.

    Whole numbers are whole however they are written: a table of pandas holds 7.0 in place of 7 as soon as one id of
    the column is missing, and NaN for that one.

    Raises:
        TypeError: It is neither a text nor a whole number.
    """
    if isinstance(value, float) and (math.isnan(value) or value.is_integer()):
        value = None if math.isnan(value) else int(value)
    if isinstance(value, bool) or not (value is None or isinstance(value, str | int)):
        raise TypeError(f"{type(value).__name__} is no id")
    return None if value is None or value == "" else str(value)


def file_name(label: str) -> str:
    """A model's label as one file name: the slash of a hub id becomes ``--``, as in the hub's own cache."""
    return "".join(c if c.isalnum() or c in "._-" else "_" for c in label.replace("/", "--")).lstrip(".") or "model"
