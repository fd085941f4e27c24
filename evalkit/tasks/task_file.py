"""A parsed ``tasks/*.toml`` becomes a `Task`, and a parsed ``tasks/suites/*.toml`` a `Suite`.

The keys of a task file are the fields of `Task`, `Dataset`, `PublishedPrompt` and `Decoding`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.base.errors import ConfigError, near_miss
from evalkit.base.task_parts import NormalisedAverage, PublishedPrompt
from evalkit.base.types import Task
from evalkit.tasks import extensions
from evalkit.tasks.benchmarks import BENCHMARKS, HARNESSED, MAPPED, OWN_METRICS
from evalkit.tasks.lm_eval import named
from evalkit.tasks.metrics import DIALECTS, JUDGED, MEANT, METRICS, PASS_AT_K

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping
    from pathlib import Path

    from evalkit.base.task_parts import Extension
    from evalkit.base.types import Dataset, Decoding

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_SHAPES = {
    "repository": (re.compile(r"[\w.-]+/[\w.-]+"), "must be owner/name on GitHub"),
    "commit": (re.compile(r"[0-9a-f]{40}"), "must be a full commit: 40 hexadecimal digits"),
    "constant": (re.compile(r"[A-Za-z_]\w*"), "must be the name of a constant"),
    "sha256": (re.compile(r"[0-9a-f]{64}"), "must be the sha256 of the prompt: 64 hexadecimal digits"),
}
_HUB_ID = re.compile(r"[\w.-]+(/[\w.-]+)?")


@dataclass(frozen=True, slots=True)
class Suite:
    """Tasks that are run and averaged together, in the order of their table."""

    name: str
    """What ``--suite`` names."""
    title: str
    """What lists and reports call it."""
    tasks: tuple[str, ...]
    """Names of tasks."""
    averages: tuple[str, ...] | None = None
    """Categories that get an average row; left out: every category with several tasks."""
    normalised: NormalisedAverage | None = None
    """An average of its tasks' scores above chance, beside the scores as they are."""
    source: str = ""
    """The file that the suite was read from."""


def task(mapping: Mapping[str, Any], source: str, folder: Path | None = None) -> Task:
    """The task that the file ``source`` describes.

    Args:
        mapping: What the file says.
        source: How messages name it.
        folder: Where it is, so that what it names may be in Python beside it.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    if mapping.get("benchmark") == named.BENCHMARK:
        mapping = named.completed(mapping, source, folder)
    found = codec.read(Task, mapping, source, given={"source": source, "extensions": ()})
    problems: list[Fault] = []
    found = replace(found, extensions=tuple(_extensions(found, folder, problems)))
    codec.refuse([*problems, *_problems(found)], source)
    return found


def suite(mapping: Mapping[str, Any], source: str) -> Suite:
    """The suite that the file ``source`` describes. Whether its tasks exist is for the registry to say.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(Suite, mapping, source, given={"source": source})
    codec.refuse([*_name(found.name), *_listed("tasks", found.tasks), *_normalised(found)], source)
    return found


def _normalised(suite: Suite) -> Iterator[Fault]:
    """What is wrong with an average above chance."""
    for number, one in enumerate(suite.normalised.tasks if suite.normalised else ()):
        place = f"normalised.tasks[{number}]"
        if one.task not in suite.tasks:
            yield Fault(f"{place}.task", f"'{one.task}' is no task of the suite", near_miss(one.task, suite.tasks))
        yield from codec.at_least(2, {f"{place}.choices": one.choices})
        yield from codec.at_least(2, {f"{place}.part_choices.{part}": of for part, of in one.part_choices.items()})


def _extensions(task: Task, folder: Path | None, problems: list[Fault]) -> Iterator[Extension]:
    """What a task names that evalkit does not bring; who offers nothing, or twice, is a problem."""
    asked: list[tuple[str, str, tuple[str, ...], list[str]]]
    asked = [("benchmark", task.benchmark, ("benchmark", "harness"), [*BENCHMARKS, *MAPPED, *HARNESSED])]
    for number, metric in enumerate(() if task.benchmark in OWN_METRICS else task.metrics):
        asked.append((f"metrics[{number}]", extensions.plain(metric)[0], ("metric",), [*METRICS, *JUDGED]))
    seen = set()
    for place, name, kinds, known in asked:
        if extensions.is_built_in(kinds[0], name):
            continue
        try:
            found = [one for one in (extensions.find(kind, name, folder) for kind in kinds) if one]
        except ConfigError as error:
            problems.append(Fault(place, error.message, error.fix))
            continue
        if len(found) == 1 and found[0] not in seen:
            seen.add(found[0])
            yield found[0]
        elif len(found) > 1:
            problems.append(Fault(place, f"'{name}' is a benchmark and a harness, too", "rename one of them"))
        elif not found:
            problems.append(_unknown(place, name, kinds[0], known, folder))


def _unknown(place: str, name: str, kind: str, known: Iterable[str], folder: Path | None) -> Fault:
    fix = near_miss(name, known, MEANT if kind == "metric" else None)
    return Fault(place, f"unknown {kind} {name!r}", "; ".join([*extensions.faults(folder), fix]))


def _problems(task: Task) -> Iterator[Fault]:
    """What is wrong with a task whose keys and types are right."""
    yield from _name(task.name)
    yield from _listed("metrics", task.metrics)
    for number, metric in enumerate(() if task.benchmark in OWN_METRICS else task.metrics):
        _, dialect = extensions.plain(metric)
        if dialect is not None:
            yield from codec.known(f"metrics[{number}]", dialect, DIALECTS, "dialect")
    if task.headline not in task.metrics:
        fix = f"add it there, or choose from {', '.join(task.metrics)}"
        yield Fault("headline", f"'{task.headline}' is not among the metrics", fix)
    found = re.fullmatch(PASS_AT_K, task.headline)
    if found and found["k"] != "1":
        # Pairs, intervals and bounds are of the share of a problem's attempts that pass.
        yield Fault("headline", f"'{task.headline}' cannot be compared", f"choose pass@1{found['plus']}")
    harnessed = task.benchmark in HARNESSED or any(one.kind == "harness" for one in task.extensions)
    yield from _dataset(task.dataset, rows=not harnessed)
    if isinstance(task.prompt, PublishedPrompt):
        yield from _prompt(task.prompt)
    if not harnessed:
        yield from _chat(task)
    yield from _mapped(task)
    yield from codec.at_least(
        1,
        {"decoding.max_tokens": task.decoding.max_tokens, "decoding.n": task.decoding.n},
    )
    yield from codec.at_least(0, {"decoding.temperature": task.decoding.temperature})
    yield from codec.above(0, {"decoding.top_p": task.decoding.top_p})
    if (task.decoding.top_p or 0) > 1:
        yield Fault("decoding.top_p", f"is {task.decoding.top_p}", "must be 1 or less")
    yield from _sampling(task.decoding)
    yield from codec.at_least(1, {"serving.max_model_len": task.serving.max_model_len})
    if task.serving.reasoning_parser == "":
        yield Fault("serving.reasoning_parser", "is empty", "leave it out, or name one of vLLM's parsers")


def _sampling(decoding: Decoding) -> Iterator[Fault]:
    """Ranges that vLLM holds its requests to; a request beyond them would be refused, one by one."""
    places = {name: getattr(decoding, name) for name in ("min_p", "presence_penalty", "frequency_penalty")}
    for name, value in places.items():
        least, most = (-2, 2) if name.endswith("penalty") else (0, 1)
        if value is not None and not least <= value <= most:
            yield Fault(f"decoding.{name}", f"is {value}", f"must be from {least} to {most}")
    yield from codec.above(0, {"decoding.repetition_penalty": decoding.repetition_penalty})
    if decoding.top_k is not None and decoding.top_k < -1:
        yield Fault("decoding.top_k", f"is {decoding.top_k}", "must be -1 (all tokens) or more")


def _chat(task: Task) -> Iterator[Fault]:
    """What a task that is asked as chat cannot have."""
    if not task.prompt and task.benchmark not in MAPPED:
        yield Fault("prompt", "is missing", "write the text that follows the question, or name a published one")
    for key in task.settings if task.benchmark not in MAPPED else ():
        yield Fault(f"settings.{key}", "unknown key", f"{task.benchmark} has no settings of its own")


def _mapped(task: Task) -> Iterator[Fault]:
    """What is wrong with the columns that a task file names."""
    if task.benchmark in MAPPED:
        yield from MAPPED[task.benchmark].faults(task)
        return
    for key, value in {"columns": task.columns, "template": task.template}.items():
        if value:
            able = " or ".join(f"benchmark = '{name}'" for name in MAPPED)
            yield Fault(key, f"means nothing to {task.benchmark}", f"choose {able}, or leave it out")


def _name(name: str) -> Iterator[Fault]:
    """A name stands in paths and in ``--data NAME=FILE``, so it holds nothing that means something there."""
    if not _NAME.fullmatch(name):
        yield Fault("name", f"{name!r} cannot be a name", "use small letters, digits, '-', '_' and '.', 100 at most")


def _listed(place: str, names: tuple[str, ...]) -> Iterator[Fault]:
    if not names:
        yield Fault(place, "is empty", "name at least one")
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield Fault(place, f"names '{name}' twice", "remove one")


def _dataset(dataset: Dataset, *, rows: bool) -> Iterator[Fault]:
    if dataset.id and not _HUB_ID.fullmatch(dataset.id):
        yield Fault("dataset.id", f"is {dataset.id!r}", "must be owner/name on the Hugging Face hub")
    if not dataset.split:
        yield Fault("dataset.split", "is empty", "name the split that the files hold")
    if rows and not dataset.files:
        fix = f"name the files of this split, such as files = ['data/{dataset.split or 'test'}-*.parquet']"
        yield Fault("dataset.files", "is empty", fix)
    for number, pattern in enumerate(dataset.files):
        yield from _inside(f"dataset.files[{number}]", pattern)


def _prompt(prompt: PublishedPrompt) -> Iterator[Fault]:
    for key, (shape, fix) in _SHAPES.items():
        value = getattr(prompt, key)
        if not shape.fullmatch(value):
            yield Fault(f"prompt.{key}", f"is {value!r}", fix)
    yield from _inside("prompt.file", prompt.file)


def _inside(place: str, path: str) -> Iterator[Fault]:
    """A path from a task file stays inside the repository or folder that it is looked up in."""
    if not path or path.startswith("/") or "\\" in path or ".." in path.split("/"):
        yield Fault(place, f"is {path!r}", "must be a relative path with '/' and without '..'")
