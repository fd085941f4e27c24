"""What a performance run keeps in its folder: the plan, a file for each cell, and what is read from them.

A file is written beside and renamed, so it is whole or not there. The folder lies in ``perf`` of the folder of runs.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar, cast

from evalkit.base import codec
from evalkit.base.errors import DataError, UsageError, near_miss
from evalkit.base.identity import decoded, file_name
from evalkit.files import private
from evalkit.perf import outcome
from evalkit.perf.cells import MeasuredCell
from evalkit.perf.outcome import PerfPlan, PerfResult
from evalkit.perf.prices import HourPrice

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json

T = TypeVar("T")

FOLDER: Final = "perf"
PLAN: Final = "plan.json"
RESULT: Final = "perf.json"
CELLS: Final = "cells"
LATEST: Final = "latest"


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


def keep_plan(folder: Path, plan: PerfPlan, facts: Mapping[str, Json]) -> None:
    """Keep what is measured, beside what is known of it (``price``, ``provenance``, ``lost``, ``start_s``, ...)."""
    private.write(folder / PLAN, json.dumps({"plan": codec.written(plan), **facts}))


def facts(folder: Path) -> tuple[PerfPlan, dict[str, Json]]:
    """The plan of a folder and what was kept beside it.

    Raises:
        DataError: It is none.
    """
    path = folder / PLAN
    said = _object(path)
    plan = said.pop("plan", None)
    return _made(PerfPlan, plan, path), said


def result(folder: Path) -> tuple[PerfResult, list[MeasuredCell]]:
    """A performance run as it is shown, made from what its folder keeps.

    Raises:
        DataError: A file is missing or damaged.
    """
    plan, said = facts(folder)
    told = said.get("price")
    price = None if told is None else _made(HourPrice, told, folder / PLAN)
    every = cells(folder)
    rows = outcome.rows(plan, every, price, said.get("lost", {}))
    found = PerfResult(
        id=folder.name,
        plan=plan,
        rows=rows,
        savings=outcome.savings(plan, rows),
        price=price,
        notices=tuple(said.get("notices", ())),
        provenance=said.get("provenance", {}),
    )
    return found, every


def folders(output: Path) -> list[Path]:
    """The folders of performance runs, the newest last."""
    return sorted(path.parent for path in (output / FOLDER).glob(f"*/{PLAN}"))


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
    for folder in reversed(folders(output)):
        try:
            plan, said = facts(folder)
        except DataError:
            continue
        own = [one.digest for one in plan.models]
        if own[0] == base and set(own[1:]) & set(others) and said.get("finished"):
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
