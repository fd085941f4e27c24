"""What several cards say of the same model and the same rows."""

from __future__ import annotations

import re
from collections import Counter, defaultdict
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from evalkit.cards.checks.figure import AuditFinding, Ref, doubt
from evalkit.cards.checks.scopes import settled
from evalkit.cards.roles.models import whole

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.cards.figures import Printed
    from evalkit.cards.nouns import AccuracyTable, Card, CardScores

_SAME_AT_LEAST = 3
"""Scores of two models that have to be equal to the last digit before it is pointed out."""
_WORDS = re.compile(r"[^a-z0-9.+]+")
_GENERIC = re.compile(
    r"(?:base(?:line)?|original|reference|model|b?f(?:p|loat)?-?(?:16|32)|full precision|unquantized|dense|[a-z]"
    r"|column \d+|score|accuracy|value|result|this model)(?: (?:model|score|scores|accuracy|results?))?",
    re.IGNORECASE,
)
"""What a column is called that says nothing of which model it is."""


@dataclass(frozen=True, slots=True)
class AcrossRow:
    """One row of the table across cards: scores of one baseline and recoveries of its candidates."""

    row: str
    baseline: str
    """As printed; several where the cards differ."""
    recoveries: tuple[float | None, ...]
    """By candidate, in percent, from the printed scores."""


@dataclass(frozen=True, slots=True)
class Across:
    """What several cards say together."""

    checked: int
    """Figures of a baseline that more than one card has."""
    findings: tuple[AuditFinding, ...]
    """Figures of one baseline that differ."""
    doubts: tuple[AuditFinding, ...]
    """Scores of two models that are the same to the last digit."""
    tables: tuple[tuple[str, tuple[str, ...], tuple[AcrossRow, ...]], ...]
    """Baseline, candidates with the name of their card, rows; of each baseline that more than one card has."""


@dataclass(frozen=True, slots=True)
class _Said:
    """One score on one card."""

    card: str
    table: str
    row: str
    column: str
    printed: Printed


def together(cards: Mapping[str, Card]) -> Across:
    """Compare cards by their names, which are the keys."""
    baselines: defaultdict[str, dict[str, list[_Said]]] = defaultdict(dict)
    candidates: dict[tuple[str, str], dict[str, list[_Said]]] = {}
    for name, card in cards.items():
        for table in card.accuracy:
            _collect(name, card, settled(table), baselines, candidates)
    pairs = [said for rows in baselines.values() for said in rows.values() if _cards(said) > 1]
    wrong = [finding for said in pairs if (finding := _apart(said)) is not None]
    shared = {name: rows for name, rows in baselines.items() if any(_cards(said) > 1 for said in rows.values())}
    tables = tuple(_table(name, rows, candidates) for name, rows in shared.items())
    return Across(len(pairs), tuple(wrong), tuple(_identical(candidates)), tables)


def _collect(
    name: str,
    card: Card,
    table: AccuracyTable,
    baselines: defaultdict[str, dict[str, list[_Said]]],
    candidates: dict[tuple[str, str], dict[str, list[_Said]]],
) -> None:
    for base in {base for base, _ in table.pairs}:
        model = _model(table.models[base], card)
        for row in table.rows:
            score = row.scores[base]
            if model and score is not None and row.kind == "task":
                said = _Said(name, table.place, row.name, table.models[base], score)
                baselines[model].setdefault(_key(row), []).append(said)
    for base, candidate in table.pairs:
        model = _model(table.models[base], card)
        rows = candidates.setdefault((model, f"{table.models[candidate]} [{name}]"), {})
        for row in table.rows:
            score = row.scores[candidate]
            if score is not None and row.kind == "task":
                rows.setdefault(_key(row), []).append(
                    _Said(name, table.place, row.name, table.models[candidate], score)
                )


def _model(column: str, card: Card) -> str:
    """Which model a baseline's column is of: its name, or what the card's head names; empty where neither does."""
    name = column.strip()
    if _GENERIC.fullmatch(name) or (
        whole(name) and not any(letter.isdigit() for letter in re.sub(r"\d+$|16|32", "", name))
    ):
        name = card.base_model
    return _WORDS.sub("-", name.rpartition("/")[2].lower()).strip("-")


def _key(row: CardScores) -> str:
    """A row's name with its category and settings: other shots or another harness are another row."""
    return _WORDS.sub(" ", row.name.lower()).strip()


def _cards(said: Sequence[_Said]) -> int:
    return len({one.card for one in said})


def _apart(said: Sequence[_Said]) -> AuditFinding | None:
    """A row for which cards print different figures of one baseline; what one card prints twice is left alone."""
    by_card: dict[str, list[_Said]] = {}
    for one in said:
        by_card.setdefault(one.card, []).append(one)
    if any(len({one.printed.value for one in own}) > 1 for own in by_card.values()):
        return None
    first, *others = [own[0] for own in by_card.values()]
    different = [
        one for one in others if not one.printed.range.overlaps(first.printed.range) and _same_unit(first, one)
    ]
    if not different:
        return None
    other = different[0]
    texts = "; ".join(f"{one.card} has {one.printed.text}" for one in (first, *different))
    found = doubt(
        "sibling",
        (other.table, other.row, other.column),
        other.printed.text,
        f"the same baseline has one figure for one row, but {texts}",
        [Ref(f"{one.card}, {one.row}", one.column, one.printed.text) for one in (first, *different)],
    )
    return replace(found, severity="wrong", right=first.printed.text, card=other.card)


def _same_unit(one: _Said, other: _Said) -> bool:
    """Whether both are percentages or both shares."""
    return (one.printed.value > 1) == (other.printed.value > 1)


def _identical(candidates: Mapping[tuple[str, str], Mapping[str, list[_Said]]]) -> Iterator[AuditFinding]:
    """Two candidates of one baseline that is named, whose scores are the same to the last digit."""
    entries = list(candidates.items())
    for at, other_at in _alike(entries):
        ((_, name), rows), ((_, other_name), others) = entries[at], entries[other_at]
        same = [key for key in rows if key in others]
        if any(_text(rows[key]) != _text(others[key]) for key in same):
            continue
        first = others[same[0]][0]
        refs = [
            Ref(f"{one.card}, {one.row}", one.column, one.printed.text)
            for key in same
            for one in (rows[key][0], others[key][0])
        ]
        because = f"all {len(same)} scores are those of {name}, to the last digit: one of them may be copied"
        yield replace(doubt("identical", (first.table, other_name, "scores"), "", because, refs), card=first.card)


def _alike(
    entries: Sequence[tuple[tuple[str, str], Mapping[str, list[_Said]]]],
) -> list[tuple[int, int]]:
    """Where two candidates of one named baseline share enough scores, by the first and then the second.

    By an index of the scores: of thousands of cards few share any, and comparing all pairs would take longer than
    everything else.
    """
    holders: defaultdict[tuple[str, str, str], list[int]] = defaultdict(list)
    shared: Counter[tuple[int, int]] = Counter()
    for at, ((model, name), rows) in enumerate(entries):
        for key, said in rows.items() if model else ():
            own = holders[model, key, _text(said)]
            shared.update((earlier, at) for earlier in own if not _same_name(entries[earlier][0][1], name))
            own.append(at)
    return sorted(pair for pair, count in shared.items() if count >= _SAME_AT_LEAST)


def _text(said: Sequence[_Said]) -> str:
    """A score as its card prints it first."""
    return said[0].printed.text


def _same_name(one: str, other: str) -> bool:
    """Whether two candidates are one model that two cards show."""
    return one.partition(" [")[0] == other.partition(" [")[0]


def _table(
    model: str,
    rows: Mapping[str, list[_Said]],
    candidates: Mapping[tuple[str, str], Mapping[str, list[_Said]]],
) -> tuple[str, tuple[str, ...], tuple[AcrossRow, ...]]:
    own = {name: found for (base, name), found in candidates.items() if base == model}
    lines = []
    for key, said in rows.items():
        texts = ", ".join(dict.fromkeys(one.printed.text for one in said))
        recoveries = []
        for found in own.values():
            score = found[key][0] if key in found else None
            base = next((one for one in said if score and one.card == score.card), None)
            plain = score and base and base.printed.value
            recoveries.append(
                100 * float(score.printed.value / base.printed.value) if plain and score and base else None
            )
        lines.append(AcrossRow(said[0].row, texts, tuple(recoveries)))
    return model, tuple(own), tuple(lines)
