"""What holds for a harness unless it says otherwise: answers are scored by the metrics, one by one."""

from __future__ import annotations

from statistics import fmean
from typing import TYPE_CHECKING, cast

from evalkit.base.told import AskedWords
from evalkit.harnesses.facts import StoredFacts
from evalkit.tasks import extensions

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Answer, Dialect, Groups, Json, Sample, Score, Task
    from evalkit.harnesses.harness import Facts, ForeignAnswers, Reading


class ByMetrics:
    """Part of a harness: the metrics score, nobody judges, and there is nothing to tell of how a task was asked."""

    # --- scores ---

    def groups(self, task: Task) -> Groups:
        """Fixed: subjects and categories are what people group by, and who drew groups can state it."""
        del task
        return "fixed"

    def parts(self, sample: Sample) -> tuple[str, ...]:
        """None."""
        del sample
        return ()

    def score(self, task: Task, sample: Sample, answer: Answer) -> Mapping[str, Score]:
        """What every metric of ``task`` says of one answer."""
        return {name: self.metric(name, task, sample, answer) for name in task.metrics}

    def metric(self, name: str, task: Task, sample: Sample, answer: Answer) -> Score:
        """What one metric says; its name may end in a dialect of its own (``anls@official``), else it is the task's."""
        metric, _, own = name.partition("@")
        return extensions.score(
            metric, task, answer.scored(task), sample.references, cast("Dialect", own or task.dialect)
        )

    def mean(self, metric: str, values: Collection[Sequence[float]]) -> float | None:
        """The mean over what is paired, of the mean over the attempts at each."""
        del metric
        # fmean rounds once: the mean does not depend on the order of the samples.
        return fmean(one[0] if len(one) == 1 else fmean(one) for one in values)

    def combined(self, task: Task, metric: str, parts: Sequence[tuple[float, int]]) -> float | None:
        """None: a task's score is the mean over what is paired, whatever part it is in."""
        del task, metric, parts
        return None

    def made_of(self, sample: Sample) -> str:
        """The widest of its parts."""
        return next(iter(self.parts(sample)), "")

    def parts_alike(self, task: Task) -> bool:
        """No: samples count alike."""
        del task
        return False

    # --- what else is known ---

    def task_words(self, task: Task) -> tuple[str, ...]:
        """None: the title says it."""
        del task
        return ()

    def answers(self, file: Path, task: Task, reading: Reading) -> ForeignAnswers | None:
        """None can be read."""
        del file, task, reading
        return None

    def pictures(self, task: Task) -> tuple[str, ...]:
        """None."""
        del task
        return ()

    def asked_before(self) -> Facts | None:
        """None: there is one way of asking."""
        return None

    def asked_words(self, facts: Mapping[str, Json]) -> AskedWords:
        """Every fact by its name."""
        return AskedWords(tuple(StoredFacts.read(facts).told()))

    def timed_out(self, judgement: Mapping[str, Json]) -> bool:
        """No: nothing is judged."""
        del judgement
        return False

    def judged_before(self, timeouts: int) -> Facts:
        """No facts: nothing is judged."""
        del timeouts
        return StoredFacts()

    def judged_words(self, facts: Mapping[str, Json]) -> tuple[str, ...]:
        """Every fact by its name."""
        return tuple(StoredFacts.read(facts).told())
