"""What each column of figures is, and which models and recoveries belong together."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Literal, TypeAlias

from evalkit.cards.roles import models, words
from evalkit.cards.roles.averages import average_in
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.cards.nouns import StatedKind
    from evalkit.cards.roles.sheet import Sheet

Role: TypeAlias = Literal[
    "label", "score", "recovery", "difference", "speedup", "aside", "gain", "n", "quantity", "error", "unread", "words"
]
"""``aside``: ratios of which only the figures can say what they are. ``gain``: by how much a size, a time or a rate
is better than the baseline's. ``unread``: figures in forms that are not known."""
STATED: tuple[Role, ...] = ("recovery", "difference", "speedup", "aside")
_METRIC_NAMES = re.compile(
    r"(?:acc(?:uracy)?(?:[_ ]norm)?|f1|em|exact[_ ]match|value|score|result|precision|recall|bleu|rouge\w*|mcc|auc"
    r"|pass@\d+)(?: ?[(%)↑]+)?",
    re.IGNORECASE,
)
_BYTES = re.compile(r"[KMGT]i?B", re.IGNORECASE)
_WINS = re.compile(r"(?:# ?)?wins?\b", re.IGNORECASE)
_GAMES = re.compile(r"(?:# ?)?(?:wins?|ties?|draws?|loss(?:es)?)$", re.IGNORECASE)
"""Beside wins a loss is a count of games, and no difference."""
_VERSUS = re.compile(r"\bvs\.? ", re.IGNORECASE)
_LENGTH = re.compile(r"\btokens\b|\blengths?\b", re.IGNORECASE)
"""What a column is called that says how long answers are."""
_SETTING = re.compile(
    r"#? ?(?:batch|concurren|context|sequence|prompt|input|output|tokens|qps|rps|users|clients|gpus|tp\b|num|experts)",
    re.IGNORECASE,
)
"""What a column of numbers is called that names the rows."""


@lru_cache(maxsize=16)
def roles(sheet: Sheet) -> tuple[Role, ...]:
    """The role of every column."""
    found: list[Role] = [_role(sheet, at) for at in range(len(sheet.head))]
    first = next((at for at, role in enumerate(found) if at and role in {"score", *STATED}), len(found))
    # Rows need a name: where no column of words has it, it is the first column's figure.
    if found[0] in {"score", "quantity"} and (_SETTING.match(sheet.head[0]) or "words" not in found[:first]):
        found[0] = "words"
    first = 0 if found[0] in {"score", *STATED} else first
    games = any(_WINS.match(name) for name in sheet.head)
    for at, name in enumerate(sheet.head):
        setting = found[at] == "score" and _SETTING.match(name) and _are_whole(sheet, at)
        if setting or (games and _GAMES.match(name)):
            found[at] = "quantity"
    for at in _sizes_by_model(sheet, found):
        found[at] = "score"
    found = ["gain" if _is_gain(sheet, found, at) else role for at, role in enumerate(found)]
    return tuple("label" if role == "words" and at < first else role for at, role in enumerate(found))


def _sizes_by_model(sheet: Sheet, kinds: Sequence[Role]) -> list[int]:
    """Columns of one kind of size for a whole and a compressed model: "KV cache BF16 (GB)", "KV cache FP8 (GB)"."""
    sizes = [at for at, role in enumerate(kinds) if role == "quantity" and is_size(sheet, at)]
    whole = [at for at in sizes if models.whole(sheet.head[at])]
    small = [at for at in sizes if models.quantized(sheet.head[at])]
    alike = {models.without_model(sheet.head[at]) for at in [*whole, *small]}
    compared = any(role in STATED or role == "gain" for role in kinds)
    return [*whole, *small] if whole and small and len(alike) == 1 and compared and "score" not in kinds else []


def _is_gain(sheet: Sheet, kinds: Sequence[Role], at: int) -> bool:
    """Whether a difference is one of the size, time or rate that its heading names, or that stands before it."""
    name = sheet.head[at]
    if kinds[at] != "difference" and not (kinds[at] == "recovery" and _VERSUS.search(name)):
        return kinds[at] == "gain"
    if words.speed(name) or words.SIZE.search(name) or words.PRICE.search(name):
        return True
    scored = average_in(name) != "no" or is_benchmark(name) or words.SCORE.search(name)
    before = sheet.head[at - 1] if at and kinds[at - 1] == "quantity" else ""
    measured = words.speed(before) or words.PRICE.search(before) or (before and is_size(sheet, at - 1))
    measured = measured or bool(_LENGTH.search(before))
    return not scored and bool(measured)


def is_size(sheet: Sheet, at: int) -> bool:
    """Whether a column holds sizes, by its heading or by the units in its cells."""
    cells = [cell for cell in sheet.column(at) if cell.figure]
    units = bool(cells) and all(_BYTES.fullmatch(cell.unit) for cell in cells)
    return units or bool(words.SIZE.search(sheet.head[at]))


def _role(sheet: Sheet, at: int) -> Role:
    name = sheet.head[at]
    if not sheet.is_numeric(at):
        cells = sheet.column(at)
        no_score = words.is_quantity(name, heading=True) or words.NOT_A_SCORE.match(name)
        unread = 2 * sum(cell.unread for cell in cells) > len(cells) and not no_score
        return "unread" if at and unread else "words"
    if role := _role_of_name(name, pairs=_mostly_pairs(sheet, at)):
        if role == "quantity" and _are_factors(sheet, at):
            return "gain"
        return "recovery" if role == "difference" and _VERSUS.search(name) and _are_recoveries(sheet, at) else role
    measured = all(cell.unit for cell in sheet.column(at) if cell.figure)
    return "quantity" if measured and not (models.quantized(name) or models.whole(name)) else "score"


def _are_whole(sheet: Sheet, at: int) -> bool:
    return not any(cell.figure.decimals for cell in sheet.column(at) if cell.figure)


def _are_factors(sheet: Sheet, at: int) -> bool:
    """Whether all figures say how many times: "2.3x"."""
    return all(cell.figure.text.rstrip().endswith(("x", "×")) for cell in sheet.column(at) if cell.figure)


def _are_recoveries(sheet: Sheet, at: int) -> bool:
    """Whether all figures are percentages near 100 without a sign."""
    figures = [cell.figure for cell in sheet.column(at) if cell.figure]
    percent = "%" in sheet.head[at]
    return all((one.percent or percent) and not one.signed and 50 <= one.value <= 150 for one in figures)


@lru_cache(maxsize=4096)
def _role_of_name(name: str, *, pairs: bool) -> Role | None:
    """What a heading says of its column; ``pairs`` where most cells have two figures, of which a score is the first."""
    told: tuple[tuple[Role, bool], ...] = (
        ("n", bool(words.COUNT.fullmatch(name))),
        ("speedup", bool(words.SPEEDUP.search(name))),
        ("gain", bool(words.COMPRESSION.search(name))),
        ("aside", bool(words.RATIO.fullmatch(name.strip()))),
        ("recovery", words.is_recovery(name) and not pairs),
        ("error", bool(words.UNCERTAINTY.search(name))),
        ("difference", words.is_difference(name) and not pairs),
        ("score", bool(words.speed(name)) and (models.quantized(name) or models.whole(name))),
        ("quantity", bool(words.NOT_A_SCORE.match(name)) or words.is_quantity(name, heading=True)),
    )
    return next((role for role, holds in told if holds), None)


def _mostly_pairs(sheet: Sheet, at: int) -> bool:
    """Whether a column named for a recovery in brackets has a second figure in most cells: a score comes first."""
    if not re.search(r"[(/&+,\[].{0,40}$", sheet.head[at]) or words.is_recovery(
        re.split(r"[(/&+,\[]", sheet.head[at])[0]
    ):
        return False
    cells = [cell for cell in sheet.column(at) if cell.figure]
    return 2 * sum(bool(cell.beside) and not cell.interval for cell in cells) > len(cells)


@dataclass(slots=True)
class Pairing:
    """Which columns are models, which is the baseline of which, and whom each stated column is about."""

    scores: list[int] = field(default_factory=list)
    bases: list[int | None] = field(default_factory=list)
    named: bool = False
    metrics: bool = False
    """Whether the columns are metrics of one model."""
    stated: dict[int, tuple[StatedKind, int, int]] = field(default_factory=dict)
    """Column to kind, model and baseline, as indices of ``scores``."""
    stray: list[int] = field(default_factory=list)
    """Stated columns of which it is not clear what they compare."""


def pairing(sheet: Sheet, kinds: Sequence[Role]) -> Pairing:
    """Pair the columns of a table whose columns are models.

    ``S S R`` is a baseline, a candidate and its recovery; ``S S R S R`` adds a candidate; ``S S R S S R`` is two
    baselines with a candidate each; in ``S S S R R`` the recoveries follow in the candidates' order; in ``S R S R``
    the baseline has a recovery of its own. ``R S S`` and the like are read from right to left.
    """
    scores = [at for at, role in enumerate(kinds) if role == "score"]
    stated = [at for at, role in enumerate(kinds) if role in STATED]
    names = [sheet.head[at] for at in scores]
    if names and all(_METRIC_NAMES.fullmatch(name) for name in names):
        return Pairing(scores, [None] * len(scores), metrics=True, stray=stated)
    mirrored = bool(scores and stated) and stated[0] < scores[0] and stated[-1] < scores[-1]
    blocks = _blocks(sheet, kinds, scores, mirrored=mirrored)
    indices = [[scores.index(at) for at in block] for block in blocks]
    compared = bool(stated) or any(words.is_recovery(name) for name in names)
    bases, named = models.bases(names, indices, compared=compared)
    found = Pairing(scores, bases, named)
    for block in blocks:
        first, last = min(block), max(block)
        near = [at for at in stated if at > first and not any(last < other <= at for other in scores)]
        if mirrored:
            near = [at for at in stated if at < last and not any(at <= other < first for other in scores)]
        for role in STATED:
            own = [at for at in near if kinds[at] == role and at not in found.stated]
            _assign(sheet, found, own, block, role)
    found.stray = [at for at in stated if at not in found.stated]
    return found


def _blocks(sheet: Sheet, kinds: Sequence[Role], scores: list[int], *, mirrored: bool) -> list[list[int]]:
    """The score columns by baseline."""
    by_top: dict[str, list[int]] = {}
    for at in scores:
        by_top.setdefault(sheet.tops[at], []).append(at)
    if len(by_top) > 1 and "" not in by_top and all(len(block) > 1 for block in by_top.values()):
        return list(by_top.values())
    by_measure: dict[str, list[int]] = {}
    for at in scores if all(words.speed(sheet.head[at]) for at in scores) else ():
        by_measure.setdefault(models.without_model(sheet.head[at]), []).append(at)
    if len(by_measure) > 1 and all(len(block) > 1 for block in by_measure.values()):
        return list(by_measure.values())
    runs: list[tuple[list[int], list[int]]] = []
    columns = list(enumerate(kinds))
    for at, role in reversed(columns) if mirrored else columns:
        if role == "score" and (not runs or runs[-1][1]):
            runs.append(([], []))
        if runs and role in {"score", "recovery"}:
            runs[-1][role == "recovery"].append(at)
    if len(runs) > 1 and all(len(found) == len(printed) + 1 > 1 for found, printed in runs):
        return [sorted(found) for found, _ in runs]
    return [scores] if scores else []


def _assign(sheet: Sheet, found: Pairing, own: list[int], block: list[int], role: Role) -> None:
    """Give each stated column of a block its model: by order where the numbers agree, else by name or place."""
    block_models = [found.scores.index(at) for at in block]
    candidates = [model for model in block_models if found.bases[model] is not None]
    baselines = {base for model in candidates if (base := found.bases[model]) is not None}
    if not own or not candidates or role not in STATED:
        return
    if len(own) == len(candidates):
        chosen: list[int | None] = list(candidates)
    elif len(own) == len(block_models) and len(baselines) == 1 and role != "difference":
        chosen = list(block_models)
    else:
        chosen = [_named(sheet, found, at, candidates) for at in own]
        chosen = [
            model if model is not None else _before(found, at, candidates)
            for at, model in zip(own, chosen, strict=True)
        ]
    if len(own) > 1 and all(_named(sheet, found, at, candidates) is not None for at in own):
        chosen = [_named(sheet, found, at, candidates) for at in own]
    given: set[int] = set()
    for at, model in zip(own, chosen, strict=True):
        # A difference may be told twice, in points and in percent; a recovery is told once.
        if model is None or (model in given and role != "difference"):
            continue
        heading, names = sheet.head[at], [sheet.head[one] for one in found.scores]
        base = models.referred(heading, names, found.bases[model])
        if base is None and (found.bases[model] is not None or models.quantized(models.reference(heading))):
            continue  # what it compares with has no column
        given.add(model)
        found.stated[at] = (stated_kind(role), model, model if base is None else base)


def stated_kind(role: Role) -> StatedKind:
    """What the figures of a column state, whose role is one of ``STATED``."""
    kinds: dict[Role, StatedKind] = {"recovery": "recovery", "difference": "difference", "speedup": "speedup"}
    return kinds.get(role, "aside")


def _named(sheet: Sheet, found: Pairing, at: int, candidates: list[int]) -> int | None:
    """The one candidate whose name the heading repeats."""
    heading = models.before_reference(sheet.head[at].lower())
    rest = words.DIFFERENCE.sub(" ", re.sub(r"\w*recover\w*|retention|speed-?ups?|[()%]", " ", heading))
    told = set(re.findall(r"[a-z0-9]{2,}", rest))
    if not told:
        return None
    fits = [model for model in candidates if told <= set(re.findall(r"[a-z0-9]{2,}", _heading(sheet, found, model)))]
    return fits[0] if len(fits) == 1 else None


def _heading(sheet: Sheet, found: Pairing, model: int) -> str:
    return sheet.head[found.scores[model]].lower()


def _before(found: Pairing, at: int, candidates: list[int]) -> int | None:
    before = [model for model in candidates if found.scores[model] < at]
    return before[-1] if before else None
