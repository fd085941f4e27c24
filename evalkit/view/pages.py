"""The pages of the viewer: what each address shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response
from starlette.routing import Route

from evalkit.base.errors import EvalkitError, near_miss
from evalkit.files import resources
from evalkit.records import history
from evalkit.report.marks import visible
from evalkit.runs import since
from evalkit.view import answers, index, live, table
from evalkit.view.building import Building, Indexes
from evalkit.view.chart import chart
from evalkit.view.pictures import Pictures
from evalkit.view.samples import PAGE, Filter, FoundSamples, Samples
from evalkit.view.templates import link, templates

if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from pathlib import Path

    from starlette.requests import Request

    from evalkit.records.history import PastRun

_ALONE = {"content-security-policy": "default-src 'none'; sandbox"}
"""For what comes from data as it is: shown by itself, it may do nothing at all."""


class Pages:
    """Answers every address. Endpoints are plain functions, which the framework calls in threads."""

    def __init__(self, output: Path, say: Callable[[str], None]) -> None:
        """Show the runs of the folder ``output``."""
        self.indexes = Indexes(say)
        self._output = output
        self._pictures: dict[tuple[str, str], Pictures] = {}
        folder = resources.reports() / "view"
        self._style = (folder / "view.css").read_text(encoding="utf-8")
        self._icon = (folder / "icon.svg").read_text(encoding="utf-8")
        self._templates = templates()
        # Compiled now, so that the first page is as quick as the next.
        for name in self._templates.list_templates(extensions=["j2"]):
            self._templates.get_template(name)

    def app(self) -> Starlette:
        """The application."""
        routes = [
            Route("/", self.runs),
            Route("/style.css", self.style),
            Route("/favicon.ico", self.icon),
            Route("/history", self.history),
            Route("/runs/{run}", self.run),
            Route("/runs/{run}/sample", self.by_id),
            Route("/runs/{run}/samples", self.samples),
            Route("/runs/{run}/samples/{number:int}", self.sample),
            Route("/runs/{run}/samples/{number:int}/images/{digest}", self.image),
            Route("/runs/{run}/samples/{number:int}/answers/{model:int}", self.answer),
        ]
        found: Any = {HTTPException: self._refused, EvalkitError: self._refused}
        return Starlette(routes=routes, exception_handlers=found)

    def style(self, _request: Request) -> Response:
        """The style of every page."""
        return Response(self._style, media_type="text/css")

    def icon(self, _request: Request) -> Response:
        """The sign in the browser's tab, at the address where every browser looks for one."""
        return Response(self._icon, media_type="image/svg+xml", headers=_ALONE)

    def runs(self, _request: Request) -> Response:
        """Every run, the newest first."""
        runs = history.past_runs(self._output)[::-1]
        missing = history.gone_text(history.gone(self._output))
        rows = [(run, table.rows(run), live.of(run)) for run in runs]
        return self._page("runs", runs=rows, output=str(self._output), missing=missing)

    def history(self, request: Request) -> Response:
        """Recovery over time, a drawing for each candidate and task."""
        everything = request.query_params.get("all") == "1"
        runs = history.counted(history.past_runs(self._output), everything=everything)
        lines = history.lines(runs) if runs else []
        task = request.query_params.get("task") or None
        chosen = [line for line in lines if task in {None, line.task}]
        names = {line.task: line.title for line in lines}
        if task is not None:
            _refuse_unknown("task", task, names)
        missing = history.gone_text(history.gone(self._output))
        # Every stored answer of two runs is read for it: of one task that is quick, of a whole suite it is not.
        found = since.findings(chosen, self._output) if task else {}
        drawn = [(chart(one), list(since.sentences(told)) if (told := found.get(one.key)) else []) for one in chosen]
        return self._page("history", charts=drawn, names=names, task=task, everything=everything, missing=missing)

    def run(self, request: Request) -> Response:
        """The table of one run."""
        run = self._run(request)
        models = run.facts.plan.models if run.facts.plan else ()
        sort = request.query_params.get("sort", "")
        rows = table.by_recovery(table.rows(run), sort)
        return self._page("run", run=run, rows=rows, sort=sort, live=live.of(run), models=models)

    def samples(self, request: Request) -> Response:
        """Fifty samples of those that a filter leaves."""
        run = self._run(request)
        samples = self._samples(run)
        if isinstance(samples, Building):
            return self._wait(run, samples)
        wanted, query = _filter(request, samples)
        numbers = samples.numbers(wanted)
        pages = max(1, -(-len(numbers) // PAGE))
        page = min(max(1, _whole(request, "page", 1)), pages)
        found = samples.found(numbers[(page - 1) * PAGE : page * PAGE].tolist())
        return self._page(
            "samples",
            run=run,
            samples=samples,
            wanted=wanted,
            query=query,
            found=found,
            count=len(numbers),
            page=page,
            pages=pages,
            choices=_choices(samples),
        )

    def sample(self, request: Request) -> Response:
        """One sample with every model's answer."""
        run = self._run(request)
        samples = self._samples(run)
        if isinstance(samples, Building):
            return self._wait(run, samples)
        found, line = self._found(samples, request)
        wanted, query = _filter(request, samples)
        before, after = samples.neighbours(wanted, found.number)
        task = samples.files.tasks[found.task]
        return self._page(
            "sample",
            run=run,
            task=task,
            found=found,
            query=query,
            before=before,
            after=after,
            parts_of_question=answers.question(line, found, task, self._pictures_of(run)),
            references=answers.references(line),
            panes=answers.panes(samples, found, wanted.model),
            headline=samples.files.headlines[found.task],
        )

    def by_id(self, request: Request) -> Response:
        """Lead from a task and a sample's id to the sample's page."""
        run = self._run(request)
        samples = self._samples(run)
        if isinstance(samples, Building):
            return self._wait(run, samples)
        number = samples.find(request.query_params.get("task", ""), request.query_params.get("id", ""))
        if number is None:
            raise HTTPException(404, "This run has no such sample.")
        return RedirectResponse(link("runs", run.id, "samples", number), 303)

    def image(self, request: Request) -> Response:
        """An image of a sample."""
        run = self._run(request)
        samples = self._ready(run)
        found, line = self._found(samples, request)
        digest = request.path_params["digest"]
        if digest not in {part.get("image_sha256") for part in line["content"]}:
            raise HTTPException(404, "This sample has no such image.")
        pictures = self._pictures_of(run)
        try:
            picture = pictures.load(pictures.spot(samples.files.tasks[found.task], found.position), digest)
        except EvalkitError as error:
            return PlainTextResponse(visible(f"{error.message}; {error.fix}\n"), 404, _ALONE)
        kept = {"cache-control": "private, max-age=86400"}
        return Response(picture.data, media_type=f"image/{picture.kind}", headers=_ALONE | kept)

    def answer(self, request: Request) -> Response:
        """The whole of one answer, as plain text."""
        samples = self._ready(self._run(request))
        found, _ = self._found(samples, request)
        line = samples.line(found, request.path_params["model"])
        if line is None:
            raise HTTPException(404, "There is no such answer.")
        text = line.get("answer") or ""
        return Response(text.encode("utf-8", "backslashreplace"), media_type="text/plain", headers=_ALONE)

    # --- what the endpoints share ---

    def _run(self, request: Request) -> PastRun:
        """The run that the address names: one of those that are listed, so that no name reaches elsewhere."""
        wanted = request.path_params["run"]
        run = history.past_run(self._output, wanted)
        if run is not None:
            return run
        known = wanted in history.gone(self._output)
        raise HTTPException(404, history.gone_text([wanted]) if known else "There is no such run.")

    def _samples(self, run: PastRun) -> Samples | Building:
        if run.results is None:
            raise HTTPException(404, "This run has not finished: its samples can be seen here when it has.")
        return self.indexes.get(run)

    def _ready(self, run: PastRun) -> Samples:
        samples = self._samples(run)
        if isinstance(samples, Building):
            raise HTTPException(503, "The samples of this run are still being read.")
        return samples

    def _found(self, samples: Samples, request: Request) -> tuple[FoundSamples, dict[str, Any]]:
        """A sample and its question, from the first model that has it."""
        for found in samples.found([request.path_params["number"]]):
            for model in sorted(found.entries):
                line = samples.line(found, model)
                if line is not None:
                    return found, line
        raise HTTPException(404, "This run has no such sample.")

    def _pictures_of(self, run: PastRun) -> Pictures:
        return self._pictures.setdefault((run.id, index.Files.of(run).state()), Pictures(run))

    def _wait(self, run: PastRun, building: Building) -> Response:
        return self._page("wait", status=202, run=run, share=building.share)

    def _page(self, name: str, *, status: int = 200, **values: Any) -> Response:
        page = self._templates.get_template(f"{name}.html.j2").render(**values)
        return HTMLResponse(page.encode("utf-8", "replace"), status)

    def _refused(self, _request: Request, error: Exception) -> Response:
        if isinstance(error, EvalkitError):
            return self._page("error", status=500, what=error.message, fix=error.fix)
        status = error.status_code if isinstance(error, HTTPException) else 500
        return self._page("error", status=status, what=getattr(error, "detail", str(error)), fix="")


def _whole(request: Request, name: str, otherwise: int) -> int:
    text = request.query_params.get(name, "")
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else otherwise


def _filter(request: Request, samples: Samples) -> tuple[Filter, dict[str, str]]:
    """What the address asks for, and the same as a query.

    Raises:
        HTTPException: A filter is set to what there is none of: every sample would seem to be of that kind.
    """
    given, files = request.query_params, samples.files
    query = {name: given.get(name, "") for name in ("model", "task", "flip", "outcome", "failure", "text")}
    for name, names in _choices(samples).items():
        if query[name]:
            _refuse_unknown(name, query[name], names)
    own = 1 if len(files.models) > 1 else 0
    wanted = Filter(
        model=files.models.index(query["model"]) if query["model"] else own,
        task=files.tasks.index(query["task"]) if query["task"] else None,
        flip=query["flip"] or None,
        outcome=query["outcome"] or None,
        failure=query["failure"] or None,
        text=query["text"][:400],
    )
    return wanted, {name: value for name, value in query.items() if value}


def _refuse_unknown(name: str, value: str, known: Collection[str]) -> None:
    if value not in known:
        said = f"There is no {name} '{value[:100]}' here"
        raise HTTPException(400, f"{said}: {near_miss(value, known)}" if known else f"{said}.")


def _choices(samples: Samples) -> dict[str, list[str]]:
    """What each filter may be set to."""
    return {
        "model": list(samples.files.models),
        "task": list(samples.files.tasks),
        "flip": list(index.FLIPS[1:]),
        "outcome": [*index.OUTCOMES[1:], *index.MARKS],
        "failure": sorted(samples.failures[1:]),
    }
