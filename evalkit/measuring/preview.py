"""What a performance run would do and how long it takes, without starting anything."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit import serve
from evalkit.base.errors import DataError
from evalkit.base.printable import counted
from evalkit.measuring import folder as kept
from evalkit.measuring.perf import cell_keys, seconds, servers_to_start
from evalkit.measuring.planning import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.events import Say
    from evalkit.base.types import Json
    from evalkit.config.run_config import Config
    from evalkit.perf.cells import CellKey, MeasuredCell
    from evalkit.perf.outcome import PerfPlan

_PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class PerfPreview:
    """What lies before a performance run."""

    commands: Mapping[str, str]
    """Model label to the command that would serve it."""
    engine: str
    """With its release."""
    starts: int
    """Servers to start."""
    cells: int
    """Of the whole run."""
    owed: int
    """Cells to measure."""
    queries: int
    """To send, warm-up aside."""
    seconds: float | None
    """About how long the cells take, by what earlier runs in the same folder took; None where none tells."""
    start_seconds: float | None
    """About how long the starts take, by those earlier ones; None where none tells."""
    takes: str
    """Both in words."""

    @property
    def words(self) -> str:
        """What would be done."""
        return (
            f"{counted(self.starts, 'server')} to start, {counted(self.owed, 'cell')} of {self.cells} to measure with "
            f"{self.engine}, {counted(self.queries, 'query', 'queries')} to send"
        )

    def as_json(self) -> dict[str, Json]:
        """For machines."""
        return asdict(self)


def preview(config: Config, say: Say) -> PerfPreview:
    """Everything that can be told before a performance run; nothing is started or written.

    Raises:
        EvalkitError: As the run would raise it before a server starts.
    """
    found = settle(config, say, "nothing")
    plan = found.plan
    earlier = _earlier(Path(config.output), plan)
    have = set() if config.fresh else earlier.own
    every = cell_keys(plan)
    owed = [key for key in every if key not in have]
    took = seconds(owed, earlier.cells, plan.queries)
    ahead = servers_to_start(owed, found.served)
    start_s = ahead * fmean(earlier.start_s) if earlier.start_s else None if ahead else 0.0
    return PerfPreview(
        commands={
            model.label: shlex.join(serve.command(serving, model, _PORT))
            for model, serving in found.served
            if not model.endpoint
        },
        engine=f"{plan.engine} {plan.engine_release}",
        starts=ahead,
        cells=len(every),
        owed=len(owed),
        queries=sum(plan.queries[key.stream] for key in owed),
        seconds=took,
        start_seconds=start_s,
        takes=_words(took, start_s, counted(ahead, "start"), config.perf.deadline_s * len(owed)),
    )


@dataclass(frozen=True, slots=True)
class _Earlier:
    """What earlier runs in the same folder tell, on the same hardware and by the same engine."""

    cells: list[MeasuredCell]
    start_s: list[float]
    """How long servers took to start."""
    own: set[CellKey]
    """Cells of this very plan."""


def _earlier(output: Path, plan: PerfPlan) -> _Earlier:
    found = _Earlier([], [], set())
    for folder in kept.folders(output):
        try:
            said = kept.record(folder)
            cells = kept.cells(folder)
        except DataError:
            continue
        if said.plan.key == plan.key:
            found.own.clear()
            found.own.update(cell.key for cell in cells)
        if (said.plan.hardware, said.plan.engine) == (plan.hardware, plan.engine):
            found.cells.extend(cells)
            found.start_s.extend(said.start_s)
    return found


def _words(took: float | None, start_s: float | None, starts: str, at_most_s: float) -> str:
    before = f"{starts} of a server" + ("" if start_s is None else f", about {_minutes(start_s)} by earlier ones")
    if took is None:
        return (
            f"how long it takes is not known: no earlier performance run here tells; {before}, and no more than "
            f"{_minutes(at_most_s)} of measuring (--deadline)"
        )
    return f"about {_minutes(took)} of measuring, as long as earlier cells here took; {before}"


def _minutes(seconds: float) -> str:
    return f"{seconds / 60:.0f} min" if seconds >= 90 else f"{seconds:.0f} s"
