"""Logs of inspect as JSON (``inspect log convert --to json`` makes them of ``.eval`` files): epochs are repetitions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.answers.gathering import Gathered
from evalkit.answers.reading import MetricChoice, ReadAnswers, identity, no_metric, score
from evalkit.base.errors import DataError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalkit.base.types import Json

_WORDS: Final = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
"""Correct, partially correct, incorrect, no answer: what inspect itself counts them."""


def fits(whole: Mapping[str, Json]) -> bool:
    """Whether an object is such a log."""
    evaluated = whole.get("eval")
    return isinstance(evaluated, dict) and isinstance(evaluated.get("task"), str) and "status" in whole


def read(path: Path, whole: Mapping[str, Json], choice: MetricChoice) -> ReadAnswers:
    """The one task of a log, by one of its scorers (``match``, or ``scorer,key`` where a score has several values).

    Raises:
        DataError: It holds no samples, or the scorer has to be chosen.
    """
    task = str(whole["eval"]["task"])
    samples = [one for one in whole.get("samples") or [] if isinstance(one, dict)]
    if not samples:
        raise DataError(f"{path}: no samples", fix="convert the log with its samples, not its header alone")
    metric = _metric(path, samples, choice.metric_of(task))
    gathered = Gathered()
    for number, one in enumerate(samples):
        place = f"{path}: samples[{number}]"
        found = _values(one).get(metric)
        value = None if one.get("error") or found is None else _value(found, place, metric)
        asked = {"question": one.get("input"), "references": one.get("target")}
        completion = (one.get("output") or {}).get("completion") if isinstance(one.get("output"), dict) else None
        gathered.add(identity(one, "id", place), value, asked, completion)
    model = str(whole["eval"].get("model") or "")
    side = gathered.side(str(path), {"task": task, "metric": metric}, model=model)
    return ReadAnswers("inspect", {task: side})


def _values(sample: Mapping[str, Json]) -> dict[str, Json]:
    """What every scorer says of a sample; of a score with several values each by its key."""
    found: dict[str, Json] = {}
    scores = sample.get("scores")
    for name, one in (scores if isinstance(scores, dict) else {}).items():
        value = one.get("value") if isinstance(one, dict) else one
        if isinstance(value, dict):
            found |= {f"{name},{key}": inner for key, inner in value.items()}
        else:
            found[name] = value
    return found


def _value(found: Json, place: str, metric: str) -> float:
    return _WORDS[found] if isinstance(found, str) and found in _WORDS else score(found, place, metric)


def _metric(path: Path, samples: list[dict[str, Json]], chosen: str | None) -> str:
    known = list(dict.fromkeys(name for one in samples for name in _values(one)))
    if chosen:
        if chosen not in known:
            no_metric(str(path), chosen, known)
        return chosen
    if len(known) == 1:
        return known[0]
    has = f"has {', '.join(known)}" if known else "no sample has a score"
    raise DataError(f"{path}: {has}", fix="choose one with --metric" if known else "score it first: inspect score")
