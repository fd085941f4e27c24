"""From a config to a plan: models and engines resolved, every planned sample listed in the store."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any

from evalkit import harnesses, serve
from evalkit.base.errors import DataError
from evalkit.base.events import Stage
from evalkit.base.identity import digest
from evalkit.base.printable import counted
from evalkit.base.types import Image
from evalkit.client import control
from evalkit.comparison import comparability
from evalkit.config.run_config import check_policy, check_tasks
from evalkit.records.judgements import READS_REASONING
from evalkit.records.listing import Entries, packed
from evalkit.records.plan import Contender, PlannedTask, averages
from evalkit.records.readings import KnownReading
from evalkit.runs import imports, refusals
from evalkit.serve import endpoint, environment
from evalkit.tasks import extensions, images, registry

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from evalkit.base.events import Say
    from evalkit.base.task_parts import NormalisedAverage
    from evalkit.base.types import Model, Sample, Task
    from evalkit.cluster.hosts import Hosts
    from evalkit.config.model_choice import ModelChoice
    from evalkit.config.run_config import Config
    from evalkit.harnesses import Harness, Questions
    from evalkit.records.imported import ImportedTask
    from evalkit.records.store import Store

_PATCH = 16
"""Pixels on a side of one image token, as in Pixtral: good enough to find the heaviest sample of a task."""
_LONGEST_EDGE = 1024


@dataclass(frozen=True, slots=True)
class Source:
    """Where the samples of a planned task come from, again and again in the same order."""

    part: PlannedTask
    harness: Harness
    questions: Questions
    limit: int | None
    entries: Entries
    _heaviest: tuple[Sample, str] | int | None
    """The sample that is expected to need the longest prompt, with its request digest, or its place in the listing."""

    @property
    def heaviest(self) -> tuple[Sample, str] | None:
        """The sample that is expected to need the longest prompt, with its request digest; read anew if need be."""
        found = self._heaviest
        return next(islice(self.samples(), found, None), None) if isinstance(found, int) else found

    @property
    def heaviest_request(self) -> str:
        """The request digest of that sample, for which no row is read; empty where there is none."""
        found = self._heaviest
        if isinstance(found, int):
            return self.entries[found].request
        return found[1] if found else ""

    def samples(self) -> Iterator[tuple[Sample, str]]:
        """Every planned sample with its request digest; a row that cannot be asked has an empty digest."""
        return self.questions.samples(self.limit)


def tasks(config: Config) -> list[Task]:
    """The tasks that a config names, with its overrides.

    Raises:
        UsageError: A task is unknown, or data are given for one that is not among them.
    """
    with extensions.allowing(wanted=config.allow_task_code):
        found = registry.chosen(config.tasks, config.suite, [Path(folder) for folder in config.tasks_dir])
    check_tasks(config, [task.name for task in found])
    if config.images is not None:
        found = [replace(task, images=config.images) for task in found]
    if config.dialect is not None:
        found = [replace(task, dialect=config.dialect) for task in found]
    return found


def checked(config: Config, imported: Sequence[ImportedTask] = ()) -> list[Task]:
    """The tasks, as ``tasks`` has them, once everything that a user named is known to be there.

    Needs no store, no server and no network: what is wrong with the words alone is told before anything is waited for.

    Args:
        config: What was named.
        imported: What it names of answers from elsewhere; they are rows of the report like tasks.

    Raises:
        UsageError: A task, a model's folder, a file or a difference that was named cannot be.
        ConfigError: The policy is for rows that the report will not have, or a table of figures is wrong.
    """
    refusals.refuse_early(config)
    found = tasks(config)
    registry.published(config.published, config.baseline.source)
    names = [task.name for task in found]
    imports.refuse_asked(imported, names)
    names += [one.task for one in imported]
    check_policy(config.policy, names, averages(found, averaged(config)))
    for name in {choice.source: None for choice in config.models if choice.label not in config.endpoints}:
        environment.refuse_missing(name)
    for path in map(Path, config.data.values()):
        if not path.exists():
            raise DataError(f"{path}: no such file or folder", fix="check the path given with --data")
    served = {name for choice in config.models for name in serve.numeric_names(config.serving(choice.label))}
    known = comparability.run_keys(served) | imports.keys(imported)
    comparability.refuse_unknown(config.accept_differences, known)
    return found


def drawing(tasks: Sequence[Task], baseline: Model) -> list[Task]:
    """The tasks, those that ask for it with the sampling that the baseline's makers recommend.

    One recommendation for all models: a candidate that is drawn from otherwise would be charged for it.

    Raises:
        UsageError: The baseline's files recommend nothing, or are not seen.
    """
    if not any(task.decoding.recommended for task in tasks):
        return list(tasks)
    found: dict[str, Any] = environment.recommended(baseline)
    return [
        replace(task, decoding=replace(task.decoding, **found)) if task.decoding.recommended else task for task in tasks
    ]


def normalised(config: Config) -> NormalisedAverage | None:
    """The average above chance that the suite has."""
    return registry.normalised(config.tasks, config.suite, [Path(folder) for folder in config.tasks_dir])


def averaged(config: Config) -> tuple[str, ...] | None:
    """Categories that the suite averages; None for every category with several tasks."""
    return registry.averages(config.tasks, config.suite, [Path(folder) for folder in config.tasks_dir])


def contender(
    choice: ModelChoice,
    config: Config,
    store: Store,
    say: Say,
    hosts: Hosts | None = None,
    *,
    patience_s: float | None = None,
) -> Contender:
    """A model with its identity and the engine that will serve it.

    It is served on ``hosts``, or on this machine.
    A server that already runs is waited for, for ``patience_s`` or as long as the config says.
    """
    control.authorization()  # a key that cannot be sent is told before a model is loaded
    if choice.label not in config.endpoints:
        model = environment.model(choice.source, choice.label)
        engine = environment.engine(config.serving(choice.label), model, hosts.kinds if hosts else ())
    else:
        wait_s = config.client.patience_s if patience_s is None else patience_s
        model, engine = endpoint.running(choice, config, say, wait_s)
    found = Contender(model, engine)
    return replace(found, epoch=store.epoch(found.identity))


def sources(chosen: Iterable[Task], config: Config, store: Store, say: Say) -> list[Source]:
    """Every task with its samples listed in the store."""
    found = []
    for task in chosen:
        say(Stage(f"reading {task.name}"))
        found.append(_source(task, config, store, say))
    return found


def _source(task: Task, config: Config, store: Store, say: Say) -> Source:
    given = config.data_of(task.name)
    held = harnesses.harness(task)
    models = [choice.source for choice in config.models]
    questions = held.questions(task, Path(given) if given else None, lambda text: say(Stage(text)), models)
    planned = questions.planned(config.limit)
    drawn = planned < questions.available and questions.drawn(config.limit)
    listing, entries, heaviest = _listed(task, questions, (config.limit, drawn), store)
    if len(entries) != planned:
        raise DataError(
            f"{task.name}: {counted(len(entries), 'row')} could be read, expected were {planned:,}",
            fix="the data files are damaged or changed while they were read; fetch them again",
        )
    judge = questions.checker + READS_REASONING * bool(questions.checker and task.score_reasoning)
    part = PlannedTask(task, listing, planned, questions.available, questions.revision, judge, drawn)
    return Source(part, held, questions, config.limit, entries, heaviest)


def _listed(
    task: Task, questions: Questions, portion: tuple[int | None, bool], store: Store
) -> tuple[str, Entries, tuple[Sample, str] | int | None]:
    """A task's samples, listed in the store; not read where the store knows what they come to.

    ``portion`` is how many, and whether they are drawn: what was the first rows may be drawn once all files are here.
    """
    note = f"{task.name} {questions.revision}"
    origin = _origin(questions, portion, note)
    known = store.reading(origin) if origin else None
    if known is not None:
        reading, entries = known
        return reading.listing, entries, reading.heaviest
    scan = _Scan(task)
    listing, written = store.write_listing(scan.over(questions.samples(portion[0])), note=note)
    # Once more: what was read may have been of pictures beside the data.
    if origin and origin == _origin(questions, portion, note):
        store.keep_reading(origin, KnownReading(listing, scan.place))
    return listing, packed(written), scan.heaviest


def _origin(questions: Questions, portion: tuple[int | None, bool], note: str) -> str | None:
    """An identity of everything that some samples are made from; None where their harness does not tell."""
    found = getattr(questions, "origin", None)
    return digest([found, *portion, note]) if found else None


def refuse_unrepeatable(source: Source) -> None:
    """Read a task's samples twice, for the reason that samples which were listed are not found any more.

    Raises:
        DataError: The two readings differ: it is the task that changes, not its data.
    """
    for one, other in zip_longest(source.samples(), source.samples()):
        if one != other:
            sample, _ = one or other or (None, "")
            raise DataError(
                f"{source.part.task.name}: not repeatable: sample '{sample.id if sample else ''}' is another each time "
                "the samples are read",
                fix="let its benchmark or harness give the same samples in the same order (evalkit.testing.check)",
            )


def shortened(source: Source, count: int, store: Store) -> Source:
    """Some samples of a source, drawn where that is possible, listed as a source of their own."""
    task, limit = source.part.task, count if source.limit is None else min(count, source.limit)
    drawn, note = source.questions.drawn(limit), f"{task.name} {source.part.revision}"
    some = _listed_before(source, limit)
    if some is not None:
        listing, entries = store.write_part(some, note=note), some
    else:
        listing, listed = store.write_listing(source.questions.samples(limit), note=note)
        entries = packed(listed)
    part = replace(source.part, listing=listing, planned=len(entries), drawn=drawn)
    return replace(source, part=part, limit=limit, entries=entries, _heaviest=None)


def _listed_before(source: Source, limit: int) -> Entries | None:
    """What a smaller limit asks of a source, by its listing; None where nothing but reading tells that."""
    every, wanted = source.questions.rows(source.limit), source.questions.rows(limit)
    if every is None or wanted is None or len(every) != len(source.entries):
        return None
    rows = set(wanted)
    places = [place for place, row in enumerate(every) if row in rows]
    return packed(source.entries[place] for place in places) if len(places) == len(wanted) else None


def drawn_rows(found: Iterable[Source]) -> dict[str, list[int]]:
    """Task to the rows of its data that were drawn, in the order of its samples: where their pictures are."""
    rows = {one.part.task.name: one.questions.rows(one.limit) for one in found if one.part.drawn}
    return {task: list(places) for task, places in rows.items() if places is not None}


class _Scan:
    """Looks at every planned sample once: ids must be unique, and the longest prompt is worth knowing early."""

    def __init__(self, task: Task) -> None:
        self.heaviest: tuple[Sample, str] | None = None
        self.place: int | None = None
        """Of the heaviest."""
        self._task = task
        self._weight = 0
        self._ids: set[str] = set()

    def over(self, planned: Iterator[tuple[Sample, str]]) -> Iterator[tuple[Sample, str]]:
        """Pass samples through."""
        for sample, request in planned:
            if sample.id in self._ids:
                raise DataError(
                    f"{self._task.name}: two rows have the id '{sample.id}'",
                    fix="pairs are made by id: give every row an id of its own",
                )
            self._ids.add(sample.id)
            weight = prompt_weight(sample) if request else 0
            if weight > self._weight:
                self._weight, self.heaviest, self.place = weight, (sample, request), len(self._ids) - 1
            yield sample, request


def prompt_weight(sample: Sample) -> int:
    """About how many prompt tokens a sample needs; good for comparing samples, not for counting tokens."""
    weight = 0
    for part in (*(part for turn in sample.turns for part in turn.content), *sample.content):
        if isinstance(part, Image):
            weight += _tokens(part)
        else:
            weight += len(part.text) // 3
    return weight


@lru_cache(maxsize=8)
def _tokens(picture: Image) -> int:
    """The same of a picture; questions about one follow one another, and its header is read once."""
    width, height = images.weight(picture.data)
    scale = min(1.0, _LONGEST_EDGE / max(width, height, 1))
    return (int(width * scale) // _PATCH + 1) * (int(height * scale) // _PATCH + 1)


def numbered(contenders: Iterable[Contender]) -> list[Contender]:
    """Contenders with their attempts: how many of the same identity stand before each."""
    seen: Counter[str] = Counter()
    found = []
    for one in contenders:
        found.append(replace(one, attempt=seen[one.identity]))
        seen[one.identity] += 1
    return found
