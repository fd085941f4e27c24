"""From a config to a plan: models, how they are served, uses, the engine and its release, all settled."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit import serve
from evalkit.base.errors import UsageError
from evalkit.base.types import Model  # noqa: TC001 - a dataclass names it
from evalkit.config.perf_config import cache_flags, uncached
from evalkit.config.run_config import Serving  # noqa: TC001 - a dataclass names it
from evalkit.files import textfile
from evalkit.measuring import uses
from evalkit.measuring.guidellm import GuideLLM
from evalkit.measuring.vllm_bench import VllmBench
from evalkit.perf.outcome import PerfModel, PerfPlan
from evalkit.perf.prices import HourPrice, fitting, prices
from evalkit.serve import endpoint, environment, launch, tools

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.events import Say
    from evalkit.base.types import Engine
    from evalkit.config.perf_config import PerfConfig
    from evalkit.config.run_config import Config
    from evalkit.measuring.engine import SendingEngine
    from evalkit.perf.uses import Use
    from evalkit.serve.tools.serving import Making

_OF_OTHERS: Final = (
    "{label} runs at an endpoint: on what, with which flags and caches is not known, and it has one start; "
    "so there is no A/A spread, and no ratio is told"
)
_PATIENCE_S: Final = 60
_ASK: Final = "from importlib.metadata import version; print(version('guidellm'))"


@dataclass(frozen=True, slots=True)
class Settled:
    """A plan, and what carries it out."""

    plan: PerfPlan
    engine: SendingEngine
    served: tuple[tuple[Model, Serving], ...]
    """In the order of the plan's models."""
    price: HourPrice | None
    uuids: tuple[str, ...]
    """The GPUs that a server computes on."""
    notices: tuple[str, ...]
    """What a reader of the figures should know."""


def settle(config: Config, say: Say, making: Making = "named") -> Settled:
    """Everything that a performance run needs; nothing is started.

    Args:
        config: What is measured.
        say: Hears of environments.
        making: Which environments may be made; an engine's is made as one with a release that is named.

    Raises:
        UsageError: Something that was named cannot be, or a use does not fit a model.
        InfrastructureError: An environment could not be made.
    """
    how, chosen = config.perf, uses.chosen(config.perf.uses)
    served = _served(config, say, making)
    for model, serving, _ in served:
        _refuse_misfits(model, serving, chosen)
    _, serving, engine = served[0]
    sending = _engine(how, serving, say, making)
    used = serve.gpus()[: serve.gpus_used(serving)] if engine.accelerator not in {"cpu", "unknown"} else ()
    at_once, many = how.at_once(serve.window(serving))
    plan = PerfPlan(
        models=tuple(_model(*one) for one in served),
        uses=chosen,
        engine=sending.name,
        engine_release=sending.release,
        hardware=environment.cpu_name() if engine.accelerator == "cpu" else engine.accelerator,
        gpus=len(used),
        # A server that runs is not started again: it has one start.
        starts=1 if config.endpoints else how.starts,
        queries={"single-stream": how.queries, "multi-stream": many},
        concurrency=min(at_once, many),
        most_idle=how.most_idle,
    )
    price = _price(how, used[0].name if used else engine.accelerator, plan.hardware)
    models = tuple((model, one) for model, one, _ in served)
    return Settled(plan, sending, models, price, tuple(gpu.uuid for gpu in used), tuple(_notices(config, engine)))


def _notices(config: Config, engine: Engine) -> Iterator[str]:
    if engine.accelerator == "cpu":
        yield "served on a CPU: these figures say nothing of a GPU"
    if own := cache_flags(config.serve.args):
        yield f"{', '.join(own)}: not used; speed is measured with prefix and picture caches off"
    yield from (_OF_OTHERS.format(label=one.label) for one in config.models if one.label in config.endpoints)


def _served(config: Config, say: Say, making: Making) -> list[tuple[Model, Serving, Engine]]:
    """Every model, how it is served without caches, and what serves it."""
    for one in config.models:
        if one.label not in config.endpoints:
            environment.refuse_missing(one.source)
    made: dict[tuple[str, str], str] = {}
    found = []
    for one in config.models:
        told = config.serving(one.label)
        told = replace(told, args=uncached(told.args))
        if one.label in config.endpoints:
            model, engine = endpoint.running(one, config, say, config.client.patience_s)
            found.append((model, told, engine))
            continue
        if (told.python, told.vllm) not in made:
            made[told.python, told.vllm] = tools.interpreter(told, say, making).python
        serving = replace(told, python=made[told.python, told.vllm])
        if config.serve.args and not serving.command:
            serve.refuse_unknown(serving.python, dict(config.serve.args))
        model = environment.model(one.source, one.label)
        found.append((model, serving, environment.engine(serving, model)))
    return found


def _model(model: Model, serving: Serving, engine: Engine) -> PerfModel:
    # All flags, also those that cannot move an answer: they can move its time.
    flags = {} if model.endpoint else launch.flags(serving, model)
    return PerfModel(
        label=model.label,
        source=model.source,
        digest=model.digest,
        program=engine.name,
        release=engine.version,
        accelerator=engine.accelerator,
        flags=dict(sorted({**flags, **engine.numerics}.items())),
    )


def _refuse_misfits(model: Model, serving: Serving, chosen: Sequence[Use]) -> None:
    """What every query would fail of is told before a server is paid for."""
    if model.endpoint:
        return  # Its queries tell: nothing is started for them.
    longest = launch.flags(serving, model).get("max-model-len")
    seeing = [use.name for use in chosen if use.picture]
    if seeing and environment.sees(model) is False:
        raise UsageError(
            f"{model.label}: its config.json has no vision tower, and {', '.join(seeing)} sends pictures",
            fix="choose uses of text with --use, such as chat",
        )
    for use in chosen:
        if isinstance(longest, int) and use.prompt_tokens + use.output_tokens > longest:
            raise UsageError(
                f"{model.label}: {use.name} takes {use.prompt_tokens + use.output_tokens} tokens and more, and its "
                f"context has {longest}",
                fix="choose other uses with --use, or raise --serve-arg max-model-len=N where the model allows it",
            )


def _engine(config: PerfConfig, serving: Serving, say: Say, making: Making) -> SendingEngine:
    """The engine at its release."""
    if config.engine == "vllm-bench":
        python = config.engine_python or serving.python or sys.executable
        found = serve.installed(python)
        if found.name is None:
            raise UsageError(
                f"{python} has no vLLM, so no `vllm bench serve`",
                fix="name an interpreter that has it with --engine-python, or use --engine guidellm",
            )
        return VllmBench(python, f"{found.name} {found.version}")
    if config.engine_python:
        return GuideLLM(config.engine_python, _asked(config.engine_python))
    wanted = tools.recipe(tools.GUIDELLM, "cpu")
    made = tools.find(wanted)
    if made is None and making == "nothing":
        return GuideLLM("", wanted.release)
    made = made or tools.make(wanted, say)
    return GuideLLM(tools.use(made), made.release)


def _asked(python: str) -> str:
    """The release of GuideLLM that an interpreter has."""
    try:
        said = subprocess.run([python, "-c", _ASK], capture_output=True, text=True, timeout=_PATIENCE_S, check=True)
    except (OSError, subprocess.SubprocessError) as error:
        raise UsageError(
            f"{python} has no GuideLLM", fix="correct --engine-python, or leave it out: evalkit makes an environment"
        ) from error
    return said.stdout.strip()


def _price(config: PerfConfig, gpu: str, hardware: str) -> HourPrice | None:
    """The price that was told, or that of this hardware in the file that was named."""
    if config.prices:
        name = textfile.short(Path(config.prices))
        return fitting(prices(textfile.toml(Path(config.prices), name), name), gpu, name)
    if config.price is None:
        return None
    return HourPrice(gpu if gpu != "cpu" else hardware, config.price, config.currency, config.price_source, "")
