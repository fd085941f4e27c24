"""lm-eval's task group ``mmlu`` over local files, and its questions as lm-eval's own code renders them."""

from __future__ import annotations

import json
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.files.scratch import Scratch
from evalkit.harnesses.lm_eval.data import categories, narrowed, subjects

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from evalkit.base.types import Json
    from evalkit.harnesses.lm_eval.data import Mirror

GROUP: Final = "mmlu"
_LEAF = f"{GROUP}_"
_TURN: Final = RLock()


@dataclass(frozen=True, slots=True)
class Question:
    """One row as lm-eval asks it."""

    subject: str
    category: str
    doc_id: int
    """lm-eval's number of the row within its subject."""
    context: str
    choices: tuple[str, ...]
    """The continuations, such as `` A``, in lm-eval's order."""
    gold: int
    doc_hash: str
    prompt_hash: str


@dataclass(frozen=True, slots=True)
class BadRow:
    """A row that lm-eval cannot render, and why."""

    subject: str
    doc_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class Subject:
    """One leaf task of the group."""

    name: str
    category: str
    rows: int


class LoadedGroup:
    """The group with its data, in lm-eval's order of subjects."""

    def __init__(self, mirror: Mirror, shots: int) -> None:
        """Let lm-eval build the group over ``mirror``'s files.

        Raises:
            DataError: The files cannot be read as tables.
            InfrastructureError: The installed lm-eval builds something else.
        """
        # Kept as long as the group: the rows are read from arrow files in it.
        self._folder = Scratch()
        self._loaded = _load(mirror, shots, Path(self._folder.name))
        self.subjects: list[Subject] = [
            Subject(task.task_name.removeprefix(_LEAF), category.name.removeprefix(_LEAF), len(task.eval_docs))
            for category in self._loaded["groups"][GROUP]
            for task in category.get_all_tasks()
        ]

    @property
    def loaded(self) -> dict[str, Json]:
        """What lm-eval's ``TaskManager.load`` returned, so that ``lm_eval.evaluate`` can be run over the same rows."""
        return self._loaded

    def questions(self, subject: Subject, doc_ids: Iterable[int]) -> Iterator[Question | BadRow]:
        """Some rows of a subject, rendered with their shots by lm-eval's own code."""
        task = self._loaded["tasks"][_LEAF + subject.name]
        with compiled_templates():
            for doc_id in doc_ids:
                try:
                    yield _question(task, subject, doc_id)
                except Exception as error:  # noqa: BLE001 - a template over a strange row raises anything
                    yield BadRow(subject.name, doc_id, f"{subject.name}: row {doc_id}: {error or type(error).__name__}")


@contextmanager
def compiled_templates() -> Iterator[None]:
    """Have lm-eval compile each template once instead of for every row and shot.

    What is rendered stays the same; rendering a full MMLU falls from minutes to seconds. Threads take turns: models
    that are asked at the same time read the same tasks.
    """
    from lm_eval import utils  # noqa: PLC0415 - heavy, and only for runs that ask MMLU

    with _TURN:
        stock = utils.apply_template
        utils.apply_template = lambda template, doc: _compiled(template).render(**doc)
        try:
            yield
        finally:
            utils.apply_template = stock


@lru_cache(maxsize=1024)
def _compiled(template: str) -> Any:
    from lm_eval import utils  # noqa: PLC0415

    return utils.env.from_string(template)


def _question(task: Json, subject: Subject, doc_id: int) -> Question:
    from lm_eval.utils import handle_non_serializable, hash_string  # noqa: PLC0415

    doc = task.eval_docs[doc_id]
    gold, count = task.doc_to_target(doc), len(task.doc_to_choice(doc))
    if type(gold) is not int or not 0 <= gold < count:
        raise DataError(f"'answer' is {doc['answer']!r}, not a number from 0 to {count - 1}")
    context = task.fewshot_context(doc, num_fewshot=task.config.num_fewshot, gen_prefix=task.doc_to_prefix(doc))
    instances = task.construct_requests(doc=doc, ctx=context, metadata=(task.task_name, doc_id, 1))
    written = json.dumps(doc, indent=2, default=handle_non_serializable, ensure_ascii=False)
    return Question(
        subject=subject.name,
        category=subject.category,
        doc_id=doc_id,
        context=context,
        choices=tuple(instance.args[1] for instance in instances),
        gold=gold,
        doc_hash=hash_string(written),
        prompt_hash=hash_string(context),
    )


def _load(mirror: Mirror, shots: int, folder: Path) -> dict[str, Json]:
    import datasets  # noqa: PLC0415 - heavy, and only for runs that ask MMLU
    from lm_eval.tasks import TaskManager  # noqa: PLC0415

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()

    def built(files: Mirror) -> dict[str, Json]:
        _write(files, shots, folder)
        # Without the defaults: lm-eval would index some 14,000 tasks first.
        group: dict[str, Json] = TaskManager(include_path=str(folder), include_defaults=False).load([GROUP])
        return group

    try:
        try:
            loaded = built(mirror)
        except Exception:  # noqa: BLE001 - a column that nobody reads may be what cannot be decoded
            loaded = built(narrowed(mirror, folder / "narrowed"))
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"MMLU's files cannot be read: {reason}", fix="compare them with those of cais/mmlu", evidence=str(error)
        ) from error
    finally:
        if not shown:
            datasets.enable_progress_bars()
    if len(loaded["tasks"]) != len(mirror.files):
        raise InfrastructureError(
            f"lm-eval built {len(loaded['tasks'])} tasks of {len(mirror.files)} subjects", fix="install lm-eval 0.4.13"
        )
    return loaded


def _write(mirror: Mirror, shots: int, folder: Path) -> None:
    """lm-eval's own group and task files, pointed at the mirror's files: what it reads, and how, stays its own."""
    import yaml  # noqa: PLC0415 - comes with lm-eval

    asked = {f"{_LEAF}{categories()[subject]}" for subject in mirror.files}
    for subject, splits in mirror.files.items():
        source = subjects()[subject]
        first = next(iter(splits.values()))[0]
        leaf = {
            "include": str(source),
            "dataset_path": "parquet" if first.suffix == ".parquet" else "json",
            "dataset_kwargs": {
                "data_files": {split: [str(path.absolute()) for path in paths] for split, paths in splits.items()},
                "cache_dir": str(folder / "arrow"),
            },
            "num_fewshot": shots,
        }
        (folder / source.name).write_text(yaml.safe_dump(leaf), encoding="utf-8")
    for source in next(iter(subjects().values())).parent.glob(f"_{GROUP}*.yaml"):
        group = yaml.safe_load(source.read_text(encoding="utf-8"))
        # A category without a subject in the mirror is left out; lm-eval would stop at it.
        group["task"] = [name for name in group["task"] if name.removesuffix("_tasks") in asked]
        if group["task"]:
            (folder / source.name).write_text(yaml.safe_dump(group, sort_keys=False), encoding="utf-8")
