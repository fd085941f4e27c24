"""What a task names beside its data: a published prompt, columns, and code that evalkit does not bring."""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the codec reads the annotations
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class PublishedPrompt:
    """A prompt text that is named, not carried: one string constant of one file at one commit."""

    repository: str
    """``owner/name`` on GitHub."""
    commit: str
    """In full: 40 hexadecimal digits."""
    file: str
    """Its path inside the repository."""
    constant: str
    """The name that the text is assigned to."""
    sha256: str
    """Of the constant's UTF-8 bytes."""


@dataclass(frozen=True, slots=True)
class Columns:
    """Which columns of the data hold what: the ``[columns]`` table, for a benchmark that has no columns of its own."""

    question: str = ""
    """The question's text; may be left out where a ``template`` writes the whole of it."""
    answer: tuple[str, ...] | str = ""
    """What answers are compared with: a column with a text, a number or a list of them, or several columns."""
    image: tuple[str, ...] | str = ()
    """Pictures: bytes, paths beside the data, or ``data:`` addresses."""
    options: tuple[str, ...] | str = ()
    """What can be chosen: one column with a list, or a column for each option."""
    id: str = ""
    """A name of the row that stays with it; left out, its place and a digest of the question."""
    cluster: str = ""
    """What rows are drawn together with, such as a document; left out, rows that share a picture go together."""
    category: str = ""
    """The part of the task that the row is in; each part gets a row of its own in the report."""


@dataclass(frozen=True, slots=True)
class NormalisedTask:
    """A task of an average of scores above chance."""

    task: str
    """Its name."""
    metrics: tuple[str, ...] = ()
    """What its score is the mean of; left out: the task's headline."""
    choices: int | None = None
    """Options of each of its questions: guessing scores one in so many. Left out: nothing can be guessed."""
    part_choices: Mapping[str, int] = field(default_factory=dict)
    """The same of each of its parts: then each part is normalised by itself, and their mean is the task's score."""


@dataclass(frozen=True, slots=True)
class NormalisedAverage:
    """An average of scores above chance, as its publishers define it: the ``[normalised]`` table of a suite."""

    title: str
    """What reports call it."""
    source: str
    """Where it is defined."""
    tasks: tuple[NormalisedTask, ...]
    """Each counts alike."""


@dataclass(frozen=True, slots=True)
class Extension:
    """A benchmark, metric or harness that a task names and evalkit does not bring: where it is from, in which state."""

    kind: str
    """``benchmark``, ``metric`` or ``harness``."""
    name: str
    source: str
    """The Python file beside the task file, or the installed package."""
    state: str
    """``sha256:`` and the file's digest, or the package's version."""

    @property
    def is_file(self) -> bool:
        """Whether it comes from a file beside the task file."""
        return self.state.startswith("sha256:")
