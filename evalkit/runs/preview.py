"""Looks ahead without starting anything: what a run would launch, ask and take, and what earlier runs tell of it."""

from __future__ import annotations

import shlex
from contextlib import suppress
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit import harnesses, serve, stats
from evalkit.base.errors import StoreError
from evalkit.base.events import Stage
from evalkit.base.printable import one_line
from evalkit.base.types import Answer
from evalkit.comparison.score import tally
from evalkit.files.scratch import Scratch
from evalkit.records import run_record
from evalkit.records.plan import Plan, averages, fingerprint
from evalkit.records.run_record import KeptPlan
from evalkit.records.store import Store
from evalkit.runs import forecast_early, imports, needs, prepare, refusals, report_terms, turns
from evalkit.runs.forecast import AverageForecast, CostTerms, Forecast, Past, Sizes, average, forecast
from evalkit.serve import tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    import numpy as np

    from evalkit.base.events import Say
    from evalkit.base.types import Record, Task
    from evalkit.cluster.hosts import Hosts
    from evalkit.comparison.score import Tally
    from evalkit.config.policy import Rule
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender, PlannedTask
    from evalkit.records.run_record import RunFile
    from evalkit.runs.forecast_early import EarlyForecast
    from evalkit.serve import Placement
    from evalkit.stats import Population

_LOOKED_AT = 32
"""Samples of a task whose prompts are measured where no answers tell."""
_ENOUGH = 15_000
"""Earlier answers of a model that are read for rates and pairs: all of MMLU, for its subjects are stored one by one."""
_PORT = 8000


@dataclass(frozen=True, slots=True)
class RunPreview:
    """What a run would do."""

    forecasts: tuple[Forecast, ...]
    averages: tuple[AverageForecast, ...]
    """Those with a threshold."""
    commands: Mapping[str, str]
    """Model label to the command that would serve it; models with an endpoint are left out."""
    window: int
    """Requests under way at once."""
    placement: tuple[str, ...]
    """Which models are served at the same time, and where; a line a turn. Empty where each in turn has one server."""
    placed_s: float | None
    """What all tasks take on these servers; None where that is not known, or each model in turn has one server."""
    smoke: bool
    warnings: tuple[str, ...]
    """What the models' files say against the comparison."""
    early: tuple[EarlyForecast, ...] = ()
    """What stopping early is expected to leave of it; empty where all is asked."""


def preview(config: Config, say: Say, discordance: float | None = None) -> RunPreview:
    """Everything that can be told before a run.

    Nothing is started and nothing is written to the output folder; a model with an endpoint is asked for its name.

    Args:
        config: As for a run.
        say: Hears of slow steps.
        discordance: The user's guess of the share of samples that change, 0-1.

    Raises:
        EvalkitError: As a run would raise it before a server starts.
    """
    tasks = prepare.checked(config, imports.read(config))
    config = tools.settled(needs.joined(config, tasks), say, "nothing")
    hosts = turns.joined(config, say)
    try:
        return _previewed(config, tasks, hosts, say, discordance)
    finally:
        if hosts is not None:
            hosts.leave()


def _previewed(
    config: Config, tasks: Sequence[Task], hosts: Hosts | None, say: Say, discordance: float | None
) -> RunPreview:
    with Scratch() as empty, Store(Path(empty)) as store:
        contenders = [prepare.contender(choice, config, store, say, hosts, patience_s=0.0) for choice in config.models]
    tasks = prepare.drawing(tasks, contenders[0].model)
    refusals.refuse(config.serving, contenders, tasks, say)
    serving = config.serving(config.baseline.label)
    terms = _terms(config, tasks, contenders, discordance)
    past = earlier_answers(Path(config.output), tasks, contenders)
    found = []
    for task in tasks:
        say(Stage(f"reading {task.name}"))
        found.append(_forecast(task, config, terms, past.get(task.name), say))
    placed = turns.placement(config, contenders, hosts)
    return RunPreview(
        forecasts=tuple(found),
        averages=tuple(
            average(name, [one for one in found if one.task.category == name], terms, _chance(name))
            for name in terms.averages
        ),
        commands={
            one.model.label: shlex.join(serve.command(config.serving(one.model.label), one.model, _PORT))
            for one in contenders
            if not one.model.endpoint
        },
        window=terms.window,
        placement=placed.words(),
        placed_s=_placed_s(placed, contenders, found),
        smoke=any(one.planned < one.available for one in found),
        warnings=tuple(
            report_terms.forewarnings(
                Plan(contenders[0], tuple(contenders[1:]), ()), config.accept_differences, serving.python
            )
        ),
        early=_early(config, found, terms, contenders, placed),
    )


def _placed_s(placed: Placement, contenders: Sequence[Contender], found: Sequence[Forecast]) -> float | None:
    """The time of all tasks on servers that are placed; what runs elsewhere has no part in that."""
    times = [one.seconds for one in found if one.seconds is not None]
    if not placed.words() or len(times) < len(found) or any(one.model.endpoint for one in contenders):
        return None
    return sum(times) * placed.share


def _early(
    config: Config, found: Sequence[Forecast], terms: CostTerms, contenders: Sequence[Contender], placed: Placement
) -> tuple[EarlyForecast, ...]:
    """What stopping early is expected to leave of it, in the time that it takes on servers that are placed."""
    if not config.policy.stop_early:
        return ()
    stepwise = all(one.model.endpoint for one in contenders)
    share = 1.0 if _placed_s(placed, contenders, found) is None else placed.share
    return tuple(
        replace(one, seconds=None if one.seconds is None else one.seconds * share)
        for one in forecast_early.forecasts(found, terms, stepwise=stepwise)
    )


def _terms(
    config: Config, tasks: Sequence[Task], contenders: Sequence[Contender], discordance: float | None
) -> CostTerms:
    """What a forecast of any of the tasks takes into account."""
    averaged = averages(tasks, prepare.averaged(config))
    rules = {task.name: config.policy.for_task(task.name, averaged=task.category in averaged) for task in tasks}
    return CostTerms(
        len(contenders),
        config.client.window or serve.window(config.serving(config.baseline.label)),
        discordance,
        config.noise_floor,
        _thresholds(rules),
        _thresholds({name: config.policy.for_average(name) for name in averaged}),
        {} if config.fresh else _stored(Path(config.output), tasks, contenders),
    )


def _forecast(task: Task, config: Config, terms: CostTerms, past: Past | None, say: Say) -> Forecast:
    given = config.data_of(task.name)
    questions = harnesses.harness(task).questions(task, Path(given) if given else None, lambda text: say(Stage(text)))
    weights = [
        prepare.prompt_weight(one) for one, asked in islice(questions.samples(config.limit), _LOOKED_AT) if asked
    ]
    planned, available = questions.planned(config.limit), questions.available
    sizes = Sizes(planned, available, planned < available and not questions.drawn(config.limit))
    tokens = fmean(weights) if weights else None
    return forecast(task, sizes, terms, _chance(task.name), prompt_tokens=tokens, past=past)


def _thresholds(rules: Mapping[str, Rule]) -> dict[str, float]:
    return {name: rule.min_recovery for name, rule in rules.items() if rule.min_recovery is not None}


def _chance(name: str) -> np.random.Generator:
    """The same for every look at a row, whichever rows are beside it."""
    import numpy as np  # noqa: PLC0415 - a start must not wait for it

    return np.random.default_rng(list(name.encode()))


# --- what earlier runs tell ---


def earlier_answers(output: Path, tasks: Sequence[Task], contenders: Sequence[Contender]) -> dict[str, Past]:
    """Task name to what an earlier run in a folder tells: of the most of these models, here, and with most samples."""
    found: dict[str, Past] = {}
    try:
        with Store(output, write=False) as store:
            runs = list(_runs(output))
            for task in tasks:
                for run in sorted(runs, key=lambda one: _worth(one, task, contenders), reverse=True):
                    past = _of_run(store, run, task, contenders)
                    if past is not None:
                        found[task.name] = past
                        break
    except StoreError:
        # No run here yet, or a store of a newer evalkit: then there is nothing to tell.
        pass
    return found


def _worth(run: RunFile, task: Task, contenders: Sequence[Contender]) -> tuple[int, bool, int, str]:
    """By what runs are preferred: models, machine, how many samples of the task, and the newest of equals."""
    part = _plan(run).part(task.name)
    planned = 0 if part is None else part.planned
    return len(_common(run, contenders)), _elsewhere(run, contenders) == "", min(planned, _ENOUGH), run.run


def _common(run: RunFile, contenders: Sequence[Contender]) -> set[str]:
    """Digests of models that the run and this one share."""
    return {one.model.digest for one in contenders} & {one.model.digest for one in _plan(run).models}


def _elsewhere(run: RunFile, contenders: Sequence[Contender]) -> str:
    """What the run computed on, where none of this run's servers would; else empty."""
    theirs = {one.engine.accelerator for one in _plan(run).models}
    return "" if theirs & {one.engine.accelerator for one in contenders} else one_line(", ".join(sorted(theirs)))


def _plan(run: RunFile) -> KeptPlan:
    """The plan of one of ``_runs``, which all have one."""
    return run.plan or KeptPlan(models=(), tasks=())


def _stored(output: Path, tasks: Sequence[Task], contenders: Sequence[Contender]) -> dict[str, int]:
    """Task name to how many answers the store has of these models, to the questions of the largest run of the task.

    A run with a limit asks a part of what a larger one asks, so its answers are among them.
    """
    found: dict[str, int] = {}
    try:
        with Store(output, write=False) as store:
            for part in chain.from_iterable(_plan(run).tasks for run in _runs(output)):
                for task in tasks:
                    # Where it was read from moves no request; anything else may.
                    if part.task == replace(task, source=part.task.source):
                        found[task.name] = max(found.get(task.name, 0), _answered(store, part, contenders))
    except StoreError:
        pass
    return found


def _answered(store: Store, part: PlannedTask, contenders: Sequence[Contender]) -> int:
    """Answers of all models to one listing."""
    return sum(
        isinstance(record.outcome, Answer)
        for one in contenders
        for record in store.records(part.listing, fingerprint(one.identity, store.epoch(one.identity), one.attempt), "")
    )


def _runs(output: Path) -> Iterator[RunFile]:
    """What earlier runs keep of themselves, as far as it can be read and has a plan."""
    for path in output.glob("*/run.json"):
        with suppress(OSError, ValueError):
            run = run_record.read_file(path.read_text(encoding="utf-8"))
            if run.run and run.plan is not None and run.plan.models and run.plan.tasks:
                yield run


def _of_run(store: Store, run: RunFile, task: Task, contenders: Sequence[Contender]) -> Past | None:
    part = _plan(run).part(task.name)
    if part is None:
        return None
    tallies: list[Tally] = []
    answers: list[Answer] = []
    for one in _plan(run).models:
        records = _records(store, part, fingerprint(one.identity, one.epoch, one.attempt))
        tallies.append(tally(task, one.model.label, records, harnesses.harness(task)))
        answers += [record.outcome for record in records if isinstance(record.outcome, Answer)]
    if not answers:
        return None
    prompts = [one.prompt_tokens for one in answers if one.prompt_tokens is not None]
    words = [one.completion_tokens for one in answers if one.completion_tokens is not None]
    count, share, population = _pairs(tallies)
    return Past(
        run=run.run,
        answers=len(answers),
        latency_s=fmean(one.latency_s for one in answers),
        prompt_tokens=fmean(prompts) if prompts else None,
        completion_tokens=fmean(words) if words else None,
        pairs=count,
        discordance=share,
        population=population,
        baseline=tallies[0].task_score().score,
        elsewhere=_elsewhere(run, contenders),
        others=len(_common(run, contenders)) < min(2, len(contenders)),
    )


def _records(store: Store, part: PlannedTask, key: Callable[[str], str]) -> list[Record]:
    return list(islice(store.records(part.listing, key, part.checker), _ENOUGH))


def _pairs(tallies: Sequence[Tally]) -> tuple[int, float | None, Population | None]:
    """How many samples both the baseline and the first candidate have, the share that changed, and what they are."""
    if len(tallies) < 2:
        return 0, None, None
    first, second = (one.paired for one in tallies[:2])
    both = [(first[key], second[key]) for key in sorted(first.keys() & second.keys())]
    if not both:
        return 0, None, None
    x, y = [one.value for one, _ in both], [other.value for _, other in both]
    clusters, strata = [one.cluster for one, _ in both], [one.stratum for one, _ in both]
    groups = stats.Grouping(clusters if any(clusters) else None, strata if any(strata) else None)
    attempts = min(one.attempts for pair in both for one in pair)
    return len(both), stats.flips(x, y).discordance, stats.seen(x, y, groups, attempts=attempts)
