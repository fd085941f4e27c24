"""An audit for programs: percent and dollars as the card has them."""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from evalkit.cards.auditing import Audit
    from evalkit.cards.output.report import AuditReport
    from evalkit.cards.siblings import Across


def as_object(report: AuditReport) -> dict[str, Any]:
    """One object: that of the card where there is one, else the counts of all and a list of theirs.

    ``findings`` are figures that do not follow, ``doubts`` what is no error of arithmetic, ``unchecked`` every other
    figure of a comparison with its reason.
    """
    cards = [_card(name, audit) for name, audit in report.audits]
    if report.across is None and len(cards) == 1:
        return cards[0]
    return {
        **_counts(report.checked, report.wrong, report.unchecked),
        "cards": cards,
        "across": None if report.across is None else _across(report.across),
    }


def _counts(checked: int, wrong: int, unchecked: int) -> dict[str, Any]:
    return {
        "follows": wrong == 0 and checked > 0,
        "checked": checked,
        "follow": checked - wrong,
        "do_not": wrong,
        "not_checked": unchecked,
    }


def _card(name: str, audit: Audit) -> dict[str, Any]:
    noise = [{**asdict(one), "is_noise": one.is_noise} for one in audit.noise]
    parts = asdict(replace(audit, noise=()))  # each of them is an object already
    del parts["checked"], parts["noise"]
    return {"card": name, **_counts(audit.checked, len(audit.findings), len(audit.unchecked)), **parts, "noise": noise}


def _across(across: Across) -> dict[str, Any]:
    tables = [
        {"baseline": baseline, "candidates": candidates, "rows": [asdict(row) for row in rows]}
        for baseline, candidates, rows in across.tables
    ]
    found = {key: [asdict(one) for one in getattr(across, key)] for key in ("findings", "doubts")}
    return {"checked": across.checked, **found, "tables": tables}
