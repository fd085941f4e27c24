"""A report as ``model_card.md``: the evaluation section of one candidate's card, as published cards have it.

The file begins with the Hub's own metadata (``model-index``), so that it can be pasted as it is, or its two halves
into a README that has metadata already.
"""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from evalkit.perf.matching import of_checkpoints
from evalkit.records import checkpoint
from evalkit.records.provenance import ModelMaking
from evalkit.report import accuracy, commands, markup, words
from evalkit.report.as_perf import perf_section

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.records.plan import Contender, PlannedTask
    from evalkit.report.facts import ImportedRow, Report, Row

_COMMIT = re.compile(r"[0-9a-f]{40}")
_HUB_ID = re.compile(r"[\w.-]+/[\w.-]+", re.ASCII)
_INTERVALS = (
    "Recovery is candidate / baseline × 100, both on the samples that both models answered. The bracket is its 95 % "
    "interval: it holds what chance in the choice of samples explains, computed from the paired samples, so that what "
    "both models find hard does not widen it. Where it reaches to both sides of 100 %, these samples do not show "
    "that the two models differ."
)
_NOT_KNOWN = (
    "The interval says nothing of other data, prompts or serving programs, nor of whether the models have seen these "
    "data in training. Scores of other tools are comparable only with the same prompts, metrics and token limits."
)


def model_card(report: Report, label: str) -> str:
    """The sections for the candidate ``label``, its metadata before them: how it was made, what it kept and saves."""
    one = _only(report, label)
    lines = ["---", *_metadata(one, label), "---", "", *_creation(one, label)]
    lines += ["## Evaluation", "", *_introduction(one, label), ""]
    lines += _commands(one, label)
    lines += ["### Accuracy", "", *markup.table(*accuracy.table(one, sizes=True)), "", _INTERVALS, ""]
    published = words.published_table(one)
    if published[1]:
        lines += ["### Published before", "", *markup.table(*published), ""]
    lines += ["### What is not known", ""]
    known = [*words.completeness(one), *words.differences(one)]
    lines += [f"- {markup.escaped(text)}" for text in dict.fromkeys(known)]
    if not any(row.noise for row in one.rows):
        lines.append("- How much a second run of the same model on the same samples would differ was not measured.")
    lines += [f"- {_NOT_KNOWN}", *_performance(one, label)]
    return "\n".join(lines) + "\n"


def _only(report: Report, label: str) -> Report:
    """The report with one candidate."""
    chosen = tuple(one for one in report.plan.candidates if one.model.label == label)
    both = {report.baseline, label}
    beside = [replace(row, sources=_keep(row.sources, both), named=_keep(row.named, both)) for row in report.imported]
    files = _keep(report.checkpoints, both)
    return replace(
        report,
        checkpoints=files,
        doubts=tuple(text for text in report.doubts if not _of_others(text, report, label)),
        warnings=tuple(checkpoint.warnings(report.baseline, [label], files)),
        plan=replace(report.plan, candidates=chosen),
        rows=tuple(_row(row, label, both) for row in report.rows),
        imported=tuple(replace(row, **_compared(row, label, both)) for row in beside),
        averages=tuple(
            replace(one, judgements=_keep(one.judgements, {label}), published=_keep(one.published, {label}))
            for one in report.averages
        ),
    )


def _of_others(text: str, report: Report, label: str) -> bool:
    """Whether a doubt is about another candidate."""
    return any(text.startswith(f"{other} scores ") for other in report.candidates if other != label)


def _row(row: Row, label: str, both: set[str]) -> Row:
    kept = _compared(row, label, both)
    return replace(row, **kept, drift=_keep(row.drift, {label}), published=_keep(row.published, {label}))


def _compared(row: Row | ImportedRow, label: str, both: set[str]) -> dict[str, Any]:
    """What any row has of one candidate and the baseline."""
    compared = row.comparability
    return {
        "scores": _keep(row.scores, both),
        "judgements": _keep(row.judgements, {label}),
        "comparability": replace(
            compared,
            settings=_keep(compared.settings, both),
            unknown=_keep(compared.unknown, both),
            differences=_keep(compared.differences, {label}),
        ),
    }


def _keep(found: Mapping[str, Any], names: set[str]) -> dict[str, Json]:
    return {name: value for name, value in found.items() if name in names}


# --- the section ----------------------------------------------------------------------------------


def _introduction(report: Report, label: str) -> Iterator[str]:
    """What was done, with what; a smoke run says so first."""
    one = _contender(report, label)
    if report.plan.smoke:
        yield "**A smoke run: only the first part of each task was asked. These numbers are not for publication.**"
        yield ""
    elif report.plan.drawn:
        yield f"**{words.drawn(report)} Scores on a part are not those of the benchmark.**"
        yield ""
    other = _contender(report, report.baseline)
    served = _where(one)
    if _where(other) != served:
        served = f"{report.baseline} {_where(other)}, {label} {served}"
    version = report.provenance.evalkit
    by = f"evalkit {version}" if version else "evalkit"
    yield markup.escaped(
        f"{label} was evaluated beside {report.baseline} with {by}: both answered the same questions, "
        f"{served}, and their answers were paired sample by sample."
    )
    yield ""
    head = ["Task", "Data", "Revision", "Samples"]
    yield from markup.table(head, [_data(row.part) for row in report.rows])


def _data(part: PlannedTask) -> list[str]:
    data = part.task.dataset
    place = f"{data.id or 'own files'}, {data.split}" + (f" ({data.config})" if data.config else "")
    size = f"{part.planned:,} of {part.available:,}" if part.planned < part.available else f"{part.planned:,}"
    return [part.task.title, place, part.revision, size]


def _commands(report: Report, label: str) -> Iterator[str]:
    served = {name: commands.serving(report, name) for name in (report.baseline, label)}
    run = commands.evaluating(report)
    if not run and not any(served.values()):
        return
    yield from ("<details>", "<summary>Evaluation commands</summary>", "")
    if run:
        started = [not _runs_elsewhere(_contender(report, name)) for name in served]
        does = "serves both models, asks them" if all(started) else "asks both models"
        yield from (f"One command {does} and makes this section:", "")
        yield from (*markup.code([run], "sh"), "")
        if settings := commands.settings_file(report):
            yield from (f"with this as `{commands.SETTINGS}`:", "", *markup.code(settings.splitlines(), "toml"), "")
    for name, command in served.items():
        if command:
            yield from (f"{markup.escaped(name)} was served by", "", *markup.code([command], "sh"), "")
    yield from ("</details>", "")


def _where(one: Contender) -> str:
    """What served a model, as far as it is known."""
    if _runs_elsewhere(one):
        return "on a server that evalkit did not start"
    if one.engine.name == "command":
        return "served by a command of the user's"
    return f"served by {one.engine.name} {one.engine.version} on {one.engine.accelerator}"


def _runs_elsewhere(one: Contender) -> bool:
    """Whether it was asked on a server of which nothing but its name and what it says of itself is known."""
    return one.engine.name == "endpoint"


def _contender(report: Report, label: str) -> Contender:
    return next(one for one in report.plan.contenders if one.model.label == label)


# --- how it was made, and what it saves ----------------------------------------------------------


def _creation(report: Report, label: str) -> Iterator[str]:
    """How the checkpoint says that it was made: its recipe, and the command where `evalkit quantize` made it."""
    found = (report.provenance.making or {}).get(label) or ModelMaking()
    recipe, command = found.recipe, found.command
    if not recipe and not command:
        return
    scheme = report.checkpoints[label].scheme if label in report.checkpoints else "quantized"
    yield from ("## Creation", "")
    if command:
        yield f"{markup.escaped(label)} ({markup.escaped(scheme)}) was made by"
        yield from ("", *markup.code([commands.shared(command)], "sh"), "")
    if recipe:
        yield f"The recipe of {markup.escaped(label)} ({markup.escaped(scheme)}), its `recipe.yaml`:"
        yield from ("", *markup.code(recipe.splitlines(), "yaml"), "")


def _performance(report: Report, label: str) -> Iterator[str]:
    """What the candidate saves, and the command that measures it again; nothing where it was not measured."""
    result = report.performance
    one = _contender(report, label).model
    found = result and of_checkpoints(result, report.plan.baseline.model.digest, {label: one.digest})
    if found is None:
        return
    yield from ("", "## Inference performance", "")
    if command := found.provenance.command:
        said = commands.shared(command)
        yield from ("<details>", "<summary>Measuring command</summary>", "")
        yield from (*markup.code([said], "sh"), "", "</details>", "")
    lines = list(perf_section(found, "###"))
    yield from lines[:-1]


# --- the metadata ---------------------------------------------------------------------------------


def _metadata(report: Report, label: str) -> Iterator[str]:
    """The Hub's ``model-index``: every metric of every task, in percent, on all that the candidate answered."""
    base, one = report.plan.baseline.model, _contender(report, label).model
    if _HUB_ID.fullmatch(base.source) and _COMMIT.fullmatch(base.digest):
        yield from (f"base_model: {_quoted(base.source)}", "base_model_relation: quantized")
    for made in report.imported:
        yield f"# not in the model-index, because another tool made it: {_quoted(made.title)}"
    found = [row for row in report.rows if row.scores[label].scored]
    if not found:
        yield "# no score was measured"
        return
    yield from ("model-index:", f"- name: {_quoted(commands.public(one.source).rsplit('/', 1)[-1])}", "  results:")
    for row in found:
        yield from (f"  - {line}" if at == 0 else f"    {line}" for at, line in enumerate(_result(row, label)))


def _result(row: Row, label: str) -> Iterator[str]:
    part, score = row.part, row.scores[label]
    task, data = part.task, part.task.dataset
    yield "task:"
    yield f"  type: {'image-text-to-text' if row.pictures else 'text-generation'}"
    yield "dataset:"
    yield f"  name: {_quoted(task.title)}"
    # Rows of one's own are not those of the benchmark whose format they have, and must not be found under its name.
    yield f"  type: {_quoted(data.id or f'own files ({task.name})')}"
    if data.config:
        yield f"  config: {_quoted(data.config)}"
    yield f"  split: {_quoted(data.split)}"
    if data.id and _COMMIT.fullmatch(part.revision):
        yield f"  revision: {_quoted(part.revision)}"
    if part.planned < part.available or score.scored < score.planned:
        yield "  args:"
        yield f"    samples: {score.scored}"
        yield f"    available: {part.available}"
    yield "metrics:"
    for name, value in score.metrics.items():
        if value is not None:
            yield f"- type: {_quoted(name)}"
            yield f"  value: {words.percent(value)}"
            # With the task's title: the Hub's writer puts metrics of equal data under one task's name.
            yield f"  name: {_quoted(f'{task.title} {name} (%)')}"


def _quoted(text: str) -> str:
    """A text as YAML's double-quoted scalar: whatever it holds, it is this text and nothing else."""
    return '"' + "".join(map(_character, text)) + '"'


def _character(one: str) -> str:
    if one in '"\\':
        return "\\" + one
    if one.isprintable():
        return one
    if "\ud800" <= one <= "\udfff":
        # Half a pair is no character: no reader of YAML has to take it.
        return "\N{REPLACEMENT CHARACTER}"
    return f"\\U{ord(one):08X}"
