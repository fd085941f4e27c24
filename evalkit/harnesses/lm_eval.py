"""MMLU as lm-eval asks it: its task group decides what is asked, evalkit's client asks, its store keeps the answers.

lm-eval is imported only when a run needs it, and never sends anything itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from evalkit import schema
from evalkit.harnesses import lm_eval_data
from evalkit.harnesses.lm_eval_exam import LikelihoodExam
from evalkit.harnesses.lm_eval_requests import PATH
from evalkit.harnesses.lm_eval_tasks import BadRow, LoadedGroup
from evalkit.harnesses.lm_eval_tokens import tokenizer_for
from evalkit.identity import digest
from evalkit.types import Sample, Text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from evalkit.harnesses.harness import Checker, Exam, Questions, Served
    from evalkit.harnesses.lm_eval_tasks import Question, Subject
    from evalkit.types import Json, Task

Method = Literal["fast", "echo"]

EXTRA_TOKENS: Final = 1
"""A request generates one token, whether anybody reads it or not; lm-eval leaves room for it as well."""


@dataclass(frozen=True, slots=True)
class Settings:
    """The ``[settings]`` table of the task file."""

    shots: int = 5
    method: Method = "fast"
    """``fast`` where the server proves fit for it, or always ``echo``, as lm-eval's own API models ask."""
    max_length: int = 4096
    """Tokens of prompt, continuation and the one generated token. A longer prompt is an error, never cut."""
    add_bos: bool = True
    """Tokenize with the tokenizer's special tokens: lm-eval's ``add_bos_token``."""


def settings(task: Task) -> Settings:
    """What ``task``'s table says.

    Raises:
        ConfigError: It has an unknown key or an impossible value.
    """
    source = f"{task.source or task.name}: settings"
    found = schema.read(Settings, task.settings, source)
    least = {"shots": found.shots}
    schema.refuse([*schema.at_least(0, least), *schema.at_least(3, {"max_length": found.max_length})], source)
    return found


class LmEval:
    """The harness of MMLU."""

    def questions(self, task: Task, data: Path | None, tell: Callable[[str], None]) -> Questions:
        """MMLU's questions from the hub, or from ``data``: a folder of ``<subject>/{dev,test}-*.parquet``.

        A local folder may hold any of the 57 subjects, and is read without any network.

        Raises:
            DataError: The files lack a subject's split, a column or shots.
            InfrastructureError: The hub cannot be reached, or lm-eval is not installed.
        """
        chosen = settings(task)
        mirror = lm_eval_data.mirror(task, data, chosen.shots, tell)
        return GroupQuestions(chosen, mirror.revision, LoadedGroup(mirror, chosen.shots))

    def exam(self, task: Task, served: Served, tell: Callable[[str], None]) -> Exam:
        """MMLU for one model on its server.

        Raises:
            DataError: The model's tokenizer cannot be read.
        """
        chosen = settings(task)
        longest = min(chosen.max_length, served.max_model_len or chosen.max_length) - EXTRA_TOKENS
        tokenizer = tokenizer_for(served, tell, add_bos=chosen.add_bos)
        return LikelihoodExam(task.name, served.name, tokenizer, longest, tell, method=chosen.method)

    def checker(self, task: Task, questions: Questions, *, unsafe: bool) -> Checker | None:
        """None: the metric ``acc`` reads the answers."""
        del task, questions, unsafe
        return None


class GroupQuestions:
    """The group's questions as samples, listed by subject so that shared prefixes are adjacent."""

    checker = ""

    def __init__(self, chosen: Settings, revision: str, group: LoadedGroup) -> None:
        """Take a group that is loaded; nothing is rendered yet."""
        self._settings = chosen
        self._revision = revision
        self._group = group
        self._rendered: tuple[int | None, list[tuple[Sample, str]]] | None = None

    @property
    def revision(self) -> str:
        """The data set's commit, or a digest of the local files."""
        return self._revision

    @property
    def group(self) -> LoadedGroup:
        """lm-eval's group behind the questions."""
        return self._group

    @property
    def available(self) -> int:
        """Questions of all subjects."""
        return sum(subject.rows for subject in self._group.subjects)

    def planned(self, limit: int | None) -> int:
        """Questions that a run with ``--limit`` asks."""
        return self.available if limit is None else min(limit, self.available)

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """Every planned question with its request digest; what a smaller limit asks, a larger one asks too."""
        if self._rendered is None or self._rendered[0] != limit:
            self._rendered = (limit, list(self._render(limit)))
        yield from self._rendered[1]

    def _render(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        for subject, count in zip(self._group.subjects, shares(self._group.subjects, self.planned(limit)), strict=True):
            for question in self._group.questions(subject, range(count)):
                if isinstance(question, BadRow):
                    # Its place is kept: it is a failure of every model, not a smaller denominator.
                    name = f"{question.subject}/{question.doc_id}"
                    yield Sample(name, (Text(question.reason),), None, question.subject), ""
                else:
                    yield sample(question), request_digest(question, self._settings)


def sample(question: Question) -> Sample:
    """A question as a sample, with lm-eval's number and hashes."""
    references: dict[str, Json] = {
        "gold": question.gold,
        "choices": list(question.choices),
        "subject": question.subject,
        "category": question.category,
        "doc_hash": question.doc_hash,
        "prompt_hash": question.prompt_hash,
    }
    name = f"{question.subject}/{question.doc_id}"
    return Sample(name, (Text(question.context),), references, cluster=question.subject)


def request_digest(question: Question, chosen: Settings) -> str:
    """Identity of what is asked, whichever model it is asked of."""
    return digest(
        {
            "path": PATH,
            "context": question.context,
            "continuations": list(question.choices),
            "add_bos": chosen.add_bos,
            "max_length": chosen.max_length,
            "method": chosen.method,
        }
    )


def shares(subjects: Sequence[Subject], planned: int) -> list[int]:
    """How many questions each subject gives when ``planned`` are spread evenly over all.

    Subjects give one question each in turn, in an order drawn from their names, until enough are given; so the
    questions of a smaller number are among those of a larger one, and a few questions already span the categories.
    """
    turns = sorted(range(len(subjects)), key=lambda at: sha256(subjects[at].name.encode()).digest())
    given = [0] * len(subjects)
    left = min(planned, sum(subject.rows for subject in subjects))
    while left:
        for at in turns:
            if left and given[at] < subjects[at].rows:
                given[at] += 1
                left -= 1
    return given
