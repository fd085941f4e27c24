"""A performance run as Markdown, as a page, and as the section of a model card."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.perf import tables
from evalkit.perf.cells import STREAMS
from evalkit.report import commands, markup
from evalkit.report.pages import page

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json
    from evalkit.perf.outcome import PerfResult
    from evalkit.perf.tables import PerfGrid


def perf_markdown(result: PerfResult) -> str:
    """``perf.md``: the card's two tables, what is saved, and what a reader must know to believe them."""
    lines = ["# Inference performance", "", *perf_section(result)]
    for title, found in _more(result):
        lines += [f"## {title}", "", *markup.table(*found), ""]
    if command := result.provenance.command:
        lines += ["## Commands", "", *markup.code([commands.shared(command)], "sh"), ""]
    return "\n".join(lines).rstrip("\n") + "\n"


def perf_section(result: PerfResult, level: str = "##") -> Iterator[str]:
    """The lines of a card's section: both tables, what is saved, what does not count, and the words to them."""
    for text in result.notices:
        yield from (f"**{markup.escaped(text)}**", "")
    programs = ", ".join(dict.fromkeys(f"{one.program} {one.release}" for one in result.plan.models))
    for stream in STREAMS:
        title = f"{tables.TITLES[stream]} (measured with {programs})"
        yield from (f"{level} {markup.escaped(title)}", "", *markup.table(*tables.stream_table(result, stream)), "")
    if result.savings:
        yield from (f"{level} Cost beside {markup.escaped(result.plan.baseline)}", "")
        yield from (*markup.table(*tables.savings_table(result)), "")
    for text in (*tables.faults(result), *tables.sentences(result)):
        yield f"- {markup.escaped(text)}"
    yield ""


def _more(result: PerfResult) -> Iterator[tuple[str, PerfGrid]]:
    for title, found in (
        ("Intervals and the A/A spread", tables.intervals_table(result)),
        ("Times of tokens, power and memory", tables.tokens_table(result)),
    ):
        if found[1]:
            yield title, found


def perf_facts(result: PerfResult) -> dict[str, Json]:
    """What the part of a page is filled with that shows a performance run."""
    return {
        "performance": {
            "id": result.id,
            "notices": result.notices,
            "streams": [(tables.TITLES[stream], tables.stream_table(result, stream)) for stream in STREAMS],
            "savings": tables.savings_table(result),
            "baseline": result.plan.baseline,
            "faults": tables.faults(result),
            "sentences": list(tables.sentences(result)),
            "more": list(_more(result)),
            "commands": _commands(result),
        }
    }


def _commands(result: PerfResult) -> list[tuple[str, str]]:
    said = result.provenance
    compared = [("The measurement", said.command)] if said.command else []
    served = sorted((said.commands or {}).items())
    return [*compared, *((f"The server of {label}", text) for label, text in served)]


def perf_html(result: PerfResult, templates: Mapping[str, str]) -> str:
    """``perf.html``: one file that asks the network for nothing."""
    names = [one.label for one in result.plan.models[1:]]
    facts = {**perf_facts(result), "names": names, "baseline": result.plan.baseline, "planes": []}
    return page("perf.html.j2", facts, templates)
