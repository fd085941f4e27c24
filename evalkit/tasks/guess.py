"""A task file for a table of questions, from what its columns are called and hold; every guess is told with its reason.

A guess is a beginning: ``evalkit tasks check`` shows what comes of it, and the file is the user's from then on.
"""

from __future__ import annotations

import glob
import json
import re
from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import DataError, UsageError
from evalkit.base.printable import counted
from evalkit.files.textfile import shown
from evalkit.tasks.metrics.options import LETTERS
from evalkit.tasks.rows.local import peek

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.types import Json

_LOOKED_AT: Final = 2000
"""Rows from which is guessed."""
_QUESTION: Final = [
    "question",
    "questions",
    "q",
    "query",
    "prompt",
    "problem",
    "instruction",
    "input",
    "text",
    "sentence",
    "review",
]
_ANSWER: Final = [
    "answer",
    "answers",
    "a",
    "label",
    "labels",
    "target",
    "targets",
    "gold",
    "reference",
    "references",
    "correct_answer",
    "correct",
    "correct_option",
    "expected",
    "expected_answer",
    "ground_truth",
    "solution",
    "output",
    "response",
    "answer_key",
    "answerkey",
    "answer_idx",
    "sentiment",
    "class",
]
_OPTIONS: Final = ["options", "choices", "candidates", "alternatives", "endings"]
_ID: Final = [
    "id",
    "uid",
    "uuid",
    "key",
    "question_id",
    "questionid",
    "qid",
    "pid",
    "idx",
    "index",
    "row_id",
    "example_id",
]
_CLUSTER: Final = [
    "cluster",
    "group",
    "document",
    "document_id",
    "doc_id",
    "docid",
    "page",
    "page_id",
    "image_id",
    "passage_id",
    "context_id",
    "source_id",
    "story_id",
]
_CATEGORY: Final = ["category", "subject", "topic", "domain", "section", "field", "type", "kind", "difficulty", "level"]
_LETTERED: Final = (
    re.compile(r"([A-Z])"),
    re.compile(r"(?:option|choice|opt|ans|answer)[_ -]?([A-Za-z]|\d{1,2})", re.IGNORECASE),
)
_FILE: Final = re.compile(r"\S+\.(?:png|jpe?g|webp|gif|bmp|tiff?|avif)", re.IGNORECASE)
_ADDRESS: Final = re.compile(r"data:image/", re.IGNORECASE)
_LABELS: Final = 12
"""Different answers at most that are taken for labels."""


@dataclass(slots=True)
class Guess:
    """What was guessed of a table, and why."""

    name: str
    file: str
    columns: dict[str, str | list[str]] = field(default_factory=dict)
    metrics: list[str] = field(default_factory=list)
    prompt: str = ""
    longest: int = 32
    """Tokens of an answer."""
    settings: dict[str, str | list[str]] = field(default_factory=dict)
    told: list[str] = field(default_factory=list)
    """A sentence for each guess."""

    def text(self) -> str:
        """The task file."""
        title = self.name.replace("-", " ").replace("_", " ").capitalize()
        head: dict[str, Json] = {
            "name": self.name,
            "title": title,
            "category": "Vision" if "image" in self.columns else "Text",
            "benchmark": "qa",
            "metrics": self.metrics,
            "headline": self.metrics[0],
            "prompt": self.prompt,
        }
        tables: dict[str, Mapping[str, Json]] = {
            "dataset": {"id": "", "split": "test", "files": [glob.escape(self.file)]},
            "columns": self.columns,
            "settings": self.settings,
            "decoding": {"temperature": 0.0, "max_tokens": self.longest},
        }
        blocks = ["\n".join(_lines(head))]
        blocks += ["\n".join([f"[{name}]", *_lines(table)]) for name, table in tables.items() if table]
        comment = "# Guessed from the columns by `evalkit tasks new`; `evalkit tasks check` shows what comes of it.\n"
        return comment + "\n\n".join(blocks) + "\n"


def task_file(name: str, data: Path) -> Guess:
    """What a file of questions is guessed to be.

    Raises:
        DataError: It cannot be read, has no rows, or nothing in it looks like a question or an answer.
        UsageError: It is a folder.
    """
    if data.is_dir():
        raise UsageError(f"{data} is a folder", fix="name the file with the rows")
    table = _Table.of(data)
    guess = Guess(name, data.name)
    for step in (_images, _options, _id, _answer, _question, _category, _cluster):
        step(table, guess)
    _scoring(table, guess)
    return guess


@dataclass(frozen=True, slots=True)
class _Table:
    """The first rows, column by column."""

    file: Path
    cells: Mapping[str, Sequence[Json]]
    """By column, what its rows hold; nulls are left out."""
    taken: set[str] = field(default_factory=set)

    @classmethod
    def of(cls, file: Path) -> _Table:
        columns, rows = peek(file, _LOOKED_AT)
        if not rows:
            raise DataError(f"{file}: no rows", fix="check that this is the right file")
        cells = {name: [row[name] for row in rows if row.get(name) not in (None, "")] for name in columns}
        return cls(file, {name: found for name, found in cells.items() if found})

    def free(self) -> list[str]:
        """Columns that have no part yet."""
        return [name for name in self.cells if name not in self.taken]

    def called(self, names: Iterable[str], fits: Callable[[str], bool]) -> str | None:
        """The first free column with one of these names, the first name first, that fits."""
        free = {re.sub(r"[\s-]+", "_", name.strip().lower()): name for name in self.free()}
        return next((free[name] for name in names if name in free and fits(free[name])), None)

    def take(self, names: str | list[str]) -> str | list[str]:
        """Mark columns as having their part."""
        self.taken.update([names] if isinstance(names, str) else names)
        return names


def _images(table: _Table, guess: Guess) -> None:
    found = [name for name in table.free() if all(map(_is_image, table.cells[name][:50]))]
    if found:
        guess.columns["image"] = table.take(found if len(found) > 1 else found[0])
        guess.told.append(f"image = {_named(found)}: it holds pictures")


def _is_image(cell: Json) -> bool:
    if isinstance(cell, dict):
        return bool(cell.keys() & {"bytes", "path"})
    if isinstance(cell, str):
        return bool(_ADDRESS.match(cell) or _FILE.fullmatch(cell))
    return isinstance(cell, bytes)


def _options(table: _Table, guess: Guess) -> None:
    name = table.called(_OPTIONS, lambda one: all(map(_is_list, table.cells[one])))
    if name:
        guess.columns["options"] = table.take(name)
        guess.told.append(f"options = {_named([name])}: every row of it holds a list")
        return
    for shape in _LETTERED:
        found = {match[1].upper(): one for one in table.free() if (match := shape.fullmatch(one.strip()))}
        ends = [
            LETTERS[: len(found)],
            "".join(map(str, range(1, len(found) + 1))),
            "".join(map(str, range(len(found)))),
        ]
        if len(found) > 1 and "".join(sorted(found)) in ends:
            columns = [found[key] for key in sorted(found)]
            guess.columns["options"] = table.take(columns)
            guess.told.append(f"options = {_named(columns)}: a column for each")
            return


def _is_list(cell: Json) -> bool:
    if isinstance(cell, str) and cell.lstrip().startswith("["):
        return True
    return isinstance(cell, list) and len(cell) > 1 and all(isinstance(one, str | int | float) for one in cell)


def _id(table: _Table, guess: Guess) -> None:
    def unique(one: str) -> bool:
        cells = table.cells[one]
        return all(isinstance(cell, str | int) for cell in cells) and len(set(cells)) == len(cells)

    if name := table.called(_ID, unique):
        guess.columns["id"] = table.take(name)
        guess.told.append(f"id = {_named([name])}: no two rows have the same one")


def _answer(table: _Table, guess: Guess) -> None:
    name = table.called(_ANSWER, lambda one: all(map(_is_answer, table.cells[one])))
    why = "by its name"
    if name is None:
        fitting = [one for one in table.free() if all(map(_is_answer, table.cells[one]))]
        if len(fitting) < 2:
            raise DataError(
                f"{table.file}: no column looks like an answer ({', '.join(table.cells) or 'none has anything in it'})",
                fix="write the task file by hand: evalkit tasks show NAME prints one to start from",
            )
        name = min(fitting, key=lambda one: fmean(len(str(cell)) for cell in table.cells[one]))
        why = "its cells are the shortest"
    guess.columns["answer"] = table.take(name)
    guess.told.append(f"answer = {_named([name])}: {why}")


def _is_answer(cell: Json) -> bool:
    cells = cell if isinstance(cell, list) else [cell]
    return bool(cells) and all(isinstance(one, str | int | float) for one in cells)


def _question(table: _Table, guess: Guess) -> None:
    def written(one: str) -> bool:
        return all(isinstance(cell, str) for cell in table.cells[one])

    name = table.called(_QUESTION, written)
    why = "by its name"
    if name is None:
        texts = [one for one in table.free() if written(one)]
        if not texts:
            raise DataError(
                f"{table.file}: no column looks like a question ({', '.join(table.cells)})",
                fix="write the task file by hand, with a template",
            )
        name = max(texts, key=lambda one: fmean(map(len, table.cells[one])))
        why = "its texts are the longest"
    guess.columns["question"] = table.take(name)
    guess.told.append(f"question = {_named([name])}: {why}")


def _category(table: _Table, guess: Guess) -> None:
    def few(one: str) -> bool:
        cells = table.cells[one]
        return all(isinstance(cell, str) for cell in cells) and 1 < len(set(cells)) <= min(60, len(cells) / 3)

    if name := table.called(_CATEGORY, few):
        guess.columns["category"] = table.take(name)
        guess.told.append(f"category = {_named([name])}: {len(set(table.cells[name]))} different ones")


def _cluster(table: _Table, guess: Guess) -> None:
    def repeated(one: str) -> bool:
        cells = table.cells[one]
        return all(isinstance(cell, str | int) for cell in cells) and len(set(cells)) < len(cells)

    if name := table.called(_CLUSTER, repeated):
        guess.columns["cluster"] = table.take(name)
        guess.told.append(f"cluster = {_named([name])}: rows share it, and are drawn together")


def _scoring(table: _Table, guess: Guess) -> None:
    """Metrics, prompt and settings, by what the answers are."""
    cells = [one for cell in table.cells[str(guess.columns["answer"])] for one in _flat(cell)]
    texts = [str(one).strip() for one in cells]
    guess.longest = max(16, *map(len, texts))
    if "options" in guess.columns:
        kind, why = _kind_of_answer(cells, list(_option_lists(table, guess.columns["options"])))
        guess.settings["answer_is"] = kind
        guess.metrics, guess.prompt, guess.longest = ["choice"], "Answer with the letter alone.", 16
        guess.told.append(f"answer_is = '{kind}': {why}")
    elif all(map(_is_number, texts)):
        guess.metrics, guess.prompt = ["number", "exact_match"], "Answer with the number alone."
    elif len({*texts}) <= min(_LABELS, len(texts) / 4) and all(len(text.split()) <= 4 for text in texts):
        guess.settings["options"] = sorted({*texts})
        guess.metrics = ["one_of", "exact_match"]
        guess.prompt = f"Answer with one of: {', '.join(sorted({*texts}))}."
        guess.told.append(f"settings.options: the {counted(len({*texts}), 'answer')} that there are")
    elif "image" in guess.columns:
        guess.metrics, guess.prompt = ["anls", "exact_match"], "Answer in a few words, and nothing else."
    else:
        guess.metrics, guess.prompt = ["exact_match", "contains"], "Answer in a few words, and nothing else."
    guess.told.append(f"headline = '{guess.metrics[0]}': answers are such as {shown(texts[0])}")
    left = table.free()
    if left:
        guess.told.append(f"not used: {', '.join(left)}")


def _kind_of_answer(cells: Sequence[Json], options: Sequence[Sequence[str]]) -> tuple[str, str]:
    """How answers name options, and what speaks for it."""
    texts = [_whole(cell) for cell in cells]
    held = {one for row in options for one in row}
    most = max(map(len, options), default=0)
    if all(text in held for text in texts) and not all(len(text) == 1 for text in texts):
        return "text", "answers are among the options"
    if all(len(text) == 1 and text.upper() in LETTERS[:most] for text in texts):
        return "letter", f"answers are letters up to {max(texts).upper()}"
    if all(text.isdecimal() for text in texts) and not all(text in held for text in texts):
        numbers = [int(text) for text in texts]
        if 0 in numbers or max(numbers) < most:
            sure = "" if 0 in numbers else ", none of which is 0; 'position' counts from 1"
            return "index", f"answers are whole numbers from {min(numbers)} to {max(numbers)}{sure}"
        return "position", f"answers are whole numbers from {min(numbers)} to {max(numbers)}"
    return "text", "nothing else fits"


def _option_lists(table: _Table, named: str | list[str]) -> Iterator[list[str]]:
    if isinstance(named, list):
        yield from ([_whole(cell) for cell in row] for row in zip(*(table.cells[one] for one in named), strict=False))
        return
    for cell in table.cells[named]:
        try:
            found = json.loads(cell) if isinstance(cell, str) else cell
        except ValueError:
            continue
        yield [_whole(one) for one in found] if isinstance(found, list) else []


def _flat(cell: Json) -> list[Json]:
    return cell if isinstance(cell, list) else [cell]


def _whole(cell: Json) -> str:
    return str(int(cell)) if isinstance(cell, float) and cell.is_integer() else str(cell).strip()


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(r"[-+]?[$€£]?(?:\d[\d,]*)?\.?\d+(?:[eE][-+]?\d+)?\s?%?", text))


def _named(columns: Sequence[str]) -> str:
    return ", ".join(f"'{name}'" for name in columns)


def _lines(table: Mapping[str, Json]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{key} = {_toml(value)}"


def _toml(value: Json) -> str:
    """A text, a number or a list of texts as TOML."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, str):
        # TOML's basic texts are JSON's, but for this character, which JSON leaves as it is.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    return json.dumps(value)
