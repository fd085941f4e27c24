"""A task of lm-eval's becomes a `Task`: what its files say fills in what a task file, or a name alone, leaves open."""

from __future__ import annotations

from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.codec import Fault, refuse
from evalkit.base.errors import UsageError
from evalkit.base.types import Decoding
from evalkit.tasks import extensions
from evalkit.tasks.lm_eval import files, groups, members, settings
from evalkit.tasks.lm_eval.functions import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json
    from evalkit.tasks.lm_eval.files import TaskSource
    from evalkit.tasks.lm_eval.settings import NamedTaskSettings

BENCHMARK: Final = "lm-eval"
PREFIX: Final = f"{BENCHMARK}:"
_CATEGORY: Final = "lm-eval"
_GENERATES: Final = "generate_until"
_WEIGHS: Final = ("multiple_choice", "loglikelihood")
_DEFAULTS: Final = {"generate_until": ["exact_match"], "multiple_choice": ["acc", "acc_norm"], "loglikelihood": ["acc"]}
"""Metrics of a task that lists none."""
_MEANS: Final = frozenset({"mean", "nanmean"})
"""Aggregations that are means over answers; a function of the task's own may be one, too."""
_OF_SETS: Final = (
    *("bits_per_byte", "bleu", "brier_score", "bypass", "byte_perplexity", "chrf", "chrf++", "f1", "mcc"),
    *("perplexity", "ter", "word_perplexity"),
)
"""Metrics that lm-eval aggregates over a whole set of answers where a task's file does not say how."""
_DEFAULT_TOKENS: Final = 256
"""``max_gen_toks`` of lm-eval's API models."""
_STOPS: Final = 4
"""So many stop texts lm-eval sends with a chat request."""
_SAMPLING: Final = (
    *("temperature", "top_p", "seed", "top_k", "min_p", "presence_penalty", "frequency_penalty"),
    *("repetition_penalty", "chat_template_kwargs"),
)
_OF_GROUPS: Final = ("leaves_out", "unweighted")
"""Settings that a group's file fills in."""
_LIMITS: Final = ("max_tokens", "max_gen_toks")
_PASSED_OVER: Final = frozenset({"do_sample", "until"})


def is_named(name: str) -> bool:
    """Whether a name means one of lm-eval's tasks: ``lm-eval:gsm8k``."""
    return name.startswith(PREFIX)


def mappings(name: str) -> list[dict[str, Json]]:
    """What task files would say that name this task and leave the rest open: one for each row that it is.

    A group whose tasks have different metrics is several rows, as in lm-eval. They are in no average: lm-eval has none.

    Raises:
        UsageError: lm-eval has no such task, or it has no metric that can be paired.
    """
    task = name.removeprefix(PREFIX)
    source = files.find(task)
    found = [] if source.members is None else _rows(source, list(members.expanded(source, None)))
    if len(found) < 2:
        return [{"benchmark": BENCHMARK, "settings": {"task": task}}]
    chosen = [_headline(list(row.metrics)) for row in found]
    return [
        {
            "name": f"{BENCHMARK}.{task}.{metric.replace(',', '.')}".lower(),
            "category": f"{task} {metric}",
            "benchmark": BENCHMARK,
            "settings": {"task": task, "metric": metric},
        }
        for metric in chosen
    ]


def completed(said: Mapping[str, Any], source: str, folder: Path | None) -> dict[str, Any]:
    """A task file's mapping with all that lm-eval's files say of the task.

    Raises:
        ConfigError: The file's settings are wrong, or do not fit the task.
        UsageError: lm-eval has no such task, or it cannot be asked here.
    """
    chosen = settings.read(said.get("settings", {}), source)
    if chosen.include_path and not extensions.allowed():
        # Such a file may name any function that can be imported, beside it or anywhere.
        fault = Fault("settings.include_path", "lm-eval task files of your own run code", "add --allow-task-code")
        refuse([fault], source)
    own = _own(chosen, folder)
    found = files.find(chosen.task, own)
    every = list(members.expanded(found, own))
    if found.members is not None:
        chosen = _as_group(chosen, found, every)
    leaves = _asked(chosen, every)
    config = leaves[0].config
    refuse([*_faults(chosen, config, said)], source)
    metrics = list(said.get("metrics") or _metrics(leaves))
    told = {name: list(value) for name in _OF_GROUPS if (value := getattr(chosen, name))}
    split = str(config.get("test_split") or config.get("validation_split") or "test")
    path = str(config.get("dataset_path") or "")
    dataset = {"id": "" if path in {"json", "parquet", "csv"} else path, "split": split}
    name = config.get("dataset_name") if len(leaves) == 1 else None
    return {
        "name": f"{BENCHMARK}.{chosen.task}".lower(),
        "title": f"{chosen.task}{_shots(chosen, config)}",
        "category": _CATEGORY,
        "dataset": dataset | ({"config": str(name)} if name else {}),
        "decoding": _decoding(chosen, config),
        "headline": chosen.metric or _headline([name for name in metrics if _shared(name, leaves)] or metrics),
        "groups": "fixed",
        **said,
        "settings": {**said.get("settings", {}), **told},
        "metrics": list(dict.fromkeys([*metrics, *filter(None, [chosen.metric])])),
    }


def leaves_of(chosen: NamedTaskSettings, folder: Path | None) -> list[TaskSource]:
    """The task's files, or those of every task of a group that is in its row, in lm-eval's order.

    Raises:
        UsageError: lm-eval has no such task; or one of them cannot be asked here, and why.
    """
    own = _own(chosen, folder)
    return _asked(chosen, members.expanded(files.find(chosen.task, own), own))


def _asked(chosen: NamedTaskSettings, leaves: Iterable[TaskSource]) -> list[TaskSource]:
    """Those of the tasks that are in the row."""
    found = [leaf for leaf in leaves if leaf.name not in (chosen.leaves_out or ())]
    if not found:
        raise UsageError(f"lm-eval's '{chosen.task}' has no other tasks", fix="shorten settings.leaves_out")
    names = [leaf.name for leaf in found]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(
            f"lm-eval's '{chosen.task}' has the task '{twice}' in two of its groups, and lm-eval counts it twice",
            fix="name its groups or tasks one by one",
        )
    kinds = {leaf.config.get("output_type") for leaf in found}
    if len(kinds) > 1:
        raise UsageError(
            f"lm-eval's '{chosen.task}' has tasks that generate and tasks that weigh choices",
            fix="name its groups or tasks one by one: " + ", ".join(leaf.name for leaf in found[:5]),
        )
    for leaf in found:
        _refuse(leaf)
    unlike = next(
        (leaf for leaf in found if _decoding(chosen, leaf.config) != _decoding(chosen, found[0].config)), None
    )
    if unlike is not None:
        raise UsageError(
            f"lm-eval's '{chosen.task}' has tasks whose answers are drawn or ended otherwise: '{found[0].name}' and "
            f"'{unlike.name}'",
            fix="name its groups or tasks one by one, or set what differs with settings.gen_kwargs",
        )
    return found


def generates(config: Mapping[str, Json]) -> bool:
    """Whether the task's answers are generated; else its choices are weighed."""
    return bool(config.get("output_type", _GENERATES) == _GENERATES)


def as_chat(chosen: NamedTaskSettings, config: Mapping[str, Json]) -> bool:
    """Whether the task is asked as chat."""
    return generates(config) if chosen.chat is None else chosen.chat


def shots_of(chosen: NamedTaskSettings, config: Mapping[str, Json]) -> int:
    """Solved examples before each question; a task that says 0 keeps it, as in lm-eval."""
    stated = config.get("num_fewshot")
    return int(stated or 0) if chosen.shots is None or stated == 0 else chosen.shots


def filters_of(config: Mapping[str, Json]) -> list[str]:
    """Names of the task's filters, each of which reads an answer in its own way."""
    listed = config.get("filter_list")
    return [str(one["name"]) for one in listed] if listed else ["none"]


def metric_name(metric: str, reading: str) -> str:
    """A metric by one filter, as it is called here: lm-eval's name without the filter that does nothing."""
    return metric if reading == "none" else f"{metric},{reading}"


def _own(chosen: NamedTaskSettings, folder: Path | None) -> Path | None:
    """The folder of the user's own files."""
    return (folder or Path()) / chosen.include_path if chosen.include_path else None


def _as_group(chosen: NamedTaskSettings, source: TaskSource, leaves: list[TaskSource]) -> NamedTaskSettings:
    """The settings with what the group's file says: which tasks are in the row, and what they weigh."""
    metrics = {leaf.name: _listed(leaf) for leaf in leaves}
    if chosen.leaves_out is None:
        having = [name for name, found in metrics.items() if chosen.metric in found]
        out = groups.without(metrics, having) if having else _rows(source, leaves)[0].leaves_out
        chosen = replace(chosen, leaves_out=out)
    if chosen.unweighted is None:
        every = dict.fromkeys(name for found in metrics.values() for name in found)
        chosen = replace(chosen, unweighted=groups.unweighted(source, every))
    return chosen


def _rows(source: TaskSource, leaves: list[TaskSource]) -> list[groups.GroupRow]:
    """The rows of a group.

    Raises:
        UsageError: No task of it has a metric that can be paired.
    """
    _metrics(leaves)
    return groups.rows(source, {leaf.name: _listed(leaf) for leaf in leaves})


def _refuse(leaf: TaskSource) -> None:
    """Refuse by name what cannot be asked, or must not be run here."""
    config = leaf.config
    kind = config.get("output_type", _GENERATES)
    reasons = {
        "its rows are weighed as whole texts (loglikelihood_rolling), and no answer is right or wrong": kind
        not in {_GENERATES, *_WEIGHS},
        "it executes the programs that models write": bool(config.get("unsafe_code")),
        "it is a Python class and no file": "class" in config,
        "it makes its rows by code of its own": bool(config.get("custom_dataset")),
        "it asks about sounds": bool(config.get("doc_to_audio")),
    }
    for reason, holds in reasons.items():
        if holds:
            programs = "ask humaneval, whose programs run in a sandbox" if config.get("unsafe_code") else ""
            raise UsageError(
                f"lm-eval's '{leaf.name}' cannot be asked: {reason}", fix=programs or "choose another task"
            )


def _faults(chosen: NamedTaskSettings, config: Mapping[str, Json], said: Mapping[str, Any]) -> Iterator[Fault]:
    weighs = not generates(config)
    if "decoding" in said:
        yield Fault("decoding", "is not this task's", "write settings.gen_kwargs and settings.repeats")
    if weighs and chosen.chat:
        yield Fault("settings.chat", "is true", "choices are weighed behind a plain text: leave it out")
    if weighs and (chosen.gen_kwargs or chosen.repeats > 1 or chosen.recommended):
        what = "gen_kwargs" if chosen.gen_kwargs else "repeats" if chosen.repeats > 1 else "recommended"
        yield Fault(f"settings.{what}", "is set", "nothing is generated where choices are weighed: leave it out")
    if chosen.system and not as_chat(chosen, config):
        yield Fault("settings.system", "is set", "only a chat has a system prompt")
    known = {*_SAMPLING, *_LIMITS, *_PASSED_OVER}
    for name in chosen.gen_kwargs:
        if name not in known:
            yield Fault(
                f"settings.gen_kwargs.{name}", "is no field of a request", f"known are {', '.join(sorted(known))}"
            )


def _decoding(chosen: NamedTaskSettings, config: Mapping[str, Json]) -> dict[str, Json]:
    if not generates(config):
        return {"max_tokens": 1}
    said: dict[str, Any] = {**(config.get("generation_kwargs") or {}), **chosen.gen_kwargs}
    until = said.get("until") or []
    stops = [until] if isinstance(until, str) else list(until)
    longest = next((said[name] for name in _LIMITS if name in said), _DEFAULT_TOKENS)
    found = Decoding(max_tokens=int(longest), n=chosen.repeats, recommended=chosen.recommended)
    fields = {name: said[name] for name in _SAMPLING if said.get(name) is not None}
    stop = stops[:_STOPS] if as_chat(chosen, config) else stops
    return (
        {name: value for name, value in asdict(found).items() if value not in (None, {}, ())}
        | fields
        | ({"stop": stop} if stop else {})
    )


def _listed(leaf: TaskSource) -> list[str]:
    """What a task lists, but for what is of a whole set of answers and cannot be paired."""
    found: list[str] = []
    plain = [{"metric": one} for one in _DEFAULTS.get(str(leaf.config.get("output_type", _GENERATES)), ())]
    for one in leaf.config.get("metric_list") or plain:
        if _is_mean(one) and not str(one["metric"]).startswith(FUNCTION) and one.get("higher_is_better", True):
            found += [metric_name(str(one["metric"]), reading) for reading in filters_of(leaf.config)]
    return list(dict.fromkeys(found))


def _is_mean(entry: Mapping[str, Any]) -> bool:
    """Whether a metric that a task lists may be a mean over answers."""
    how = entry.get("aggregation")
    return entry["metric"] not in _OF_SETS if how is None else how in _MEANS or str(how).startswith(FUNCTION)


def _shared(metric: str, leaves: Sequence[TaskSource]) -> bool:
    """Whether all of the tasks have a metric."""
    return all(metric in _listed(leaf) for leaf in leaves)


def _metrics(leaves: list[TaskSource]) -> list[str]:
    """What the tasks list together."""
    found = dict.fromkeys(name for leaf in leaves for name in _listed(leaf))
    if not found:
        raise UsageError(
            f"lm-eval's '{leaves[0].name}' has no metric that is a mean over answers, so nothing can be paired",
            fix="choose another task",
        )
    return list(found)


def _headline(metrics: list[str]) -> str:
    return "acc_norm" if "acc_norm" in metrics else metrics[0]


def _shots(chosen: NamedTaskSettings, config: Mapping[str, Json]) -> str:
    shots = shots_of(chosen, config)
    return f" ({shots}-shot)" if shots else ""
