"""From a model and a scheme to a candidate: checked before, made beside its place, examined, and renamed."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from platformdirs import user_log_path

from evalkit.base.errors import FullDiskError, InfrastructureError, RejectedError, UsageError, unwritable
from evalkit.base.events import Notice, Stage
from evalkit.base.printable import counted
from evalkit.config.run_config import Serving
from evalkit.files import scratch
from evalkit.quantize import asked, audit, calibration, families, record, work
from evalkit.records import checkpoint
from evalkit.serve import environment, tools

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.base.events import Say
    from evalkit.base.types import Json, Model
    from evalkit.quantize.calibration import Calibration
    from evalkit.quantize.families import Family, Scheme
    from evalkit.records.checkpoint import Checkpoint

_TOOL: Final = "llmcompressor"
_REJECTED: Final = ".rejected"


@dataclass(frozen=True, slots=True)
class Making:
    """What a user wants."""

    source: str
    """Folder or hub id."""
    scheme: str
    output: Path
    calibration: str = ""
    """File, folder or data set; empty for the published one."""
    samples: int = 512
    ignore: Sequence[str] = ()
    """Further modules that stay as they are: names, or ``re:`` and a pattern that fits from the start."""
    seed: int = 0
    tasks: Sequence[str] = ()
    """Tasks that will be asked, which the calibration data must not hold."""
    data: Mapping[str, str] = field(default_factory=dict)
    """Task to local rows."""
    runs: Path = Path("runs")
    """Folder of earlier runs, whose questions the calibration data must not hold either."""
    python: str = ""
    """Interpreter that has llm-compressor; empty for an environment of evalkit's own."""
    command: str = ""
    """The command, as the record shows it."""


@dataclass(frozen=True, slots=True)
class Made:
    """A candidate that passed."""

    folder: Path
    record: Mapping[str, Json]
    source: Checkpoint
    checkpoint: Checkpoint


@dataclass(frozen=True, slots=True)
class _Sources:
    """What was settled about the model."""

    model: Model
    folder: Path
    family: Family
    files: Checkpoint


def quantize(request: Making, say: Say) -> Made:
    """Make the candidate; nothing stands at its place unless it passed.

    Raises:
        UsageError: The request cannot be carried out: target, family, sizes, calibration data.
        RejectedError: The checkpoint is not what was asked for; it is kept beside its place.
        InfrastructureError: The worker died, or the disk is full.
    """
    wanted, output = families.scheme(request.scheme), Path(os.path.abspath(request.output))  # noqa: PTH100 - as named
    _refuse_taken(output)
    of = _source(request, wanted, say)
    data, checked = _calibration(request, wanted, of, say)
    python = request.python or _environment(say)
    with _room(output) as name:
        room = Path(name)
        _refuse_full(room, of.files, wanted)
        log = room / "worker.log"
        job, events = _job(request, wanted, of, data, room)
        try:
            done = work.carry_out(job, events, work.Place(python, room, log), say)
        except InfrastructureError as error:
            raise _with_log(error, log, output) from error
        facts = record.Decided(
            *(of.model, wanted, [*of.family.kept, *request.ignore], request.command, request.seed),
            *(data, calibration.LONGEST if data else 0, checked),
        )
        return _given_its_name(room / "checkpoint", output, of, record.record(facts, done), wanted)


def _refuse_taken(output: Path) -> None:
    """Raises: UsageError: Something has the place's name already."""
    for place in (output, _rejected(output)):
        if place.exists() or place.is_symlink():
            earlier = "what an earlier try left" if place != output else "something"
            raise UsageError(f"{place}: {earlier} stands there", fix="choose another -o, or remove it yourself")


def _rejected(output: Path) -> Path:
    return output.with_name(output.name + _REJECTED)


def _source(request: Making, wanted: Scheme, say: Say) -> _Sources:
    """The model with its family, once it is known to be one that can be quantized so."""
    label = Path(request.source).name if Path(request.source).is_dir() else request.source
    model = environment.model(request.source, label)
    folder = environment.downloaded(model, lambda text: say(Stage(text)))
    config = environment.object_in(folder / "config.json")
    of = families.family(config, request.source)
    families.refuse_unfit(config, wanted, request.source)
    files = environment.checkpoint(model)
    if files is None or files.weight_bytes is None:
        raise UsageError(f"{request.source}: its weights cannot be read", fix="name a model with safetensors files")
    return _Sources(model, folder, of, files)


def _calibration(request: Making, wanted: Scheme, of: _Sources, say: Say) -> tuple[Calibration | None, asked.Checked]:
    """The calibration data, and what they were held against; no data where none are needed."""
    if not wanted.calibrated:
        if request.calibration:
            raise UsageError(f"{wanted.name} needs no calibration data", fix="leave --calibration out")
        return None, asked.Checked()
    say(Stage("reading the calibration data"))
    sees = of.family.sees
    data = calibration.read(request.calibration, request.samples, sees=sees, tell=lambda text: say(Stage(text)))
    if len(data.chats) < request.samples:
        say(Notice(f"{data.name} has {counted(len(data.chats), 'row')}, fewer than the {request.samples:,} asked for"))
    if sees and not data.sees:
        say(Notice(f"{data.name} has no pictures, and the model sees: it is calibrated on text alone"))
    tell = lambda text: say(Stage(text))  # noqa: E731
    checked = asked.refuse_leaks(data, request.tasks, request.data, request.runs, tell)
    if checked.unread:
        names = ", ".join(checked.unread)
        say(Notice(f"{data.name} was not held against {names}: their rows are not here; evalkit fetch, or name --task"))
    return data, checked


def _environment(say: Say) -> str:
    device = tools.computing_on(Serving())
    return tools.use(tools.make(tools.recipe(_TOOL, device), say))


def _room(output: Path) -> scratch.Scratch:
    """A folder beside the candidate's place, on the same disk; those of killed makers are removed first."""
    try:
        output.parent.mkdir(parents=True, exist_ok=True)
        scratch.sweep(output.parent)
        return scratch.Scratch(output.parent)
    except OSError as error:
        raise unwritable(output.parent, error, "choose another -o") from error


def _refuse_full(room: Path, files: Checkpoint, wanted: Scheme) -> None:
    """Refuse a disk on which not even the smallest result has room."""
    least, free = int((files.weight_bytes or 0) * wanted.least), shutil.disk_usage(room).free
    if free < least:
        size = checkpoint.size
        raise FullDiskError(
            f"{room.parent}: {size(free)} are free, and the candidate needs {size(least)} at least", fix="make room"
        )


def _job(request: Making, wanted: Scheme, of: _Sources, data: Calibration | None, room: Path) -> tuple[Path, Path]:
    """The files that tell the worker what to do, and where it tells how far it is."""
    events = room / "events.jsonl"
    try:
        chats = str(data.write(room / "chats")) if data else None
        job = {
            "source": str(of.folder.resolve()),
            "target": str(room / "checkpoint"),
            "scheme": wanted.preset,
            "loader": of.family.loader,
            "must": list(of.family.kept),
            "may": list(request.ignore),
            "chats": chats,
            "longest": calibration.LONGEST,
            "seed": request.seed,
            "events": str(events),
        }
        (room / "job.json").write_text(json.dumps(job), encoding="utf-8")
    except OSError as error:
        raise unwritable(room.parent, error, "choose another -o") from error
    return room / "job.json", events


def _with_log(error: InfrastructureError, log: Path, output: Path) -> InfrastructureError:
    """The error, with the worker's log where it stays when the room is gone."""
    kept = user_log_path("evalkit") / f"quantize-{output.name}-{datetime.now(UTC):%Y%m%dT%H%M%S}.log"
    try:
        kept.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(log, kept)
    except OSError:
        return error
    evidence = error.evidence.replace(str(log), str(kept))
    return type(error)(error.message, fix=error.fix, evidence=evidence)


def _given_its_name(folder: Path, output: Path, of: _Sources, found: Mapping[str, Json], wanted: Scheme) -> Made:
    """Examine what the worker left; it gets its name, or that of a rejected one."""
    faults = audit.faults(of.files, folder, wanted) if folder.is_dir() else ["nothing was written"]
    made = environment.checkpoint(replace(of.model, source=str(folder))) if not faults else None
    if made is None:
        raise _kept_aside(folder, output, faults)
    try:
        record.write(folder, found)
        mode = (folder / "config.json").stat().st_mode
        for path in folder.iterdir():
            path.chmod(mode)  # safetensors files are their owner's alone otherwise
        # The name must not reach the disk before the files do.
        os.sync()
        folder.rename(output)
    except OSError as error:
        raise unwritable(output, error, "choose another -o") from error
    return Made(output, found, of.files, made)


def _kept_aside(folder: Path, output: Path, faults: Sequence[str]) -> RejectedError:
    place = _rejected(output)
    kept = f"kept as {place} to be looked at"
    try:
        folder.rename(place)
    except OSError as error:
        kept = f"it could not be kept ({error.strerror})"
    return RejectedError(
        f"{output.name} is rejected: {'; '.join(faults)}",
        fix=f"{kept}; nothing stands at {output}",
    )
