"""A run that has ended, opened again: found by its name, and made into its report from the store alone."""

from __future__ import annotations

from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from evalkit.base.codec import MisfitError
from evalkit.base.errors import StoreError, UsageError, near_miss
from evalkit.base.printable import part_of
from evalkit.base.types import Answer
from evalkit.harnesses import harness
from evalkit.records import run_record
from evalkit.records.store import FILE, Store
from evalkit.records.storefile import reading
from evalkit.report import build

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.types import Outcome
    from evalkit.comparison.score import Tally
    from evalkit.config.policy import Policy
    from evalkit.records.plan import Plan
    from evalkit.records.run_record import RunRecord
    from evalkit.records.store import RunRow
    from evalkit.records.terms import Terms
    from evalkit.report import Report

LATEST = "latest"
_NAMED = 8
"""Runs that a message names when none is close."""


@contextmanager
def opened(name: str, output: Path) -> Iterator[tuple[RunRow, Store, Path]]:
    """A run with every outcome that it planned, its store, and its folder.

    Args:
        name: An id, the beginning of one, the folder of a run, or ``latest``.
        output: The folder of the store, where ``name`` does not say.

    Raises:
        EvalkitError: There is no such run, or the store lacks something of it.
    """
    folder, key = place(name, output)
    with Store(folder, write=False) as store, reading(store.path):
        row = find(key, store)
        check(row, store)
        yield row, store, folder / row.id


def folder_of(name: str, output: Path) -> Path:
    """The folder of a run, whatever of it is there.

    Raises:
        EvalkitError: There is no such run.
    """
    folder, key = place(name, output)
    if (folder / key / "run.json").is_file():
        return folder / key
    with Store(folder, write=False) as store, reading(store.path):
        return folder / find(key, store).id


def place(name: str, output: Path) -> tuple[Path, str]:
    """The folder of the store and the name of a run: ``name`` is an id, the folder of a run, or ``latest``."""
    folder = Path(name)
    if name != LATEST and (folder / "run.json").is_file():
        folder = folder.resolve()
        return folder.parent, folder.name
    return output, name


def find(name: str, store: Store) -> RunRow:
    """The run that a user means: an id, the beginning of one, or ``latest``.

    Raises:
        UsageError: There is none, with the near miss; or there are several.
    """
    ids = store.run_ids()
    found = ids[-1:] if name == LATEST else [one for one in ids if one == name]
    found = found or [one for one in ids if name and one.startswith(name)]
    if len(found) > 1:
        raise UsageError(f"'{name}' could be {', '.join(found)}", fix="write more of the id")
    row = store.run(found[0]) if found else None
    if row is None:
        what = f"{store.path}: no run '{name}'" if ids else f"{store.path}: no run has begun here"
        raise UsageError(what, fix=_near(name, ids) if ids else "start one with `evalkit run`")
    return row


def remembered(row: RunRow) -> RunRecord:
    """What a run remembers of itself.

    Raises:
        StoreError: It is not in words that this evalkit understands.
    """
    try:
        return run_record.read(row.body)
    except MisfitError as error:
        raise _unreadable(row, error) from error


def plan(row: RunRow) -> Plan:
    """The plan of a run.

    Raises:
        StoreError: The store does not say, or not in words that this evalkit understands.
    """
    try:
        return remembered(row).planned()
    except MisfitError as error:
        raise _unreadable(row, error) from error


def terms(row: RunRow) -> Terms:
    """What the report of a run is judged by.

    Raises:
        StoreError: The store does not say, or not in words that this evalkit understands.
    """
    try:
        return remembered(row).judged_by()
    except MisfitError as error:
        raise _unreadable(row, error) from error


def report(row: RunRow, tallies: Mapping[tuple[str, str], Tally], *, policy: Policy | None = None) -> Report:
    """The report of a run, from what its outcomes come to; equal to the one that the run itself made.

    With a ``policy`` it is judged by that one instead of its own.

    Raises:
        StoreError: The store does not say how, or not in words that this evalkit understands.
    """
    own, kept = terms(row), remembered(row)
    judged = own if policy is None else replace(own, policy=policy)
    return build(plan(row), tallies, harness, judged, notices=kept.notices, provenance=kept.provenance)


def check(row: RunRow, store: Store) -> None:
    """See that the store has an outcome for everything that a run planned, but for models that it reported as missing.

    Raises:
        UsageError: Something is missing: the run has not finished, or its answers are in another store.
    """
    terms_of = remembered(row).terms
    reported = {} if terms_of is None else terms_of.missing
    planned = missing = 0
    for one, part in plan(row).asked:
        if one.model.label in reported:
            continue
        if part.checker:
            records = store.records(part.listing, one.fingerprint(), part.checker)
            settled = sum(_is_judged(record.outcome) for record in records)
        else:
            settled = store.settled(part.listing, one.fingerprint())
        planned += part.planned
        missing += part.planned - settled
    if missing:
        raise UsageError(
            f"run {row.id}: {part_of(missing, planned, 'outcome', ('is', 'are'))} not in {store.path}",
            fix="finish it with the command that began it" if not row.finished else "name the folder of its own store",
        )


def _is_judged(outcome: Outcome | None) -> bool:
    return outcome is not None and not (isinstance(outcome, Answer) and outcome.judgement is None)


def latest(store: Store, labels: Sequence[str], but: str) -> RunRow | None:
    """The newest finished run, other than ``but``, that has a model of one of these labels."""
    wanted = set(labels)
    for key in reversed(store.run_ids()):
        row = store.run(key)
        if key == but or row is None or not row.finished:
            continue
        # A run that another evalkit kept must not hide the ones before it.
        with suppress(StoreError):
            kept = remembered(row).plan
            if kept is not None and wanted.intersection(kept.labels):
                return row
    return None


def _near(name: str, ids: Sequence[str]) -> str:
    """The id that was nearly typed, or else the newest ones."""
    close = near_miss(name, [*ids, LATEST])
    return close if close.startswith("did") else near_miss(name, ids[-_NAMED:])


def _unreadable(row: RunRow, error: Exception) -> StoreError:
    return StoreError(
        f"{FILE}: run {row.id} was kept by another evalkit and does not say how its report was made ({error})",
        fix="run the same command again: its answers are reused",
    )
