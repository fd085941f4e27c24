"""Any task of lm-eval's: its code makes the prompts and scores the answers, evalkit's client asks, its store keeps."""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import UsageError
from evalkit.base.identity import digest
from evalkit.base.printable import counted
from evalkit.base.types import Score
from evalkit.files.scratch import Scratch
from evalkit.harnesses.chat import ChatSession
from evalkit.harnesses.lm_eval import wire
from evalkit.harnesses.lm_eval.facts import LikelihoodFacts
from evalkit.harnesses.lm_eval.named.facts import SCORED_BEFORE, ScoringFacts
from evalkit.harnesses.lm_eval.named.generation import ContinuationSession
from evalkit.harnesses.lm_eval.session import LikelihoodSession
from evalkit.harnesses.lm_eval.tokens import begins_by_itself, tokenizer_for
from evalkit.harnesses.scoring import ByMetrics
from evalkit.tasks.lm_eval import files, named, settings

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence

    from evalkit.base.told import AskedWords
    from evalkit.base.types import Answer, Json, Sample, Task
    from evalkit.harnesses.harness import Checker, Questions, Served, Session
    from evalkit.tasks.lm_eval.settings import NamedTaskSettings

_EXTRA_TOKENS: Final = 1
"""A request that weighs choices generates one token."""
_RULES: Final = 1
"""Goes up when judgements of this code may differ from those of the code before."""
_SCORED_WITH: Final = ("sympy", "math-verify", "latex2sympy2_extended", "langdetect", "nltk")
"""Packages that decide scores of some tasks."""
_INVALID: Final = frozenset({"[invalid]", "[invalidanswer]", "[no match]", ""})
"""What lm-eval's filters give where they found nothing."""


class NamedTasks(ByMetrics):
    """The harness of lm-eval's tasks."""

    def questions(
        self, task: Task, data: Path | None, tell: Callable[[str], None], models: Sequence[str] = ()
    ) -> Questions:
        """The task's rows from the hub, or from ``data``, as lm-eval asks them.

        Raises:
            UsageError: The task cannot be asked, or its metric is none that can be paired.
            DataError: The rows cannot be read, or do not fit.
            InfrastructureError: The hub cannot be reached, or a package is missing.
        """
        # A report asks a harness as well, and reads no data.
        from evalkit.harnesses.lm_eval.named import data as rows  # noqa: PLC0415
        from evalkit.harnesses.lm_eval.named.loading import LoadedLeaf, write  # noqa: PLC0415
        from evalkit.harnesses.lm_eval.named.questions import NamedQuestions  # noqa: PLC0415

        chosen = _settings(task)
        leaves = named.leaves_of(chosen, _folder(task))
        scratch, revisions = Scratch(), []
        for leaf in leaves:
            shots = named.shots_of(chosen, leaf.config)
            found = rows.local(leaf, data, shots) if data else rows.on_hub(leaf, task.dataset.revision)
            write(Path(scratch.name), leaf, found, shots)
            revisions.append(found.revision)
        tell(f"lm-eval builds {task.name}")
        loaded = [LoadedLeaf(Path(scratch.name), leaf.name) for leaf in leaves]
        if not all(leaf.means(task.headline) for leaf in loaded):
            raise UsageError(
                f"{task.name}: '{task.headline}' is no mean over answers, so it cannot be paired",
                fix=f"choose another with settings.metric: {', '.join(task.metrics)}",
            )
        revision = revisions[0] if len(revisions) == 1 else digest(revisions)
        forced = chosen.add_bos and chosen.forced_bos and not all(map(begins_by_itself, models))
        checker = _identity([leaf.digest for leaf in leaves], revision)
        return NamedQuestions(task, chosen, loaded, (scratch, revision, checker), forced=forced)

    def fetch(self, task: Task, tell: Callable[[str], None], *, rows: bool) -> str:
        """With ``rows`` the data; templates and solved examples come with lm-eval."""
        if not rows:
            return "its data are all there is to fetch (--rows)"
        return f"{counted(self.questions(task, None, tell).available, 'question')} ready"

    def session(self, task: Task, served: Served, tell: Callable[[str], None]) -> Session:
        """The task for one model on its server.

        Raises:
            DataError: The model's tokenizer cannot be read.
        """
        chosen = _settings(task)
        config = named.leaves_of(chosen, _folder(task))[0].config
        if named.as_chat(chosen, config):
            return ChatSession(task, served.name)
        tokenizer = tokenizer_for(served, tell, add_bos=chosen.add_bos, forced=chosen.forced_bos)
        if named.generates(config):
            return ContinuationSession(task, served.name, tokenizer)
        longest = min(chosen.max_length, served.max_model_len or chosen.max_length) - _EXTRA_TOKENS
        return LikelihoodSession(task.name, served.name, tokenizer, longest, tell, method=chosen.method)

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker:
        """Has lm-eval score the answers in a process of its own."""
        from evalkit.harnesses.lm_eval.named.checker import ScoringChecker  # noqa: PLC0415
        from evalkit.harnesses.lm_eval.named.questions import NamedQuestions  # noqa: PLC0415

        del task, unsafe
        if not isinstance(questions, NamedQuestions):
            raise TypeError("these are not the questions of this harness")
        names = [leaf.name for leaf in questions.leaves]
        return ScoringChecker(Path(questions.folder.name), names, generates=questions.generates)

    def score(self, task: Task, sample: Sample, answer: Answer) -> Mapping[str, Score]:
        """What lm-eval said of an answer, by each of the task's metrics."""
        said = answer.judgement or {"error": "not scored"}
        return {name: _score(name, said, sample, answer) for name in task.metrics}

    def mean(self, metric: str, values: Collection[Sequence[float]]) -> float | None:
        """The mean over what is paired, added up in its order as lm-eval does, so that not a digit differs."""
        del metric
        return sum(map(fmean, values)) / len(values)

    def combined(self, task: Task, metric: str, parts: Sequence[tuple[float, int]]) -> float:
        """As lm-eval's ``aggregate_subtask_metrics`` adds up a group's tasks, so that not a digit differs."""
        alike = metric in (_settings(task).unweighted or ())
        weighed = [(mean, 1 if alike else size) for mean, size in parts]
        return sum([mean * size for mean, size in weighed]) / sum(size for _, size in weighed)

    def parts_alike(self, task: Task) -> bool:
        """Whether the group says so of the row's metric."""
        return task.headline in (_settings(task).unweighted or ())

    def task_words(self, task: Task) -> tuple[str, ...]:
        """How a group's tasks make its score, and which of them do not."""
        chosen, found = _settings(task), []
        if self.parts_alike(task):
            found.append("the mean of its tasks' scores: each counts alike, whatever its size")
        if chosen.leaves_out:
            found.append(f"tasks of the group that are not in this row: {', '.join(chosen.leaves_out)}")
        return tuple(found)

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """The task of a group that a row is of."""
        return (sample.cluster,) if sample.cluster else ()

    def asked_before(self) -> None:
        """None: what was asked stands in the task."""

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """The way of asking, as far as there are several."""
        return LikelihoodFacts.read(facts).words()

    def timed_out(self, judgement: Mapping[str, Json]) -> bool:
        """Whether lm-eval's scoring came to no end."""
        return bool(judgement.get("timeout"))

    def judged_before(self, timeouts: int) -> ScoringFacts:
        """That this run scored nothing."""
        del timeouts
        return SCORED_BEFORE

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """lm-eval's release, and what its scoring stumbled over."""
        return tuple(ScoringFacts.read(facts).words())


def _settings(task: Task) -> NamedTaskSettings:
    return settings.read(task.settings, task.source or task.name)


def _folder(task: Task) -> Path:
    return Path(task.source).parent


def _identity(digests: Sequence[str], revision: str) -> str:
    """What scores an answer: lm-eval with the task's files, what its code counts on, and the rows."""
    used = []
    for name in _SCORED_WITH:
        try:
            used.append(f"{name}-{version(name)}")
        except PackageNotFoundError:
            continue
    return f"lm-eval-{files.release()} rules-{_RULES} {digest([*digests, revision, *used])[:16]}"


def _score(name: str, said: Mapping[str, Json], sample: Sample, answer: Answer) -> Score:
    found = said.get("metrics", {}).get(name)
    if "error" in said or found is None:
        # lm-eval itself would break off here. That says nothing of the answer.
        return Score(0.0, note=f"lm-eval's scoring: {said.get('error', 'no such metric')}", left_out=True)
    values = tuple(found) if isinstance(found, list) else (found,)
    if not all(0 <= value <= 1 for value in values):
        return Score(0.0, note="lm-eval gave no score from 0 to 1", left_out=True)
    parsed = _parsed(name, said, sample, answer)
    return Score(fmean(values), parsed, parts=values if isinstance(found, list) else ())


def _parsed(name: str, said: Mapping[str, Json], sample: Sample, answer: Answer) -> str | None:
    """What was read of an answer: what the metric's filter gave, or the likeliest choice."""
    choices = sample.references.get("choices")
    if choices:
        best = wire.parsed(answer.text or "").best
        return str(best) if sample.references.get("contexts") else str(choices[best]).strip()
    text = str(said.get("read", {}).get(name.partition(",")[2] or "none", ""))
    return None if text.strip() in _INVALID else text
