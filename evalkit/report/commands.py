"""The commands that make a report's numbers again, for people who are not on the machine that made them."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from evalkit.config.run_config import Config, ModelChoice

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.report.facts import Report

SETTINGS = "settings.toml"
"""How the command names the file of the settings that have no option."""
_VARIABLE = "env:"
"""How an engine's identity names a variable of the server."""
_FOLDERS = re.compile(r"(^|=)(?:/|~)[^/]*/(?:[^/]+/)*(?=[^/]+$)")


def serving(report: Report, label: str) -> str:
    """How a model was served; empty where evalkit did not start the server, or nothing is known of it."""
    words = _words(report.provenance.get("commands", {}).get(label, ""))
    return shlex.join(map(public, words))


def evaluating(report: Report, *, shared: bool = True) -> str:
    """``evalkit run`` with the options of this report; empty where nothing is known of them.

    Whatever is part of an answer's identity stands in it, or in the ``settings_file`` that it names. Options that are
    as they would be by themselves are left out, and so is everything that cannot move a number: folders, ports,
    interpreters, how much at once. Rules of single rows have no options; they are not told here.

    Args:
        report: Whose command it is.
        shared: For people elsewhere: paths lose their folders, addresses of servers are not told.
    """
    config = report.provenance.get("config")
    if not config:
        return ""
    file = ["--config", SETTINGS] if settings_file(report) else []
    words = ["evalkit", "run", *file, *_options(config, shared=shared), *_variables(report)]
    return shlex.join(map(public, words) if shared else words)


def settings_file(report: Report, *, shared: bool = True) -> str:
    """TOML of what moves answers and has no option: the text of the file that ``evaluating`` names, mostly empty."""
    serve = report.provenance.get("config", {}).get("serve", {})
    lines = []
    if command := serve.get("command"):
        lines.append(f"command = {json.dumps([public(word) if shared else word for word in command])}")
    if serve.get("device", "auto") != "auto":
        lines.append(f"device = {json.dumps(serve['device'])}")
    return "\n".join(["[serve]", *lines]) if lines else ""


def public(word: str) -> str:
    """A word of a command without the folders of the machine it ran on: a path becomes its last part."""
    return _FOLDERS.sub(r"\1", word)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _options(config: Mapping[str, Json], *, shared: bool) -> Iterator[str]:
    usual = Config(ModelChoice("", ""))
    yield from _asked(config, shared=shared)
    for key in ("limit", "images", "dialect", "noise_floor"):
        if config[key] != getattr(usual, key):
            yield from (f"--{key.replace('_', '-')}", str(config[key]))
    if config.get("allow_overlong"):
        yield "--allow-overlong"
    yield from _each("--accept-difference", config["accept_differences"])
    yield from _each("--published", config.get("published", ()))
    for key in ("min_recovery", "max_failed"):
        if config["policy"][key] != getattr(usual.policy, key):
            yield from (f"--{key.replace('_', '-')}", f"{config['policy'][key]:g}")
    yield from _serving(config["serve"], usual)


def _asked(config: Mapping[str, Json], *, shared: bool) -> Iterator[str]:
    """Who is asked what."""
    yield from ("--baseline", _model(config["baseline"], shared=shared))
    yield from _each("--candidate", (_model(one, shared=shared) for one in config["candidates"]))
    yield from _each("--suite", [config["suite"]] if config["suite"] else [])
    yield from _each("--task", config["tasks"])
    yield from _each("--tasks-dir", config["tasks_dir"])
    if config.get("allow_task_code"):
        yield "--allow-task-code"
    # Whose machine it was is nobody's business; whoever repeats this has an address of their own.
    yield from _each("--endpoint", (f"{name}={'URL' if shared else url}" for name, url in config["endpoints"].items()))
    for key in ("endpoint_is", "served_as"):
        option = f"--{key.replace('_', '-')}"
        yield from _each(option, (f"{name}={value}" for name, value in config.get(key, {}).items()))
    yield from _each("--data", (f"{name}={file}" for name, file in config["data"].items()))


def _each(option: str, values: Iterable[str]) -> Iterator[str]:
    for value in values:
        yield from (option, value)


def _serving(serve: Mapping[str, Json], usual: Config) -> Iterator[str]:
    # A release moves answers; an interpreter is a place on one machine.
    yield from _each("--vllm", [serve["vllm"]] if serve.get("vllm") else [])
    own = {label: one["vllm"] for label, one in serve.get("models", {}).items() if one["vllm"]}
    yield from _each("--vllm", (f"{label}={release}" for label, release in own.items()))
    if serve["profile"] != usual.serve.profile:
        yield from ("--profile", serve["profile"])
    for name, value in serve["args"].items():
        text = value if isinstance(value, str) else json.dumps(value)
        yield from ("--serve-arg", f"{name}={text}")
    if serve["trust_remote_code"]:
        yield "--trust-remote-code"


def _variables(report: Report) -> Iterator[str]:
    """The server's variables that can move an answer, those inherited from the user's own environment too."""
    found = {
        name.removeprefix(_VARIABLE): value
        for one in report.plan.contenders
        for name, value in one.engine.numerics.items()
        if name.startswith(_VARIABLE)
    }
    yield from _each("--serve-env", (f"{name}={value}" for name, value in sorted(found.items())))


def _model(one: Mapping[str, Json], *, shared: bool) -> str:
    """A model as the command line names it: with its label where that is not what the name would give."""
    source = public(one["source"]) if shared else one["source"]
    try:
        plain = ModelChoice.parse(source).label == one["label"]
    except ValueError:
        plain = False
    return source if plain else f"{one['label']}={source}"
