"""Runs in the order of time: what each candidate kept of its baseline, and what changed between two runs."""

from __future__ import annotations

import sqlite3
from contextlib import suppress
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.base.errors import EvalkitError, UsageError, near_miss
from evalkit.records import results, run_record
from evalkit.records.provenance import Provenance, ServedFrom
from evalkit.records.results import StatedImported, StatedTask
from evalkit.records.run_record import RunFile
from evalkit.records.store import Store

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.records.figures import StatedJudgement
    from evalkit.records.results import Results, StatedAverage

AVERAGE = "Average Score"
"""What an average row is called, as in the published tables."""
IMPORTED = "Imported"
"""The category of what was made elsewhere."""
_BLOCKS = "▁▂▃▄▅▆▇█"
_NAMED = 3
"""Runs that a sentence names."""
_DIGEST = 12
"""Characters of a digest or commit that a person needs to tell two apart."""


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run as its folder keeps it."""

    id: str
    folder: Path
    began: str
    """ISO 8601, UTC; empty when the folder does not say."""
    finished: bool
    smoke: bool
    facts: RunFile = field(repr=False, default_factory=RunFile)
    """``run.json``."""
    results: Results | None = field(repr=False, default=None)
    """``results.json``; None while the run has not finished."""
    problem: str = ""
    """Why the folder cannot be read as a run."""

    @property
    def baseline(self) -> str:
        """The baseline's label."""
        return self.labels[0] if self.labels else ""

    @property
    def candidates(self) -> tuple[str, ...]:
        """The candidates' labels."""
        return self.labels[1:]

    @property
    def labels(self) -> tuple[str, ...]:
        """All models, the baseline first."""
        if self.results is not None:
            return self.results.labels
        return () if self.facts.plan is None else self.facts.plan.labels


@dataclass(frozen=True, slots=True)
class Point:
    """One candidate on one task in one run. Scores are 0-1, recovery and its interval in percent."""

    run: str
    began: str
    baseline: float | None
    """Over the samples that both answered, like the candidate's; over all its own where the file tells no other."""
    candidate: float | None
    percent: float | None
    interval: tuple[float, float] | None
    """95 % interval of the recovery; None when it is not known."""
    question: str | None
    """What the interval is an answer to; None where the file does not tell."""
    verdict: str | None
    paired: int | None
    planned: int | None
    smoke: bool
    min_recovery: float | None = None
    """What the run asked of this row, in percent."""
    own: tuple[float | None, float | None] = (None, None)
    """Baseline's and candidate's own mean over all that each answered; None where the file does not tell."""
    repeated: tuple[float, float] | None = None
    """95 % interval of the recovery were the same questions asked again; None where noise is not known."""
    changed: tuple[str, ...] = ()
    """What is not as it was at the point before, such as ``vLLM 0.31.0 → 0.32.0``."""


@dataclass(frozen=True, slots=True)
class RunLine:
    """One candidate on one task, over time."""

    task: str
    """Its name; an average's is ``Average Score (<category>)``."""
    title: str
    category: str
    baseline: str
    candidate: str
    points: tuple[Point, ...]

    @property
    def sampled(self) -> bool:
        """Whether its runs have samples of it that can be looked at: not of an average, nor of what was imported."""
        return not self.task.startswith(AVERAGE) and self.category != IMPORTED

    @property
    def key(self) -> tuple[str, str, str]:
        """What tells it from other lines: task, baseline, candidate."""
        return self.task, self.baseline, self.candidate


@dataclass(frozen=True, slots=True)
class _Row:
    """A task, an average or an imported task of one run, with what could move it."""

    task: str
    title: str
    category: str
    body: StatedTask | StatedAverage | StatedImported
    settings: Mapping[str, str]
    tasks: Sequence[StatedTask]


def past_runs(output: Path) -> list[PastRun]:
    """Every run in an output folder, the oldest first.

    Raises:
        UsageError: There is no such folder.
    """
    return sorted(map(_past_run, filter(_is_run, _inside(output))), key=lambda run: (run.began or run.id, run.id))


def past_run(output: Path, key: str) -> PastRun | None:
    """One run of an output folder by its id; no other folder is read, and no id reaches outside.

    Raises:
        UsageError: There is no such folder.
    """
    return next((_past_run(path) for path in _inside(output) if path.name == key and _is_run(path)), None)


def gone(output: Path) -> list[str]:
    """Ids of the finished runs that the store of ``output`` knows and whose folders are not there, the oldest first.

    Nothing where there is no store, or none that can be read: what the folders tell is true without it.
    """
    with suppress(EvalkitError, sqlite3.Error), Store(output, write=False) as store:
        missing = [key for key in store.run_ids() if not (output / key / "run.json").is_file()]
        return [key for key in missing if (row := store.run(key)) is not None and row.finished]
    return []


def gone_text(keys: Sequence[str]) -> str:
    """What to say of runs whose folders are gone, in one sentence; empty when there are none."""
    if not keys:
        return ""
    more = f" and {len(keys) - _NAMED:,} more" if len(keys) > _NAMED else ""
    several = "the folders of {} are" if len(keys) > 1 else "the folder of {} is"
    named = several.format(", ".join(keys[-_NAMED:]) + more)
    way = "the command that made a run brings it back from the store, `evalkit report RUN` makes its report alone"
    return f"{named} not here any more, so history lacks what they measured; {way}"


def attempts(run: PastRun) -> dict[str, int]:
    """How often each task of a run asks a problem, by the task's name."""
    return {} if run.facts.plan is None else {part.task.name: part.task.decoding.n for part in run.facts.plan.tasks}


def counted(runs: Iterable[PastRun], *, everything: bool = False) -> list[PastRun]:
    """The runs that a history is made of: finished and whole, unless ``everything`` that has results is wanted."""
    return [run for run in runs if run.results is not None and (everything or (run.finished and not run.smoke))]


def lines(runs: Sequence[PastRun], task: str | None = None) -> list[RunLine]:
    """A line for each candidate and task, or for one task alone; averages come after the tasks.

    Raises:
        UsageError: No run has this task.
    """
    found: dict[tuple[str, str, str], list[tuple[PastRun, _Row]]] = {}
    for run in runs:
        for row in _rows(run):
            for label in row.body.recovery:
                found.setdefault((row.task, run.baseline, label), []).append((run, row))
    names = [key[0] for key in found]
    if task is not None and task not in names:
        raise UsageError(f"no run has the task '{task}'", fix=near_miss(task, dict.fromkeys(names)))
    chosen = {key: rows for key, rows in found.items() if task in {None, key[0]}}
    ordered = sorted(chosen, key=lambda key: key[0].startswith(AVERAGE))
    return [_line(key, chosen[key]) for key in ordered]


def sparkline(values: Sequence[float | None]) -> str:
    """Values as a row of blocks between the lowest and the highest; a space where there is none."""
    known = [value for value in values if value is not None]
    if not known:
        return " " * len(values)
    low, high = min(known), max(known)
    step = (high - low) / (len(_BLOCKS) - 1)
    level = len(_BLOCKS) // 2
    return "".join(
        " " if value is None else _BLOCKS[round((value - low) / step) if step else level] for value in values
    )


def _inside(output: Path) -> Iterator[Path]:
    if not output.is_dir():
        raise UsageError(f"{output}: no such folder", fix="name the folder of earlier runs with --runs")
    return output.iterdir()


def _is_run(path: Path) -> bool:
    try:
        return path.is_dir() and (path / "run.json").is_file()
    except OSError:
        # A folder that may not be read: the run's own problem tells.
        return True


def _past_run(folder: Path) -> PastRun:
    return _known(folder, *(_stamp(folder / name) for name in ("run.json", "results.json")))


def _stamp(path: Path) -> tuple[int, int, int]:
    try:
        state = path.stat()
    except OSError:
        return 0, 0, 0
    return state.st_ino, state.st_size, state.st_mtime_ns


# The viewer's list asks for every run each time it is opened: a year of nights would be read again for each page.
@lru_cache(maxsize=4096)
def _known(folder: Path, *_stamps: tuple[int, int, int]) -> PastRun:
    """The run, read anew when its files are not those that were read."""
    problem, facts, found = "", RunFile(), None
    try:
        facts = run_record.read_file((folder / "run.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = f"cannot be read: run.json: {error}"
    try:
        if not problem and (folder / "results.json").is_file():
            found = results.read((folder / "results.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        problem = f"cannot be read: results.json: {error}"
    planned = facts.plan is not None and facts.plan.smoke
    return PastRun(
        folder.name,
        folder,
        facts.began,
        finished=facts.finished and found is not None,
        smoke=planned if found is None else found.smoke,
        facts=facts,
        results=found,
        problem=problem,
    )


def _rows(run: PastRun) -> Iterator[_Row]:
    if run.results is None:
        return
    for row in run.results.tasks:
        settings = {"metric": row.metric, "dialect": row.dialect or "", "images": row.images or ""}
        yield _Row(row.task, row.title, row.category, row, settings, [row])
    for average in run.results.averages:
        members = [task for task in run.results.tasks if task.category == average.category]
        shared = {"tasks of the average": ", ".join(task.task for task in members)}
        name = f"{AVERAGE} ({average.category})"
        yield _Row(name, name, average.category, average, shared, members)
    for made in run.results.imported:
        name = f"{made.task} (imported)"
        settings = {"metric": made.metric} | {f"source of {label}": place for label, place in made.sources.items()}
        yield _Row(name, name, IMPORTED, made, settings, [])


def _line(key: tuple[str, str, str], rows: Sequence[tuple[PastRun, _Row]]) -> RunLine:
    name, baseline, label = key
    points: list[Point] = []
    before: dict[str, str] | None = None
    for run, row in rows:
        now = _conditions(run, row, label)
        points.append(_point(run, row, label, () if before is None else _changes(before, now)))
        before = now
    last = rows[-1][1]
    return RunLine(name, last.title, last.category, baseline, label, tuple(points))


def _point(run: PastRun, row: _Row, label: str, changed: tuple[str, ...]) -> Point:
    found: StatedJudgement = row.body.recovery[label]
    own: tuple[float | None, float | None] = (None, None)
    if isinstance(row.body, StatedImported):
        own = row.body.scores.get(run.baseline), row.body.scores.get(label)
    elif isinstance(row.body, StatedTask):
        means = {name: score.score for name, score in row.body.scores.items()}
        own = means.get(run.baseline), means.get(label)
    else:
        own = row.body.baseline, None
    return Point(
        run.id,
        run.began,
        own[0] if found.baseline is None else found.baseline,
        own[1] if found.candidate is None else found.candidate,
        found.percent,
        found.interval,
        found.question,
        found.verdict,
        found.paired,
        found.planned,
        run.smoke,
        found.min_recovery,
        own,
        None if found.if_repeated is None else found.if_repeated.interval,
        changed,
    )


def _conditions(run: PastRun, row: _Row, label: str) -> dict[str, str]:
    """Everything that a change of the line may come from, by the name that a reader knows it by."""
    if isinstance(row.body, StatedImported):  # what this run served has not made it
        return dict(row.settings)
    provenance = run.facts.provenance or Provenance()
    shared = (provenance.serving or ServedFrom()).packages or {}
    found = {"evalkit": run.facts.evalkit or provenance.evalkit or ""}
    models = {} if run.results is None else run.results.models
    for whose in (run.baseline, label):
        if whose not in models:
            continue
        model = models[whose]
        own = model.engine.numerics.get("packages")
        packages = {**shared, **(own if isinstance(own, dict) else {})}
        facts = {
            "vLLM": model.engine.version,
            "transformers": packages.get("transformers"),
            "torch": packages.get("torch"),
            "accelerator": model.engine.accelerator,
        }
        for name, value in facts.items():
            # Baseline and candidate nearly always share these: they are told apart only where they differ.
            if value and found.get(name) != str(value):
                found[name if name not in found else f"{name} of {whose}"] = str(value)
        # Of a server that evalkit did not start, what it is said to be.
        known = "server's name or revision" if model.engine.name == "endpoint" else "weights"
        found[f"{known} of {whose}"] = model.digest
    for task in row.tasks:
        if task.revision:
            of = "" if len(row.tasks) == 1 else f" of {task.task}"
            found[f"data set revision{of}"] = task.revision
    return {**found, **row.settings}


def _changes(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[str, ...]:
    return tuple(
        f"{name} {_short(before[name])} → {_short(after[name])}"
        for name in after
        if before.get(name) and after[name] and before[name] != after[name]
    )


def _short(value: str) -> str:
    plain = value.removeprefix("sha256:").removeprefix("name:")
    is_digest = len(plain) >= 40 and all(sign in "0123456789abcdef" for sign in plain)
    return plain[:_DIGEST] if is_digest else value
