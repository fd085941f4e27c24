"""A run that was kept, for Python: what it comes to, and its rows, scores, samples and flips as tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit.base.errors import UsageError, near_miss
from evalkit.config import run_config
from evalkit.files import textfile
from evalkit.public import frames
from evalkit.runs import export, outcomes, saved_run
from evalkit.tasks import extensions

if TYPE_CHECKING:
    from collections.abc import Callable

    from pandas import DataFrame

    from evalkit.base.events import Event
    from evalkit.report import Report


@dataclass(frozen=True, slots=True)
class Run:
    """A finished comparison. Its tables are made anew at every call, from the store; nothing is asked."""

    id: str
    folder: Path
    """With ``report.html``, ``results.json`` and the rest of what the run left."""
    report: Report = field(repr=False)
    """Everything that a report says, unrounded."""

    @property
    def baseline(self) -> str:
        """The baseline's label."""
        return self.report.baseline

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates' labels."""
        return self.report.candidates

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks' names, in the order of the report."""
        return tuple(row.part.task.name for row in self.report.rows)

    @property
    def outcome(self) -> str:
        """What the run comes to: a line for each candidate, as every report begins."""
        return "\n".join(self.report.outcome.lines)

    @property
    def exit_code(self) -> int:
        """What ``evalkit run`` ended with: 0 recovered or not judged, 1 degraded, 3 undecided, 4 incomplete."""
        return int(self.report.outcome.exit_code)

    def rows(self) -> DataFrame:
        """A line for each average or task and candidate, averages first.

        Columns: ``task`` (empty for an average), ``title``, ``category``, ``metric``, ``candidate``, ``n`` (samples
        that both models scored), ``planned``, ``baseline_score`` and ``candidate_score`` (0-1, over these pairs),
        ``recovery``, ``low`` and ``high`` (percent; the 95 % interval "for questions like these"), ``verdict`` (None
        without a threshold), ``threshold`` (percent), ``regressed`` and ``improved`` (samples; missing for an average).
        """
        return frames.rows(self.report)

    def scores(self) -> DataFrame:
        """A line for each task and model: its own score over all that it answered.

        Columns: ``task``, ``title``, ``model``, ``metric`` (the task's headline first, then its others), ``score``
        (0-1), ``planned``, ``scored`` and ``failed`` (samples; planned = scored + failed + left_out), ``left_out``.
        """
        return frames.scores(self.report)

    def samples(self) -> DataFrame:
        """A line for each planned sample (of a task with attempts: each attempt) and model.

        The columns are those of ``evalkit export``: ``id``, ``task``, ``problem``, ``question_text``, ``model``,
        ``answer``, ``metric``, ``score`` (0-1; missing for a failure), ``parsed``, ``failure``, ``prompt_tokens``,
        ``completion_tokens``, ``latency_s`` and so on.

        Raises:
            EvalkitError: The store is gone, or lacks something of the run.
        """
        with saved_run.opened(str(self.folder), self.folder.parent) as (row, store, _):
            return export.frame(saved_run.plan(row), store)

    def flips(self, task: str | None = None, candidate: str | None = None) -> DataFrame:
        """A line for each sample whose score changed from the baseline to a candidate, the largest losses first.

        Columns: ``task``, ``id`` (of several attempts: the problem's), ``candidate``, ``flip`` (``regressed`` or
        ``improved``), ``baseline_score`` and ``candidate_score`` (0-1; attempts are averaged), ``baseline_answer`` and
        ``candidate_answer`` (the first attempt's).

        Args:
            task: Of this task alone.
            candidate: Of this candidate alone.

        Raises:
            UsageError: There is no such task or candidate.
            EvalkitError: As ``samples``.
        """
        for what, name, known in (("task", task, self.tasks), ("candidate", candidate, self.candidates)):
            if name is not None and name not in known:
                raise UsageError(f"run {self.id} has no {what} '{name}'", fix=near_miss(name, known))
        found = frames.flips(self.samples(), self.baseline)
        for column, wanted in (("task", task), ("candidate", candidate)):
            found = found if wanted is None else found[found[column] == wanted]
        return found.reset_index(drop=True)


def read_run(run: str | Path = "latest", output: str | Path = "runs", *, allow_task_code: bool = False) -> Run:
    """A run that was kept, with its report made anew from its store.

    Args:
        run: Its id, the beginning of one, its folder, or ``latest``.
        output: The folder where runs lie, where ``run`` does not say.
        allow_task_code: Run the Python files beside tasks of your own, which the run was scored with.

    Raises:
        EvalkitError: There is no such run, it has not finished, its store is gone, or it was scored with code beside
            a task file, which nobody has allowed.
    """
    allowed = extensions.allowing(wanted=allow_task_code)
    with allowed, saved_run.opened(str(run), Path(output)) as (row, store, folder):
        found = outcomes.gather(saved_run.plan(row), store, lambda _event: None)
        return Run(row.id, folder, saved_run.report(row, found.tallies))


def run(config: str | Path | None = None, *, progress: Callable[[Event], None] | None = None, **settings: Any) -> Run:
    """Compare a baseline with its candidates, as ``evalkit run`` does; what was answered before is not asked again.

    Args:
        config: A TOML file, as ``--config`` takes it.
        progress: Called with each event of the run (``evalkit.base.events``), from any thread; nothing is printed.
        settings: Keys of such a file, in place of what it says: ``baseline="org/model"``,
            ``candidates=["org/model-w8a8"]``, ``tasks=["docvqa"]``, ``limit=100``,
            ``policy={"min_recovery": 99}``, ``serve={"vllm": "0.32.0"}``.

    Raises:
        EvalkitError: Something that the user, the data or the world must mend (``exit_code`` is the command's), a model
            that could not be served among them; nothing answered so far is lost.
    """
    from evalkit.runs.run import run as carry_out  # noqa: PLC0415 - whoever only reads runs need not wait for it

    said = {} if config is None else textfile.toml(Path(config))
    known = run_config.resolved({**said, **settings}, "evalkit.run" if config is None else str(config), {})
    finished = carry_out(known, progress or (lambda _event: None))
    if finished.lost is not None:
        raise finished.lost
    return Run(finished.id, finished.folder, finished.report)
