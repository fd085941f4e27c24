"""Metrics: what an answer is worth beside its references, from 0 to 1.

``METRICS`` names them; ``score`` applies one. A dialect is one program's reading of a metric: ``neuralmagic``
(the fork of mistral-evals behind the published tables, the default), ``mistral`` (mistral-evals itself) and
``official`` (the benchmark's own evaluation). Only ``vqa_match`` and ``anls`` have an official reading; the
other metrics are the same in every dialect.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol, get_args

from evalkit.base.errors import UsageError, near_miss
from evalkit.base.types import Dialect, Json, Score
from evalkit.tasks.metrics import generic, options, pattern, relaxed
from evalkit.tasks.metrics.anls import anls
from evalkit.tasks.metrics.choice import acc, acc_by_subject
from evalkit.tasks.metrics.text import as_list
from evalkit.tasks.metrics.vqa import vqa_match

if TYPE_CHECKING:
    from collections.abc import Callable


class Metric(Protocol):
    """A function that says what an answer is worth: a number from 0 to 1, or a `Score`. Tasks name it in ``metrics``.

    ``answer`` is the response's text; ``references`` is the list of what it is compared with, as the benchmark took it
    from the row; ``dialect`` is whose reading the task asks for (``neuralmagic``, ``mistral`` or ``official``), which
    most metrics pass over. One that raises ends the run with its name; it never counts as a wrong answer.
    """

    def __call__(self, answer: str, references: list[Json], dialect: Dialect, /) -> Score | float:
        """What the answer is worth."""


METRICS: Final[dict[str, Callable[[str, list[Json], Dialect], Score]]] = {
    "acc": acc,
    "acc_by_subject": acc_by_subject,
    "anls": anls,
    "anywhere_in_answer_relaxed_correctness": relaxed.anywhere,
    "choice": options.choice,
    "contains": generic.contains,
    "exact_match": generic.exact_match,
    "explicit_prompt_relaxed_correctness": relaxed.explicit,
    "number": generic.number,
    "one_of": options.one_of,
    "regex": pattern.regex,
    "relaxed_correctness": relaxed.correctness,
    "vqa_match": vqa_match,
}
MEANT: Final = {
    "accuracy": "exact_match",
    "em": "exact_match",
    "exact": "exact_match",
    "quasi_exact_match": "exact_match",
    "match": "exact_match",
    "includes": "contains",
    "include": "contains",
    "substring": "contains",
    "acc_norm": "acc",
    "multiple_choice": "acc",
    "numeric": "number",
    "relaxed_accuracy": "relaxed_correctness",
    "relaxed_overall": "relaxed_correctness",
    "choice_letter": "choice",
    "letter": "choice",
    "pattern": "regex",
    "regexp": "regex",
    "classification": "one_of",
    "vqa_accuracy": "vqa_match",
    "vqa_score": "vqa_match",
}
"""What other tools call a metric to what it is called here."""
PASS_AT_K: Final = r"pass@(?P<k>[1-9]\d*)(?P<plus>\+?)"  # noqa: S105 - a metric, not a password
"""Names of metrics that a checker decides: the share of problems that k attempts solve (Chen et al. 2021).

A ``+`` counts the checker's further tests as well.
"""
JUDGED: Final = {
    "math": "1 if the answer equals a reference as mathematics, otherwise 0: `math-verify` reads both (LaTeX, "
    "fractions, sets, intervals, units) and compares them, in a process of its own.",
}
"""Metrics of texts that a checker decides, with what they say: they may take long, and are judged once."""
DIALECTS: Final[tuple[str, ...]] = get_args(Dialect)

NO_CONTENT: Final = "no content"


def score(metric: str, answer: str | None, references: Json, dialect: Dialect = "neuralmagic") -> Score:
    """What ``metric`` says of ``answer``; never an exception for any answer or any references.

    Where the published program raises, the value is 0 and ``note`` says why. ``no content`` (the answer is None) counts
    as wrong. Where the references are at fault (``no references``, ``reference is not text``, ``reference is
    infinite``) the score is ``left_out``, exactly where the fork's metric raises and the fork passes the row over:
    vqa_match and anls of no references are 0 there, and so is an answer in which the relaxed metrics find nothing
    to compare.

    Args:
        metric: a key of ``METRICS``.
        answer: the response's text, or None when the server sent none.
        references: what the data set holds: a text, a list of texts, or VQAv2's list of ``{"answer": text}``.
        dialect: one of ``DIALECTS``.

    Raises:
        UsageError: the metric or the dialect does not exist.
    """
    if metric not in METRICS:
        raise UsageError(f"metric '{metric}': unknown", fix=near_miss(metric, METRICS, MEANT))
    if dialect not in DIALECTS:
        raise UsageError(f"dialect '{dialect}': unknown", fix=near_miss(dialect, DIALECTS))
    if answer is None:
        return Score(0.0, note=NO_CONTENT)
    return METRICS[metric](answer, as_list(references), dialect)
