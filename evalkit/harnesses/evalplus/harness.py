"""HumanEval and MBPP as evalplus holds it: its problems, prompts, sanitizer, checker and estimator."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from evalkit import sandbox
from evalkit.base.printable import counted
from evalkit.base.types import Answer
from evalkit.harnesses.evalplus import installed
from evalkit.harnesses.evalplus.checker import ProgramChecker
from evalkit.harnesses.evalplus.datasets import SETS
from evalkit.harnesses.evalplus.facts import ASKED_BEFORE, AskingFacts, JudgingFacts
from evalkit.harnesses.evalplus.problems import Problems, load_problems
from evalkit.harnesses.evalplus.prompts import texts
from evalkit.harnesses.evalplus.render import Renderer
from evalkit.harnesses.evalplus.samples import attempts
from evalkit.harnesses.evalplus.scoring import ByTests
from evalkit.harnesses.evalplus.session import EvalPlusSession, request_facts
from evalkit.harnesses.evalplus.settings import settings_of
from evalkit.harnesses.facts import FROM_STORE
from evalkit.harnesses.harness import ForeignAnswers

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.base.told import AskedWords
    from evalkit.base.types import Json, Task
    from evalkit.harnesses.evalplus.prompts import Texts
    from evalkit.harnesses.evalplus.settings import EvalPlusSettings
    from evalkit.harnesses.harness import Questions, Reading, Served

_RULES = 2
"""Goes up when judgements of this code may differ from those of the code before."""


class EvalPlus(ByTests):
    """The harness of HumanEval and MBPP."""

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> Problems:
        """Every problem n times, from ``data``, the file beside the task file, or evalplus's own loader.

        Raises:
            ConfigError: The task's settings are wrong.
            DataError: The file cannot be read, or does not fit.
            InfrastructureError: evalplus is not installed, or cannot download its data.
        """
        del models
        settings = settings_of(task)
        words = _words(task, settings)
        problems = load_problems(data or _beside(task), task.benchmark, plus=settings.plus, tell=tell)
        request = request_facts(task.decoding, words, settings.bos)
        return Problems(problems, task.decoding.n, request, _identity(settings))

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """With ``rows`` the problems; the texts of the prompts come with evalplus."""
        if not rows:
            return "its problems are all there is to fetch (--rows)"
        questions = self.questions(task, None, tell)
        return f"{counted(questions.available // task.decoding.n, 'problem')} ready"

    def session(self, task: Task, served: Served, tell: Callable[[str], None]) -> EvalPlusSession:
        """The problems for one model on its server."""
        del tell
        settings = settings_of(task)
        words = _words(task, settings)
        renderer = Renderer(served, words, settings.bos)
        return EvalPlusSession(task.decoding, words, settings.bos, renderer, served.name)

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> ProgramChecker:
        """Runs the answers in a sandbox and has evalplus compare what they return.

        Raises:
            SandboxError: There is no sandbox on this machine, and ``unsafe`` does not allow to do without.
        """
        if not isinstance(questions, Problems):
            raise TypeError("these are not the questions of this harness")
        return ProgramChecker(questions, settings_of(task), sandbox.find(unsafe=unsafe))

    def answers(self, file: Path, task: Task, reading: Reading) -> ForeignAnswers:
        """Programs in evalplus's own sample files, or in its folders with one file an attempt."""
        problems = self.questions(task, reading.data, reading.tell)
        checker = self.checker(task, problems, unsafe=reading.unsafe)
        found = (
            (sample, Answer(text, "stop", None, None, 0.0))
            for sample, text in attempts(file, problems, sanitize=reading.sanitize)
        )
        # A file may hold any number of attempts, whatever the task asks for: they are averaged within a problem first.
        several = replace(task, decoding=replace(task.decoding, n=max(task.decoding.n, 2)))
        return ForeignAnswers(several, found, checker)

    def asked_before(self) -> AskingFacts:
        """That this run asked nothing."""
        return ASKED_BEFORE

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """The prompt's form and its beginning."""
        return AskingFacts.read(facts).words()

    def timed_out(self, judgement: Mapping[str, Json]) -> bool:
        """Whether a program ran out of time on the base or the further tests."""
        return "timeout" in judgement.values()

    def judged_before(self, timeouts: int) -> JudgingFacts:
        """That this run judged nothing."""
        return JudgingFacts(judgements=FROM_STORE, timeouts=timeouts)

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """The sandbox, the limits, how often they were met, and what is unlike evalplus."""
        return JudgingFacts.read(facts).words()


def _beside(task: Task) -> Path | None:
    """The file beside the task file that it names; None for evalplus's own, which evalplus finds or downloads."""
    if task.dataset.files == (SETS[task.benchmark].file,):
        return None
    from evalkit.tasks.rows import local  # noqa: PLC0415 - a report asks a harness as well, and reads no rows

    return local.matching(Path(task.source).parent, task.dataset.files)[0]


def _words(task: Task, settings: EvalPlusSettings) -> Texts:
    """Evalplus's texts, with the task's own sentences in the places of those that it replaces."""
    words = texts(task.benchmark)
    return replace(
        words,
        instruction=settings.instruction or words.instruction,
        response=settings.response or words.response,
    )


def _identity(settings: EvalPlusSettings) -> str:
    """What judges an answer, but for the problems."""
    tests = f"{'base+plus' if settings.plus else 'base'} find_zero-{settings.find_zero}"
    limits = f"{settings.min_time_limit_s:g}s-{settings.gt_time_factor:g}x-{settings.memory_mib}MiB"
    return f"evalplus-{installed.release()} rules-{_RULES} python-{python_version()} {tests} {limits}"
