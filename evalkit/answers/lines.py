"""JSON lines with ``id`` and ``score``: made by hand, or ``samples/<model>/<task>.jsonl`` of an evalkit run.

Of each line: ``id``; ``score``, 0-1, or null or a ``failure`` for a planned sample without one, or ``left_out`` for one
that is not to count, because its references are at fault; optional ``cluster`` (samples that share it are not
independent) and ``stratum`` (a fixed group, such as a subject); optional ``question`` or ``content``, ``prompt``,
``reference`` or ``references``, which are compared between the two sides; ``scores`` by metric. An id stands in one
line only: nothing here tells attempts from mistakes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.answers import folders
from evalkit.answers.reading import Choice, Found, identity, no_metric, score
from evalkit.errors import DataError
from evalkit.identity import digest, own_id
from evalkit.pairs import Side
from evalkit.textfile import objects, shown
from evalkit.types import SampleScore

if TYPE_CHECKING:
    from pathlib import Path

    from evalkit.types import Groups, Json

_CONTENT = ("content", "question", "prompt", "references", "reference")


def read(path: Path, choice: Choice) -> Found:
    """The one task of a file.

    Raises:
        DataError: With ``FILE:LINE``.
    """
    run = folders.run_of(path)
    seen: dict[str, str] = {}
    scores: dict[str, SampleScore] = {}
    failed: set[str] = set()
    left_out: set[str] = set()
    content: dict[str, dict[str, str]] = {}
    for place, line in objects(path):
        key = identity(line, "id", place)
        if key in seen:
            raise DataError(
                f"{place}: id '{key}' occurs again, first at {seen[key]}",
                fix="keep one line for each sample; average several attempts at one sample first",
            )
        seen[key] = place
        if _is_left_out(line, choice.metric):
            left_out.add(key)
        elif (value := _value(line, place, choice.metric)) is None:
            failed.add(key)
        else:
            cluster, stratum = _groups(line, place, run.groups)
            scores[key] = SampleScore(key, value, cluster, stratum)
        parts = {name: digest(line[name]) for name in _CONTENT if line.get(name) is not None}
        if parts:
            content[key] = parts
    settings = dict(run.settings)
    if choice.metric:
        settings["metric"] = choice.metric
    side = Side(
        label=run.label,
        scores=scores,
        failed=frozenset(failed),
        left_out=frozenset(left_out),
        planned=run.planned,
        available=run.available,
        smoke=run.smoke,
        drawn=run.drawn,
        content=content,
        settings=settings,
    )
    return Found("lines", {run.task: side}, run.category)


def _is_left_out(line: dict[str, Json], metric: str | None) -> bool:
    """Whether a line says that the metric (None: the one of ``score``) could not be applied to its references."""
    named = line.get("scores")
    found = named.get(metric) if metric is not None and isinstance(named, dict) else line
    return isinstance(found, dict) and bool(found.get("left_out"))


def _value(line: dict[str, Json], place: str, metric: str | None) -> float | None:
    """The score of a line; None for a sample without one."""
    if line.get("failure") is not None:
        if line.get("score") is not None:
            raise DataError(f"{place}: has a score and a failure", fix="keep the one that holds")
        return None
    if metric is not None:
        named = line.get("scores")
        named = named if isinstance(named, dict) else {}
        if metric not in named:
            no_metric(place, metric, named)
        value = named[metric]
        return score(value["value"] if isinstance(value, dict) and "value" in value else value, place, metric)
    if "score" not in line:
        raise DataError(
            f"{place}: no key 'score'", fix=f"it has {', '.join(sorted(line))}; write null for a sample without a score"
        )
    return None if line["score"] is None else score(line["score"], place, "score")


def _groups(line: dict[str, Json], place: str, groups: Groups) -> tuple[str | None, str | None]:
    """A line's cluster and stratum. Runs wrote a subject as a cluster once: what a run's groups are, its task says."""
    cluster, stratum = (_group(line, place, name) for name in ("cluster", "stratum"))
    return (None, stratum or cluster) if groups == "fixed" else (cluster, stratum)


def _group(line: dict[str, Json], place: str, name: str) -> str | None:
    value = line.get(name)
    try:
        return own_id(value)
    except TypeError as error:
        raise DataError(f"{place}: {name} is {shown(value)}", fix=f"a {name} is a text or a whole number") from error
