"""HumanEval's or MBPP's problems, from evalplus's own loader or from a file, and the samples that they make."""

from __future__ import annotations

import json
from contextlib import redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.base.identity import digest
from evalkit.base.types import Sample, Text
from evalkit.files import textfile
from evalkit.harnesses.evalplus import installed
from evalkit.harnesses.evalplus.datasets import SETS
from evalkit.tasks import draw

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json

_NEEDED = ("task_id", "prompt", "entry_point", "canonical_solution", "base_input")
_SCHEMA = f"a line has {', '.join(_NEEDED)}, and for HumanEval+ plus_input and atol"


@dataclass(frozen=True, slots=True)
class Problem:
    """A function to write, and what is known about it."""

    task_id: str
    prompt: str
    """Signature and docstring, as the data set holds them."""
    entry_point: str
    """Name of the function."""
    solution: str
    """The data set's own body, which is a program like any other: it runs in the sandbox."""
    atol: float
    tests: Mapping[str, Sequence[Sequence[Json]]]
    """Arguments of the calls, by ``base`` and ``plus``; ``plus`` is missing where it is not asked for."""
    digest: str
    """Of all of the above."""
    dataset: str = "humaneval"
    """Whose problem it is, as evalplus calls it."""

    @classmethod
    def of(cls, row: Mapping[str, Json], place: str, dataset: str = "humaneval", *, plus: bool) -> Problem:
        """The problem of one line of a data file.

        Raises:
            DataError: A key is missing or holds something else.
        """
        kinds = [("base", "base_input"), *([("plus", "plus_input")] if plus else [])]
        missing = [key for key in (*_NEEDED, *(key for _, key in kinds[1:])) if key not in row]
        if missing:
            without = "; set settings.plus = false to do without" if missing == ["plus_input"] else ""
            raise DataError(f"{place}: no {', '.join(missing)}", fix=f"{_SCHEMA}{without}")
        texts = [row[key] for key in _NEEDED[:4]]
        if not all(isinstance(text, str) for text in texts) or not texts[2].isidentifier():
            raise DataError(f"{place}: {', '.join(_NEEDED[:4])} are not all texts, or name no function", fix=_SCHEMA)
        tests = {kind: row[key] for kind, key in kinds}
        for kind, calls in tests.items():
            if not isinstance(calls, list) or not all(isinstance(call, list) for call in calls):
                raise DataError(f"{place}: {kind}_input is not a list of argument lists", fix=_SCHEMA)
        atol = row.get("atol", 0)
        if type(atol) not in {int, float}:
            raise DataError(f"{place}: atol is {atol!r}", fix="it is a number")
        task_id, prompt, entry_point, body = texts
        typed = [dataset] if SETS[dataset].typed else []
        whole = digest([*texts, repr(atol), json.dumps(tests), *typed])
        return cls(task_id, prompt, entry_point, body, atol, tests, whole, dataset)


class Problems:
    """A data set's problems, each asked ``attempts`` times. A `harness.Questions`."""

    def __init__(self, problems: Sequence[Problem], attempts: int, request: Mapping[str, Json], checker: str) -> None:
        """Take the problems in their order.

        Args:
            problems: All of the data set.
            attempts: How often each is asked.
            request: All that moves an answer besides the problem, the attempt and the model.
            checker: Identity of the rules by which answers are judged, but for the problems.
        """
        self.problems = {problem.task_id: problem for problem in problems}
        self._attempts = attempts
        self._request = dict(request)
        self._asked: list[Problem] = []
        self.revision = f"sha256:{digest([problem.digest for problem in problems])}"
        """Of the problems, whichever file they came from."""
        self.checker = f"{checker} problems-{digest([checker, self.revision])[:16]}"

    @property
    def available(self) -> int:
        """Problems x attempts."""
        return len(self.problems) * self._attempts

    def planned(self, limit: int | None) -> int:
        """Attempts at ``limit`` problems."""
        return min(len(self.problems), len(self.problems) if limit is None else limit) * self._attempts

    def drawn(self, limit: int | None) -> bool:
        """Whether problems are drawn: always where there is a limit, each with all of its attempts."""
        return limit is not None

    def rows(self, limit: int | None) -> None:
        """None: problems have no pictures."""

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """All attempts at the first problem that is asked, then at the next; each with its request digest."""
        problems = list(self.problems.values())
        if limit is not None:
            problems = [problems[place] for place in draw.whole_units(list(self.problems), limit)]
        for problem in problems:
            if problem not in self._asked:
                self._asked.append(problem)
            for attempt in range(self._attempts):
                yield (
                    sample(problem, attempt),
                    digest({**self._request, "problem": digest(problem.prompt), "attempt": attempt}),
                )

    @property
    def asked(self) -> list[Problem]:
        """The problems that ``samples`` has listed so far; all of them when it has listed none."""
        return [*self._asked] or [*self.problems.values()]


def sample(problem: Problem, attempt: int) -> Sample:
    """One attempt at one problem."""
    references = {"task_id": problem.task_id, "entry_point": problem.entry_point, "digest": problem.digest}
    return Sample(f"{problem.task_id}#{attempt}", (Text(problem.prompt),), references, problem.task_id)


def load_problems(
    data: Path | None, dataset: str = "humaneval", *, plus: bool, tell: Callable[[str], None]
) -> list[Problem]:
    """The problems of ``data`` (``.jsonl`` or ``.jsonl.gz``), or those that evalplus downloads and keeps.

    Raises:
        DataError: The file cannot be read, or is no such file.
        InfrastructureError: evalplus is not installed, or cannot download its data.
    """
    title = SETS[dataset].title
    name, rows = (title, _downloaded(dataset, tell)) if data is None else (str(data), textfile.objects(data))
    problems = [Problem.of(row, place, dataset, plus=plus) for place, row in rows]
    if not problems:
        raise DataError(f"{name}: no problems", fix=_SCHEMA)
    ids = [problem.task_id for problem in problems]
    if twice := sorted({task_id for task_id in ids if ids.count(task_id) > 1}):
        raise DataError(f"{name}: {twice[0]} occurs twice", fix="give every problem an id of its own")
    return problems


def _downloaded(dataset: str, tell: Callable[[str], None]) -> Iterable[tuple[str, Mapping[str, Json]]]:
    """The problems as evalplus itself loads them (``HUMANEVAL_OVERRIDE_PATH`` and ``MBPP_OVERRIDE_PATH`` count)."""
    known = SETS[dataset]
    tell(f"{known.title} is loaded by evalplus, which downloads it from GitHub the first time")
    try:
        # Imports a data set library for a benchmark that is not asked, so only where there is no file.
        from evalplus.data import get_human_eval_plus  # noqa: PLC0415
        from evalplus.data.mbpp import _ready_mbpp_plus_path, get_mbpp_plus  # noqa: PLC0415
    except ImportError as error:
        raise installed.unusable(error) from error
    try:
        with redirect_stdout(StringIO()):  # a progress bar, where results are printed
            if not known.typed:
                return [(str(task_id), row) for task_id, row in get_human_eval_plus().items()]
            get_mbpp_plus()  # that the file is whole; its arguments are restored where they are used
            return list(textfile.objects(Path(_ready_mbpp_plus_path())))
    except (OSError, ValueError, AssertionError, AttributeError) as error:
        raise InfrastructureError(
            f"evalplus cannot load {known.title} ({error})",
            fix=f"download {known.file} from evalplus's releases and name it: --data {dataset}=FILE",
        ) from error
