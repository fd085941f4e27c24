"""Whether a candidate was calibrated on what it is asked, as far as its record tells."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.base.printable import counted
from evalkit.records.calibration import Calibrated
from evalkit.serve import environment

if TYPE_CHECKING:
    from collections.abc import Iterator

    from evalkit.records.plan import Plan
    from evalkit.records.store import Store

_SHOWN: Final = 3


def told(plan: Plan, store: Store) -> Iterator[str]:
    """A sentence for each model and task of which samples are among the model's calibration data, by name."""
    for one in plan.contenders:
        content = Calibrated.recorded(environment.record(one.model))
        if not content.pictures and not content.texts:
            continue
        for part in plan.tasks:
            found = content.leaks(part.task.name, (record.sample for record in store.records(part.listing, str)))
            if found:
                more = f", and {len(found) - _SHOWN:,} more" if len(found) > _SHOWN else ""
                yield (
                    f"{one.model.label} was calibrated on {counted(len(found), 'sample')} that it is asked: "
                    f"{'; '.join(map(str, found[:_SHOWN]))}{more}. Its score in {part.task.title} may be better than "
                    "it deserves."
                )
