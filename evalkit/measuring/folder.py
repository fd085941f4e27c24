"""What a performance run keeps in its folder: the plan, a file for each cell, and what is read from them.

A file is written beside and renamed, so it is whole or not there. The folder lies in ``perf`` of the folder of runs.
"""

from __future__ import annotations

import json
from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from evalkit.base import codec
from evalkit.base.errors import DataError, UsageError, near_miss
from evalkit.base.identity import decoded, file_name
from evalkit.files import private
from evalkit.perf import outcome
from evalkit.perf.cells import MeasuredCell
from evalkit.perf.outcome import PerfPlan, PerfResult
from evalkit.perf.prices import HourPrice  # noqa: TC001 - the codec reads the annotations
from evalkit.records.provenance import Provenance

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Json

T = TypeVar("T")

FOLDER: Final = "perf"
PLAN: Final = "plan.json"
RESULT: Final = "perf.json"
CELLS: Final = "cells"
LATEST: Final = "latest"


@dataclass(frozen=True, slots=True, kw_only=True)
class PerfRecord:
    """What a performance run keeps of itself, from its beginning on: ``plan.json``."""

    plan: PerfPlan
    price: HourPrice | None = None
    """Of an hour of the hardware; None without one."""
    provenance: Provenance = field(default_factory=Provenance)
    lost: Mapping[str, str] = field(default_factory=dict)
    """Why a cell or a model could not be measured, by `CellKey` in words or by label."""
    notices: tuple[str, ...] = ()
    """What a reader should know."""
    start_s: tuple[float, ...] = ()
    """How long servers took to start."""
    finished: bool = False
    others: Mapping[str, Any] = field(default_factory=dict, metadata=codec.OTHERS)
    """What another evalkit keeps."""


def keep_cell(folder: Path, cell: MeasuredCell) -> None:
    """Keep a cell."""
    name = f"{file_name(cell.model)}.{cell.use}.{cell.stream}.{cell.start}.json"
    private.write(folder / CELLS / name, json.dumps(codec.written(cell)))


def cells(folder: Path) -> list[MeasuredCell]:
    """Every cell that is kept.

    Raises:
        DataError: A file is no cell.
    """
    found = [_made(MeasuredCell, _object(path), path) for path in sorted((folder / CELLS).glob("*.json"))]
    return sorted(found, key=lambda cell: cell.key)


def keep(folder: Path, record: PerfRecord) -> None:
    """Keep what a run says of itself."""
    private.write(folder / PLAN, json.dumps(codec.written(record)))


def record(folder: Path) -> PerfRecord:
    """What the run of a folder has kept of itself.

    Raises:
        DataError: It is none, or damaged.
    """
    found: PerfRecord = _made(PerfRecord, _object(folder / PLAN), folder / PLAN)
    return found


def result(folder: Path) -> tuple[PerfResult, list[MeasuredCell]]:
    """A performance run as it is shown, made from what its folder keeps.

    Raises:
        DataError: A file is missing or damaged.
    """
    said, every = record(folder), cells(folder)
    rows = outcome.rows(said.plan, every, said.price, said.lost)
    found = PerfResult(
        id=folder.name,
        plan=said.plan,
        rows=rows,
        savings=outcome.savings(said.plan, rows),
        price=said.price,
        notices=said.notices,
        provenance=said.provenance,
    )
    return found, every


def folders(output: Path) -> list[Path]:
    """The folders of performance runs, the newest last."""
    return sorted(path.parent for path in (output / FOLDER).glob(f"*/{PLAN}"))


def readable(output: Path) -> Iterator[tuple[Path, PerfRecord]]:
    """The same with what each run has kept of itself, the newest first; folders that cannot be read are passed over."""
    for folder in reversed(folders(output)):
        try:
            said = record(folder)
        except DataError:
            continue
        yield folder, said


def opened(name: str, output: Path) -> Path:
    """The folder of a performance run.

    Args:
        name: Its id, the beginning of one, its folder, or ``latest``.
        output: The folder of runs, where ``name`` does not say.

    Raises:
        UsageError: There is no such run, or several.
    """
    if (Path(name) / PLAN).is_file():
        return Path(name).resolve()
    known = folders(output)
    if name == LATEST and known:
        return known[-1]
    found = [one for one in known if one.name == name] or [one for one in known if one.name.startswith(name)]
    if len(found) == 1:
        return found[0]
    ids = [one.name for one in found or known]
    what = f"several performance runs begin with '{name}'" if found else f"no performance run '{name}'"
    fix = (
        f"name one: {', '.join(ids)}" if found else near_miss(name, [*ids[-8:], LATEST]) if ids else "run evalkit perf"
    )
    raise UsageError(f"{output / FOLDER}: {what}", fix=fix)


def fitting(output: Path, digests: Sequence[str]) -> Path | None:
    """The newest whole performance run of a baseline and at least one of its candidates, by their digests."""
    base, *others = digests
    for folder, said in readable(output):
        own = [one.digest for one in said.plan.models]
        if own[0] == base and set(own[1:]) & set(others) and said.finished:
            return folder
    return None


def _object(path: Path) -> dict[str, Any]:
    try:
        said = decoded(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"{path}: cannot be read ({error})", fix="name another run, or measure again") from error
    if not isinstance(said, dict):
        raise DataError(f"{path}: not a JSON object", fix="name another run, or measure again")
    return said


def _made(kind: type[T], said: Json, path: Path) -> T:
    try:
        return cast("T", codec.kept(kind, said))
    except codec.MisfitError as error:
        fix = "measure again with --fresh; the file is damaged or of another evalkit"
        raise DataError(f"{path}: {error}", fix=fix) from error
