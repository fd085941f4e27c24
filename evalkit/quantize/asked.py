"""What calibration data must not hold: the questions of the tasks that are named, and of every run that is kept."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit import harnesses
from evalkit.base.errors import DataError
from evalkit.base.printable import counted
from evalkit.records.store import FILE, Store
from evalkit.runs import saved_run
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.quantize.calibration import Calibration
    from evalkit.records.calibration import Calibrated, Leak

_SHOWN: Final = 5


def refuse_leaks(
    data: Calibration, tasks: Sequence[str], rows: Mapping[str, str], runs: Path, tell: Callable[[str], None]
) -> list[str]:
    """Hold calibration data against what is asked; returns in words what they were held against.

    Args:
        data: The calibration data.
        tasks: Names or TOML files of tasks.
        rows: Task to its local rows, where they are not to be had from the hub.
        runs: Folder of earlier runs; it need not be there.
        tell: Hears what is read.

    Raises:
        DataError: A picture or text of the data is asked in a task; the message names it.
    """
    content, checked, leaks = data.content, [], []
    for task in registry.chosen(tasks, None, ()) if tasks else ():
        tell(f"holding the calibration data against {task.name}")
        given = rows.get(task.name)
        questions = harnesses.harness(task).questions(task, Path(given) if given else None, tell)
        leaks += content.leaks(task.name, (sample for sample, _ in questions.samples(None)))
        checked.append(task.name)
    if (runs / FILE).exists():
        tell(f"holding the calibration data against the runs in {runs}")
        found, count = _kept(content, runs)
        leaks += found
        checked.append(f"{counted(count, 'sample')} of earlier runs")
    if leaks:
        raise _refusal(data, leaks)
    return checked


def _kept(content: Calibrated, runs: Path) -> tuple[list[Leak], int]:
    """Leaks into the tasks of every run that is kept, and how many samples those have."""
    leaks: list[Leak] = []
    with Store(runs, write=False) as store:
        rows = [row for key in store.run_ids() if (row := store.run(key)) is not None and "plan" in row.body]
        listings = {part.listing: part.task.name for row in rows for part in saved_run.plan(row).tasks}
        count = 0
        for listing, task in listings.items():
            samples = [record.sample for record in store.records(listing, str)]
            count += len(samples)
            leaks += content.leaks(task, samples)
    return leaks, count


def _refusal(data: Calibration, leaks: Sequence[Leak]) -> DataError:
    named = list(dict.fromkeys(map(str, leaks)))
    more = f", and {len(named) - _SHOWN:,} more" if len(named) > _SHOWN else ""
    return DataError(
        f"{data.name}: calibration data are asked in a task: {'; '.join(named[:_SHOWN])}{more}",
        fix="take these rows out, or calibrate on data that no task asks: the candidate would look better than it is",
    )
