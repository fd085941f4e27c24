"""What a performance run would do and how long it takes, without starting anything."""

from __future__ import annotations

import shlex
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit import serve
from evalkit.base.errors import DataError
from evalkit.measuring import folder as kept
from evalkit.measuring.perf import cell_keys, seconds
from evalkit.measuring.planning import settle

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.events import Say
    from evalkit.base.types import Json
    from evalkit.config.perf_config import PerfConfig
    from evalkit.perf.cells import MeasuredCell
    from evalkit.perf.outcome import PerfPlan

_PORT: Final = 8000


@dataclass(frozen=True, slots=True)
class PerfOutlook:
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
    takes: str
    """The same in words."""

    def as_json(self) -> dict[str, Json]:
        """For machines."""
        return asdict(self)


def look_ahead(config: PerfConfig, say: Say) -> PerfOutlook:
    """Everything that can be told before a performance run; nothing is started or written.

    Raises:
        EvalkitError: As the run would raise it before a server starts.
    """
    found = settle(config, say, "nothing")
    plan = found.plan
    known, own = _earlier(Path(config.output), plan)
    have = set() if config.fresh else {cell.key for cell in own}
    every = cell_keys(plan)
    owed = [key for key in every if key not in have]
    took = seconds(owed, known)
    starts = len({(key.model, key.start) for key in owed})
    return PerfOutlook(
        commands={model.label: shlex.join(serve.command(serving, model, _PORT)) for model, serving in found.served},
        engine=f"{plan.engine} {plan.engine_release}",
        starts=starts,
        cells=len(every),
        owed=len(owed),
        queries=sum(plan.queries[key.stream] for key in owed),
        seconds=took,
        takes=_words(took, known, starts, config.deadline_s * len(owed)),
    )


def _earlier(output: Path, plan: PerfPlan) -> tuple[list[MeasuredCell], list[MeasuredCell]]:
    """Cells of earlier runs on the same hardware by the same engine, scaled to this plan's queries; and this plan's."""
    known: list[MeasuredCell] = []
    own: list[MeasuredCell] = []
    for folder in kept.folders(output):
        try:
            other, _ = kept.facts(folder)
            cells = kept.cells(folder)
        except DataError:
            continue
        if other.key == plan.key:
            own = cells
        if (other.hardware, other.engine) == (plan.hardware, plan.engine):
            known += cells
    digests = {use.name for use in plan.uses}
    return [cell for cell in known if cell.use in digests] or known, own


def _words(took: float | None, known: list[MeasuredCell], starts: int, at_most_s: float) -> str:
    if took is None:
        return (
            f"how long it takes is not known: no earlier performance run here tells; {starts} starts of a server come "
            f"before, and no more than {at_most_s / 60:.0f} min of measuring (--deadline)"
        )
    basis = fmean(cell.wall_s for cell in known)
    return (
        f"about {took / 60:.0f} min of measuring, as earlier cells here took {basis:.0f} s each; {starts} starts of a "
        "server come to that"
    )
