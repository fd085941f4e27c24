"""When a cell counts. What does not count has a reason in words, and no number anywhere."""

from __future__ import annotations

from collections import defaultdict
from typing import TYPE_CHECKING, Final

from evalkit.base.printable import one_line

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.perf.cells import CellKey, MeasuredCell
    from evalkit.perf.uses import Use

MOST_IDLE: Final = 0.05
"""The engine's own delay that is borne: the share of the time in which it left the server without a query that it could
have sent. Beyond it the engine is measured, not the model."""
BURST_S: Final = 0.0001
"""Tokens that come closer together than this came in one burst: their times say nothing of how they were made."""
_LONGEST: Final = 160


def faults(
    cells: Sequence[MeasuredCell], uses: Mapping[str, Use], *, most_idle: float = MOST_IDLE
) -> dict[CellKey, str]:
    """Why cells do not count: each one's first reason. Cells that count are left out."""
    first = {cell.key: next(_own(cell, uses[cell.use], most_idle), None) for cell in cells}
    found = {key: reason for key, reason in first.items() if reason is not None}
    return {**_unequal([cell for cell in cells if cell.key not in found]), **found}


def _own(cell: MeasuredCell, use: Use, most_idle: float) -> Iterator[str]:
    """What speaks against a cell without a look at the others."""
    done = len(cell.latencies_s)
    because = f": {one_line(cell.error)[:_LONGEST]}" if cell.error else ""
    if cell.failed:
        yield f"{cell.failed} of {max(cell.asked, done + cell.failed)} queries failed{because}"
    if done != cell.asked:
        yield f"{done} of {cell.asked} queries were answered{because or ', and the engine says nothing of the others'}"
    if len(cell.output_tokens) != done or len(cell.prompt_tokens) != done:
        yield "the server did not say how many tokens every query and answer had"
    if set(cell.output_tokens) != {use.output_tokens}:
        least, most = min(cell.output_tokens), max(cell.output_tokens)
        yield f"answers had {_span(least, most)} tokens, not {use.output_tokens}"
    if cell.value is None or cell.value <= 0:
        yield "the engine measured no time"
    if cell.warnings:
        yield f"the engine warns of its own figures: {cell.warnings[0][:_LONGEST]}"
    if cell.idle is None or cell.idle > most_idle:
        share = "an unknown share" if cell.idle is None else f"{100 * cell.idle:.0f} %"
        yield f"the engine left the server waiting for {share} of the time; its limit is {100 * most_idle:g} %"


def _unequal(cells: Sequence[MeasuredCell]) -> dict[CellKey, str]:
    """Cells of one use, stream and start whose prompts were not equally long for all models: none of them counts."""
    beside: defaultdict[tuple[str, str, int], list[MeasuredCell]] = defaultdict(list)
    for cell in cells:
        beside[cell.use, cell.stream, cell.start].append(cell)
    found: dict[CellKey, str] = {}
    for together in beside.values():
        if len({cell.prompt_tokens for cell in together}) > 1:
            each = ", ".join(
                f"{cell.model} {_span(cell.prompt_tokens[0], cell.prompt_tokens[-1])}" for cell in together
            )
            total = ", ".join(f"{cell.model} {sum(cell.prompt_tokens):,}" for cell in together)
            spans = {_span(cell.prompt_tokens[0], cell.prompt_tokens[-1]) for cell in together}
            said = each if len(spans) > 1 else f"{total} in all"
            found |= dict.fromkeys((cell.key for cell in together), f"prompts differ between the models: tokens {said}")
    return found


def _span(least: int, most: int) -> str:
    return f"{least}" if least == most else f"{least} to {most}"


def tokens_tell(cell: MeasuredCell) -> bool:
    """Whether times to and between tokens mean anything: the server did not send its tokens in one burst."""
    return cell.gap_s is not None and cell.gap_s >= BURST_S
