"""The viewer's pages of chosen flips as one folder of files, for those who cannot run a server.

A page holds its style and its pictures; it asks for nothing, runs nothing, and its Content-Security-Policy lets nothing
else be. Every text goes through the templates of the viewer.
"""

from __future__ import annotations

from base64 import b64encode
from dataclasses import dataclass, replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final

from markupsafe import Markup

from evalkit.base.errors import EvalkitError, OutputError
from evalkit.files import private
from evalkit.report.marks import SHOWN
from evalkit.runs import thumbnails
from evalkit.view import answers, index
from evalkit.view.pictures import Pictures
from evalkit.view.samples import Samples
from evalkit.view.templates import templates

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from evalkit.comparison.flips import Flip, FlipList
    from evalkit.records.history import PastRun
    from evalkit.view.samples import FoundSamples

_OURS: Final = ("index.html", "sample-*.html", "answer-*.txt")
_LARGEST: Final = 2_000_000
"""Bytes of a picture that goes into a page as it is; of a larger one the small picture of the report does."""


@dataclass(frozen=True, slots=True)
class SiteEntry:
    """One flip in a list of the site."""

    page: str
    id: str
    question: str
    direction: str
    baseline: float
    candidate: float


@dataclass(frozen=True, slots=True)
class _ChosenPage:
    """One page: a sample, and the candidate that it is shown for."""

    name: str
    found: FoundSamples
    beside: int


def write(run: PastRun, flips: Sequence[FlipList], folder: Path) -> int:
    """Write the pages of a run's chosen flips; returns how many samples have one.

    Args:
        run: A finished one.
        flips: Those that are shown.
        folder: A new one, an empty one, or one that this has written before.

    Raises:
        OutputError: There is something else in the folder, or it cannot be written.
        EvalkitError: The run's samples cannot be read.
    """
    _clear(folder)
    files = index.Files.of(run)
    return _Site(run, Samples(index.ready(files) or index.build(files, lambda *_: None), files), folder).write(flips)


class _Site:
    def __init__(self, run: PastRun, samples: Samples, folder: Path) -> None:
        self._run, self._samples, self._folder = run, samples, folder
        self._pictures, self._small = Pictures(run), thumbnails.read(run.folder / thumbnails.FOLDER)
        self._templates = templates(_address)
        loader: Any = self._templates.loader
        style = loader.get_source(self._templates, "view.css")[0]
        digest = b64encode(sha256(style.encode()).digest()).decode()
        policy = f"default-src 'none'; img-src data:; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
        # A file of evalkit's own, and a digest of it.
        self._shared = {"style": Markup(style), "policy": Markup(policy)}  # noqa: S704

    def write(self, flips: Sequence[FlipList]) -> int:
        """Every page; samples that flipped with several candidates have one page."""
        results = self._run.results
        titles = {row.task: row.title for row in results.tasks} if results else {}
        chosen: dict[int, _ChosenPage] = {}
        lists = []
        for one in flips:
            shown = [entry for flip in one.chosen if (entry := self._entry(one, flip, chosen)) is not None]
            told = {"title": titles.get(one.task, one.task), "candidate": one.candidate, "shown": shown}
            lists += [{**told, "regressed": one.regressed, "improved": one.improved}] if shown else []
        pages = list(chosen.values())
        for at, page in enumerate(pages):
            before, after = pages[at - 1].found.number if at else None, _number(pages[at + 1 : at + 2])
            self._page(page, before, after)
        lines = results.outcome.lines if results and results.outcome else ()
        self._put("index.html", "site_index.html.j2", run=self._run.id, lines=lines, lists=lists)
        return len(pages)

    def _entry(self, of: FlipList, flip: Flip, chosen: dict[int, _ChosenPage]) -> SiteEntry | None:
        number = self._samples.find(of.task, flip.sample.id)
        if number is None or of.candidate not in self._samples.files.models:
            return None
        (found,) = self._samples.found([number])
        name = f"sample-{number}.html"
        chosen.setdefault(number, _ChosenPage(name, found, self._samples.files.models.index(of.candidate)))
        return SiteEntry(name, found.id, found.question, flip.direction, flip.baseline.value, flip.candidate.value)

    def _page(self, page: _ChosenPage, before: int | None, after: int | None) -> None:
        found, samples = page.found, self._samples
        lines = {model: line for model in sorted(found.entries) if (line := samples.line(found, model)) is not None}
        task, first = samples.files.tasks[found.task], lines[min(lines)]
        parts, pictures = self._with_pictures(answers.question(first, found, task, self._pictures), found, task)
        for model, line in lines.items():
            if len(text := str(line.get("answer") or "")) > SHOWN:
                private.write(self._folder / f"answer-{found.number}-{model}.txt", text)
        self._put(
            page.name,
            "site_sample.html.j2",
            run=self._run,
            task=task,
            found=found,
            query={},
            before=before,
            after=after,
            parts_of_question=parts,
            pictures=pictures,
            references=answers.references(first),
            panes=answers.panes(samples, found, page.beside),
            headline=samples.files.headlines[found.task],
        )

    def _with_pictures(
        self, parts: list[answers.AnswerPart], found: FoundSamples, task: str
    ) -> tuple[list[answers.AnswerPart], dict[str, Markup]]:
        """The question's parts, and the addresses that hold their pictures; those of the report stand in for others."""
        pictures, made = {}, []
        for part in parts:
            if part.image is not None:
                kind, data = self._picture(found, task, part.image)
                # Base64 has no sign that acts.
                pictures[part.image] = Markup(f"data:image/{kind};base64,{b64encode(data).decode()}")  # noqa: S704
                missing = "" if data else part.missing or "it is not in the data that are there"
                made.append(replace(part, missing=missing))
            else:
                made.append(part)
        return made, pictures

    def _picture(self, found: FoundSamples, task: str, digest: str) -> tuple[str, bytes]:
        try:
            picture = self._pictures.load(self._pictures.spot(task, found.position), digest)
        except EvalkitError:
            return "webp", self._small.get(digest, b"")
        if len(picture.data) > _LARGEST and digest in self._small:
            return "webp", self._small[digest]
        return picture.kind, picture.data

    def _put(self, name: str, template: str, **values: Any) -> None:
        page = self._templates.get_template(template).render(**self._shared, **values)
        private.write(self._folder / name, page)


def _address(*parts: str | int) -> str:
    """Where a page of the viewer is in the folder: a sample's, or the whole of an answer to it."""
    number, more = parts[3], parts[4:]
    return f"answer-{number}-{more[1]}.txt" if more else f"sample-{number}.html"


def _number(pages: Sequence[_ChosenPage]) -> int | None:
    return pages[0].found.number if pages else None


def _clear(folder: Path) -> None:
    """Remove what an earlier export has left.

    Raises:
        OutputError: There is something else.
    """
    if not folder.exists():
        return
    if not folder.is_dir() or (other := next(_others(folder), None)) is not None:
        what = "it is no folder" if not folder.is_dir() else f"there is {other} in it"
        raise OutputError(f"{folder}: {what}", fix="name a new or an empty folder with -o")
    for path in folder.iterdir():
        path.unlink()


def _others(folder: Path) -> Iterator[str]:
    yield from (path.name for path in folder.iterdir() if not any(path.match(name) for name in _OURS) or path.is_dir())
