"""A model as the user names it."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from pathlib import PurePath

from evalkit.base.identity import file_name

_LONGEST_LABEL = 200
"""Bytes; the name of a file has 255 on most file systems, and a suffix."""
_HUB_ID = re.compile(r"[A-Za-z0-9][\w.-]*(/[A-Za-z0-9][\w.-]*)?")


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A baseline or a candidate, as the user names it."""

    label: str
    """How the report names it."""
    source: str
    """A local folder or a hub id."""

    @property
    def again(self) -> ModelChoice:
        """The same model as it is named when it is asked a second time."""
        return replace(self, label=f"{self.label} (again)")

    @classmethod
    def parse(cls, text: str) -> ModelChoice:
        """Read ``SOURCE`` or ``LABEL=SOURCE``.

        Without a label a hub id stands for itself and a path for its last folder. What is before a ``=`` and
        holds a ``/`` is part of a path.

        Raises:
            ValueError: There is no source, nothing in it that could serve as a label, or a control character.
        """
        before, sign, after = text.partition("=")
        if sign and "/" not in before:
            label, source = before.strip(), after.strip()
        else:
            source = text.strip()
            label = source if _HUB_ID.fullmatch(source) else PurePath(source).name
        if len(file_name(label).encode()) > _LONGEST_LABEL:
            raise ValueError(
                f"'{label[:40]}...' is too long for names of files; write a short one before it: LABEL=MODEL"
            )
        if not text.isprintable():
            raise ValueError(f"{text!r} cannot be printed; name the model in letters that can")
        if not source:
            raise ValueError(f"{text!r} names no model; write a hub id, a folder, or LABEL=MODEL")
        if not label.strip("."):
            raise ValueError(f"{text!r} has no name of its own; write LABEL={source}")
        return cls(label, source)
