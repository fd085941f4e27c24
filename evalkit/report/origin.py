"""Where a report's numbers come from: versions, data, prompts, flags, what was held equal, and how to run it again."""

from __future__ import annotations

import json
from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit.base import codec
from evalkit.base.task_parts import PublishedPrompt
from evalkit.records.provenance import ServedFrom
from evalkit.report.commands import SETTINGS, evaluating, settings_file
from evalkit.report.words import DASH

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from evalkit.base.types import Json
    from evalkit.records.plan import PlannedTask
    from evalkit.records.provenance import ModelMaking, Provenance
    from evalkit.report.facts import Report, Row

    Grid = tuple[list[str], list[list[str]]]

_MAKERS = ("llmcompressor", "compressed-tensors", "transformers", "torch")
"""Whose releases decide what a quantized checkpoint holds."""
_DIGEST = 19
"""Signs of a digest that are shown: enough to tell two apart, ``sha256:`` included."""


def models(report: Report) -> Grid:
    """Heading and body: every model with its digest, the program that served it, and on what."""
    return ["Model", "Source", "Digest", "Served by", "On"], [
        [
            one.model.label,
            one.model.source,
            one.model.digest[:_DIGEST],
            f"{one.engine.name} {one.engine.version}"
            + (" (a server that evalkit did not start)" if one.model.endpoint else ""),
            one.engine.accelerator,
        ]
        for one in report.plan.contenders
    ]


def data(report: Report) -> Grid:
    """Heading and body: every task with its data, their revision, and the digest of its prompt."""
    return ["Task", "Data", "Revision", "Samples", "Images", "Prompt"], [
        [
            row.part.task.title,
            f"{row.part.task.dataset.id or row.part.task.source or 'local files'} ({row.part.task.dataset.split})",
            row.part.revision[:_DIGEST],
            f"{row.part.planned:,} of {row.part.available:,}",
            row.part.task.images,
            _prompt(row.part),
        ]
        for row in report.rows
    ]


def _prompt(part: PlannedTask) -> str:
    found = part.task.prompt
    if isinstance(found, PublishedPrompt):
        return f"sha256:{found.sha256[:12]} ({found.repository}, {found.constant})"
    return f"sha256:{sha256(found.encode('utf-8', 'surrogatepass')).hexdigest()[:12]}" if found else "the harness's own"


def flags(report: Report) -> Grid:
    """Heading and body: serving arguments and variables that may move an answer."""
    labels = [one.model.label for one in report.plan.contenders]
    found = [dict(one.engine.numerics) for one in report.plan.contenders]
    names = sorted({name for one in found for name in one if name != "packages"})
    return ["Flag or variable", *labels], [[name, *(_value(one.get(name)) for one in found)] for name in names]


def equalities(report: Report) -> Grid:
    """Heading and body: everything that has to be equal on both sides of every task, with what it was."""
    labels = [one.model.label for one in report.plan.contenders]
    return ["Task", "Item", "", *labels], [line for row in report.rows for line in _items(row, labels)]


def _items(row: Row, labels: Sequence[str]) -> Iterator[list[str]]:
    found = row.comparability.settings
    unlike = {one.key for listed in row.comparability.differences.values() for one in listed}
    for name in sorted({key for settings in found.values() for key in settings}):
        values = [_value(found.get(label, {}).get(name)) for label in labels]
        state = "equal" if len(set(values)) == 1 else "not known of all" if DASH in values else "differs"
        if name in unlike:
            state = "differs, accepted" if name in row.comparability.accepted else "differs"
        yield [row.part.task.title, name, state, *values]


def versions(found: Provenance) -> Grid:
    """Heading and body: programs, machine and accelerator."""
    names = ("evalkit", "commit", "python", "platform", "cpu")
    body = [[name, text] for name in names if (text := getattr(found, name))]
    body += [[f"{own.kind} {own.name}", f"{own.source}, {own.state[:_DIGEST]}"] for own in found.extensions or ()]
    body += [[f"{label} was made as", _made_with(one)] for label, one in _making(found)]
    for gpu in found.gpus or ():
        body.append(["GPU", f"{gpu.name}, {gpu.memory_mib or 0:,} MiB, driver {gpu.driver}"])
    serving = found.serving or ServedFrom()
    if serving.dtype:
        body.append(["processor (serving)", str(serving.processor)])
        body.append(["dtype (serving)", f"{serving.dtype}: {serving.dtype_reason}"])
    for where, packages in {"": found.packages, " (serving)": serving.packages}.items():
        body += [[f"{name}{where}", release] for name, release in sorted((packages or {}).items())]
    return ["What", "Version"], body


def commands(report: Report) -> list[tuple[str, str]]:
    """What was run, as commands with a word on each: the comparison first, then every server."""
    compared = evaluating(report, shared=False)
    served = report.provenance.commands or {}
    return [
        *([("The comparison", compared)] if compared else []),
        *([(SETTINGS, chosen)] if (chosen := settings_file(report, shared=False)) else []),
        *((f"How {label} was made", str(one.command)) for label, one in _making(report.provenance)),
        *((f"The server of {label}", text) for label, text in sorted(served.items())),
    ]


def _making(found: Provenance) -> list[tuple[str, ModelMaking]]:
    """Models that evalkit made, by label."""
    return sorted((label, one) for label, one in (found.making or {}).items() if one.command)


def _made_with(one: ModelMaking) -> str:
    """Such as ``w8a8 by GPTQ, 512 samples of flickr30k (seed 0), llmcompressor 0.14.0.1, torch 2.14.0``."""
    said = [f"{one.scheme} by {one.method}"]
    if one.calibration is not None:
        said.append(f"{one.calibration.get('samples')} samples of {one.calibration.get('data')} (seed {one.seed})")
    releases = one.releases or {}
    said += [f"{name} {releases[name]}" for name in _MAKERS if name in releases]
    return ", ".join(said)


def rest(found: Provenance) -> str:
    """Everything that is known, as JSON; empty where nothing is."""
    told = codec.written(found)
    return json.dumps(told, indent=2, sort_keys=True, ensure_ascii=False) if told else ""


def _value(found: Json) -> str:
    if found is None:
        return DASH
    text = found if isinstance(found, str) else json.dumps(found, sort_keys=True, ensure_ascii=False)
    return text[:12] if len(text) == 64 and all(sign in "0123456789abcdef" for sign in text) else text
