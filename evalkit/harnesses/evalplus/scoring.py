"""Scores of programs that were judged: pass@k, by HumanEval's tests or by those of HumanEval+ as well."""

from __future__ import annotations

import re
from math import fsum
from statistics import fmean
from typing import TYPE_CHECKING

from evalkit import stats
from evalkit.base.types import Score
from evalkit.harnesses.scoring import ByMetrics
from evalkit.tasks import metrics

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence

    from evalkit.base.types import Answer, Groups, Json, Sample, Task

_PASS = re.compile(metrics.PASS_AT_K)


class ByTests(ByMetrics):
    """Part of the harness: ``pass@k`` from what the checker said, every other metric from the answer's text."""

    def groups(self, task: Task) -> Groups:
        """Sampled: problems are some of many."""
        del task
        return "sampled"

    def score(self, task: Task, sample: Sample, answer: Answer) -> Mapping[str, Score]:
        """What every metric of ``task`` says of one answer.

        ``pass@k`` of one answer is whether it passed; k matters when attempts come together.
        """
        return {
            name: _passed(answer.judgement, "plus" if found["plus"] else "base")
            if (found := _PASS.fullmatch(name))
            else self.metric(name, task, sample, answer)
            for name in task.metrics
        }

    def mean(self, metric: str, values: Collection[Sequence[float]]) -> float | None:
        """The mean over problems; of ``pass@k`` by its estimator, None where a problem has fewer than k attempts."""
        found = _PASS.fullmatch(metric)
        if found is None:
            return super().mean(metric, values)
        k = int(found["k"])
        if min(map(len, values)) < k:
            return None
        return fmean(stats.pass_at_k(len(passed), round(fsum(passed)), k) for passed in values)


def _passed(judgement: Mapping[str, Json] | None, tests: str) -> Score:
    """A checker's word as a score. ``parsed`` is None when the answer holds no program."""
    if judgement is None:
        return Score(0.0, note="not judged")
    # HumanEval+ adds tests to those of HumanEval: a program has to pass both.
    word = judgement.get("base") if judgement.get("base") != "pass" else judgement.get(tests)
    parsed = None if judgement.get("unparsed") else str(word)
    return Score(float(word == "pass"), parsed, judgement.get("note"))
