"""Looks ahead without starting anything: what a run would launch, ask and take, and what earlier runs tell of it."""

from __future__ import annotations

import math
import shlex
from dataclasses import dataclass, replace
from itertools import chain, islice
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit import harnesses, serve
from evalkit.base.errors import StoreError
from evalkit.base.events import Stage
from evalkit.base.identity import decoded
from evalkit.base.types import Answer
from evalkit.comparison import pairs
from evalkit.comparison.score import tally
from evalkit.files.scratch import Scratch
from evalkit.records.plan import Plan, averages, fingerprint
from evalkit.records.run_record import plan_from
from evalkit.records.store import Store
from evalkit.runs import prepare, publish, refusals
from evalkit.runs.forecast import CostTerms, Forecast, Past, forecast
from evalkit.serve import tools

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalkit.base.events import Say
    from evalkit.base.types import Json, Record, Task
    from evalkit.comparison.score import Tally
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender, PlannedTask

_LOOKED_AT = 32
"""Samples of a task whose prompts are measured where no answers tell."""
_ENOUGH = 5_000
"""Earlier answers of a model that are read for rates and pairs."""
_PORT = 8000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What a run would do."""

    forecasts: tuple[Forecast, ...]
    commands: Mapping[str, str]
    """Model label to the command that would serve it; models with an endpoint are left out."""
    window: int
    """Requests under way at once."""
    smoke: bool
    warnings: tuple[str, ...]
    """What the models' files say against the comparison."""


def outlook(config: Config, say: Say, discordance: float | None = None) -> Outlook:
    """Everything that can be told before a run.

    Nothing is started and nothing is written to the output folder; a model with an endpoint is asked for its name.

    Args:
        config: As for a run.
        say: Hears of slow steps.
        discordance: The user's guess of the share of samples that change, 0-1.

    Raises:
        EvalkitError: As a run would raise it before a server starts.
    """
    tasks = prepare.checked(config)
    config = tools.settled(config, say, "nothing")
    with Scratch() as empty, Store(Path(empty)) as store:
        contenders = [prepare.contender(choice, config, store, say, patience_s=0.0) for choice in config.models]
    refusals.refuse(config.serving, contenders, tasks, say)
    serving = config.serving(config.baseline.label)
    window = config.client.window or serve.window(serving)
    commands = {
        one.model.label: shlex.join(serve.command(config.serving(one.model.label), one.model, _PORT))
        for one in contenders
        if not one.model.endpoint
    }
    averaged = averages(tasks, prepare.averaged(config))
    rules = {task.name: config.policy.for_task(task.name, averaged=task.category in averaged) for task in tasks}
    terms = CostTerms(
        len(contenders),
        window,
        discordance,
        config.noise_floor,
        {name: rule.min_recovery for name, rule in rules.items() if rule.min_recovery is not None},
        _stored(Path(config.output), tasks, contenders),
    )
    past = _past(Path(config.output), tasks, contenders)
    found = []
    for task in tasks:
        say(Stage(f"reading {task.name}"))
        found.append(_forecast(task, config, terms, past.get(task.name), say))
    return Outlook(
        forecasts=tuple(found),
        commands=commands,
        window=window,
        smoke=any(one.planned < one.available for one in found),
        warnings=tuple(
            publish.forewarnings(
                Plan(contenders[0], tuple(contenders[1:]), ()), config.accept_differences, serving.python
            )
        ),
    )


def _forecast(task: Task, config: Config, terms: CostTerms, past: Past | None, say: Say) -> Forecast:
    given = config.data.get(task.name)
    questions = harnesses.harness(task).questions(task, Path(given) if given else None, lambda text: say(Stage(text)))
    weights = [
        prepare.prompt_weight(one) for one, asked in islice(questions.samples(config.limit), _LOOKED_AT) if asked
    ]
    sizes = questions.planned(config.limit), questions.available
    return forecast(task, sizes, terms, prompt_tokens=fmean(weights) if weights else None, past=past)


# --- what earlier runs tell ---


def _past(output: Path, tasks: Sequence[Task], contenders: Sequence[Contender]) -> dict[str, Past]:
    """Task name to what the newest run with answers to it tells; runs of these very models before others."""
    try:
        with Store(output, write=False) as store:
            return _from_store(store, output, tasks, {one.model.digest for one in contenders})
    except StoreError:
        # No run here yet, or a store of a newer evalkit: then there is nothing to tell.
        return {}


def _stored(output: Path, tasks: Sequence[Task], contenders: Sequence[Contender]) -> dict[str, int]:
    """Task name to how many answers the store has of these models, to the questions of the largest run of the task.

    A run with a limit asks a part of what a larger one asks, so its answers are among them.
    """
    found: dict[str, int] = {}
    try:
        with Store(output, write=False) as store:
            for part in chain.from_iterable(map(_parts, _runs(output))):
                for task in tasks:
                    # Where it was read from moves no request; anything else may.
                    if part.task == replace(task, source=part.task.source):
                        found[task.name] = max(found.get(task.name, 0), _answered(store, part, contenders))
    except StoreError:
        pass
    return found


def _parts(run: Mapping[str, Json]) -> tuple[PlannedTask, ...]:
    """The tasks of a run; none of one that a newer evalkit wrote."""
    try:
        return plan_from(run["plan"]).tasks
    except ValueError:
        return ()


def _answered(store: Store, part: PlannedTask, contenders: Sequence[Contender]) -> int:
    """Answers of all models to one listing."""
    return sum(
        isinstance(record.outcome, Answer)
        for one in contenders
        for record in store.records(part.listing, fingerprint(one.identity, store.epoch(one.identity), one.attempt), "")
    )


def _from_store(store: Store, output: Path, tasks: Sequence[Task], digests: set[str]) -> dict[str, Past]:
    runs = sorted(_runs(output), key=lambda run: (len(digests & _digests(run)), run["run"]), reverse=True)
    found: dict[str, Past] = {}
    for run in runs:
        for task in tasks:
            if task.name not in found and (past := _of_run(store, run, task)) is not None:
                found[task.name] = past
    return found


def _runs(output: Path) -> Iterator[dict[str, Json]]:
    for path in output.glob("*/run.json"):
        try:
            run = decoded(path.read_text(encoding="utf-8"))
            if run["run"] and run["plan"]["models"] and run["plan"]["tasks"]:
                yield run
        except (OSError, ValueError, LookupError, TypeError):
            continue


def _digests(run: Mapping[str, Json]) -> set[str]:
    return {one["model"]["digest"] for one in run["plan"]["models"]}


def _of_run(store: Store, run: Mapping[str, Json], task: Task) -> Past | None:
    part = next((one for one in run["plan"]["tasks"] if one["task"]["name"] == task.name), None)
    if part is None:
        return None
    tallies: list[Tally] = []
    answers: list[Answer] = []
    for one in run["plan"]["models"]:
        records = _records(store, part, fingerprint(one["identity"], one["epoch"], one["attempt"]))
        tallies.append(tally(task, one["model"]["label"], records, harnesses.harness(task)))
        answers += [record.outcome for record in records if isinstance(record.outcome, Answer)]
    if not answers:
        return None
    prompts = [one.prompt_tokens for one in answers if one.prompt_tokens is not None]
    words = [one.completion_tokens for one in answers if one.completion_tokens is not None]
    count, share, effect, spread = _pairs(tallies)
    return Past(
        run=str(run["run"]),
        answers=len(answers),
        latency_s=fmean(one.latency_s for one in answers),
        prompt_tokens=fmean(prompts) if prompts else None,
        completion_tokens=fmean(words) if words else None,
        pairs=count,
        discordance=share,
        design_effect=effect,
        spread=spread,
        baseline=tallies[0].task_score().score,
    )


def _records(store: Store, part: Mapping[str, Json], key: Callable[[str], str]) -> list[Record]:
    return list(islice(store.records(part["listing"], key, part.get("checker") or ""), _ENOUGH))


def _pairs(tallies: Sequence[Tally]) -> tuple[int, float | None, float, float | None]:
    """Pairs of the baseline with the first candidate: the share that changed, what clusters do, and the spread."""
    if len(tallies) < 2:
        return 0, None, 1.0, None
    first, second = tallies[0], tallies[1]
    found = pairs.compare(first.task.name, pairs.Side("baseline", first.paired), pairs.Side("candidate", second.paired))
    if found.flips is None or found.totals is None:
        return 0, None, 1.0, None
    plain = found.totals.plain_variance(1.0)
    effect = found.totals.covariance.of_difference(1.0) / plain if found.totals.clustered and plain > 0.0 else 1.0
    # No change seen means that few would change, not none: two of so many (Agresti and Caffo's pseudo-changes).
    variance = found.n * found.totals.covariance.of_difference(1.0) or 2.0 / found.n
    return found.n, found.flips.discordance, max(1.0, effect), math.sqrt(variance)
