"""The commands that make a report's numbers again, for people who are not on the machine that made them."""

from __future__ import annotations

import json
import re
import shlex
from typing import TYPE_CHECKING

from evalkit.config import Config, ModelChoice

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.report.facts import Report
    from evalkit.types import Json

_FOLDERS = re.compile(r"(^|=)(?:/|~)[^/]*/(?:[^/]+/)*(?=[^/]+$)")


def serving(report: Report, label: str) -> str:
    """How a model was served; empty where evalkit did not start the server, or nothing is known of it."""
    words = _words(report.provenance.get("commands", {}).get(label, ""))
    return shlex.join(map(public, words))


def evaluating(report: Report) -> str:
    """``evalkit run`` with the options of this report; empty where nothing is known of them.

    Options that are as they would be by themselves are left out, and so is everything that cannot move a number:
    folders, ports, interpreters, how much at once. Rules of single rows have no options; they are not told here.
    """
    config = report.provenance.get("config")
    return shlex.join(map(public, ["evalkit", "run", *_options(config)])) if config else ""


def public(word: str) -> str:
    """A word of a command without the folders of the machine it ran on: a path becomes its last part."""
    return _FOLDERS.sub(r"\1", word)


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _options(config: Mapping[str, Json]) -> Iterator[str]:
    usual = Config(ModelChoice("", ""))
    yield from ("--baseline", _model(config["baseline"]))
    for one in config["candidates"]:
        yield from ("--candidate", _model(one))
    if config["suite"]:
        yield from ("--suite", config["suite"])
    for name in config["tasks"]:
        yield from ("--task", name)
    for folder in config["tasks_dir"]:
        yield from ("--tasks-dir", folder)
    for name in config["endpoints"]:
        # Whose machine it was is nobody's business; whoever repeats this has an address of their own.
        yield from ("--endpoint", f"{name}=URL")
    for name, file in config["data"].items():
        yield from ("--data", f"{name}={public(file)}")
    for key in ("limit", "images", "dialect", "noise_floor"):
        if config[key] != getattr(usual, key):
            yield from (f"--{key.replace('_', '-')}", str(config[key]))
    for key in config["accept_differences"]:
        yield from ("--accept-difference", key)
    for key in ("min_recovery", "max_failed"):
        if config["policy"][key] != getattr(usual.policy, key):
            yield from (f"--{key.replace('_', '-')}", f"{config['policy'][key]:g}")
    yield from _serving(config["serve"], usual)


def _serving(serve: Mapping[str, Json], usual: Config) -> Iterator[str]:
    if serve["profile"] != usual.serve.profile:
        yield from ("--profile", serve["profile"])
    for name, value in serve["args"].items():
        text = value if isinstance(value, str) else json.dumps(value)
        yield from ("--serve-arg", f"{name}={text}")
    if serve["trust_remote_code"]:
        yield "--trust-remote-code"


def _model(one: Mapping[str, Json]) -> str:
    """A model as the command line names it: with its label where that is not what the name would give."""
    source = public(one["source"])
    try:
        plain = ModelChoice.parse(source).label == one["label"]
    except ValueError:
        plain = False
    return source if plain else f"{one['label']}={source}"
