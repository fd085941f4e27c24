"""MMLU's questions as samples, and which of them a run with a limit asks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.identity import digest
from evalkit.base.types import Sample, Text
from evalkit.harnesses.lm_eval.tasks import BadRow
from evalkit.harnesses.lm_eval.wire import PATH
from evalkit.tasks import draw

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.base.types import Json
    from evalkit.harnesses.lm_eval.settings import LmEvalSettings
    from evalkit.harnesses.lm_eval.tasks import LoadedGroup, Question


class GroupQuestions:
    """The group's questions as samples, listed by subject so that shared prefixes are adjacent."""

    checker = ""

    def __init__(self, chosen: LmEvalSettings, revision: str, group: LoadedGroup, *, forced: bool = False) -> None:
        """Take a group that is loaded; nothing is rendered yet.

        ``forced``: a model of the run may get a beginning-of-sequence token that its tokenizer would not add.
        """
        self._settings = chosen
        self._forced = forced
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

    def drawn(self, limit: int | None) -> bool:
        """Whether questions are drawn: always where there is a limit, of every subject its share."""
        return limit is not None

    def rows(self, limit: int | None) -> None:
        """None: questions have no pictures."""

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """Every planned question with its request digest; what a smaller limit asks, a larger one asks too."""
        rendered = self._rendered
        if rendered is None or rendered[0] != limit:
            # Another model's thread may do the same, and comes to the same.
            rendered = self._rendered = (limit, list(self._render(limit)))
        yield from rendered[1]

    def _render(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        ids = {
            subject.name: [sample_id(subject.name, doc_id) for doc_id in range(subject.rows)]
            for subject in self._group.subjects
        }
        chosen = draw.shares(ids, self.planned(limit))
        for subject in self._group.subjects:
            for question in self._group.questions(subject, chosen[subject.name]):
                if isinstance(question, BadRow):
                    # Its place is kept: it is a failure of every model, not a smaller denominator.
                    name = sample_id(question.subject, question.doc_id)
                    yield Sample(name, (Text(question.reason),), None, question.subject), ""
                else:
                    yield sample(question), request_digest(question, self._settings, forced=self._forced)


def sample_id(subject: str, doc_id: int) -> str:
    """What a question is named, drawn and paired by: its subject, and lm-eval's number of the row within it.

    The number is the row's place in the subject's file, so a file in another order asks other questions under these
    names; the data set's revision tells the two apart.
    """
    return f"{subject}/{doc_id}"


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
    name = sample_id(question.subject, question.doc_id)
    return Sample(name, (Text(question.context),), references, cluster=question.subject)


def request_digest(question: Question, chosen: LmEvalSettings, *, forced: bool = False) -> str:
    """Identity of what is asked, whichever model it is asked of.

    Prompts that begin as every tokenizer of the run begins them are those of earlier evalkits, which forced nothing.
    """
    return digest(
        {
            "path": PATH,
            "context": question.context,
            "continuations": list(question.choices),
            "add_bos": "forced" if forced else chosen.add_bos,
            "max_length": chosen.max_length,
            "method": chosen.method,
        }
    )
