"""What a run leaves for people and other tools, in ``runs/<run-id>/``: written whole or not at all, by one writer."""

from __future__ import annotations

import json
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from evalkit import __version__, report
from evalkit.base import codec
from evalkit.base.errors import FullDiskError, NothingScoredError, OutputError, StoreError, unwritable
from evalkit.base.events import Stage
from evalkit.base.identity import file_name
from evalkit.base.printable import counted
from evalkit.base.types import Failure
from evalkit.files import private, resources
from evalkit.records import progress, run_record
from evalkit.report import Evidence
from evalkit.runs import outcomes, thumbnails
from evalkit.runs.sample_files import SampleFiles

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.errors import EvalkitError
    from evalkit.base.events import Say
    from evalkit.comparison.flips import FlipList
    from evalkit.comparison.score import Tally
    from evalkit.records.plan import Plan
    from evalkit.records.progress import RunProgress
    from evalkit.records.run_record import RunRecord
    from evalkit.records.store import Store
    from evalkit.report import Report
    from evalkit.runs.prepare import Source

    Judge = Callable[[Mapping[tuple[str, str], Tally]], Report]
    """Makes tallies, by model label and task name, a report."""

FORMATS = ("html", "md", "card", "evals", "junit", "json", "summary", "annotations")
"""What a report can be rendered as."""

_OF_REPORT: Final[Mapping[str, tuple[str, Callable[[Report], str]]]] = {
    "json": ("results.json", report.results_text),
    "md": ("report.md", report.markdown),
    "junit": ("junit.xml", report.junit),
    "summary": ("summary.md", report.summary),
    "annotations": ("annotations.txt", report.job_annotations),
}
"""Formats that a report is enough for: the file, and what makes it."""


class RunFolder:
    """The folder of one run, while it goes on, when it has failed, and when it has finished. Nobody else writes there.

    Only a server's log is written by the server's own process, where `server_log` says.
    """

    def __init__(self, output: Path, run: str) -> None:
        """Of the run with this id, beside the others in ``output``."""
        self.path = output / run

    def server_log(self, label: str) -> Path:
        """Where a model's server writes."""
        return self.path / "server" / f"{file_name(label)}.log"

    def going_on(self, record: RunRecord, *, finished: bool) -> None:
        """``run.json``, in a folder that is its owner's alone.

        Raises:
            OutputError: The folder cannot be made or written.
        """
        try:
            private.own(self.path)
        except OSError as error:
            raise unwritable(self.path, error, private.ANOTHER_OUTPUT) from error
        file = run_record.file_of(record, run=self.path.name, finished=finished, evalkit=__version__)
        private.write(self.path / "run.json", json.dumps(codec.written(file), indent=2, sort_keys=True) + "\n")

    def how_far(self, told: RunProgress | None) -> None:
        """``progress.json`` for whoever looks on meanwhile; None takes it away. Where it cannot be written, none is."""
        path = self.path / progress.FILE
        if told is None:
            with suppress(OSError):
                path.unlink(missing_ok=True)
            return
        with suppress(OutputError, FullDiskError):
            private.write(path, json.dumps(codec.written(told)) + "\n")

    def failed(self, plan: Plan, error: EvalkitError) -> None:
        """``junit.xml``, ``summary.md`` and ``annotations.txt`` of a run that ended without a report.

        Raises:
            OutputError: The folder cannot be written.
        """
        private.write(self.path / "junit.xml", report.junit_stopped(plan, error.message, code=error.exit_code))
        private.write(self.path / "summary.md", report.summary_stopped(plan, error.message, code=error.exit_code))
        private.write(self.path / "annotations.txt", report.job_annotations_stopped(error.message, error.exit_code))

    def finished(self, plan: Plan, store: Store, judge: Judge, say: Say, sources: Sequence[Source] = ()) -> Report:
        """The report in every format, small pictures for it, and the sample files: from one pass over the outcomes.

        Args:
            plan: The run's.
            store: Its answers.
            judge: Makes the report.
            say: Hears how far it is.
            sources: They hold the images of the samples; small pictures of some are kept for the report.

        Raises:
            OutputError: The folder cannot be written.
            NothingScoredError: There is no report; the folder is as it was.
        """
        with SampleFiles(self.path / "samples", plan) as files:
            found = outcomes.gather(plan, store, say, files)
            built = judge(found.tallies)
            if not any(score.scored for line in built.rows for score in line.scores.values()):
                raise _nothing_scored(self.path.name, built, plan, store)
            say(Stage("writing the report"))
            files.keep()
        thumbnails.keep(self.path / thumbnails.FOLDER, found.flips, sources)
        self.render(built, found.flips, FORMATS)
        # It only saves work later: a disk that is full now has taken the report.
        with suppress(FullDiskError, StoreError):
            outcomes.keep(found, store, files)
        return built

    def render(
        self, built: Report, flips: Sequence[FlipList], formats: Collection[str], into: Path | None = None
    ) -> list[Path]:
        """A report in some of ``FORMATS``; returns the files.

        Args:
            built: What is rendered.
            flips: Those of its run, shown with the small pictures that are in this folder.
            formats: Which; there is no card of a run that stopped a task early.
            into: Where to write, when not here.

        Raises:
            OutputError: The folder cannot be written.
        """
        texts = {name: make(built) for kind, (name, make) in _OF_REPORT.items() if kind in formats}
        if "html" in formats:
            shown = Evidence(flips, thumbnails.read(self.path / thumbnails.FOLDER), self.path.name)
            texts["report.html"] = report.html(built, _templates(), shown)
        if "card" in formats and not built.stopped:
            several = len(built.candidates) > 1
            for label in built.candidates:
                name = f"model_card.{file_name(label)}.md" if several else "model_card.md"
                texts[name] = report.model_card(built, label)
        if "evals" in formats:
            texts |= _records(built, self.path.name)
        folder = self.path if into is None else into
        for name, text in texts.items():
            private.write(folder / name, text)
        return [folder / name for name in texts]


def began(run: str) -> datetime:
    """When a run began, as its id tells; 1970 where it is none of ours."""
    try:
        return datetime.strptime(run[: len("20260101-000000")], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        return datetime.fromtimestamp(0, UTC)


def _records(built: Report, run: str) -> dict[str, str]:
    """By file, what every_eval_ever and the Hub read of each model."""
    texts, when = {}, began(run)
    for one in built.plan.contenders:
        label, name = one.model.label, file_name(one.model.label)
        for task, text in report.every_eval_ever(built, label, run, int(when.timestamp())).items():
            texts[f"every_eval_ever/{name}/{task}.json"] = text
        for task, text in report.eval_results(built, label, when.isoformat()).items():
            texts[f"eval_results/{name}/.eval_results/{task}.yaml"] = text
    return texts


def _nothing_scored(run: str, built: Report, plan: Plan, store: Store) -> NothingScoredError:
    """The error of a run without a score: every reference is at fault, or what went wrong most often."""
    faults = {fault for row in built.rows for score in row.scores.values() for fault in score.left_out}
    if not faults:
        return NothingScoredError(
            f"run {run}: no sample was answered by any model", fix=_commonest_failure(plan, store)
        )
    said = f"run {run}: every answer was left out, the data's references are at fault: {', '.join(sorted(faults))}"
    return NothingScoredError(said, fix="correct the data; the same command then scores the stored answers")


def _commonest_failure(plan: Plan, store: Store) -> str:
    """The way out when nothing was answered: begin with what went wrong most often."""
    kinds = Counter(
        (record.outcome.kind.value, record.outcome.message)
        for one in plan.contenders
        for part in plan.tasks
        for record in store.records(part.listing, one.fingerprint())
        if isinstance(record.outcome, Failure)
    )
    if not kinds:
        return "nothing was asked"
    ((kind, message), count), *_ = kinds.most_common(1)
    return f"{counted(count, 'time')} {kind}: {message}"


def _templates() -> dict[str, str]:
    """The texts of the folder ``reports/`` that a page is made of, by file name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(resources.reports().iterdir())
        if path.suffix in {".j2", ".css", ".js"}
    }
