"""What is kept of how a checkpoint was made: a file in its folder, which reports show."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from evalkit import __version__
from evalkit.quantize.asked import Checked
from evalkit.serve.environment import RECORD

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Json, Model
    from evalkit.quantize.calibration import Calibration
    from evalkit.quantize.families import Scheme

_SCHEMA: Final = 1
_OF_THE_WORKER: Final = ("sequential_targets", "layers", "modules", "releases", "seconds", "memory_gib", "gpu")
_MORE: Final = ("gpu_memory_gib",)


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided before the worker started."""

    source: Model
    scheme: Scheme
    ignore: Sequence[str]
    command: str
    """Without the folders of this machine."""
    seed: int
    calibration: Calibration | None = None
    longest: int = 0
    checked: Checked = field(default_factory=Checked)
    """What the calibration data were held against."""


def record(facts: Decided, done: Mapping[str, Json]) -> dict[str, Json]:
    """The record, of what was decided and of what the worker said in the end."""
    found: dict[str, Json] = {
        "schema_version": _SCHEMA,
        "evalkit": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "command": facts.command,
        "source": {"name": facts.source.label, "digest": facts.source.digest},
        "scheme": facts.scheme.name,
        "method": facts.scheme.method,
        "ignore": list(facts.ignore),
        "seed": facts.seed,
        **{name: done[name] for name in (*_OF_THE_WORKER, *_MORE) if name in done},
    }
    data = facts.calibration
    if data is not None:
        found["calibration"] = {
            "data": data.name,
            "revision": data.revision,
            "rows": len(data.chats),
            "samples": done.get("samples"),
            "left_out": done.get("left_out"),
            "tokens": facts.longest,
            "digest": data.digest,
            "checked": list(facts.checked.against),
            "unchecked": list(facts.checked.unread),
            **data.content.stored(),
        }
    return found


def write(folder: Path, found: Mapping[str, Json]) -> None:
    """Put the record into a checkpoint's folder."""
    (folder / RECORD).write_text(json.dumps(found, indent=2, sort_keys=True) + "\n", encoding="utf-8")
