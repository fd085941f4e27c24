"""HumanEval as evalplus holds it: its problems, prompts, sanitizer, checker and estimator."""

from __future__ import annotations

from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from platform import python_version
from typing import TYPE_CHECKING

from evalkit import sandbox
from evalkit.errors import InfrastructureError
from evalkit.harnesses import evalplus_problems, evalplus_prompts, evalplus_settings
from evalkit.harnesses.evalplus_checker import ProgramChecker
from evalkit.harnesses.evalplus_exam import EvalPlusExam, request_facts
from evalkit.harnesses.evalplus_problems import Problems
from evalkit.harnesses.evalplus_render import Renderer
from evalkit.rows import local

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.harnesses.evalplus_prompts import Texts
    from evalkit.harnesses.harness import Questions, Served
    from evalkit.types import Task

_EVALPLUS_FILE = "HumanEvalPlus.jsonl.gz"
_RULES = 1
"""Goes up when verdicts of this code may differ from those of the code before."""


class EvalPlus:
    """The harness of HumanEval."""

    def questions(self, task: Task, data: Path | None, tell: Callable[[str], None]) -> Problems:
        """Every problem n times, from ``data``, the file beside the task file, or evalplus's own loader.

        Raises:
            ConfigError: The task's settings are wrong.
            DataError: The file cannot be read, or does not fit.
            InfrastructureError: evalplus is not installed, or cannot download its data.
        """
        settings = evalplus_settings.read(task)
        words = _words(settings)
        problems = evalplus_problems.load(data or _beside(task), plus=settings.plus, tell=tell)
        request = request_facts(task.decoding, words, settings.bos)
        return Problems(problems, task.decoding.n, request, _identity(settings))

    def exam(self, task: Task, served: Served, tell: Callable[[str], None]) -> EvalPlusExam:
        """The problems for one model on its server."""
        del tell
        settings = evalplus_settings.read(task)
        words = _words(settings)
        renderer = Renderer(served.url, served.name, words, settings.bos)
        return EvalPlusExam(task.decoding, words, settings.bos, renderer, served.name)

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> ProgramChecker:
        """Runs the answers in a sandbox and has evalplus compare what they return.

        Raises:
            SandboxError: There is no sandbox on this machine, and ``unsafe`` does not allow to do without.
        """
        if not isinstance(questions, Problems):
            raise TypeError("these are not the questions of this harness")
        return ProgramChecker(questions, evalplus_settings.read(task), sandbox.find(unsafe=unsafe))


def _beside(task: Task) -> Path | None:
    """The file beside the task file that it names; None for evalplus's own, which evalplus finds or downloads."""
    if task.dataset.files == (_EVALPLUS_FILE,):
        return None
    return local.matching(Path(task.source).parent, task.dataset.files)[0]


def _words(settings: evalplus_settings.Settings) -> Texts:
    """Evalplus's texts, with the task's own sentences in the places of those that it replaces."""
    words = evalplus_prompts.texts()
    return replace(
        words,
        instruction=settings.instruction or words.instruction,
        response=settings.response or words.response,
    )


def _identity(settings: evalplus_settings.Settings) -> str:
    """What judges an answer, but for the problems."""
    try:
        release = version("evalplus")
    except PackageNotFoundError as error:
        fix = f"install it beside evalkit: pip install evalplus=={evalplus_prompts.VERSION}"
        raise InfrastructureError("evalplus is not installed", fix=fix) from error
    tests = f"{'base+plus' if settings.plus else 'base'} find_zero-{settings.find_zero}"
    limits = f"{settings.min_time_limit_s:g}s-{settings.gt_time_factor:g}x-{settings.memory_mib}MiB"
    return f"evalplus-{release} rules-{_RULES} python-{python_version()} {tests} {limits}"
