"""A model card in the README of a repository that has one already: its own words stay, and other results do."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

BEGIN: Final = "<!-- evalkit: what follows is written by `evalkit card --push` -->"
END: Final = "<!-- evalkit: end -->"
_METADATA: Final = re.compile(r"\A---[ \t]*\n(?P<yaml>.*?)^---[ \t]*\n", re.MULTILINE | re.DOTALL)
_INDEX: Final = "model-index"


def merged(readme: str, card: str) -> str:
    """The README with the card in it.

    The card's section takes the place of the one that an earlier card has left between its marks, or goes to the end.
    Of the metadata, what the README says itself stays; results of the same task, data and metric are replaced, all
    others stay. A README whose metadata say what the card does keeps them to the letter.

    Args:
        readme: As it is; empty where there is none.
        card: As ``model_card`` makes it.

    Raises:
        ValueError: The README's metadata are no YAML mapping, or its marks are not one pair in order.
    """
    readme = readme.replace("\r\n", "\n")
    kept, body = _split(readme)
    ours, section = _split(card)
    known = _mapping(kept)
    wanted = _with(known, _mapping(ours))
    text = kept if wanted == known else yaml.safe_dump(wanted, sort_keys=False, allow_unicode=True, width=1_000_000)
    head = f"---\n{text}---\n" if text else ""
    return head + _placed(body, f"{BEGIN}\n\n{section.strip()}\n\n{END}\n")


def _split(text: str) -> tuple[str, str]:
    """The metadata of a card, without their fences, and the rest."""
    found = _METADATA.match(text)
    return (found["yaml"], text[found.end() :]) if found else ("", text)


def _mapping(text: str) -> dict[str, Any]:
    try:
        found = yaml.safe_load(text) if text else {}
    except yaml.YAMLError as error:
        raise ValueError(f"its metadata are no YAML: {error}") from error
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise ValueError("its metadata are no mapping")  # noqa: TRY004 - a text that a person wrote is of no type
    return found


def _placed(body: str, section: str) -> str:
    """The body with our section where the earlier one was, or at its end."""
    begins, ends = body.count(BEGIN), body.count(END)
    before, _, rest = body.partition(BEGIN)
    _, _, after = rest.partition(END)
    if (begins, ends) == (1, 1) and END in rest:
        return before + section + after.removeprefix("\n")
    if begins or ends:
        raise ValueError(f"it has {begins} of the marks '{BEGIN}' and {ends} of '{END}', and not one pair in order")
    return f"{body.rstrip()}\n\n{section}" if body.strip() else f"\n{section}"


def _with(known: Mapping[str, Any], ours: Mapping[str, Any]) -> dict[str, Any]:
    """The README's metadata with ours where they say nothing yet, and with our results."""
    found = dict(known)
    for key, value in ours.items():
        if key == _INDEX:
            found[key] = _index(known.get(key), value)
        else:
            found.setdefault(key, value)
    return found


def _index(known: Any, ours: list[dict[str, Any]]) -> list[Any]:
    """The first model's results with ours among them; whatever is not in the Hub's form is left as it is."""
    if not (isinstance(known, list) and known and isinstance(known[0], dict)):
        return ours
    first, *others = known
    results = first.get("results")
    theirs = results if isinstance(results, list) else []
    mine = {key for one in ours[0]["results"] for key in _keys(one)}
    left = [kept for one in theirs if (kept := _without(one, mine)) is not None]
    wanted = [*left, *ours[0]["results"]]
    # The same results in another order are no change.
    same = sorted(map(_spelled, theirs)) == sorted(map(_spelled, wanted))
    return [{**first, "results": theirs if same else wanted}, *others]


def _without(result: Any, ours: set[str]) -> Any:
    """A result without the metrics that we bring; None where nothing is left of it."""
    if not isinstance(result, dict) or not isinstance(result.get("metrics"), list):
        return result
    metrics = [metric for metric, key in zip(result["metrics"], _keys(result), strict=True) if key not in ours]
    return {**result, "metrics": metrics} if metrics else None


def _keys(result: Mapping[str, Any]) -> Iterator[str]:
    """What tells each metric of a result from others: task, data, and which metric."""
    data = result.get("dataset")
    place = {key: data.get(key) for key in ("type", "config", "split")} if isinstance(data, dict) else data
    for metric in result.get("metrics", ()):
        kind = metric.get("type") if isinstance(metric, dict) else metric
        yield _spelled([place, kind])


def _spelled(value: Any) -> str:
    return json.dumps(value, sort_keys=True, default=str)
