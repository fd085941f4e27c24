"""Folders: an evalkit run, one model of it, or a folder of lm-eval samples; and what a run says about its files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from evalkit.answers import lighteval
from evalkit.base.errors import DataError, near_miss
from evalkit.base.identity import file_name
from evalkit.comparison.pairs import SAMPLES
from evalkit.files import textfile
from evalkit.records import results, run_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalkit.answers.reading import MetricChoice
    from evalkit.base.types import Engine, Groups, Json, Task
    from evalkit.records.results import Results, StatedTask

_LM_EVAL = re.compile(r"samples_(?P<task>.+)_(?P<date>\d{4}-\d\d-\d\dT[\d.-]+)\.jsonl")


@dataclass(frozen=True, slots=True)
class FolderPart:
    """One file of a folder."""

    task: str
    path: Path


@dataclass(frozen=True, slots=True)
class RunOf:
    """What a run's ``results.json`` says about one of its samples files; little when there is none."""

    label: str
    task: str = ""
    model: str = ""
    """As a server knows it."""
    averages: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Category to its tasks, of the run's own averages."""
    planned: int = 0
    """As ``available``, in what is paired."""
    available: int | None = None
    smoke: bool = False
    drawn: bool = False
    """Whether a random part of the task was asked."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    groups: Groups = "sampled"
    """What its groups of samples are; without a run, what lines call a cluster is one."""
    attempts: int = 1
    """How often each sample was asked: ids are those of attempts then."""


def files(folder: Path, choice: MetricChoice) -> list[FolderPart]:
    """The files in a folder that hold scores; a task with several was asked several times.

    Raises:
        DataError: There are none, or it is not clear which are meant.
    """
    if (folder / "samples").is_dir():
        folder = _model_folder(folder, choice)
    folder = _of_output_path(folder)
    found = sorted(path for path in folder.glob("*.jsonl") if not path.name.startswith("."))
    lm_eval = [(name[0], path) for path in found if (name := lm_eval_name(path)) is not None]
    if lm_eval:
        return [FolderPart(task, path) for task, path in lm_eval]
    if details := _details(folder):
        return details
    if records := _records(folder):
        return records
    evalplus = sorted(folder.glob("*eval_results.json"))
    if len(evalplus) == 1:
        return [FolderPart("", evalplus[0])]
    if folder.parent.name == "samples" and found:
        return [FolderPart(path.stem, path) for path in found]
    if len(found) == 1:
        return [FolderPart("", found[0])]
    raise DataError(
        f"{folder}: {'several files could be meant' if found or evalplus else 'no file with scores'}",
        fix="name a file, a run's folder, or its samples/<model>",
    )


def _of_output_path(folder: Path) -> Path:
    """The model's folder in one that lm-eval's ``--output_path`` named; any other folder is returned as it is.

    Raises:
        DataError: There are several models' in it.
    """
    if any(folder.glob("*.jsonl")):
        return folder
    below = sorted({path.parent for path in folder.glob("*/*.jsonl") if lm_eval_name(path) is not None})
    if len(below) > 1:
        raise DataError(f"{folder}: several models' results", fix=f"name one: {' or '.join(map(str, below))}")
    return below[0] if below else folder


def lm_eval_name(path: Path) -> tuple[str, str] | None:
    """Task and date in the name of an lm-eval samples file."""
    fit = _LM_EVAL.fullmatch(path.name)
    return (fit["task"], fit["date"]) if fit else None


def run_of(path: Path, choice: MetricChoice) -> RunOf:
    """What the run around a samples file says about it."""
    if path.parent.parent.name != "samples":
        return RunOf(str(path))
    run = path.parent.parent.parent
    found = _results(run)
    label = _label(path.parent.name, found)
    row = None if found is None else found.task(path.stem)
    if found is None or row is None:
        return RunOf(label, path.stem, settings={"task": path.stem})
    task = _task(run, path.stem)
    attempts = 1 if task is None else task.decoding.n
    return RunOf(
        label,
        path.stem,
        model=found.models[label].source if label in found.models else "",
        averages=_averages(found),
        planned=-(-row.planned // attempts),
        available=None if row.available is None else -(-row.available // attempts),
        smoke=found.smoke if row.smoke is None else row.smoke,
        drawn=bool(row.drawn),
        settings=_settings(row, found, label),
        # Of a run that did not keep its tasks, clusters.
        groups="sampled" if task is None else task.groups or choice.groups_of(task),
        attempts=attempts,
    )


def _results(run: Path) -> Results | None:
    """What a run's ``results.json`` says; None where there is none that can be read."""
    try:
        return results.read(textfile.text(run / "results.json"))
    except (DataError, ValueError):
        return None


def _averages(found: Results) -> dict[str, tuple[str, ...]]:
    """The average rows of a run: those of its categories that it averages, each over all its tasks."""
    return {
        one.category: tuple(row.task for row in found.tasks if row.category == one.category) for one in found.averages
    }


def _task(run: Path, name: str) -> Task | None:
    """A run's task, as the run kept it; None where it did not."""
    try:
        plan = run_record.read_file(textfile.text(run / "run.json")).plan
    except (DataError, ValueError):
        return None
    part = None if plan is None else plan.part(name)
    return None if part is None else part.task


def object_in(path: Path) -> dict[str, Json]:
    """The JSON object in a file that stands beside others; empty when there is none to read."""
    try:
        found = textfile.parsed(textfile.text(path), str(path))
    except DataError:
        return {}
    return found if isinstance(found, dict) else {}


def _model_folder(run: Path, choice: MetricChoice) -> Path:
    """The folder of the model that was named, of the run's baseline, or of its only candidate."""
    models = {path.name: path for path in sorted((run / "samples").iterdir()) if path.is_dir()}
    found = _results(run)
    labels = () if found is None else found.labels
    wanted = labels[:1] if choice.role == "baseline" else labels[1:]
    if choice.model is not None:
        if file_name(choice.model) not in models:
            known = labels or list(models)
            raise DataError(f"{run}: no model '{choice.model}'", fix=near_miss(choice.model, known))
        wanted = (choice.model,)
    named = [models[name] for label in wanted if (name := file_name(label)) in models]
    if len(named) == 1:
        return named[0]
    several = "has several candidates" if len(named) > 1 else f"does not say which model is the {choice.role}"
    choices = " or ".join(str(path) for path in (named or models.values()))
    option = f"choose one with --{choice.role}-model, or name one: "
    raise DataError(f"{run}: {several}", fix=f"{option}{choices}" if choices else "finish the run first")


def _label(folder: str, found: Results | None) -> str:
    labels = () if found is None else found.labels
    return next((label for label in labels if file_name(label) == folder), folder)


def _settings(row: StatedTask, found: Results, label: str) -> dict[str, Json]:
    """What has to be equal on the other side, as the run itself knew it; format 1 told less of it."""
    if row.comparability is not None and label in row.comparability.settings:
        # Samples are compared one by one: a part of a task can be compared with the whole.
        return {key: value for key, value in row.comparability.settings[label].items() if key != SAMPLES}
    told = {key: getattr(row, key) for key in ("task", "metric", "dialect", "images", "revision")}
    model = found.models.get(label)
    told |= {} if model is None else _engine(model.engine)
    return {key: value for key, value in told.items() if value not in (None, "")}


def _engine(engine: Engine) -> dict[str, Json]:
    """What of the serving program can move an answer."""
    found = {"engine": engine.name, "engine version": engine.version, "accelerator": engine.accelerator}
    return found | {f"numerics.{key}": value for key, value in engine.numerics.items()}


def _details(folder: Path) -> list[FolderPart]:
    """Lighteval's files in a folder, or in those of its dates."""
    found = sorted({*folder.glob("details_*.parquet"), *folder.glob("*/details_*.parquet")})
    return [FolderPart(name[0], path) for path in found if (name := lighteval.name(path)) is not None]


def _records(folder: Path) -> list[FolderPart]:
    """every_eval_ever's records in a folder that have samples beside them."""
    samples = sorted(folder.glob("*_samples.jsonl"))
    records = [path.with_name(path.name.replace("_samples.jsonl", ".json")) for path in samples]
    return [FolderPart("", path) for path in records if path.is_file()]
