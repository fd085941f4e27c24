"""The loop: resolve the models, list the samples, let each model answer what the store lacks, publish."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from threading import RLock, get_ident
from typing import TYPE_CHECKING, Any

from evalkit import serve
from evalkit.base import codec
from evalkit.base.errors import (
    EvalkitError,
    FullDiskError,
    InfrastructureError,
    NothingScoredError,
    OutputError,
)
from evalkit.base.events import Notice, Stage
from evalkit.client import SendingPolicy
from evalkit.files import scratch
from evalkit.records.plan import Plan
from evalkit.records.provenance import Provenance
from evalkit.records.run_record import KeptPlan, RunRecord
from evalkit.records.store import RunRow, Store
from evalkit.report import words
from evalkit.runs import (
    afterwards,
    imports,
    invalidation,
    joining,
    leaks,
    needs,
    prepare,
    provenance,
    refusals,
    report_terms,
    saved_run,
    turns,
    vouching,
)
from evalkit.runs.checks import Checks
from evalkit.runs.early import Looks
from evalkit.runs.pending import Ledger, outset
from evalkit.runs.progress_file import ProgressFile
from evalkit.runs.publish import RunFolder
from evalkit.runs.so_far import BesideBaseline
from evalkit.serve import tools
from evalkit.tasks import extensions, registry

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from evalkit.base.events import Event, Say
    from evalkit.base.types import Task
    from evalkit.cluster.hosts import Hosts
    from evalkit.comparison.score import Tally
    from evalkit.config.run_config import Config
    from evalkit.records.imported import ImportedTask
    from evalkit.records.plan import Contender
    from evalkit.records.results import StoredAnswers
    from evalkit.report import Report
    from evalkit.runs.prepare import Source


@dataclass(frozen=True, slots=True)
class Finished:
    """A run that has come to its end."""

    id: str
    folder: Path
    report: Report
    asked: int
    """Requests that this run sent."""
    reused: int
    """Samples whose outcome was in the store."""
    nothing_to_do: bool
    """Every answer was in the store, and the same command had finished before."""
    lost: InfrastructureError | None = None
    """Why models are missing from the report; None when every model could be asked."""


def run(config: Config, say: Say) -> Finished:
    """Compare a baseline with its candidates, continuing where an earlier run of the same plan stopped.

    Raises:
        EvalkitError: Something that the user, the data or the world must mend; nothing answered so far is lost.
    """
    output = Path(config.output)
    afterwards.forewarn(config.after, say)
    imported = imports.read(config)
    tasks = prepare.checked(config, imported)
    config = needs.joined(config, tasks)
    with Store(output, tell=lambda text: say(Stage(text))) as store:
        this = _Run(config, tasks, store, output, say, imported)
        try:
            finished = this.carry_out()
        except BaseException as error:  # Ctrl-C, a scheduler's SIGTERM and a mistake of evalkit's end it, too
            this.fall_silent()
            if isinstance(error, EvalkitError):
                this.tell_tools(error)
                afterwards.failed(config.after, error, say)
            raise
    afterwards.finished(config.after, finished.folder, finished.report.outcome.lines, say)
    return finished


class _Run:
    """One run; its steps in the order in which they happen."""

    def __init__(
        self,
        config: Config,
        tasks: Sequence[Task],
        store: Store,
        output: Path,
        say: Say,
        imported: tuple[ImportedTask, ...],
    ) -> None:
        self._config, self._tasks, self._store, self._output = config, tasks, store, output
        self._imported = imported
        self._say_outside = say
        self._notices: list[str] = []
        self._row: RunRow | None = None
        self._record = RunRecord()
        """What the run remembers of itself; in the store once there is a row."""
        self._folder: RunFolder | None = None
        self._hosts: Hosts | None = None
        self._progress: ProgressFile | None = None
        """What tells the folder how far the run is."""
        self._turn = RLock()
        self._stores_in = get_ident()
        self._standings: dict[str, StoredAnswers] = {}
        """Label of a server that evalkit did not start to what its stored answers are worth."""
        self._unkept = False
        """A notice has come that the store does not have yet."""
        self._beside: BesideBaseline | None = None
        self._missing: dict[str, InfrastructureError] = {}
        """Why a model did not answer everything, by label."""
        self._looks: Looks | None = None
        """Those that decide how far the models are asked."""
        self._ledgers: dict[str, Ledger] = {}
        """What each model owes, by label."""

    def say(self, event: Event) -> None:
        """Pass an event on, and keep notices for the report. Any thread may call it: they take turns."""
        with self._turn:
            if isinstance(event, Notice) and event.text not in self._notices:
                self._notices.append(event.text)
                self._unkept = True
            # Soon: what is worth telling must not be lost with a killed process. One thread alone may use the store;
            # what another tells is kept with the next event of that one.
            if self._unkept and self._row is not None and get_ident() == self._stores_in:
                self._unkept = False
                self._remember()
            if self._progress is not None:
                self._progress.hear(event)
            self._say_outside(event)

    def _remember(self, **changed: Any) -> None:
        """Change what the run remembers of itself, and keep it in the store."""
        self._record = replace(self._record, notices=tuple(self._notices), **changed)
        if self._row is not None:
            self._row = replace(self._row, body=codec.written(self._record))
            self._store.keep_run(self._row)

    def carry_out(self) -> Finished:
        """Everything."""
        scratch.sweep()
        serve.clear_orphans(self._output, lambda text: self._say_outside(Notice(text)))
        for text in invalidation.withdrawn(self._store):
            self.say(Notice(text))
        self._config = tools.settled(self._config, self._say_outside)
        self._hosts = turns.joined(self._config, self.say)
        plan, sources, repeated = self._plan()
        python = self._config.serving(self._config.baseline.label).python
        for text in report_terms.forewarnings(plan, self._config.accept_differences, python):
            self.say(Stage(f"warning: {text}"))
        for text in leaks.told(plan, self._store):
            self.say(Notice(text))
        row, finished_before = self._begin(plan)
        folder = self._folder = RunFolder(self._output, row.id)
        rows = {task: tuple(found) for task, found in prepare.drawn_rows(sources).items()}
        told = provenance.told(self._config, plan, self._tasks, self._standings)
        self._remember(plan=KeptPlan.of(plan), provenance=told, rows=rows, early=None)
        self._keep(row, folder)
        self._progress = ProgressFile(folder)
        with Checks(sources, self._store, self.say, unsafe=self._config.unsafe_exec) as checks:
            checks.start(plan.asked)
            self.say(before := outset(plan, sources, repeated, self._store))
            self._looks = Looks.of(self._config, plan, sources, self._store, checks, self.say)
            asked_of = turns.Turns(self._config, self._policy, folder, self.say, before.owed, self._hosts)
            ledgers = self._in_turns(plan, asked_of, lambda one: self._ledger(one, sources, checks))
            if plan.repeat is not None and plan.baseline.model.label not in self._missing:
                ledgers.append(asked_of.one(self._ledger(plan.repeat, repeated, checks)))
            checks.finish()
            self._remember_checks(checks)
        seen = self._remember_looks(sources)
        asked = sum(ledger.pending_at_first for ledger in ledgers)
        row = self._remember_terms(row.id, plan)
        built = self._finish(row, saved_run.plan(row), folder, seen)
        self._keep(replace(row, finished=not self._missing), folder)
        self.fall_silent()
        reused = sum(ledger.reused for ledger in ledgers)
        idle = finished_before and not asked and not self._missing
        return Finished(row.id, folder.path, built, asked, reused, nothing_to_do=idle, lost=self._lost())

    def _finish(self, row: RunRow, plan: Plan, folder: RunFolder, sources: Sequence[Source]) -> Report:
        """Publish what there is; a run without a score ends with the reason of the first model that is missing."""

        def judge(tallies: Mapping[tuple[str, str], Tally]) -> Report:
            built = saved_run.report(row, tallies)
            for text in built.doubts:
                self.say(Notice(text))
            return joining.joined(built, self._output)

        try:
            return folder.finished(plan, self._store, judge, self.say, sources)
        except NothingScoredError as error:
            raise next(iter(self._missing.values()), error) from None

    def _plan(self) -> tuple[Plan, list[Source], list[Source]]:
        """Resolve models and samples: from here on everything is named by its content."""
        config, tasks = self._config, self._tasks
        contenders = [prepare.contender(choice, config, self._store, self.say, self._hosts) for choice in config.models]
        tasks = self._tasks = prepare.drawing(tasks, contenders[0].model)
        refusals.refuse(config.serving, contenders, tasks, self.say)
        turns.placement(config, contenders, self._hosts)  # refused here, before rows are read
        again = replace(contenders[0], model=replace(contenders[0].model, label=config.baseline.again.label))
        *contenders, again = prepare.numbered([*contenders, again])
        replaced = registry.replaced([Path(folder) for folder in config.tasks_dir])
        for text in [*replaced, *(text for task in tasks for text in extensions.taken(task))]:
            self.say(Notice(text))
        sources = prepare.sources(tasks, config, self._store, self.say)
        smoke = any(source.part.smoke for source in sources)
        plan = Plan(contenders[0], tuple(contenders[1:]), tuple(source.part for source in sources), smoke)
        repeated = [prepare.shortened(one, config.noise_floor, self._store) for one in sources if config.noise_floor]
        if repeated:
            plan = replace(plan, repeat=again, repeated=tuple(source.part for source in repeated))
        return self._afresh(plan) if config.fresh else self._vouched(plan, sources), sources, repeated

    def _vouched(self, plan: Plan, sources: Sequence[Source]) -> Plan:
        """The plan, with the stored answers of servers set aside that may have become others since."""
        row = self._store.latest_run(plan.key)
        if row is not None and not row.finished:
            told = saved_run.remembered(row).provenance or Provenance()
            self._standings = dict(told.endpoints or {})
            return plan
        stale = set()
        for one in (one for one in plan.contenders if one.model.endpoint):
            label = one.model.label
            revision = self._config.endpoint_is.get(label, "")
            found = vouching.standing(one, sources, self._store, revision, self._policy(one))
            self._standings[label] = found
            if found.how == "afresh":
                stale.add(one.identity)
                self.say(Notice(f"{label}: {words.standing(found)}"))
            elif found.how == "compared":
                self.say(Stage(f"{label}: {words.standing(found)}"))
        return self._in_next_epoch(plan, stale)

    def _afresh(self, plan: Plan) -> Plan:
        """The plan with its models' stored answers set aside, unless it continues a run that did so."""
        row = self._store.latest_run(plan.key)
        if row is not None and not row.finished and saved_run.remembered(row).fresh:
            return plan
        return self._in_next_epoch(plan, {one.identity for one in plan.contenders})

    def _in_next_epoch(self, plan: Plan, identities: Iterable[str]) -> Plan:
        """The plan with the stored answers of some of its models set aside."""
        epochs = {key: self._store.next_epoch(key) for key in identities}
        baseline, *candidates = [replace(one, epoch=epochs.get(one.identity, one.epoch)) for one in plan.contenders]
        again = plan.repeat and replace(plan.repeat, epoch=baseline.epoch)
        return replace(plan, baseline=baseline, candidates=tuple(candidates), repeat=again)

    def _begin(self, plan: Plan) -> tuple[RunRow, bool]:
        """The run of this plan: the one that was begun before, or a new one."""
        row = self._store.latest_run(plan.key)
        if row is None:
            began = datetime.now(UTC)
            self._record = RunRecord(began=began.isoformat(), fresh=self._config.fresh)
            row = RunRow(f"{began:%Y%m%d-%H%M%S}-{plan.key[:6]}", plan.key, finished=False, body={})
            self.say(Stage(f"run {row.id}"))
            for text in invalidation.since_before(plan, row.id, self._store):
                self.say(Notice(text))
            return row, False
        self._record = saved_run.remembered(row)
        self._notices = list(dict.fromkeys([*self._record.notices, *self._notices]))
        self.say(Stage(f"{'looking at' if row.finished else 'continuing'} run {row.id}"))
        return replace(row, finished=False), row.finished

    def _lost(self) -> InfrastructureError | None:
        """One error for all models that are missing: the first one's, with what the report holds instead."""
        if not self._missing:
            return None
        labels, (first, *_) = ", ".join(self._missing), self._missing.values()
        fix = f"{first.fix}; the report of what there is is written, missing: {labels}"
        return type(first)(first.message, fix=fix, evidence=first.evidence)

    def _remember_looks(self, sources: Sequence[Source]) -> Sequence[Source]:
        """Keep which tasks were not asked to their end; returns what was asked."""
        if self._looks is None:
            return sources
        asked = self._looks.asked
        rows = {task: tuple(found) for task, found in prepare.drawn_rows(asked).items()}
        self._remember(early=self._looks.stopped or None, rows={**self._record.rows, **rows})
        return asked

    def _in_turns(self, plan: Plan, asked_of: turns.Turns, ledger: Callable[[Contender], Ledger]) -> list[Ledger]:
        """Every model after the other, and again as long as looks at the candidate wait for the baseline."""
        ledgers = asked_of.each(plan.contenders, ledger, self._missing)
        while self._looks is not None and self._looks.waiting and not self._missing:
            asked_of.each(plan.contenders, ledger, self._missing)
        return ledgers

    def _ledger(self, one: Contender, sources: Sequence[Source], checks: Checks) -> Ledger:
        """What one model owes; a model that was asked before goes on where it stopped."""
        if one.model.label not in self._ledgers:
            self._ledgers[one.model.label] = self._opened(one, sources, checks)
        return self._ledgers[one.model.label]

    def _opened(self, one: Contender, sources: Sequence[Source], checks: Checks) -> Ledger:
        held, keep = self._record.exams.get(one.model.label, {}), self._remember_asking
        run = self._row.id if self._row else ""
        # Also beside a baseline that is missing: the candidate is asked no further than that was to be.
        further, meanwhile = self._looks.next_of(one) if self._looks else (tuple, None)
        beside = None if self._looks else self._beside  # what has been asked so far of a part is no recovery yet
        owing = further() or sources
        ledger = Ledger(
            one, owing, self._store, run, self.say, checks, keep, further, meanwhile, earlier={**held}, beside=beside
        )
        if self._beside is None:  # the first that is asked is the baseline
            self._beside = BesideBaseline(ledger)
        self._remember_reused(ledger)
        return ledger

    def _policy(self, one: Contender) -> SendingPolicy:
        """How a model is asked: the window follows its own server."""
        client, serving = self._config.client, self._config.serving(one.model.label)
        return SendingPolicy(
            window=client.window or serve.window(serving),
            widest=0 if client.window else serve.widest_window(serving, ours=not one.model.endpoint),
            tries=client.tries,
            deadline_s=client.deadline_s,
            patience_s=client.patience_s,
        )

    def _remember_asking(self, ledger: Ledger) -> None:
        """Keep how tasks were asked: a later look at the run asks nothing, and still has to say it."""
        exams, label = self._record.exams, ledger.contender.model.label
        self._remember(exams={**exams, label: {**exams.get(label, {}), **ledger.facts}})

    def _remember_reused(self, ledger: Ledger) -> None:
        """Say of a task whose answers all come from other runs that this one did not ask it."""
        owing = [source.part.task.name for source in ledger.owing()]
        for source in ledger.sources:
            name = source.part.task.name
            if name not in owing and name not in ledger.earlier:
                ledger.keep_facts(name, source.harness.asked_before())

    def _remember_checks(self, checks: Checks) -> None:
        """Keep how answers were judged; what earlier parts of the run judged is counted with it."""
        before = self._record.checks
        found = {name: facts.after(before.get(name, {})) for name, facts in checks.facts.items()}
        self._remember(checks={**before, **found})

    def _remember_terms(self, run_id: str, plan: Plan) -> RunRow:
        """Keep what the report is judged by; returns the run as any later look at it will find it."""
        missing = {label: error.message for label, error in self._missing.items()}
        self._remember(missing=missing, terms=report_terms.terms(self._config, plan, missing, self._imported))
        return saved_run.find(run_id, self._store)

    def fall_silent(self) -> None:
        """Take away what says that the run goes on, also to a cluster; no thread that ends later tells of it again."""
        with self._turn:
            if self._progress is not None:
                self._progress.end()
            self._progress = None
        if self._hosts is not None:
            self._hosts.leave()

    def tell_tools(self, error: EvalkitError) -> None:
        """Leave files for those who wait for a report that will not come."""
        if self._row is not None and self._folder is not None:
            # Where the disk is full, the error itself says so.
            with suppress(OutputError, FullDiskError):
                self._folder.failed(saved_run.plan(self._row), error)

    def _keep(self, row: RunRow, folder: RunFolder) -> None:
        """Write the run's row and ``run.json``."""
        self._row = row
        self._remember()
        folder.going_on(self._record, finished=row.finished)
