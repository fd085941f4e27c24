"""What a run leaves for people and other tools, in ``runs/<run-id>/``: written whole or not at all."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from evalkit import harnesses, report, serve
from evalkit.base.errors import NothingScoredError, unwritable
from evalkit.base.identity import file_name
from evalkit.base.printable import counted
from evalkit.base.types import Answer, Failure, FailureKind, Text
from evalkit.comparison import comparability, flips, pairs
from evalkit.comparison.pairs import Side
from evalkit.comparison.score import grouped, tally
from evalkit.files import private, resources
from evalkit.records import checkpoint
from evalkit.records.terms import KeptTerms
from evalkit.report import Evidence
from evalkit.runs import prepare, thumbnails
from evalkit.serve import environment
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.errors import EvalkitError
    from evalkit.base.types import Image, Json, Record
    from evalkit.comparison.flips import FlipList
    from evalkit.comparison.score import Scoring
    from evalkit.config.run_config import Config
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.plan import Contender, Plan, PlannedTask
    from evalkit.records.store import Store
    from evalkit.records.terms import Terms
    from evalkit.report import Report
    from evalkit.runs.prepare import Source

_NOT_ASKED = Failure(FailureKind.NOT_ASKED, "the model could not be served, or was given up before")
FORMATS = ("html", "md", "card", "evals", "junit", "json", "summary")
"""What a report can be rendered as."""


def terms(config: Config, plan: Plan, missing: Mapping[str, str]) -> KeptTerms:
    """What the report of a run is judged by.

    Args:
        config: Its policy, accepted differences and suite.
        plan: Its models; their files are read as far as they are on this machine.
        missing: Model label to why it did not answer everything.
    """
    return KeptTerms(
        policy=config.policy,
        accepted=config.accept_differences,
        averaged=prepare.averaged(config),
        published=tuple(registry.published(config.published, config.baseline.source)),
        checkpoints=checkpoints(plan),
        missing=missing,
    )


def checkpoints(plan: Plan) -> dict[str, Checkpoint]:
    """What the models' files say, by label; models whose files are not on this machine are left out."""
    found = {one.model.label: environment.checkpoint(one.model) for one in plan.contenders}
    return {label: one for label, one in found.items() if one is not None}


def forewarnings(plan: Plan, accepted: Sequence[str], python: str) -> list[str]:
    """What a look at the models' files says against the comparison, before hours are spent on it.

    Args:
        plan: The run's.
        accepted: Items that may differ.
        python: The serving interpreter; empty for this one.
    """
    files = checkpoints(plan)
    base, *labels = [one.model.label for one in plan.contenders]
    found = list(checkpoint.warnings(base, labels, files))
    own = Side(base, {}, settings=comparability.of_model(plan.baseline, files.get(base)))
    for one in plan.candidates:
        other = Side(one.model.label, {}, settings=comparability.of_model(one, files.get(one.model.label)))
        found += [
            f"{other.label} is not comparable: {unlike.what}; if that is intended, add --accept-difference {unlike.key}"
            for unlike in pairs.differences(own, other)
            if unlike.key not in accepted
        ]
    return found + [text for one in plan.contenders for text in _misfit(one, files.get(one.model.label), python)]


def _misfit(one: Contender, files: Checkpoint | None, python: str) -> Iterator[str]:
    """What the kernels of this processor do not take of a model that is served on it."""
    dtype = str(one.engine.numerics.get("dtype", "auto"))
    ours = one.engine.name in serve.DISTRIBUTIONS and one.engine.accelerator == "cpu"
    if ours and files is not None and files.scheme.startswith("W8A8 int"):
        found = serve.processor(python)
        if {"float": "float32", "half": "float16"}.get(dtype, dtype) not in {*found.int8_dtypes, "auto"}:
            fix = f"serve all models with --serve-arg dtype={found.dtype}"
            yield f"{one.model.label}: the int8 kernel of this processor ({found.kind}) does not take {dtype}; {fix}"


def build(
    plan: Plan, store: Store, terms: Terms, *, notices: Sequence[str] = (), provenance: Mapping[str, Json] | None = None
) -> Report:
    """The report of a plan, scored again from the store."""
    tallies = {
        (one.model.label, part.task.name): tally(
            part.task,
            one.model.label,
            map(_settled, store.records(part.listing, one.fingerprint(), part.checker)),
            harnesses.harness(part.task),
        )
        for one, part in plan.asked
    }
    return report.build(plan, tallies, harnesses.harness, terms, notices=notices, provenance=provenance)


def _settled(record: Record) -> Record:
    """A record as a report counts it: a planned sample that was not asked has no answer, and says why."""
    return record if record.outcome is not None else replace(record, outcome=_NOT_ASKED)


def write(folder: Path, built: Report, store: Store, sources: Sequence[Source] = ()) -> None:
    """The report in every format, and ``samples/<model>/<task>.jsonl``.

    ``sources`` hold the images of the samples; small pictures of some are kept for the report.

    Raises:
        OutputError: The folder cannot be written.
    """
    lists = flip_lists(built.plan, store)
    thumbnails.keep(folder / thumbnails.FOLDER, lists, sources)
    _write_formats(folder, built, FORMATS, evidence(folder, lists), folder.name)
    for one in built.plan.contenders:
        for part in built.plan.tasks:
            lines = _lines(part, one, store)
            write_text(folder / "samples" / file_name(one.model.label) / f"{part.task.name}.jsonl", lines)


def flip_lists(plan: Plan, store: Store) -> list[FlipList]:
    """The flips of every task and candidate, chosen from the stored answers."""
    return [
        flips.choose(
            part.task,
            one.model.label,
            zip(
                store.records(part.listing, plan.baseline.fingerprint(), part.checker),
                store.records(part.listing, one.fingerprint(), part.checker),
                strict=True,
            ),
            harnesses.harness(part.task),
        )
        for part in plan.tasks
        for one in plan.candidates
    ]


def evidence(run: Path, lists: Sequence[FlipList]) -> Evidence:
    """What a page can show of single samples: flips, and the pictures in the run's own folder."""
    return Evidence(lists, thumbnails.read(run / thumbnails.FOLDER), run.name)


def write_report(
    folder: Path, built: Report, store: Store, formats: Collection[str], *, run: Path | None = None
) -> list[Path]:
    """The report in some of ``FORMATS``, from the store and the run's folder alone; returns the files.

    Args:
        folder: Where to write.
        built: What is rendered.
        store: Its answers.
        formats: Which.
        run: The run's own folder, where its small pictures are; ``folder`` when it is None.

    Raises:
        OutputError: The folder cannot be written.
    """
    shown = evidence(run or folder, flip_lists(built.plan, store)) if "html" in formats else Evidence()
    return _write_formats(folder, built, formats, shown, (run or folder).name)


def _write_formats(folder: Path, built: Report, formats: Collection[str], shown: Evidence, run: str) -> list[Path]:
    texts: dict[str, str] = {}
    if "json" in formats:
        texts["results.json"] = report.results_text(built)
    if "md" in formats:
        texts["report.md"] = report.markdown(built)
    if "html" in formats:
        texts["report.html"] = report.html(built, _templates(), shown)
    if "card" in formats:
        several = len(built.candidates) > 1
        for label in built.candidates:
            name = f"model_card.{file_name(label)}.md" if several else "model_card.md"
            texts[name] = report.model_card(built, label)
    if "evals" in formats:
        texts |= _records(built, run)
    if "junit" in formats:
        texts["junit.xml"] = report.junit(built)
    if "summary" in formats:
        texts["summary.md"] = report.summary(built)
    for name, text in texts.items():
        write_text(folder / name, [text])
    return [folder / name for name in texts]


def _records(built: Report, run: str) -> dict[str, str]:
    """By file, what every_eval_ever and the Hub read of each model."""
    try:
        began = datetime.strptime(run[: len("20260101-000000")], "%Y%m%d-%H%M%S").replace(tzinfo=UTC)
    except ValueError:
        began = datetime.fromtimestamp(0, UTC)
    texts = {}
    for one in built.plan.contenders:
        label, name = one.model.label, file_name(one.model.label)
        for task, text in report.every_eval_ever(built, label, run, int(began.timestamp())).items():
            texts[f"every_eval_ever/{name}/{task}.json"] = text
        for task, text in report.eval_results(built, label, began.isoformat()).items():
            texts[f"eval_results/{name}/.eval_results/{task}.yaml"] = text
    return texts


def write_stopped(folder: Path, plan: Plan, error: EvalkitError) -> None:
    """``junit.xml`` and ``summary.md`` of a run that ended without a report.

    Raises:
        OutputError: The folder cannot be written.
    """
    write_text(folder / "junit.xml", [report.junit_stopped(plan, error.message, code=error.exit_code)])
    write_text(folder / "summary.md", [report.summary_stopped(plan, error.message, code=error.exit_code)])


def nothing_scored(run: str, built: Report, plan: Plan, store: Store) -> NothingScoredError:
    """The error of a run without a score: every reference is at fault, or what went wrong most often."""
    faults = {fault for row in built.rows for score in row.scores.values() for fault in score.left_out}
    if not faults:
        return NothingScoredError(
            f"run {run}: no sample was answered by any model", fix=_commonest_failure(plan, store)
        )
    said = f"run {run}: every answer was left out, the data's references are at fault: {', '.join(sorted(faults))}"
    return NothingScoredError(said, fix="correct the data; the same command then scores the stored answers")


def _commonest_failure(plan: Plan, store: Store) -> str:
    """The way out when nothing was answered: begin with what went wrong most often."""
    kinds = Counter(
        (record.outcome.kind.value, record.outcome.message)
        for one in plan.contenders
        for part in plan.tasks
        for record in store.records(part.listing, one.fingerprint())
        if isinstance(record.outcome, Failure)
    )
    if not kinds:
        return "nothing was asked"
    ((kind, message), count), *_ = kinds.most_common(1)
    return f"{counted(count, 'time')} {kind}: {message}"


def _templates() -> dict[str, str]:
    """The texts of the folder ``reports/`` that a page is made of, by file name."""
    return {
        path.name: path.read_text(encoding="utf-8")
        for path in sorted(resources.reports().iterdir())
        if path.suffix in {".j2", ".css", ".js"}
    }


def own_folder(folder: Path) -> None:
    """Make a run's folder, for its owner alone.

    Raises:
        OutputError: It cannot be made.
    """
    try:
        private.own(folder)
    except OSError as error:
        raise unwritable(folder, error, "choose another --output, then run the same command again") from error


def write_text(path: Path, parts: Iterable[str]) -> None:
    """Write a file whole: a reader sees the old one or the new one, never half of one."""
    unfinished = path.with_name(path.name + ".part")
    try:
        private.folder(path.parent)
        with open(unfinished, "w", encoding="utf-8", errors="backslashreplace", opener=private.opener) as stream:
            stream.writelines(parts)
        unfinished.replace(path)
    except OSError as error:
        raise unwritable(path, error, "choose another --output, then run the same command again") from error


def _lines(part: PlannedTask, one: Contender, store: Store) -> Iterator[str]:
    harness = harnesses.harness(part.task)
    for record in store.records(part.listing, one.fingerprint(), part.checker):
        yield json.dumps(_line(part, record, harness), ensure_ascii=False) + "\n"


def _content(parts: Iterable[Text | Image]) -> list[Json]:
    return [{"text": item.text} if isinstance(item, Text) else {"image_sha256": item.sha256} for item in parts]


def _line(part: PlannedTask, record: Record, scoring: Scoring) -> dict[str, Json]:
    sample, outcome = record.sample, record.outcome
    turns = [{"role": one.role, "content": _content(one.content)} for one in sample.turns]
    line: dict[str, Json] = {
        "id": sample.id,
        **({"turns": turns} if turns else {}),
        "content": _content(sample.content),
        **({"prefix": sample.prefix} if sample.prefix else {}),
        "references": sample.references,
        **grouped(sample, part.task, scoring),
    }
    if isinstance(outcome, Answer):
        found = scoring.score(part.task, sample, outcome)
        return {
            **line,
            "answer": outcome.text,
            "score": None if found[part.task.headline].left_out else found[part.task.headline].value,
            **({"left_out": found[part.task.headline].note} if found[part.task.headline].left_out else {}),
            "scores": {name: asdict(score) for name, score in found.items()},
            "finish_reason": outcome.finish_reason,
            "prompt_tokens": outcome.prompt_tokens,
            "completion_tokens": outcome.completion_tokens,
            "latency_s": outcome.latency_s,
            "tries": outcome.tries,
            **({"verdict": dict(outcome.judgement)} if outcome.judgement is not None else {}),
            **({"elsewhere": asdict(outcome.elsewhere)} if outcome.elsewhere is not None else {}),
        }
    outcome = outcome or _NOT_ASKED
    return {**line, "failure": {"kind": outcome.kind.value, "message": outcome.message}, "tries": outcome.tries}
