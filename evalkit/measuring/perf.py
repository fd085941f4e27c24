"""The loop of a performance run: starts of servers in turn, every cell of each, all of it kept and continued."""

from __future__ import annotations

import json
import os
import time
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Any, Final

from evalkit import report, serve
from evalkit.base import codec
from evalkit.base.errors import ExitCode, InfrastructureError
from evalkit.base.events import Measuring, Notice, ServerState, Stage
from evalkit.base.identity import file_name
from evalkit.files import private, resources, scratch
from evalkit.measuring import folder as kept
from evalkit.measuring.draw import Watching
from evalkit.measuring.engine import Load, Target
from evalkit.measuring.planning import Settled, settle
from evalkit.measuring.warmup import warm_up
from evalkit.perf import outcome, validity
from evalkit.perf.cells import STREAMS, CellKey, settled
from evalkit.processes import job
from evalkit.records import storefile
from evalkit.records.provenance import Provenance
from evalkit.serve import environment

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.events import Event, Say
    from evalkit.base.types import Model
    from evalkit.config.run_config import Config, Serving
    from evalkit.perf.cells import EngineReading, GpuDraw, MeasuredCell
    from evalkit.perf.outcome import PerfPlan, PerfResult

_TOLD_EVERY_S: Final = 10.0
_SHARED_MIB: Final = 1024
"""Memory of a GPU that is in use before our server is there, from which on somebody else computes on it."""


@dataclass(frozen=True, slots=True)
class PerfFinished:
    """A performance run that has come to its end."""

    folder: Path
    result: PerfResult
    measured: int
    """Cells that were measured now."""
    lost: InfrastructureError | None = None
    """Why models are missing; None when every server could be started."""

    @property
    def exit_code(self) -> ExitCode:
        """INCOMPLETE where a row has no number."""
        return ExitCode.FINE if self.result.whole else ExitCode.INCOMPLETE


def perf(config: Config, say: Say) -> PerfFinished:
    """Measure a baseline and its candidates, continuing where an earlier run of the same plan stopped.

    Raises:
        EvalkitError: Something that the user or the world must mend; no finished cell is lost.
    """
    output = Path(config.output)
    with _alone(output, say):
        return _PerfRun(config, settle(config, say), output, say).carry_out()


@contextmanager
def _alone(output: Path, say: Say) -> Iterator[None]:
    """Nobody else serves models in this folder of runs meanwhile; what a killed evalkit left there is ended first."""
    with storefile.errors(output / storefile.FILE):
        private.folder(output)
        lock = storefile.locked(output / "store.lock")
    try:
        scratch.sweep()
        serve.clear_orphans(output, lambda text: say(Notice(text)))
        yield
    finally:
        os.close(lock)


class _PerfRun:
    """One performance run."""

    def __init__(self, config: Config, found: Settled, output: Path, say: Say) -> None:
        self._config, self._found, self._say_outside = config, found, say
        self._notices: list[str] = []
        self._lost: dict[str, str] = {}
        self._errors: dict[str, InfrastructureError] = {}
        self._commands: dict[str, str] = {}
        self._start_s: list[float] = []
        self._others: Mapping[str, Any] = {}
        """What another evalkit has kept of the run."""
        self.folder, self._cells = self._begin(output)

    @property
    def _plan(self) -> PerfPlan:
        return self._found.plan

    def _say(self, event: Event) -> None:
        if isinstance(event, Notice) and event.text not in self._notices:
            self._notices.append(event.text)
        self._say_outside(event)

    def _begin(self, output: Path) -> tuple[Path, list[MeasuredCell]]:
        """The folder of this plan, and the cells of it that count: the others are measured again."""
        for folder, said in () if self._config.fresh else kept.readable(output):
            if said.plan.key == self._plan.key:
                cells = kept.cells(folder)
                bad = validity.faults(cells, {use.name: use for use in self._plan.uses}, most_idle=self._plan.most_idle)
                good = [cell for cell in cells if cell.key not in bad]
                self._commands = dict(said.provenance.commands or {})
                self._notices = list(said.notices)
                self._start_s, self._others = list(said.start_s), said.others
                self._say(Stage(f"continuing {folder.name}: {len(good)} cells are measured"))
                return folder, good
        began = datetime.now(UTC)
        folder = output / kept.FOLDER / f"{began:%Y%m%d-%H%M%S}-{self._plan.key[:6]}"
        self._say(Stage(f"performance run {folder.name}"))
        return folder, []

    def carry_out(self) -> PerfFinished:
        """Every cell that is not measured yet, in the order of starts: baseline, candidates, baseline, candidates."""
        self._keep(finished=False)
        for text in self._found.notices:
            self._say(Notice(text))
        before = len(self._cells)
        for start in range(1, self._plan.starts + 1):
            for model, serving in self._found.served:
                owed = self._owed(model.label, start)
                if owed and model.label not in self._errors:
                    self._start(model, serving, owed)
        self._keep(finished=not self._errors)
        found, cells = kept.result(self.folder)
        publish(self.folder, found, cells)
        return PerfFinished(self.folder, found, len(self._cells) - before, self._error())

    def _owed(self, label: str, start: int) -> list[CellKey]:
        have = {cell.key for cell in self._cells}
        return [key for key in _keys(self._plan, label, start) if key not in have]

    def _error(self) -> InfrastructureError | None:
        """The first model's error, with what there is instead."""
        if not self._errors:
            return None
        first, labels = next(iter(self._errors.values())), ", ".join(self._errors)
        fix = f"{first.fix}; the tables of what there is are written, missing: {labels}"
        return type(first)(first.message, fix=fix, evidence=first.evidence)

    def _start(self, model: Model, serving: Serving, owed: Sequence[CellKey]) -> None:
        """One start of one model's server, and the cells that it owes; a server that runs already is not started."""
        label = model.label
        began = datetime.now(UTC).isoformat(timespec="seconds")
        if model.endpoint:
            for key in owed:
                trusted = serving.trust_remote_code
                self._measure(key, Target(model.endpoint, model.source, model.named, trusted), began)
            return
        self._tell_of_others()
        log = self.folder / "server" / f"{file_name(label)}.log"
        since = time.monotonic()

        def state(word: str, detail: str) -> None:
            self._say(ServerState(label, word, detail))

        try:
            with serve.Server(serving, model, log, state) as server:
                self._start_s.append(time.monotonic() - since)
                self._commands[label] = " ".join(server.command)
                self._keep(finished=False)
                target = Target(server.url, server.served_name, model.source, serving.trust_remote_code)
                for key in owed:
                    self._measure(key, target, began)
                    _refuse_dead(server)
        except InfrastructureError as error:
            self._errors[label] = error
            self._lost[label] = error.message
            self._say(Stage(f"warning: {error.message}; the other models go on"))

    def _tell_of_others(self) -> None:
        for gpu in serve.gpus():
            if gpu.uuid in self._found.uuids and gpu.used_mib > _SHARED_MIB:
                text = f"GPU {gpu.index} was not ours alone: {gpu.used_mib:,} MiB of it were in use before a start"
                self._say(Notice(text))

    def _measure(self, key: CellKey, target: Target, began: str) -> None:
        """One cell; one of which the engine left nothing is not kept, and the reason is."""
        use = next(use for use in self._plan.uses if use.name == key.use)
        at_once = 1 if key.stream == "single-stream" else self._plan.concurrency
        load = Load(use, key.stream, self._plan.queries[key.stream], at_once, key.seed, self._plan.most_idle)
        self._tell(key, load, 0)
        warm_up(target, load, self._config.perf.warmups)
        since = time.monotonic()
        with scratch.Scratch() as place, Watching(self._found.uuids, self._found.engine.clock) as watching:
            status, said = self._sent(key, target, load, Path(place))
            reading = self._found.engine.read(Path(place))
            if status != 0 or reading is None:
                self._lost[str(key)] = _ended(self._found.engine.name, status, said)
                self._say(Stage(f"warning: {key}: {self._lost[str(key)]}"))
                return
            wall_s = time.monotonic() - since
        cell = settled(key, reading, began=began, asked=load.queries, concurrency=at_once, wall_s=wall_s)
        cell = replace(cell, draw=_drawn(watching, reading))
        self._cells = [*(one for one in self._cells if one.key != key), cell]
        kept.keep_cell(self.folder, cell)
        bad = validity.faults([cell], {use.name: use}, most_idle=self._plan.most_idle)
        if key in bad:
            self._say(Stage(f"warning: {key} does not count: {bad[key]}"))

    def _sent(self, key: CellKey, target: Target, load: Load, place: Path) -> tuple[int | None, str]:
        """Let the engine send a load; its exit status, None when it took too long, and what it said last."""
        engine, told, answered = self._found.engine, time.monotonic(), 0
        log = self.folder / "engine" / f"{file_name(key.model)}.{key.use}.{key.stream}.{key.start}.log"
        log.unlink(missing_ok=True)

        def look(said: str) -> bool:
            nonlocal told, answered
            now = min(load.queries, engine.done(said) or 0)
            if now > answered and time.monotonic() - told >= _TOLD_EVERY_S:
                told, answered = time.monotonic(), now
                self._tell(key, load, answered)
            return True

        command = engine.command(target, load, place)
        status = job.run(command, engine.variables(target), log, self._config.perf.deadline_s, look)
        return status, job.tail(log)

    def _tell(self, key: CellKey, load: Load, answered: int) -> None:
        every = cell_keys(self._plan)
        have = {cell.key for cell in self._cells}
        owed = [one for one in every if one not in have]
        left_s = seconds(owed, self._cells, self._plan.queries)
        # The server of this cell runs.
        ahead = servers_to_start(
            [one for one in owed if (one.model, one.start) != (key.model, key.start)], self._found.served
        )
        if left_s is not None and self._start_s:
            left_s += ahead * fmean(self._start_s)
        self._say(Measuring(*key, load.queries, answered, len(every), len(have), left_s))

    def _keep(self, *, finished: bool) -> None:
        told = {
            **environment.provenance(self._found.served[0][1]),
            "commands": self._commands,
            "command": report.performance_command(serve.shown_config(self._config)),
        }
        record = kept.PerfRecord(
            plan=self._plan,
            price=self._found.price,
            provenance=codec.kept(Provenance, told),
            lost=self._lost,
            notices=tuple(self._notices),
            start_s=tuple(self._start_s),
            finished=finished,
            others=self._others,
        )
        kept.keep(self.folder, record)


def _refuse_dead(server: serve.Server) -> None:
    if not server.alive():
        found = server.diagnose()
        what = f"{server.served_name}: the server died: {found.reason}"
        raise InfrastructureError(what, fix=found.fix, evidence=server.last_words())


def cell_keys(plan: PerfPlan) -> list[CellKey]:
    """Every cell of a plan, in the order in which they are measured."""
    starts = range(1, plan.starts + 1)
    return [key for at in starts for model in plan.models for key in _keys(plan, model.label, at)]


def _keys(plan: PerfPlan, label: str, start: int) -> list[CellKey]:
    return [CellKey(label, use.name, stream, start) for use in plan.uses for stream in STREAMS]


def seconds(owed: Sequence[CellKey], known: Sequence[MeasuredCell], queries: Mapping[str, int]) -> float | None:
    """About how long some cells will take, by how long like ones took; None where no cell tells.

    Args:
        owed: The cells.
        known: Cells that were measured.
        queries: Stream to the queries of each cell that is owed.
    """
    if not known:
        return None
    total = 0.0
    for key in owed:
        like = [one for one in known if one.stream == key.stream] or known
        like = [one for one in like if one.use == key.use] or like
        total += fmean(_taking(one, queries[key.stream]) for one in like)
    return total


def servers_to_start(owed: Iterable[CellKey], served: Iterable[tuple[Model, Serving]]) -> int:
    """Servers to start for some cells; one that runs already is not started."""
    running = {model.label for model, _ in served if model.endpoint}
    return len({(key.model, key.start) for key in owed if key.model not in running})


def _taking(cell: MeasuredCell, queries: int) -> float:
    """How long a cell would take with so many queries: the engine's own start and end take what they took."""
    sending = min(cell.wall_s, len(cell.latencies_s) / cell.rate) if cell.rate else 0.0
    return cell.wall_s - sending + sending * queries / max(1, len(cell.latencies_s))


def _ended(engine: str, status: int | None, said: str) -> str:
    """Why an engine left nothing."""
    last = next((line.strip() for line in reversed(said.splitlines()) if line.strip()), "nothing")[:200]
    if status is None:
        return f"{engine} took too long and was ended; it said last: {last}"
    if status:
        return f"{engine} ended with {status}: {last}"
    return f"{engine} ended without a report: {last}"


def _drawn(watching: Watching, reading: EngineReading) -> GpuDraw | None:
    if not reading.timed:
        return None
    since = min(one.start_s for one in reading.timed)
    return watching.between(since, max(one.start_s + one.latency_s for one in reading.timed))


def publish(folder: Path, found: PerfResult, cells: Sequence[MeasuredCell]) -> None:
    """The tables, in every format, beside what they are made of.

    Raises:
        OutputError: The folder cannot be written.
    """
    private.write(folder / kept.RESULT, json.dumps(outcome.as_json(found, cells), indent=1) + "\n")
    private.write(folder / "perf.md", report.perf_markdown(found))
    names = ("perf.html.j2", "perf_part.html.j2", "tradeoff.html.j2", "report_parts.html.j2", "report.css", "report.js")
    templates = {name: (resources.reports() / name).read_text(encoding="utf-8") for name in names}
    private.write(folder / "perf.html", report.perf_html(found, templates))
