"""The commands that make a report's numbers again, for people who are not on the machine that made them."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.config.model_choice import ModelChoice
from evalkit.config.options import MEASURED_WITH, OPTIONS, PERF_OPTIONS
from evalkit.config.run_config import Config

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json
    from evalkit.config.option import Option
    from evalkit.report.facts import Report

SETTINGS = "settings.toml"
"""How the command names the file of the settings that have no option."""
_VARIABLE = "env:"
"""How an engine's identity names a variable of the server."""
_FOLDERS = re.compile(r"(^|=)(?:/|~)[^/]*/(?:[^/]+/)*(?=[^/]+$)")


def serving(report: Report, label: str) -> str:
    """How a model was served; empty where evalkit did not start the server, or nothing is known of it."""
    words = _words((report.provenance.commands or {}).get(label, ""))
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
    config = _config(report)
    if not config:
        return ""
    file = ["--config", SETTINGS] if settings_file(report) else []
    words = ["evalkit", "run", *file, *_options(config, shared=shared), *_variables(report)]
    return shlex.join(map(public, words) if shared else words)


def performance(config: Mapping[str, Json], *, here: bool = False) -> str:
    """``evalkit perf`` with what a config says; options that are as they would be by themselves are left out.

    Args:
        config: The config as it is kept; or the options of a command line in the shape of the file, whose path is its
            ``config``.
        here: For whoever is on this machine: with paths as they are, the interpreter that serves, the folder of runs.
    """
    shared = [one for one in OPTIONS if one.flag in MEASURED_WITH]
    told = [one for one in (*shared, *PERF_OPTIONS) if here or not one.quiet]
    return _command("perf", told, config, shared=not here)


def run(config: Mapping[str, Json]) -> str:
    """``evalkit run`` with what a performance run was told of models and servers, for whoever is on this machine."""
    return _command("run", [one for one in OPTIONS if one.flag in MEASURED_WITH], config, shared=False)


def _command(name: str, told: Iterable[Option], config: Mapping[str, Json], *, shared: bool) -> str:
    file = ["--config", config["config"]] if "config" in config else []
    words = _words_of([one for one in told if one.place], config, shared=shared)
    return shlex.join(["evalkit", name, *file, *words])


def settings_file(report: Report, *, shared: bool = True) -> str:
    """TOML of what moves answers and has no option: the text of the file that ``evaluating`` names, mostly empty."""
    serve = _config(report).get("serve", {})
    lines = []
    if command := serve.get("command"):
        lines.append(f"command = {json.dumps([public(word) if shared else word for word in command])}")
    if serve.get("device", "auto") != "auto":
        lines.append(f"device = {json.dumps(serve['device'])}")
    tables = [["[serve]", *lines]] if lines else []
    return "\n".join(line for table in [*tables, *_imported(report, shared=shared)] for line in table)


def _config(report: Report) -> dict[str, Json]:
    """What evalkit was told, in the shape of its file: options are found in it by their places."""
    found: dict[str, Json] = codec.written(report.provenance.config) or {}
    return found


def _imported(report: Report, *, shared: bool) -> Iterator[list[str]]:
    """The tables of imported rows, where one of them has more than the option can say; the option names none then."""
    found = _config(report).get("imported", ())
    for one in found if _beyond_option(found) else ():
        told = {key: value for key, value in one.items() if value is not None}
        for key in ("baseline", "candidates") if shared else ():
            told[key] = public(told[key]) if isinstance(told[key], str) else [public(each) for each in told[key]]
        yield ["[[imported]]", *(f"{key} = {json.dumps(value)}" for key, value in told.items())]


def _beyond_option(imported: Sequence[Mapping[str, Json]]) -> bool:
    """Whether ``--import`` could not say this."""
    return any(
        one.get("metric") or one.get("expected") or "," in "".join([one["baseline"], *one["candidates"]])
        for one in imported
    )


def public(word: str) -> str:
    """A word of a command without the folders of the machine it ran on: a path becomes its last part."""
    return _FOLDERS.sub(r"\1", word)


def shared(command: str) -> str:
    """A command for people elsewhere: paths lose their folders."""
    return shlex.join(map(public, _words(command)))


def _words(command: str) -> list[str]:
    try:
        return shlex.split(command)
    except ValueError:
        return [command]


def _options(config: Mapping[str, Json], *, shared: bool) -> Iterator[str]:
    """Every declared option that is told, as it was used."""
    # Variables: as the engine's identity has them.
    told = [one for one in OPTIONS if not one.quiet and one.flag != "--serve-env"]
    yield from _words_of(told, config, shared=shared)


def _words_of(told: Iterable[Option], config: Mapping[str, Json], *, shared: bool) -> Iterator[str]:
    usual = asdict(Config(ModelChoice("", "")))
    for one in told:
        for word in _told(one, config, usual, shared=shared):
            yield from (one.flag, word) if word else (one.flag,)


def _told(one: Option, config: Mapping[str, Json], usual: Mapping[str, Json], *, shared: bool) -> Iterator[str]:
    """The values of an option, each as a word; an empty word for one that is only switched on."""
    value = _at(config, one.place)
    if one.flag in {"--baseline", "--candidate"}:
        yield from (_model(each, shared=shared) for each in ([] if not value else value if one.several else [value]))
    elif one.kind == "releases":
        yield from [value] if value else []
        models = config.get("serve", {}).get("models", {})
        own = {label: each["vllm"] for label, each in models.items() if each["vllm"]}
        yield from (f"{label}={release}" for label, release in own.items())
    elif one.kind in {"pairs", "flags"}:
        for name, each in (value or {}).items():
            # Whose machine it was is nobody's business; whoever repeats this has an address of their own.
            said = "URL" if shared and one.flag == "--endpoint" else each
            yield f"{name}={said if isinstance(said, str) else json.dumps(said)}"
    elif one.kind == "files":
        for each in () if _beyond_option(value or ()) else value or ():
            places = [each["baseline"], *each["candidates"]]
            yield f"{each['task']}={','.join(map(public, places) if shared else places)}"
    elif one.kind == "texts":
        yield from value or ()
    elif one.kind == "switch":
        yield from [""] if value else []
    elif value != _at(usual, one.place) and value is not None:
        yield f"{value:g}" if one.kind == "number" else str(value)


def _at(config: Mapping[str, Json], place: str) -> Json:
    found: Json = config
    for key in place.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found


def _variables(report: Report) -> Iterator[str]:
    """The server's variables that can move an answer, those inherited from the user's own environment too."""
    found = {
        name.removeprefix(_VARIABLE): value
        for one in report.plan.contenders
        for name, value in one.engine.numerics.items()
        if name.startswith(_VARIABLE)
    }
    for name, value in sorted(found.items()):
        yield from ("--serve-env", f"{name}={value}")


def _model(one: Mapping[str, Json] | str, *, shared: bool) -> str:
    """A model as the command line names it: with its label where that is not what the name would give."""
    if isinstance(one, str):
        return one
    source = public(one["source"]) if shared else one["source"]
    try:
        plain = ModelChoice.parse(source).label == one["label"]
    except ValueError:
        plain = False
    return source if plain else f"{one['label']}={source}"
