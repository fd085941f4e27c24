"""Which interpreter serves: settled once, at the beginning, so that everything after it sees a plain path."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit import serve as server
from evalkit.base.errors import UsageError
from evalkit.base.events import Notice, Stage
from evalkit.serve.tools import environment
from evalkit.serve.tools.making import make
from evalkit.serve.tools.recipes import DEFAULTS, VLLM, recipe

if TYPE_CHECKING:
    from evalkit.base.events import Say
    from evalkit.base.types import Json
    from evalkit.config.run_config import Config, Serving
    from evalkit.serve.tools.recipes import Device

Making: TypeAlias = Literal["nothing", "named", "default"]
"""What may be made where it is missing: nothing, the release that is named, or the default release as well."""

_OTHERWISE = "or name a Python that has vLLM with --vllm-python; --endpoint LABEL=URL asks a server that already runs"


def settled(config: Config, say: Say, making: Making = "named") -> Config:
    """The config with an interpreter for every model that evalkit serves itself.

    Raises:
        UsageError: There is no vLLM to serve with, and none may be made.
        InfrastructureError: An environment could not be made.
    """
    served = [choice.label for choice in config.models if choice.label not in config.endpoints]
    own = {label: one for label, one in config.serve.models.items() if label in served}
    serve = config.serve
    if set(served) - own.keys():
        serve = interpreter(serve, say, making)
    models = {
        label: replace(one, python=interpreter(replace(serve, python=one.python, vllm=one.vllm), say, making).python)
        for label, one in own.items()
    }
    return replace(config, serve=replace(serve, models={**config.serve.models, **models}))


def interpreter(serve: Serving, say: Say, making: Making = "named") -> Serving:
    """The settings with the interpreter that serves.

    That is the one that is named, or else has the release that is named, or else the one that runs evalkit where it
    has vLLM, or else that of an environment made earlier.

    Raises:
        UsageError: There is none, and none may be made.
        InfrastructureError: An environment could not be made.
    """
    if serve.command:
        return serve
    if serve.python:
        _note_unused(serve, say)
        return serve
    if not serve.vllm and server.installed(serve.python).name:
        return serve
    device = computing_on(serve)
    wanted = recipe(VLLM, device, serve.vllm)
    found = environment.find(wanted) if serve.vllm else environment.newest_vllm(device)
    if found is not None:
        say(Notice(f"served with {found}"))
    elif making == "default" or (serve.vllm and making == "named"):
        found = make(wanted, say)
    else:
        raise _missing(serve.vllm)
    # Who only looks ahead does not use it.
    return replace(serve, python=str(found.interpreter) if making == "nothing" else environment.use(found))


def provenance(serve: Serving) -> dict[str, Json]:
    """The environment of evalkit's own that a model is served from, for ``run.json``; empty where it is another's."""
    made = None if serve.command else environment.of_interpreter(serve.python)
    return {"name": made.name, "release": made.release, "torch": made.torch} if made else {}


def computing_on(serve: Serving) -> Device:
    """What a vLLM that evalkit makes computes on here."""
    if serve.device != "auto":
        return serve.device
    return "gpu" if server.gpus() else "cpu"


def _note_unused(serve: Serving, say: Say) -> None:
    made = environment.of_interpreter(serve.python)
    if made is not None:
        environment.use(made)
    if serve.vllm:
        say(Stage(f"vLLM {serve.vllm} is not made: {serve.python} is named (--vllm-python), which goes before it"))


def _missing(release: str) -> UsageError:
    if release:
        return UsageError(
            f"there is no environment with vLLM {release} yet",
            fix=f"`evalkit tools make {VLLM} --release {release}` makes it, as `evalkit run` would; {_OTHERWISE}",
        )
    return UsageError(
        "there is no vLLM to serve with, neither beside evalkit nor in an environment made earlier",
        fix=f"`evalkit tools make {VLLM}` makes one with release {DEFAULTS[VLLM]}; {_OTHERWISE}",
    )
