"""Questions of one's own, text or pictures, without any Python: the task file says which column holds what."""

from __future__ import annotations

import ast
import json
import math
from dataclasses import dataclass
from functools import cache, partial
from hashlib import sha256
from typing import TYPE_CHECKING, Final, Literal

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.base.task_parts import Columns
from evalkit.base.types import Image, Sample, Score, Text
from evalkit.tasks import templates
from evalkit.tasks.benchmarks.row import Benchmark, DataRow
from evalkit.tasks.metrics import generic, pattern
from evalkit.tasks.metrics.options import LETTERS
from evalkit.tasks.metrics.pattern import PatternError
from evalkit.tasks.metrics.text import as_list
from evalkit.tasks.templates import TemplateFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json, Task

AnswerIs = Literal["text", "letter", "index", "position"]

_OPTIONS: Final = """{% for option in options %}{{ "\n" ~ letters[loop.index0] ~ ". " ~ option }}{% endfor %}"""
_PLAIN: Final = """{{ question }}%s{{ "\n" ~ prompt if prompt }}"""
"""The template of a task that has none of its own; a row's own options are listed, labels are the prompt's to name."""
_OF_OPTIONS: Final = ("choice", "one_of")
"""Metrics that look at all options, not at the right one alone."""
_OWN_NAMES: Final = frozenset({"question", "options", "letters", "prompt", "image", "images"})
_MARK: Final = "\uffff"
"""Stands before and behind a picture's number in a text that is not yet cut up; no character of any text."""


@dataclass(frozen=True, slots=True)
class QaSettings:
    """The ``[settings]`` table of the task file."""

    options: tuple[str, ...] = ()
    """What can be chosen in every row, such as labels, where no column has it."""
    answer_is: AnswerIs = "text"
    """How the answer names an option: by its text, its letter, its index (from 0) or its position (from 1)."""
    shuffle: bool = False
    """List the options in an order that is drawn for each row from all of them together, the same one everywhere:
    for data that have the right one first."""
    extract: str = ""
    """A regular expression (RE2): what its first group finds last in an answer is scored, and nothing else. An answer
    without it is wrong, and counted as unparsed."""
    tolerance: float = 0.0
    """For `number`: the distance from the right number that is allowed."""
    relative_tolerance: float = 0.0
    """For `number`: the same as a share of the right number; the larger of the two counts."""


def settings_of(task: Task) -> QaSettings:
    """What ``task``'s table says.

    Raises:
        ConfigError: It has an unknown key or an impossible value.
    """
    return codec.read(QaSettings, task.settings, f"{task.source or task.name}: settings")


def benchmark(task: Task) -> Benchmark:
    """The rules that the columns, the template and the settings of a task make.

    Raises:
        ConfigError: Its settings are wrong.
    """
    return _made(task.columns or Columns(), task.template, settings_of(task))


def faults(task: Task) -> Iterator[Fault]:
    """What is wrong with the columns, the template or the settings of a task."""
    columns, chosen = task.columns or Columns(), settings_of(task)
    if not (columns.question or task.template):
        yield Fault("columns.question", "is missing", "name the column with the question, or write a template")
    if not _listed(columns.answer):
        yield Fault("columns.answer", "is missing", "name the column that answers are compared with")
    if chosen.options and columns.options:
        yield Fault("settings.options", "stands beside columns.options", "keep one of them")
    has_options = bool(chosen.options or columns.options)
    if chosen.shuffle and chosen.answer_is != "text":
        yield Fault(
            "settings.shuffle", f"with answer_is = '{chosen.answer_is}'", "let answers name options by their text"
        )
    if chosen.answer_is != "text" and not has_options:
        yield Fault("settings.answer_is", f"is '{chosen.answer_is}' without options", "name columns.options")
    for number, name in enumerate(task.metrics):
        if name.partition("@")[0] in _OF_OPTIONS and not has_options:
            yield Fault(f"metrics[{number}]", f"'{name}' needs options", "name columns.options, or settings.options")
    yield from codec.at_least(
        0,
        {"settings.tolerance": chosen.tolerance, "settings.relative_tolerance": chosen.relative_tolerance},
    )
    try:
        pattern.check(chosen.extract)
    except PatternError as error:
        yield Fault("settings.extract", f"is no regular expression of RE2: {error}", "correct it")
    try:
        templates.form(task.template)
    except TemplateFaultError as error:
        yield Fault("template", f"is no Jinja template: {error}", "correct it")


@cache
def _made(columns: Columns, template: str, chosen: QaSettings) -> Benchmark:
    images = _listed(columns.image)
    named = (columns.question, *_listed(columns.answer), *_listed(columns.options), *images)
    maker = _Maker(columns, templates.form(template or _PLAIN % (_OPTIONS if columns.options else "")), chosen)
    wanted = [*named, *(name for name in sorted(maker.form.columns) if name not in _OWN_NAMES)]
    further = (columns.id, columns.cluster, columns.category)
    return Benchmark(
        columns=tuple(dict.fromkeys(name for name in [*wanted, *further] if name)),
        image_columns=images,
        sample=maker.sample,
        unit_columns=tuple(filter(None, [columns.cluster])),
        shared_image=images[0] if images and not columns.cluster else "",
        groups="fixed" if columns.category and not columns.cluster and not images else "sampled",
        score=partial(_score, chosen),
    )


@dataclass(frozen=True, slots=True)
class _Maker:
    """Makes questions of rows."""

    columns: Columns
    form: templates.Form
    chosen: QaSettings

    def sample(self, cells: Mapping[str, Json], prompt: str, position: int) -> Sample:
        """The row as a question."""
        row = DataRow(cells, position)
        images = [row.image(name) for name in _listed(self.columns.image)]
        options = self._options(row)
        if self.chosen.shuffle:
            options = _drawn(options)
        text = self._text(row, prompt, options, len(images))
        category = _name(row, self.columns.category)
        return Sample(
            id=row.id(self.columns.id or None, text.replace(_MARK, "")),
            content=_content(row, text, images),
            references=self._references(row, options, category),
            cluster=self._cluster(row, images, category),
        )

    def _text(self, row: DataRow, prompt: str, options: Sequence[str], pictures: int) -> str:
        marks = [f"{_MARK}{place}{_MARK}" for place in range(pictures)]
        names: dict[str, Json] = {"options": list(options), "letters": LETTERS, "prompt": prompt, "images": marks}
        if self.columns.question:
            names["question"] = _text(row, self.columns.question)
        if marks:
            names["image"] = marks[0]
        plain = {name: cell for name, cell in row.cells.items() if name not in _listed(self.columns.image)}
        if any(_MARK in cell for cell in (*plain.values(), *options) if isinstance(cell, str)):
            row.refuse("a text holds U+FFFF, which is no character")
        try:
            text = self.form.filled(plain, names)
        except TemplateFaultError as error:
            row.refuse(f"template: {error}")
        return text if any(mark in text for mark in marks) else "".join(marks) + text

    def _options(self, row: DataRow) -> list[str]:
        """What can be chosen in the row."""
        named = self.columns.options
        if not named:
            return list(self.chosen.options)
        cells = row.value(named) if isinstance(named, str) else [row.value(name) for name in named]
        if isinstance(cells, str):
            cells = _written_list(cells)
        if not isinstance(cells, list) or not cells:
            row.refuse(f"{_words(named)} holds no list of options")
        if len(cells) > len(LETTERS):
            row.refuse(f"{_words(named)} holds {len(cells)} options, more than there are letters")
        return [_plain(row, _words(named), cell) for cell in cells]

    def _references(self, row: DataRow, options: Sequence[str], category: str | None) -> Json:
        """What the answer is compared with: the answers alone, or with the options and the category."""
        columns = _listed(self.columns.answer)
        cells = [cell for name in columns for cell in as_list(row.cells.get(name))]
        found = [cell for cell in cells if cell is not None and cell != "" and not _is_nan(cell)]
        if not found:
            row.refuse(f"{_words(columns)} holds no answer")
        answers = [_plain(row, _words(columns), cell) for cell in found]
        told: dict[str, Json] = {}
        if options:
            right = [self._place(row, answer, options) for answer in answers]
            told |= {"answers": [options[place] for place in right], "options": list(options), "right": right}
        if category is not None:
            told |= {"answers": told.get("answers", answers), "category": category}
        return told or answers

    def _place(self, row: DataRow, answer: str, options: Sequence[str]) -> int:
        """The place of the option that an answer of the data names."""
        said, kind = answer.strip(), self.chosen.answer_is
        if kind == "text":
            exact = [place for place, option in enumerate(options) if option.strip() == said]
            loose = [place for place, option in enumerate(options) if option.strip().casefold() == said.casefold()]
            place = next(iter(exact or loose), None)
        elif kind == "letter":
            place = LETTERS.find(said.upper()) if len(said) == 1 else None
        else:
            whole = float(said) if said.replace(".", "", 1).isascii() and said.replace(".", "", 1).isdigit() else 0.5
            place = int(whole) - (kind == "position") if whole.is_integer() else None
        if place is None or not 0 <= place < len(options):
            row.refuse(f"the answer {said[:60]!r} is the {kind} of none of the {len(options)} options")
        return place

    def _cluster(self, row: DataRow, images: Sequence[Image], category: str | None) -> str | None:
        if self.columns.cluster:
            return _name(row, self.columns.cluster)
        return images[0].sha256 if images else category


def _drawn(options: list[str]) -> list[str]:
    """The options in an order that depends on all of them together, and on nothing else."""
    salt = "\0".join(sorted(options))
    digests = [sha256(f"{salt}\0{option}".encode("utf-8", "surrogatepass")).digest() for option in options]
    return [options[place] for place in sorted(range(len(options)), key=lambda place: (digests[place], place))]


def _score(chosen: QaSettings, name: str, answer: str, references: Json, metric: Callable[[str, Json], Score]) -> Score:
    """What a metric says of what counts of an answer."""
    said = pattern.last(chosen.extract, answer) if chosen.extract else answer
    if said is None:
        return Score(0.0)
    if isinstance(references, dict) and name not in _OF_OPTIONS:
        references = references["answers"]
    if name == "number":
        near = {"tolerance": chosen.tolerance, "relative": chosen.relative_tolerance}
        return generic.number(said, as_list(references), "neuralmagic", **near)
    return metric(said, references)


def _content(row: DataRow, text: str, images: Sequence[Image]) -> tuple[Text | Image, ...]:
    """Texts and pictures in the order in which the text has them; white space alone is left out."""
    content: list[Text | Image] = []
    for place, piece in enumerate(text.split(_MARK)):
        if place % 2:
            content.append(images[int(piece)])
        elif piece.strip():
            content.append(Text(piece))
    if not any(isinstance(part, Text) for part in content):
        row.refuse("there is no question")
    return tuple(content)


def _text(row: DataRow, column: str) -> str:
    return _plain(row, column, row.value(column))


def _plain(row: DataRow, column: str, cell: Json) -> str:
    """A cell as text: numbers as they are written, whole ones without a point."""
    if isinstance(cell, bool):
        return str(cell).lower()
    if isinstance(cell, float) and cell.is_integer() and abs(cell) < 1e15:
        return str(int(cell))
    if isinstance(cell, int | float) and math.isfinite(cell):
        return str(cell)
    if not isinstance(cell, str):
        row.refuse(f"{column} holds {type(cell).__name__}, not text")
    return cell


def _name(row: DataRow, column: str) -> str | None:
    return _text(row, column) if column else None


def _is_nan(cell: Json) -> bool:
    return isinstance(cell, float) and math.isnan(cell)


def _written_list(text: str) -> Json:
    """The list that a cell of a text file spells, as JSON or as Python; the text where it spells none."""
    for read in (json.loads, ast.literal_eval):
        try:
            return read(text)
        except (ValueError, SyntaxError, TypeError, RecursionError, MemoryError):
            continue
    return text


def _listed(named: tuple[str, ...] | str) -> tuple[str, ...]:
    return ((named,) if named else ()) if isinstance(named, str) else named


def _words(named: tuple[str, ...] | str) -> str:
    return ", ".join(_listed(named))
