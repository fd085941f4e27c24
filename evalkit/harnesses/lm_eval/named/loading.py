"""lm-eval builds its tasks over rows that were chosen here, and renders their prompts, the same ones every time."""

from __future__ import annotations

import json
import random
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO, StringIO
from typing import TYPE_CHECKING, Any, Final

import yaml

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.harnesses.lm_eval.tasks import compiled_templates
from evalkit.tasks.lm_eval import functions
from evalkit.tasks.lm_eval.functions import FUNCTION

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalkit.base.types import Json
    from evalkit.harnesses.lm_eval.named.data import LeafData
    from evalkit.tasks.lm_eval.files import TaskSource

_SEED, _NUMPY_SEED, _SHOTS_SEED = 0, 1234, 1234
"""``simple_evaluate``'s of lm-eval: what a task shuffles and draws comes out as there."""
_EXTRAS: Final = {
    "langdetect": "lm-eval[ifeval]",
    "immutabledict": "lm-eval[ifeval]",
    "nltk": "lm-eval[ifeval]",
    "sympy": "lm-eval[math]",
    "math_verify": "lm-eval[math]",
    "math-verify": "lm-eval[math]",
    "antlr4": "lm-eval[math]",
}
"""What a task's code imports to what installs it."""
_SUMMED: Final = ([[1.0, 0.0], [1.0]], 2 / 3)
_AVERAGED: Final = (([0.0, 1.0, 1.0], 2 / 3), ([0.25, 0.5], 0.375))


@dataclass(frozen=True, slots=True)
class Prompt:
    """One row as lm-eval asks it."""

    leaf: str
    doc_id: int
    """lm-eval's number of the row within its split."""
    doc_hash: str
    arguments: tuple[tuple[Any, ...], ...]
    """Of each of lm-eval's requests: the context with what follows it; a chat's context is its messages as JSON."""
    target: Json


@dataclass(frozen=True, slots=True)
class UnaskedRow:
    """A row that lm-eval cannot render, and why."""

    leaf: str
    doc_id: int
    reason: str


@dataclass(frozen=True, slots=True)
class PromptStyle:
    """How prompts are put together."""

    chat: bool
    turns: bool
    system: str


def write(folder: Path, leaf: TaskSource, data: LeafData, shots: int) -> None:
    """A task file that has lm-eval read these rows; everything else stays its own."""
    kwargs = {**(data.overrides.get("dataset_kwargs") or {}), "cache_dir": str(folder / "arrow")}
    said = {
        **({} if leaf.inline else {"include": str(leaf.path)}),
        **_named_here(dict(leaf.changes), folder),
        "task": leaf.name,
        "num_fewshot": shots,
        **data.overrides,
        # What the hub's library has fetched stays in its own cache.
        "dataset_kwargs": kwargs if "data_files" in kwargs else data.overrides.get("dataset_kwargs"),
    }
    name = leaf.name.replace("/", "_")
    (folder / f"{name}.yaml").write_text(yaml.dump(said, Dumper=_Dumper), encoding="utf-8")


class _Function(str):
    """The name of a function, as a task file has it."""

    __slots__ = ()


class _Dumper(yaml.SafeDumper):  # type: ignore[misc] # yaml brings no types
    """Writes the names of functions as such."""


_Dumper.add_representer(_Function, lambda dumper, name: dumper.represent_scalar(FUNCTION, str(name)))


def _named_here(value: Any, folder: Path) -> Any:
    """What a group's file says, for a file in ``folder``: a module beside the group's file is found by a link."""
    if isinstance(value, dict):
        return {key: _named_here(one, folder) for key, one in value.items()}
    if isinstance(value, list):
        return [_named_here(one, folder) for one in value]
    if not isinstance(value, str) or not value.startswith(FUNCTION):
        return value
    name = functions.unplaced(value).removeprefix(f"{FUNCTION} ")
    if (place := functions.folder_of(value)) is None:
        return _Function(name)
    link = folder / f"beside_{sha256(str(place).encode()).hexdigest()[:12]}"
    if not link.is_symlink():
        link.symlink_to(place.resolve(), target_is_directory=True)
    return _Function(f"{link.name}.{name}")


class LoadedLeaf:
    """A task of lm-eval's with its rows."""

    def __init__(self, folder: Path, name: str) -> None:
        """Have lm-eval build the task that `write` wrote.

        Raises:
            DataError: The rows cannot be read, or do not fit the task.
            InfrastructureError: A package that the task's code needs is not installed.
        """
        self.name = name
        with seeded(), _quiet():
            self.task = _built(folder, name)
            self.task.set_fewshot_seed(seed=_SHOTS_SEED)
            self.docs = self.task.eval_docs
        self.rows = len(self.docs)

    def prompts(self, doc_ids: Sequence[int], style: PromptStyle) -> Iterator[Prompt | UnaskedRow]:
        """Some rows as lm-eval asks them, ascending.

        Examples are drawn for every row up to the last one that is wanted: each row has those that it has in a run of
        lm-eval over all rows, whichever of them are wanted.
        """
        wanted, shots = set(doc_ids), int(self.task.config.num_fewshot or 0)
        reading = _RowsDrawn(self.task)
        for doc_id in range(max(wanted, default=-1) + 1):
            if doc_id in wanted:
                with reading.going_on():
                    prompt = self._prompt(doc_id, shots, style)
                yield prompt
            elif shots:
                with reading.going_on():
                    self._draw(doc_id, shots)

    def means(self, metric: str) -> bool:
        """Whether a metric of the task is a mean over answers, or over the parts of answers."""
        name = metric.partition(",")[0]
        aggregation = self.task.aggregation().get(name)
        return aggregation is not None and (is_sum_of_parts(aggregation) or is_mean(aggregation))

    def _prompt(self, doc_id: int, shots: int, style: PromptStyle) -> Prompt | UnaskedRow:
        try:
            doc = self.docs[doc_id]
            context = self.task.fewshot_context(
                doc,
                num_fewshot=shots,
                gen_prefix=self.task.doc_to_prefix(doc),
                **(_as_messages(style) if style.chat else {}),
            )
            made = self.task.construct_requests(
                doc=doc, ctx=context, metadata=(self.name, doc_id, 1), apply_chat_template=style.chat
            )
            arguments = tuple(one.args for one in (made if isinstance(made, list) else [made]))
            return Prompt(self.name, doc_id, doc_hash(doc), arguments, _plain(self.task.doc_to_target(doc)))
        except Exception as error:  # noqa: BLE001 - a template over a strange row raises anything
            return UnaskedRow(self.name, doc_id, f"{self.name}: row {doc_id}: {error or type(error).__name__}")

    def _draw(self, doc_id: int, shots: int) -> None:
        """Let the sampler move on as it does where this row is asked."""
        config = self.task.config
        same = self.task.fewshot_cfg.split == config.test_split
        self.task.sampler.sample(n=shots, eval_doc=self.docs[doc_id] if same else None)


class _RowsDrawn:
    """One pass over the rows of a task: what lm-eval's code draws from goes on from row to row.

    Between two rows it belongs to others: models that are asked at the same time read a task in threads of their own,
    and lm-eval's code draws from generators of the process and of the task.
    """

    def __init__(self, task: Any) -> None:
        self._task = task
        self._kept: tuple[Any, ...] | None = None

    @contextmanager
    def going_on(self) -> Iterator[None]:
        """Draw where this pass has come to, in the first row from lm-eval's seeds."""
        import numpy as np  # noqa: PLC0415 - comes with lm-eval

        with compiled_templates(), seeded(), _quiet():
            if self._kept is None:
                self._task.set_fewshot_seed(seed=_SHOTS_SEED)
            else:
                state, numbers, self._task.fewshot_rnd, shots = self._kept
                random.setstate(state)
                np.random.set_state(numbers)  # noqa: NPY002 - what lm-eval's tasks draw from
                self._draw_shots_from(shots)
            yield
            numbers = np.random.get_state()  # noqa: NPY002
            shots = getattr(getattr(self._task, "sampler", None), "rnd", None)
            self._kept = random.getstate(), numbers, self._task.fewshot_rnd, shots

    def _draw_shots_from(self, shots: random.Random | None) -> None:
        if shots is not None:
            self._task.sampler.rnd = shots


def doc_hash(doc: Json) -> str:
    """A digest of a row, as lm-eval's ``doc_hash``, but for its pictures."""
    from lm_eval.utils import handle_non_serializable, hash_string  # noqa: PLC0415 - heavy

    kept = {key: value for key, value in doc.items() if not _pictured(value)}
    return str(hash_string(json.dumps(kept, indent=2, default=handle_non_serializable, ensure_ascii=False)))


def is_mean(aggregation: Any) -> bool:
    """Whether a function is the mean of what it is given."""
    return all(_says(aggregation, values, wanted) for values, wanted in _AVERAGED)


def is_sum_of_parts(aggregation: Any) -> bool:
    """Whether a function takes lists, and is the mean of all that they hold."""
    return _says(aggregation, *_SUMMED)


def png(picture: Any) -> bytes:
    """A picture as lm-eval sends it."""
    if isinstance(picture, dict) and isinstance(picture.get("bytes"), bytes):
        return bytes(picture["bytes"])
    written = BytesIO()
    picture.save(written, format="PNG")
    return written.getvalue()


def _says(aggregation: Any, values: Any, wanted: float) -> bool:
    try:
        return abs(float(aggregation(values)) - wanted) < 1e-12
    except Exception:  # noqa: BLE001 - a function of another kind raises anything
        return False


def _as_messages(style: PromptStyle) -> dict[str, Any]:
    return {
        "apply_chat_template": True,
        "fewshot_as_multiturn": style.turns,
        "chat_template": lambda messages, **_: json.dumps(messages, ensure_ascii=False),
        "system_instruction": style.system or None,
    }


def _built(folder: Path, name: str) -> Any:
    import datasets  # noqa: PLC0415 - heavy, and only for runs that ask such a task
    from lm_eval.tasks import TaskManager  # noqa: PLC0415

    shown = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        # Without the defaults: lm-eval would index some 14,000 tasks first.
        return TaskManager(include_path=str(folder), include_defaults=False).load([name])["tasks"][name]
    except ImportError as error:
        missing = error.name or next((one for one in _EXTRAS if one in str(error)), "")
        fix = f"pip install '{_EXTRAS.get(missing, missing)}'" if missing else "see what it says"
        raise InfrastructureError(
            f"lm-eval's '{name}' needs a package that is not installed: {error}", fix=fix
        ) from error
    except Exception as error:
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        raise DataError(
            f"lm-eval's '{name}' cannot be built over these rows: {type(error).__name__}: {reason}",
            fix="compare the columns with those of the task's data set",
            evidence=str(error),
        ) from error
    finally:
        if not shown:
            datasets.enable_progress_bars()


@contextmanager
def seeded(seed: int | None = None) -> Iterator[None]:
    """lm-eval's seeds, or ``seed`` (below 2**32), for what a task's code draws; the process's own state comes back."""
    import numpy as np  # noqa: PLC0415 - comes with lm-eval

    before, numbers = random.getstate(), np.random.get_state()  # noqa: NPY002 - what lm-eval's tasks draw from
    random.seed(_SEED if seed is None else seed)
    np.random.seed(_NUMPY_SEED if seed is None else seed)  # noqa: NPY002
    try:
        yield
    finally:
        random.setstate(before)
        np.random.set_state(numbers)  # noqa: NPY002


@contextmanager
def _quiet() -> Iterator[None]:
    """What a task's code prints belongs to no output of ours."""
    with redirect_stdout(StringIO()):
        yield


def _pictured(value: Any) -> bool:
    if isinstance(value, list):
        return any(map(_pictured, value))
    return (
        (hasattr(value, "save") and hasattr(value, "tobytes"))
        or isinstance(value, bytes)
        or (isinstance(value, dict) and isinstance(value.get("bytes"), bytes))
    )


def _plain(value: Any) -> Json:
    """A target as JSON can keep it."""
    try:
        return json.loads(json.dumps(value))
    except (TypeError, ValueError):
        return str(value)
