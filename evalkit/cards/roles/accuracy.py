"""A sheet becomes a table of accuracy, whichever way round it stands, or it is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.cards.roles.across import across
from evalkit.cards.roles.down import down, is_down, pivoted
from evalkit.cards.roles.groups import with_groups
from evalkit.cards.sizes import is_benchmark

if TYPE_CHECKING:
    from evalkit.cards.nouns import AccuracyTable
    from evalkit.cards.roles.cells import Leftovers
    from evalkit.cards.roles.sheet import Sheet


def accuracy_table(sheet: Sheet, leftovers: Leftovers) -> AccuracyTable | None:
    """The table of accuracy in a sheet; None where nothing in it speaks of a comparison or of an average.

    It does where a figure states how models compare, a row is an average, the models' names say which is compressed,
    or several models have scores of benchmarks that are known.
    """
    sheet = pivoted(sheet)
    read = down(sheet, leftovers) if is_down(sheet) else across(sheet, leftovers)
    if read is None or not read.rows:
        return None
    found = with_groups(read)
    speaks = any(row.stated or row.kind == "average" or row.stands_for for row in found.rows)
    known = any(is_benchmark(row.label) or is_benchmark(row.name) for row in found.rows)
    compared = (found.pairs and found.named) or (known and len(found.models) > 1 and not found.metrics)
    scored = any(row.kind in {"task", "average"} or row.stated for row in found.rows)
    return found if scored and (speaks or compared) else None
