"""What a harness tells a reader of how a task was asked."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class AskedWords:
    """How one model was asked a task, in words."""

    sentences: tuple[str, ...]
    ways: Mapping[str, str] = field(default_factory=dict)
    """What has to be equal for all models -> how it was with this one, in a few words such as ``as a chat``."""
