"""What ``evalkit run`` and ``evalkit perf`` are told, by a TOML file and by the command line, which wins.

The keys of the file are the fields of `Config` and of its tables. Relative paths count from the folder in which evalkit
runs, whether they stand in a file or on the command line.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.base.errors import ConfigError, UsageError, near_miss
from evalkit.base.identity import file_name
from evalkit.base.types import Dialect, ImageHandling, Json  # noqa: TC001 - the schema reads the annotations
from evalkit.config import addresses, after, cluster, imported, perf_config, policy
from evalkit.config.after import After
from evalkit.config.given import as_mapping, has, over
from evalkit.config.imported import ImportedFiles  # noqa: TC001 - the codec reads the annotations
from evalkit.config.model_choice import ModelChoice  # noqa: TC001 - the schema reads the annotations
from evalkit.config.perf_config import PerfConfig
from evalkit.config.policy import Policy

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

COMMAND_LINE = "command line"

RELEASE = re.compile(r"\d+(\.\d+)*((a|b|rc|\.post|\.dev)\d+)*(\+[a-z0-9.]+)?")
"""A release of a distribution, as in ``0.32.0`` or ``0.33.0rc1``."""


@dataclass(frozen=True, slots=True)
class ModelServing:
    """What one model is served with, where it is not what the others are served with."""

    python: str = ""
    """As ``serve.python``, for this model."""
    vllm: str = ""
    """As ``serve.vllm``, for this model."""


@dataclass(frozen=True, slots=True)
class Serving:
    """How models are served. Times are in seconds."""

    python: str = ""
    """Interpreter that has vLLM; empty for the one that runs evalkit, or for an environment that evalkit made."""
    vllm: str = ""
    """Release of vLLM, in an environment that is made when it is missing; empty for what there is."""
    models: Mapping[str, ModelServing] = field(default_factory=dict)
    """By label: models with a vLLM of their own, which is a difference that has to be accepted."""
    profile: Literal["published", "throughput"] = "throughput"
    """Serving flags: vLLM's own batch size, or the published card's."""
    args: Mapping[str, Json] = field(default_factory=dict)
    """More vLLM flags without their dashes; they win over the profile's."""
    env: Mapping[str, str] = field(default_factory=dict)
    """Variables for the server, beside those that evalkit itself runs with."""
    trust_remote_code: bool = False
    """Let the model's repository bring Python code that is then executed."""
    port: int = 0
    """Port of ``127.0.0.1``, or of a server's host beside ``serve.ray``; 0 for a free one. Servers that run at the same
    time have the ports that follow."""
    gpus: str = ""
    """The GPUs to spread servers over, as in ``0,1,2,3``; left out, each model in turn has one server, which takes what
    it finds. Models are served at the same time where there is room."""
    replicas: int | Literal["auto"] | None = None
    """Servers of each model, each on GPUs of its own; ``auto``, or left out where GPUs are named: as many as fit."""
    ray: str = ""
    """A Ray cluster that is there and to be served on, ``auto`` or ``HOST:PORT``; left out, this machine alone."""
    ray_resources: Mapping[str, float] = field(default_factory=dict)
    """What each server takes of that cluster beside its GPUs, by Ray's names, such as
    ``"accelerator_type:H100" = 0.001`` for a kind of GPU."""
    start_timeout_s: float = 1800.0
    """A start has failed when the server does not answer within so long."""
    stall_s: float = 300.0
    """A start has failed when the log has not grown for so long."""
    stop_patience_s: float = 20.0
    """Between SIGTERM and SIGKILL."""
    restarts: int = 3
    """How often a model's server may be started again after it died."""
    device: Literal["auto", "gpu", "cpu"] = "auto"
    """What vLLM computes on; ``auto`` asks the interpreter which build it has."""
    command: tuple[str, ...] = ()
    """What to run instead of vLLM's server; it is given the same flags."""

    @property
    def several(self) -> bool:
        """Whether servers are spread over GPUs or hosts, or a model has several."""
        return bool(self.gpus or self.ray) or self.replicas not in {None, 1}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How requests are sent."""

    window: int | None = None
    """Requests under way at once. Left out: twice the server's batch size, at most 256 at first; then more while its
    ``/metrics`` say that none waits, at most 1,024, and fewer while many wait or are pushed out of its KV cache."""
    tries: int = 4
    """How often a request is sent at most, the first time included."""
    patience_s: float = 600.0
    """How long a server that is not there yet, or refuses for now (429, 502 to 504, no connection), is asked again."""
    deadline_s: float = 600.0
    """From the start of a try to the last byte of its response."""


@dataclass(frozen=True, slots=True)
class Config:
    """One comparison, with nothing left to be asked."""

    baseline: ModelChoice
    """A hub id or a folder; ``LABEL=MODEL`` names it in the report."""
    candidates: tuple[ModelChoice, ...] = ()
    """What is held against the baseline, each written as that is."""
    tasks: tuple[str, ...] = ()
    """Names of tasks, or paths of task files; beside those of the suite."""
    suite: str | None = None
    """Left out: the tasks alone, or the default suite where no task is named either."""
    tasks_dir: tuple[str, ...] = ()
    """Folders with tasks of the user's own."""
    allow_task_code: bool = False
    """Run the Python files beside those tasks, which may bring benchmarks, metrics and harnesses."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Task name to a local file or folder that is read in place of the hub."""
    imported: tuple[ImportedFiles, ...] = ()
    """Rows of the report that are made of answers from elsewhere."""
    limit: int | None = None
    """Samples of each task, drawn at random; left out: all."""
    output: str = "runs"
    """Where the store and the runs' folders are."""
    images: ImageHandling | None = None
    """How pictures are sent, in place of what each task says."""
    dialect: Dialect | None = None
    """Whose reading of the metrics, in place of what each task says."""
    fresh: bool = False
    """Ask everything again, whatever the store has."""
    allow_overlong: bool = False
    """Go on although the largest prompt does not fit the model's context."""
    unsafe_exec: bool = False
    """Run generated code with limits but without a sandbox, where this machine has none."""
    accept_differences: tuple[str, ...] = ()
    """Items that may differ between baseline and candidate, as the report names them."""
    published: tuple[str, ...] = ()
    """Files with published figures of the baseline: a model card, or a table in TOML."""
    noise_floor: int = 0
    """Samples of each task that the baseline is asked a second time; 0 for none."""
    policy: Policy = field(default_factory=Policy)
    """What a candidate has to hold."""
    endpoints: Mapping[str, str] = field(default_factory=dict)
    """Label to the URL of a server that already runs."""
    endpoint_is: Mapping[str, str] = field(default_factory=dict)
    """Label to what the user vouches that its server is, such as a revision: answers of the same one are used again."""
    served_as: Mapping[str, str] = field(default_factory=dict)
    """Label to another name by which its server may speak of the model."""
    one_after_another: bool = False
    """Serve no two models at the same time, whatever room there is."""
    serve: Serving = Serving()
    client: ClientSettings = ClientSettings()
    perf: PerfConfig = field(default_factory=PerfConfig)
    after: After = field(default_factory=After)

    @property
    def models(self) -> tuple[ModelChoice, ...]:
        """The baseline, then the candidates."""
        return (self.baseline, *self.candidates)

    def data_of(self, task: str) -> str | None:
        """The file or folder that a task's rows are read from; data of several rows are those of each."""
        return self.data.get(task) or next((self.data[name] for name in self.data if task.startswith(f"{name}.")), None)

    def serving(self, label: str) -> Serving:
        """How the model with this label is served; a repetition of the baseline as the baseline is."""
        own = self.serve.models.get(self.baseline.label if label == self.baseline.again.label else label)
        return self.serve if own is None else replace(self.serve, python=own.python, vllm=own.vllm)


def resolved(mapping: Mapping[str, Any], source: str, given: Mapping[str, Any]) -> Config:
    """The config that a file's mapping and the options of the command line make together.

    An option takes the place of the file's key. Pairs (data, endpoints, flags, variables) are merged one by one.
    Tasks on the command line take the place of a suite in the file, and the other way round.

    Args:
        mapping: What the TOML reader returned; empty when there is no file.
        source: How messages name the file.
        given: Option name to value, as click passes them: None, an empty tuple or False when not used.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
        UsageError: No baseline is named, or a pair has no ``=``.
    """
    used = as_mapping(given)
    file = dict(mapping)
    if used.keys() & {"tasks", "suite"}:
        file = {key: value for key, value in file.items() if key not in {"tasks", "suite"}}
    if "vllm" in used.get("serve", {}) and isinstance(file.get("serve"), Mapping):
        # A release on the command line takes the place of an interpreter in the file.
        file["serve"] = {key: value for key, value in file["serve"].items() if key != "python"}
    merged = over(file, used)

    def said_in(place: str) -> str:
        return COMMAND_LINE if not mapping or has(used, place) else source

    if "baseline" not in merged:
        fix = "add --baseline MODEL, or baseline = 'MODEL' to a file given with --config"
        try:
            codec.read(Config, {**merged, "baseline": "missing"}, said_in)
        except ConfigError as error:
            # Its key may be one of those that are wrong: all of them are told.
            raise ConfigError(f"{error.message}\nno baseline is named; {fix}") from error
        raise UsageError("no baseline is named", fix=fix)
    return from_mapping(merged, said_in)


def from_mapping(mapping: Mapping[str, Any], source: codec.Source) -> Config:
    """The config that a mapping of the file's shape describes.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    config = codec.read(Config, mapping, source)
    found = [*_ranges(config), *_tables(config), *_labels(config), *_endpoints(config), *_releases(config)]
    found += cluster.problems(config.serve.ray, config.serve.ray_resources, config.serve.gpus)
    codec.refuse([*found, *imported.problems(config.imported, len(config.candidates))], source)
    labels = {choice.source: choice.label for choice in config.models}
    labels |= {choice.label: choice.label for choice in config.models}
    models = {labels[name]: one for name, one in config.serve.models.items()}
    return replace(
        config,
        # A task that is named by its origin, as tool:task, is kept by a name that can be a file's.
        data={name.replace(":", "."): place for name, place in config.data.items()},
        endpoints={labels[name]: addresses.root(url) for name, url in config.endpoints.items()},
        endpoint_is={labels[name]: revision for name, revision in config.endpoint_is.items()},
        served_as={labels[name]: other for name, other in config.served_as.items()},
        serve=replace(config.serve, models=models),
    )


def check_tasks(config: Config, names: Iterable[str]) -> None:
    """Refuse data for a task that does not take part.

    Raises:
        UsageError: With the near miss among ``names``, the tasks that were chosen.
    """
    names = list(names)
    for name in config.data:
        if name not in names and not any(one.startswith(f"{name}.") for one in names):
            raise UsageError(f"data is given for '{name}', which is not among the tasks", fix=near_miss(name, names))


def check_policy(one: Policy, tasks: Iterable[str], averaged: Iterable[str], source: codec.Source = "policy") -> None:
    """Refuse rules for rows that the report will not have.

    Raises:
        ConfigError: With the near miss among the tasks that were chosen and the categories that are averaged.
    """
    tasks, averaged = list(tasks), list(averaged)
    found = [
        problem
        for name in one.tasks
        for problem in codec.known(codec.under("tasks", name), name, tasks, "task of this run")
    ]
    for name in one.averages:
        place = codec.under("averages", name)
        if not averaged:
            found.append(Fault(place, "no category of this run has several tasks", "judge the task itself"))
        else:
            found += codec.known(place, name, averaged, "average of this run")
    codec.refuse(found, source)


def _ranges(config: Config) -> Iterator[Fault]:
    """Numbers that make no sense."""
    serve, client = config.serve, config.client
    replicas = serve.replicas if isinstance(serve.replicas, int) else None
    whole = {"limit": config.limit, "client.window": client.window, "client.tries": client.tries}
    yield from codec.at_least(1, {**whole, "serve.replicas": replicas})
    yield from codec.at_least(
        0,
        {
            "serve.restarts": serve.restarts,
            "serve.port": serve.port,
            "noise_floor": config.noise_floor,
            "client.patience_s": client.patience_s,
        },
    )
    yield from codec.above(
        0,
        {
            "client.deadline_s": client.deadline_s,
            "serve.start_timeout_s": serve.start_timeout_s,
            "serve.stall_s": serve.stall_s,
            "serve.stop_patience_s": serve.stop_patience_s,
        },
    )
    if serve.port > 65_535:
        yield Fault("serve.port", f"is {serve.port}", "must be 65535 or less")
    if not config.output:
        yield Fault("output", "is empty", "name a folder")


def _tables(config: Config) -> Iterator[Fault]:
    found_in = {
        "policy": policy.problems(config.policy),
        "perf": perf_config.problems(config.perf),
        "after": after.problems(config.after),
    }
    for name, found in found_in.items():
        yield from (replace(problem, place=f"{name}.{problem.place}") for problem in found)


def _labels(config: Config) -> Iterator[Fault]:
    """Labels name columns, folders and logs: no two models may share one, nor the file name that it becomes."""
    seen = {file_name(config.baseline.label).casefold(): config.baseline}
    if config.noise_floor:
        seen[file_name(config.baseline.again.label).casefold()] = config.baseline.again
    for number, choice in enumerate(config.candidates):
        place = f"candidates[{number}]"
        other = seen.setdefault(file_name(choice.label).casefold(), choice)
        if other is choice:
            continue
        fix = f"name one of them: LABEL={choice.source}"
        if other is config.baseline and other.source == choice.source:
            what = f"{choice.source} is the baseline"
            fix = f"to measure the noise of a repeated run, name it: again={choice.source}"
        elif other.source == choice.source:
            what = f"{choice.source} is named twice"
            fix = "remove one"
        else:
            what = f"{other.source} and {choice.source} have the same label '{choice.label}'"
        yield Fault(place, what, fix)


def _endpoints(config: Config) -> Iterator[Fault]:
    names = {name for choice in config.models for name in (choice.label, choice.source)}
    for name, url in config.endpoints.items():
        place = codec.under("endpoints", name)
        yield from codec.known(place, name, names, "model")
        if fault := addresses.fault(url):
            yield Fault(place, f"{fault}: {url!r}", "write it like http://127.0.0.1:8000")
    running = [{choice.label, choice.source} for choice in config.models]
    running = [both for both in running if both & config.endpoints.keys()]
    for key, given in (("endpoint_is", config.endpoint_is), ("served_as", config.served_as)):
        for name, value in given.items():
            place = codec.under(key, name)
            yield from codec.known(place, name, names, "model")
            if name in names and not any(name in both for both in running):
                yield Fault(place, "this model has no endpoint", "name its server with --endpoint MODEL=URL")
            if not value.strip():
                yield Fault(place, "is empty", "leave it out, or say what it is")


def _releases(config: Config) -> Iterator[Fault]:
    """Releases that are none, and models that are not in this comparison or that nobody here serves."""
    releases = {"serve.vllm": config.serve.vllm}
    names = {name for choice in config.models for name in (choice.label, choice.source)}
    for name, one in config.serve.models.items():
        place = codec.under("serve.models", name)
        releases[f"{place}.vllm"] = one.vllm
        yield from codec.known(place, name, names, "model")
        if not one.vllm and not one.python:
            yield Fault(place, "names neither a release nor an interpreter", "write vllm = '0.32.0'")
    for place, release in releases.items():
        if release and not RELEASE.fullmatch(release):
            yield Fault(place, f"is {release!r}, which is no release of vLLM", "write it like 0.32.0")
