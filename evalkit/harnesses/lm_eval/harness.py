"""MMLU as lm-eval asks it: its task group decides what is asked, evalkit's client asks, its store keeps the answers.

lm-eval is imported only when a run needs it, and never sends anything itself.
"""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import counted
from evalkit.harnesses.harness import ForeignAnswers
from evalkit.harnesses.lm_eval.facts import ASKED_BEFORE, LikelihoodFacts
from evalkit.harnesses.lm_eval.session import LikelihoodSession
from evalkit.harnesses.lm_eval.settings import settings_of
from evalkit.harnesses.lm_eval.tokens import begins_by_itself, tokenizer_for
from evalkit.harnesses.scoring import ByMetrics

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.told import AskedWords
    from evalkit.base.types import Json, Sample, Task
    from evalkit.harnesses.harness import Checker, Questions, Reading, Served, Session

_EXTRA_TOKENS: Final = 1
"""A request generates one token, whether anybody reads it or not; lm-eval leaves room for it as well."""
_BY_SUBJECT: Final = "acc_by_subject"
"""The metric for which each subject counts alike."""


class LmEval(ByMetrics):
    """The harness of MMLU."""

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> Questions:
        """MMLU's questions from the hub, or from ``data``: a folder of ``<subject>/{dev,test}-*.parquet``.

        A local folder may hold any of the 57 subjects, and is read without any network.

        Raises:
            DataError: The files lack a subject's split, a column or shots.
            InfrastructureError: The hub cannot be reached, or lm-eval is not installed.
        """
        # A report asks a harness as well, and reads no data.
        from evalkit.harnesses.lm_eval.data import mirror  # noqa: PLC0415
        from evalkit.harnesses.lm_eval.questions import GroupQuestions  # noqa: PLC0415
        from evalkit.harnesses.lm_eval.tasks import LoadedGroup  # noqa: PLC0415

        chosen = settings_of(task)
        files = mirror(task, data, chosen.shots, tell)
        forced = chosen.add_bos and chosen.forced_bos and not all(map(begins_by_itself, models))
        return GroupQuestions(chosen, files.revision, LoadedGroup(files, chosen.shots), forced=forced)

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """With ``rows`` the files of all subjects; the templates come with lm-eval."""
        if not rows:
            return "its data are all there is to fetch (--rows)"
        questions = self.questions(task, None, tell)
        return f"{counted(questions.available, 'question')} ready"

    def session(self, task: Task, served: Served, tell: Callable[[str], None]) -> Session:
        """MMLU for one model on its server.

        Raises:
            DataError: The model's tokenizer cannot be read.
        """
        chosen = settings_of(task)
        longest = min(chosen.max_length, served.max_model_len or chosen.max_length) - _EXTRA_TOKENS
        tokenizer = tokenizer_for(served, tell, add_bos=chosen.add_bos, forced=chosen.forced_bos)
        return LikelihoodSession(task.name, served.name, tokenizer, longest, tell, method=chosen.method)

    def answers(self, file: Path, task: Task, reading: Reading) -> ForeignAnswers:
        """The questions in lm-eval's own ``samples_mmlu_*.jsonl``, or in a folder of them."""
        from evalkit.harnesses.lm_eval.answers import recorded  # noqa: PLC0415

        del reading
        return ForeignAnswers(task, recorded(file))

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """The category and the subject of a question, where it has one."""
        told = sample.references
        return (told["category"], told["subject"]) if isinstance(told, dict) and "subject" in told else ()

    def made_of(self, sample: Sample) -> str:
        """The subject."""
        return sample.cluster or ""

    def combined(self, task: Task, metric: str, parts: Sequence[tuple[float, int]]) -> float | None:
        """Of `acc_by_subject` the mean of the subjects' scores."""
        del task
        return fmean(mean for mean, _ in parts) if metric == _BY_SUBJECT else None

    def parts_alike(self, task: Task) -> bool:
        """Where the row is that of `acc_by_subject`."""
        return task.headline == _BY_SUBJECT

    def task_words(self, task: Task) -> tuple[str, ...]:
        """How the subjects make the score, where they do."""
        if not self.parts_alike(task):
            return ()
        beside = "; acc, beside it, is the mean over all questions" if "acc" in task.metrics else ""
        return (f"the mean of its subjects' scores: each counts alike, whatever its size{beside}",)

    def asked_before(self) -> LikelihoodFacts:
        """That this run asked nothing."""
        return ASKED_BEFORE

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """The way of asking, the canary's figures, fallbacks and truncations."""
        return LikelihoodFacts.read(facts).words()

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker | None:
        """None: the metric ``acc`` reads the answers."""
        del task, questions, unsafe
        return None
