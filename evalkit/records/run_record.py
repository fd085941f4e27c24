"""What a run remembers of itself: in the store, and as ``run.json`` in its folder.

With this and the samples a report is made again without a config, a server or a data set.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final

from evalkit.base import codec
from evalkit.base.codec import LATER, OTHERS, UNSAID, MisfitError
from evalkit.base.identity import decoded
from evalkit.base.types import Engine, Json, Model
from evalkit.records.early import KeptLook
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.provenance import Provenance
from evalkit.records.terms import KeptTerms, Terms

FORMAT: Final = 1
"""The version of ``run.json``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptModel:
    """A model of a plan, with the engine that would serve it."""

    model: Model
    engine: Engine
    epoch: int = 0
    """As in ``Contender``."""
    attempt: int = 0
    """As in ``Contender``."""
    identity: str = ""
    """What of the two can move an answer, for whoever looks an answer up."""

    @classmethod
    def of(cls, one: Contender) -> KeptModel:
        """As a plan has it."""
        return cls(model=one.model, engine=one.engine, epoch=one.epoch, attempt=one.attempt, identity=one.identity)

    @property
    def contender(self) -> Contender:
        """As a plan has it."""
        return Contender(self.model, self.engine, self.epoch, self.attempt)


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptPlan:
    """A plan with everything resolved."""

    key: str = ""
    smoke: bool = False
    models: tuple[KeptModel, ...]
    """The baseline first."""
    tasks: tuple[PlannedTask, ...]
    repeat: KeptModel | None = None
    repeated: tuple[PlannedTask, ...] = ()

    @classmethod
    def of(cls, plan: Plan) -> KeptPlan:
        """A plan as it is kept."""
        return cls(
            key=plan.key,
            smoke=plan.smoke,
            models=tuple(map(KeptModel.of, plan.contenders)),
            tasks=plan.tasks,
            repeat=None if plan.repeat is None else KeptModel.of(plan.repeat),
            repeated=plan.repeated,
        )

    def plan(self) -> Plan:
        """The plan that was kept.

        Raises:
            MisfitError: It has no baseline.
        """
        if not self.models:
            raise MisfitError("plan.models: is empty; must begin with the baseline")
        baseline, *candidates = [one.contender for one in self.models]
        return Plan(
            baseline=baseline,
            candidates=tuple(candidates),
            tasks=self.tasks,
            smoke=self.smoke,
            repeat=None if self.repeat is None else self.repeat.contender,
            repeated=self.repeated,
        )

    @property
    def labels(self) -> tuple[str, ...]:
        """How its models are named, the baseline first."""
        return tuple(one.model.label for one in self.models)

    def part(self, task: str) -> PlannedTask | None:
        """What is planned of a task."""
        return next((one for one in self.tasks if one.task.name == task), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class RunRecord:
    """What the store keeps of a run, from its beginning on."""

    began: str = ""
    """ISO 8601, UTC."""
    fresh: bool = False
    """Whether everything was to be asked again."""
    notices: tuple[str, ...] = ()
    plan: KeptPlan | None = field(default=None, metadata=UNSAID)
    """Not there before models and samples are resolved."""
    provenance: Provenance | None = field(default=None, metadata=UNSAID)
    rows: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Task to the rows of its data that were drawn, in the order of its samples."""
    exams: Mapping[str, Mapping[str, Mapping[str, Json]]] = field(default_factory=dict)
    """Model label -> task -> how it was asked, as its harness keeps it."""
    checks: Mapping[str, Mapping[str, Json]] = field(default_factory=dict)
    """Task -> how answers were judged, as its harness keeps it."""
    missing: Mapping[str, str] = field(default_factory=dict)
    """Model label -> why it did not answer everything."""
    terms: KeptTerms | None = field(default=None, metadata=UNSAID)
    """What the report is judged by; not there before everything was asked."""
    early: Mapping[str, KeptLook] | None = field(default=None, metadata=LATER)
    """Task to the look at which it was not asked any further (--stop-early); null where all tasks are asked whole."""
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)
    """What another evalkit keeps."""

    def planned(self) -> Plan:
        """The plan; of tasks that were not asked to their end, what was asked.

        Raises:
            MisfitError: There is none.
        """
        if self.plan is None:
            raise MisfitError("plan: missing")
        plan, early = self.plan.plan(), self.early or {}
        tasks = [early[one.task.name].part if one.task.name in early else one for one in plan.tasks]
        return replace(plan, tasks=tuple(tasks))

    def judged_by(self) -> Terms:
        """What the report is judged by, with how the tasks were asked and judged.

        Raises:
            MisfitError: It is not there.
        """
        if self.terms is None:
            raise MisfitError("terms: missing")
        told = {key.field: getattr(self.terms, key.field) for key in codec.declared(KeptTerms)}
        return Terms(**told, exams=self.exams, checks=self.checks, early=self.early or {})


@dataclass(frozen=True, slots=True, kw_only=True)
class RunFile(RunRecord):
    """``run.json``."""

    schema_version: int = FORMAT
    evalkit: str = ""
    """The version that wrote the file."""
    run: str = ""
    """The run's id."""
    finished: bool = False


def read(body: Mapping[str, Json]) -> RunRecord:
    """The record that the store keeps, of this evalkit or another one.

    Raises:
        MisfitError: Something is missing or of another type; the message tells all of it.
    """
    found: RunRecord = codec.kept(RunRecord, body)
    return found


def read_file(text: str) -> RunFile:
    """The text of a ``run.json``, of this evalkit or another one.

    Raises:
        ValueError: It is no JSON, or something is missing or of another type; the message tells all of it.
    """
    found: RunFile = codec.kept(RunFile, decoded(text))
    return found


def file_of(record: RunRecord, *, run: str, finished: bool, evalkit: str) -> RunFile:
    """``run.json`` of a run."""
    kept: dict[str, Any] = {key.field: getattr(record, key.field) for key in codec.declared(RunRecord)}
    return RunFile(**kept, others=record.others, run=run, finished=finished, evalkit=evalkit)
