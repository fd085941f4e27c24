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
from evalkit.records import run_record

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalkit.answers.reading import MetricChoice
    from evalkit.base.types import Groups, Json

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
    results = object_in(path.parent.parent.parent / "results.json")
    label = _label(path.parent.name, results)
    rows = [row for row in results.get("tasks") or [] if isinstance(row, dict) and row.get("task") == path.stem]
    if not rows:
        return RunOf(label, path.stem, settings={"task": path.stem})
    row, task = rows[0], _task(path.parent.parent.parent, path.stem)
    attempts = int((task.get("decoding") or {}).get("n") or 1)
    available = row.get("available")
    return RunOf(
        label,
        path.stem,
        model=str(((results.get("models") or {}).get(label) or {}).get("source") or ""),
        averages=_averages(results),
        planned=-(-int(row.get("planned") or 0) // attempts),
        available=None if available is None else -(-available // attempts),
        smoke=bool(row.get("smoke", results.get("smoke"))),
        drawn=bool(row.get("drawn")),
        settings=_settings(row, results, label),
        groups=_groups(task, choice),
        attempts=attempts,
    )


def _groups(task: Mapping[str, Json], choice: MetricChoice) -> Groups:
    """What a run's task states, or what is known of it; of a run that did not keep its tasks, clusters."""
    try:
        kept = run_record.task_from(task)
    except ValueError:
        return "sampled"
    return kept.groups or choice.groups_of(kept)


def _averages(results: Mapping[str, Json]) -> dict[str, tuple[str, ...]]:
    """The average rows of a run: those of its categories that it averages, each over all its tasks."""
    rows = [row for row in results.get("tasks") or [] if isinstance(row, dict)]
    named = [one["category"] for one in results.get("averages") or [] if isinstance(one, dict) and one.get("category")]
    return {name: tuple(str(row["task"]) for row in rows if row.get("category") == name) for name in named}


def _task(run: Path, name: str) -> Mapping[str, Json]:
    """A run's task, as the run kept it; empty where it did not."""
    plan = object_in(run / "run.json").get("plan")
    parts = plan.get("tasks") if isinstance(plan, dict) else None
    tasks = [part.get("task") or {} for part in parts or [] if isinstance(part, dict)]
    return next((task for task in tasks if task.get("name") == name), {})


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
    results = object_in(run / "results.json")
    labels = [results.get("baseline"), *(results.get("candidates") or [])]
    wanted = labels[:1] if choice.role == "baseline" else labels[1:]
    if choice.model is not None:
        if file_name(choice.model) not in models:
            known = [str(label) for label in labels if label] or list(models)
            raise DataError(f"{run}: no model '{choice.model}'", fix=near_miss(choice.model, known))
        wanted = [choice.model]
    named = [models[name] for label in wanted if (name := file_name(str(label))) in models]
    if len(named) == 1:
        return named[0]
    several = "has several candidates" if len(named) > 1 else f"does not say which model is the {choice.role}"
    choices = " or ".join(str(path) for path in (named or models.values()))
    option = f"choose one with --{choice.role}-model, or name one: "
    raise DataError(f"{run}: {several}", fix=f"{option}{choices}" if choices else "finish the run first")


def _label(folder: str, results: Mapping[str, Json]) -> str:
    labels = [results.get("baseline"), *(results.get("candidates") or [])]
    return next((str(label) for label in labels if label and file_name(str(label)) == folder), folder)


def _settings(row: Mapping[str, Json], results: Mapping[str, Json], label: str) -> dict[str, Json]:
    """What has to be equal on the other side, as the run itself knew it; format 1 told less of it."""
    known = ((row.get("comparability") or {}).get("settings") or {}).get(label)
    if isinstance(known, dict):
        # Samples are compared one by one: a part of a task can be compared with the whole.
        return {key: value for key, value in known.items() if key != SAMPLES}
    told = ("task", "metric", "dialect", "images", "revision")
    return {key: row[key] for key in told if row.get(key) is not None} | _engine(results, label)


def _engine(results: Mapping[str, Json], label: str) -> dict[str, Json]:
    """What of the serving program can move an answer."""
    engine = ((results.get("models") or {}).get(label) or {}).get("engine") or {}
    found = {
        name: engine[key]
        for name, key in (("engine", "name"), ("engine version", "version"), ("accelerator", "accelerator"))
        if engine.get(key) is not None
    }
    return found | {f"numerics.{key}": value for key, value in (engine.get("numerics") or {}).items()}


def _details(folder: Path) -> list[FolderPart]:
    """Lighteval's files in a folder, or in those of its dates."""
    found = sorted({*folder.glob("details_*.parquet"), *folder.glob("*/details_*.parquet")})
    return [FolderPart(name[0], path) for path in found if (name := lighteval.name(path)) is not None]


def _records(folder: Path) -> list[FolderPart]:
    """every_eval_ever's records in a folder that have samples beside them."""
    samples = sorted(folder.glob("*_samples.jsonl"))
    records = [path.with_name(path.name.replace("_samples.jsonl", ".json")) for path in samples]
    return [FolderPart("", path) for path in records if path.is_file()]
