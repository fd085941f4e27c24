"""Subject, category and overall scores as lm-eval aggregates them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

from evalkit.errors import DataError
from evalkit.harnesses.lm_eval_requests import parsed
from evalkit.harnesses.lm_eval_tasks import compiled_templates

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.harnesses.lm_eval import GroupQuestions
    from evalkit.types import Json

Line: TypeAlias = tuple[str, str, str, float]
"""``(sample id, subject, category, accuracy)``."""


@dataclass(frozen=True, slots=True)
class Share:
    """A score with the number of questions behind it."""

    score: float
    questions: int


@dataclass(frozen=True, slots=True)
class GroupScores:
    """MMLU's table."""

    overall: Share | None
    """None when nothing was scored."""
    categories: Mapping[str, Share]
    subjects: Mapping[str, Share]


def groups(lines: Iterable[Line]) -> GroupScores:
    """The scores of every group, by lm-eval's own mean and its own average weighted by size.

    In the order of lm-eval, which is that of the questions, they equal lm-eval's to the last digit.
    """
    from lm_eval.api.metrics import aggregate_subtask_metrics, mean  # noqa: PLC0415 - heavy, and only for MMLU

    values: dict[tuple[str, str], list[float]] = {}
    for _, subject, category, accuracy in lines:
        values.setdefault((category, subject), []).append(accuracy)
    subjects = {key: Share(mean(found), len(found)) for key, found in values.items()}

    def together(shares: Sequence[Share]) -> Share:
        sizes = [share.questions for share in shares]
        return Share(aggregate_subtask_metrics([share.score for share in shares], sizes), sum(sizes))

    categories = {
        category: together([share for (other, _), share in subjects.items() if other == category])
        for category, _ in subjects
    }
    overall = together(list(subjects.values())) if subjects else None
    return GroupScores(overall, categories, {subject: share for (_, subject), share in subjects.items()})


def lm_eval_results(questions: GroupQuestions, answers: Mapping[str, str], limit: int | None = None) -> Json:
    """What ``lm_eval.evaluate`` returns when its model gives recorded answers: its own table, from our store.

    Args:
        questions: The questions that were asked.
        answers: Sample id to the answer's text, for every planned question.
        limit: As it was planned with.

    Raises:
        DataError: A planned question has no answer.
    """
    from lm_eval import evaluate  # noqa: PLC0415 - heavy, and only for MMLU

    recorded: dict[tuple[str, str], tuple[float, bool]] = {}
    asked: dict[str, list[int]] = {}
    for sample, request in questions.samples(limit):
        if not request or sample.id not in answers:
            raise DataError(f"{sample.id} has no answer", fix="finish the run first")
        found = parsed(answers[sample.id])
        context = "".join(getattr(part, "text", "") for part in sample.content)
        for pair in zip(sample.references["choices"], found.values, found.greedy, strict=True):
            recorded[context, pair[0]] = pair[1:]
        subject, _, doc_id = sample.id.rpartition("/")
        asked.setdefault(f"mmlu_{subject}", []).append(int(doc_id))
    loaded = questions.group.loaded
    # lm-eval takes an empty list of rows for all of them: what was not asked has to be left out.
    tasks = {name: task for name, task in loaded["tasks"].items() if name in asked}
    model, chosen = recorded_model(recorded), {**loaded, "tasks": tasks}
    with compiled_templates():
        return evaluate(lm=model, task_dict=chosen, samples=asked, bootstrap_iters=0)


def recorded_model(recorded: Mapping[tuple[str, str], tuple[float, bool]]) -> Json:
    """A model of lm-eval's kind that knows the log-likelihood of every (context, continuation) by heart."""
    from lm_eval.api.model import LM  # noqa: PLC0415 - heavy, and only for MMLU

    class Recorded(LM):  # type: ignore[misc]  # lm-eval has no types
        """Answers from a store; asks nobody."""

        def loglikelihood(self, requests: Json) -> list[tuple[float, bool]]:
            return [recorded[request.args] for request in requests]

        def loglikelihood_rolling(self, requests: Json) -> list[float]:
            raise NotImplementedError

        def generate_until(self, requests: Json) -> list[str]:
            raise NotImplementedError

    return Recorded()
