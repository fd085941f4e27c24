"""What calibration data must not hold: questions of tasks, as far as they are at hand, and of runs that are kept."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit import harnesses
from evalkit.base.errors import DataError, EvalkitError
from evalkit.base.printable import counted
from evalkit.records.calibration import Leak
from evalkit.records.store import FILE, Store
from evalkit.runs import saved_run
from evalkit.tasks import registry
from evalkit.tasks.rows import at_hand

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from evalkit.base.types import Task
    from evalkit.quantize.calibration import Calibration
    from evalkit.records.calibration import Calibrated

_SHOWN: Final = 5


@dataclass(frozen=True, slots=True)
class Checked:
    """What calibration data were held against."""

    against: tuple[str, ...] = ()
    """Tasks, and in words the samples of earlier runs."""
    unread: tuple[str, ...] = ()
    """Tasks of the default suite whose rows are not at hand: nobody knows whether they ask what the data hold."""


def refuse_leaks(
    data: Calibration, tasks: Sequence[str], rows: Mapping[str, str], runs: Path, tell: Callable[[str], None]
) -> Checked:
    """Hold calibration data against what is asked: named tasks, those that are at hand, and every run that is kept.

    Args:
        data: The calibration data.
        tasks: Names or TOML files of tasks, whose rows are fetched where they are not at hand.
        rows: Task to its local rows, in place of the hub's; a task that has some is held against without being named.
        runs: Folder of earlier runs; it need not be there.
        tell: Hears what is read.

    Raises:
        DataError: A picture or text of the data is asked in a task; the message names it.
    """
    content, leaks = data.content, list[Leak]()
    named, others, unread = _tasks(tasks, rows)
    for task in named:
        leaks += _asked(content, task, rows.get(task.name), tell)
    for task in others:
        try:
            leaks += _asked(content, task, None, tell)
        except EvalkitError:
            # Nobody has named it: a part that is not here must not cost the candidate.
            unread.append(task.name)
    against = [task.name for task in (*named, *others) if task.name not in unread]
    if (runs / FILE).exists():
        tell(f"holding the calibration data against the runs in {runs}")
        found, count = _kept(content, runs)
        leaks += found
        against.append(f"{counted(count, 'sample')} of earlier runs")
    if leaks:
        raise _refusal(data, leaks)
    return Checked(tuple(against), tuple(unread))


def _asked(content: Calibrated, task: Task, rows: str | None, tell: Callable[[str], None]) -> list[Leak]:
    tell(f"holding the calibration data against {task.name}")
    if not isinstance(task.prompt, str):
        task = replace(task, prompt="")  # Pictures are compared, and no words about them: none need be fetched.
    questions = harnesses.harness(task).questions(task, Path(rows) if rows else None, tell)
    return content.leaks(task.name, (sample for sample, _ in questions.samples(None)))


def _tasks(named: Sequence[str], rows: Mapping[str, str]) -> tuple[list[Task], list[Task], list[str]]:
    """The tasks that are named or have local rows, others that are at hand, and those that should be and are not."""
    own = registry.chosen(named, None, ()) if named else []
    more = sorted(rows.keys() - {task.name for task in own})
    own += registry.chosen(more, None, ()) if more else []
    have = {task.name for task in own}
    others = [task for task in registry.tasks().values() if task.name not in have and at_hand(task.dataset)]
    have |= {task.name for task in others}
    return own, others, [task.name for task in registry.chosen((), None, ()) if task.name not in have]


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
