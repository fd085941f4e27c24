"""Benchmarks, metrics and harnesses that evalkit does not bring: Python beside a task file, and installed packages.

A Python file declares what it has in dictionaries named ``BENCHMARKS``, ``METRICS`` and ``HARNESSES``, by name. It is
executed on the user's word alone (`allowing`); once it was, what it has is known by the digest of its text, so that a
task is scored by the text that was allowed, whatever the file has become meanwhile. A package offers entry points of
the groups ``evalkit.benchmarks``, ``evalkit.metrics`` and ``evalkit.harnesses``, each of which is loaded when a task
that names it is chosen. Names that evalkit brings itself cannot be taken by either.
"""

from __future__ import annotations

import math
import re
import sys
import traceback
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cache
from hashlib import sha256
from importlib.metadata import entry_points
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, Final, cast

from evalkit.base.errors import ConfigError
from evalkit.base.task_parts import Extension
from evalkit.base.types import Score
from evalkit.files.textfile import short
from evalkit.tasks import benchmarks, metrics
from evalkit.tasks.benchmarks import BENCHMARKS, HARNESSED, MAPPED, Benchmark
from evalkit.tasks.metrics.text import as_list

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from importlib.metadata import EntryPoint, EntryPoints

    from evalkit.base.types import Dialect, Json, Task

KINDS: Final = {"benchmark": "benchmarks", "metric": "metrics", "harness": "harnesses"}
"""Kind to its plural: the end of an entry points' group, and in capitals the name of the dictionary in a file."""
_NAME = re.compile(r"[A-Za-z_][\w.-]{0,99}")
_DECLARATION = re.compile(rb"^(BENCHMARKS|METRICS|HARNESSES)\b", re.MULTILINE)
_HARNESS = (
    *("questions", "fetch", "session", "checker", "answers", "pictures", "score", "mean", "groups", "parts"),
    *("combined", "made_of", "parts_alike", "task_words", "asked_before", "asked_words", "timed_out", "judged_before"),
    "judged_words",
)
"""The methods of ``evalkit.harnesses.harness.Harness``, which stands on a higher floor."""
_OPTION = "--allow-task-code (in Python allow_task_code=True)"
_MODULE = "evalkit_task_code_"
"""How the name of a file's module begins, before the digest of its text."""


@dataclass(frozen=True, slots=True)
class _File:
    """A Python file that was executed: what it has by kind and name, or why it is of no use."""

    parts: Mapping[str, Mapping[str, Any]]
    fault: str = ""


class _Code:
    """The files that were executed in this process, by the digest of their text."""

    def __init__(self) -> None:
        self.files: dict[str, _File] = {}
        self.allowed = 0
        """How many callers allow it now."""
        self.packages: set[str] = set()
        """First parts of the names of modules from which something was loaded."""


_CODE = _Code()


@contextmanager
def allowing(*, wanted: bool = True) -> Iterator[None]:
    """Files beside task files may be executed while this lasts; with ``wanted`` false nothing changes."""
    _CODE.allowed += wanted
    try:
        yield
    finally:
        _CODE.allowed -= wanted


def allowed() -> bool:
    """Whether code that comes with task files may run now."""
    return _CODE.allowed > 0


def plain(metric: str) -> tuple[str, str | None]:
    """A metric's name and the dialect that a column has for itself: ``anls@official``; ``pass@1`` is a name."""
    if re.fullmatch(metrics.PASS_AT_K, metric):
        return metric, None
    name, sign, dialect = metric.partition("@")
    return name, dialect if sign else None


def is_built_in(kind: str, name: str) -> bool:
    """Whether evalkit itself has something of this name."""
    if kind == "metric":
        return name in metrics.METRICS or name in metrics.JUDGED or re.fullmatch(metrics.PASS_AT_K, name) is not None
    return name in BENCHMARKS or name in MAPPED or name in HARNESSED


def find(kind: str, name: str, folder: Path | None) -> Extension | None:
    """Who offers what a task file in ``folder`` names; None when nobody does.

    Raises:
        ConfigError: Several do.
    """
    offers = [Extension(kind, name, *one) for one in (*_in_files(kind, name, folder), *_in_packages(kind, name))]
    if len(offers) > 1:
        both = " and ".join(one.source for one in offers)
        raise ConfigError(f"{kind} '{name}' is offered by {both}", fix="rename or remove one of them")
    return offers[0] if offers else None


def faults(folder: Path | None) -> list[str]:
    """Sentences about the Python files of a folder that are of no use, or that are not allowed to run."""
    silent, told = [], []
    for path in _python(folder):
        file = _executed(path)
        if file is None:
            silent.append(short(path))
        elif file[1].fault:
            told.append(file[1].fault)
    if silent:
        told.append(f"code of your own in {' and '.join(silent)} was not run: {_OPTION} runs it")
    return told


def taken(task: Task) -> list[str]:
    """Sentences about installed packages that offer what evalkit itself has, of what a task names."""
    named = [("benchmark", task.benchmark), *(("metric", plain(name)[0]) for name in task.metrics)]
    return [
        f"{source} {state} offers the {kind} '{name}', too: evalkit's own is used"
        for kind, name in dict.fromkeys(named)
        if is_built_in(kind, name)
        for source, state in _in_packages(kind, name)
    ]


def loaded(task: Task) -> Task:
    """The task once everything that it names was loaded; what its benchmark says of its groups, it states now.

    Raises:
        ConfigError: Something is gone, has changed, or cannot be loaded.
    """
    groups = task.groups
    for one in task.extensions:
        thing = _thing(one)
        if isinstance(thing, Benchmark):
            groups = groups or thing.groups
    return replace(task, groups=groups)


def benchmark(task: Task) -> Benchmark:
    """The rules that make the questions of a task that is asked as chat."""
    return known_benchmark(task) or BENCHMARKS[task.benchmark]


def known_benchmark(task: Task) -> Benchmark | None:
    """The same; None where a harness has its own rules, or nobody knows the benchmark any more."""
    own = _own(task, "benchmark", task.benchmark)
    return benchmarks.known(task) if own is None else cast("Benchmark", _thing(own))


def harness(task: Task) -> Any | None:
    """The harness that a task names by its benchmark, of a file or a package; None for one that evalkit brings."""
    own = _own(task, "harness", task.benchmark)
    return None if own is None else _thing(own)


def score(name: str, task: Task, answer: str | None, references: Json, dialect: Dialect) -> Score:
    """What a metric says of an answer; one that evalkit brings as `metrics.score` does.

    Raises:
        ConfigError: A metric of a file or a package is gone, raises, or says what is no score.
    """
    if answer is None:
        return Score(0.0, note=metrics.NO_CONTENT)
    rules = known_benchmark(task)
    if rules is not None and rules.score is not None:
        return rules.score(name, answer, references, lambda said, compared: _by(name, task, said, compared, dialect))
    return _by(name, task, answer, references, dialect)


def _by(name: str, task: Task, answer: str, references: Json, dialect: Dialect) -> Score:
    """What a metric says of a text beside what it is compared with."""
    own = _own(task, "metric", name)
    if own is None:
        return metrics.score(name, answer, references, dialect)
    function = cast("metrics.Metric", _thing(own))
    try:
        found: Any = function(answer, as_list(references), dialect)
    except Exception as error:  # whatever it is, it is the metric's fault and no score
        raise _bad(own, f"raises {_said(error)} at the answer {answer[:40]!r}") from error
    result = found if isinstance(found, Score) else Score(found, parsed=answer.strip())
    try:
        value = float(result.value)
    except (TypeError, ValueError):
        value = math.nan
    if not 0 <= value <= 1:
        raise _bad(own, f"says {result.value!r} of the answer {answer[:40]!r}")
    return replace(result, value=value)


def raised_in(error: BaseException) -> str | None:
    """Where code of a tasks folder or of an extending package was under way when an error was raised, ``file:line``.

    None where no such code was under way.
    """
    own = None
    for frame, line in traceback.walk_tb(error.__traceback__):
        name = frame.f_globals.get("__name__", "")
        if name.startswith(_MODULE) or name.partition(".")[0] in _CODE.packages:
            own = f"{short(Path(frame.f_code.co_filename))}:{line}"
    return own


def _bad(own: Extension, what: str) -> ConfigError:
    return ConfigError(
        f"metric '{own.name}' ({own.source}) {what}",
        fix="correct it so that it gives a number from 0 to 1, or a Score; every answer is stored",
    )


def _own(task: Task, kind: str, name: str) -> Extension | None:
    return next((one for one in task.extensions if (one.kind, one.name) == (kind, name)), None)


def _thing(own: Extension) -> Any:
    """What an extension is."""
    if own.is_file:
        return _of_file(own)
    found = _points(own.kind, own.name)
    if not found:
        fix = f"install {own.source} {own.state}"
        raise ConfigError(f"{own.kind} '{own.name}' is of the package {own.source}, which is not installed", fix=fix)
    if (state := _version(found[0])) != own.state:
        raise ConfigError(
            f"{own.kind} '{own.name}' is of {own.source} {own.state}; installed is {state}",
            fix=f"install {own.source} {own.state}, or run the same command again: answers are reused",
        )
    return _loaded(own.kind, found[0])


def _of_file(own: Extension) -> Any:
    digest = own.state.removeprefix("sha256:")
    file = _CODE.files.get(digest)
    if file is None:
        path, what = Path(own.source), f"{own.kind} '{own.name}' is of {own.source}"
        if not path.is_file():
            raise ConfigError(f"{what}, which is not here", fix="put it back, or go to where the run was made")
        if sha256(path.read_bytes()).hexdigest() != digest:
            raise ConfigError(
                f"{what}, which has changed since",
                fix="put it back as it was, or run the same command again: answers are reused",
            )
        executed = _executed(path)
        if executed is None:
            raise ConfigError(f"{what}, which is code of a tasks folder", fix=f"add {_OPTION} to run it")
        file = executed[1]
    if file.fault:
        raise ConfigError(file.fault, fix="correct the file")
    return file.parts[own.kind][own.name]


# --- files ---


def _python(folder: Path | None) -> list[Path]:
    """The Python files beside a task file that declare something; a script that makes rows is no concern of ours."""
    return [] if folder is None else sorted(path for path in folder.glob("*.py") if _declares(path))


def _declares(path: Path) -> bool:
    try:
        return _DECLARATION.search(path.read_bytes()) is not None
    except OSError:
        return False


def _in_files(kind: str, name: str, folder: Path | None) -> Iterator[tuple[str, str]]:
    for path in _python(folder):
        file = _executed(path)
        if file is not None and name in file[1].parts.get(kind, {}):
            yield short(path), f"sha256:{file[0]}"


def in_folder(kind: str, folder: Path) -> list[tuple[str, str]]:
    """Names of a kind that the files of a folder have, each with its file; of files that may not run, none."""
    executed = [(path, _executed(path)) for path in _python(folder)]
    return [(name, short(path)) for path, file in executed if file for name in file[1].parts.get(kind, {})]


def _executed(path: Path) -> tuple[str, _File] | None:
    """A file's digest, and what it has; None when it was not executed yet and may not be."""
    text = path.read_bytes()
    digest = sha256(text).hexdigest()
    if digest not in _CODE.files:
        if not _CODE.allowed:
            return None
        _CODE.files[digest] = _execute(path, text, digest)
    return digest, _CODE.files[digest]


def _execute(path: Path, text: bytes, digest: str) -> _File:
    module = ModuleType(f"{_MODULE}{digest}")
    module.__file__ = str(path)
    # A dataclass looks its own module up.
    sys.modules[module.__name__] = module
    try:
        # The text whose digest is kept, not what the file may hold a moment later.
        exec(compile(text, str(path), "exec"), module.__dict__)  # noqa: S102 - the user has allowed it
        return _File({kind: _declared(module, kind) for kind in KINDS})
    except (Exception, SystemExit) as error:  # noqa: BLE001 - a bad file spoils itself alone
        del sys.modules[module.__name__]
        return _File({}, f"{short(path)}{_line(error, path)}: {_said(error)}")


def _declared(module: ModuleType, kind: str) -> dict[str, Any]:
    listed = KINDS[kind].upper()
    found = getattr(module, listed, {})
    if not isinstance(found, dict):
        raise TypeError(f"{listed} is no dictionary of names")
    for name, thing in found.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            raise ValueError(f"{listed}: {name!r} cannot be a name")
        if is_built_in(kind, name):
            raise ValueError(f"{listed}: '{name}' is evalkit's own; give it another name")
        if wrong := _misfit(kind, thing):
            raise TypeError(f"{listed}: '{name}' {wrong}")
    return dict(found)


def _line(error: BaseException, path: Path) -> str:
    if isinstance(error, SyntaxError):
        return f":{error.lineno}"
    lines = [one.lineno for one in traceback.extract_tb(error.__traceback__) if one.filename == str(path)]
    return f":{lines[-1]}" if lines else ""


# --- packages ---


def _in_packages(kind: str, name: str) -> list[tuple[str, str]]:
    return list(dict.fromkeys((_package(point), _version(point)) for point in _points(kind, name)))


def _points(kind: str, name: str) -> tuple[EntryPoint, ...]:
    return tuple(_offered(KINDS[kind], *sys.path).select(name=name))


@cache
def _offered(kinds: str, *_: str) -> EntryPoints:
    """Looked up once for the folders in which packages are: a large environment has hundreds to look through."""
    return entry_points(group=f"evalkit.{kinds}")


def _package(point: EntryPoint) -> str:
    return point.dist.name if point.dist else point.module


@cache
def _version(point: EntryPoint) -> str:
    """Read once: the package's metadata lie in a file, and a metric is asked for every answer."""
    return point.dist.version if point.dist else ""


@cache
def _loaded(kind: str, point: EntryPoint) -> Any:
    where = f"{kind} '{point.name}' of {_package(point)} {_version(point)}"
    try:
        found = point.load()
    except (Exception, SystemExit) as error:  # a broken package spoils its own tasks alone
        raise ConfigError(f"{where} cannot be loaded: {_said(error)}", fix="mend or remove the package") from error
    if wrong := _misfit(kind, found):
        raise ConfigError(f"{where} {wrong}", fix="mend or remove the package")
    _CODE.packages.add(point.module.partition(".")[0])
    return found


def _misfit(kind: str, thing: Any) -> str:
    """What keeps a thing from being of its kind; empty when nothing does."""
    if kind == "benchmark":
        return "" if isinstance(thing, Benchmark) else "is no Benchmark"
    if kind == "metric":
        return "" if isinstance(thing, Callable) and not isinstance(thing, type) else "is no function"  # type: ignore[arg-type]
    lacking = [name for name in _HARNESS if not callable(getattr(thing, name, None))]
    if isinstance(thing, type):
        return "is a class: declare an instance of it"
    return f"is no harness: it lacks {', '.join(lacking)}" if lacking else ""


def _said(error: BaseException) -> str:
    said = error.msg if isinstance(error, SyntaxError) else str(error)  # whose own text repeats file and line
    return f"{type(error).__name__}: {said}" if said else type(error).__name__
