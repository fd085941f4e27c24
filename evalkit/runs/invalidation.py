"""Why answers of an earlier run are not reused: what moved between two plans, in sentences."""

from __future__ import annotations

import operator
from itertools import zip_longest
from typing import TYPE_CHECKING

from evalkit.base.codec import written
from evalkit.runs import saved_run

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from evalkit.base.types import Json, Task
    from evalkit.records.plan import Contender, Plan, PlannedTask
    from evalkit.records.store import Store

_DIGEST = 12
"""Characters of a digest or commit that a person needs to tell two apart."""
_ABSENT = object()
"""A key that is not there: other than one that holds nothing, as an identity tells the two apart."""
_LONGEST = 60
"""Characters of a value that a sentence has room for."""


def changes(before: Plan, after: Plan, alike: Callable[[str, str], bool] = operator.eq) -> list[str]:
    """One sentence for each model, and for each task, whose answers of ``before`` do not hold for ``after``.

    Models are matched by label, tasks by name; one that only one of the plans has is new rather than moved, and is not
    told; nor is another number of samples. ``alike`` says of two listings whether they ask the same. No sentence means
    that every answer to what both ask is reused.
    """
    found: dict[tuple[str, ...], list[str]] = {}
    models, now = ({one.model.label: one for one in plan.contenders} for plan in (before, after))
    for label in filter(models.__contains__, now):
        parts = tuple(_model(models[label], now[label]))
        if parts:
            found.setdefault(parts, []).append(label)
    sentences = [f"{', '.join(labels)}: {'; '.join(parts)}" for parts, labels in found.items()]
    tasks, asked = ({part.task.name: part for part in plan.tasks} for plan in (before, after))
    for name in filter(tasks.__contains__, asked):
        parts = tuple(_task(tasks[name], asked[name], alike))
        if parts:
            sentences.append(f"{name}: {'; '.join(parts)}")
    return sentences


def _model(old: Contender, new: Contender) -> Iterator[str]:
    """What of a model and of the program under it is not as it was."""
    before, after = old.engine, new.engine
    # Of the weights behind a server that evalkit did not start nothing is known but what it is said to be.
    what = "name or revision of its server (--endpoint-is)" if after.name == "endpoint" else "weights or files"
    yield from _change(what, old.model.digest, new.model.digest)
    yield from _change("serving program", before.name, after.name)
    program = after.name if before.name == after.name else "version"
    yield from _change(program, before.version, after.version)
    yield from _change("accelerator", before.accelerator, after.accelerator)
    yield from _settings(written(before.numerics), written(after.numerics))
    if new.epoch != old.epoch:
        yield "asked afresh since (--fresh)"


def _settings(before: Mapping[str, Json], after: Mapping[str, Json], prefix: str = "") -> Iterator[str]:
    """What of two mappings differs, key by key; a mapping inside is looked into."""
    for key in sorted({*before, *after}):
        old, new = before.get(key, _ABSENT), after.get(key, _ABSENT)
        if isinstance(old, dict) and isinstance(new, dict):
            yield from _settings(old, new, f"{prefix}{key}.")
        else:
            yield from _change(prefix + key, old, new)


def _task(old: PlannedTask, new: PlannedTask, alike: Callable[[str, str], bool]) -> Iterator[str]:
    """What of a task is not as it was, as far as answers or their scores hang on it."""
    told = list(_asked(old, new))
    # More or fewer samples (--limit) are no reason to ask again the ones that both have.
    if not told and old.planned == new.planned and not alike(old.listing, new.listing):
        told = ["the questions, or how they are built"]
    yield from told
    yield from _change("checker", old.checker, new.checker)
    for name in ("headline", "dialect"):
        yield from (f"{text} (the same answers are read otherwise)" for text in _of(name, old.task, new.task))


def _asked(old: PlannedTask, new: PlannedTask) -> Iterator[str]:
    """What of a task may change the requests."""
    yield from _change("data revision", old.revision, new.revision)
    before, after = old.task, new.task
    if before.prompt != after.prompt:
        yield "the prompt"
    for name in ("benchmark", "images"):
        yield from _of(name, before, after)
    for name in ("dataset", "decoding", "settings"):
        yield from _settings(written(getattr(before, name)), written(getattr(after, name)), f"{name}.")


def _of(name: str, before: Task, after: Task) -> Iterator[str]:
    yield from _change(name, getattr(before, name), getattr(after, name))


def _change(name: str, old: Json, new: Json) -> Iterable[str]:
    return [] if old == new else [f"{name} {_shown(old)} → {_shown(new)}"]


def _shown(value: Json) -> str:
    """A value as short as it is clear: digests and commits by their beginning."""
    if value in (None, "", {}, [], _ABSENT):
        return "nothing"
    text = str(value)
    plain = text.removeprefix("sha256:").removeprefix("name:")
    if len(plain) >= 40 and set(plain) <= set("0123456789abcdef"):
        return plain[:_DIGEST]
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def sentence(run: str, found: Sequence[str]) -> str:
    """What a run tells when it cannot reuse all answers of an earlier one."""
    return f"not all answers of run {run} are reused, because something moved: {' | '.join(found)}"


def since_before(plan: Plan, run_id: str, store: Store) -> Iterator[str]:
    """Why answers of the run before are asked again; nothing where none are, or where there was no run."""
    before = saved_run.latest(store, [one.model.label for one in plan.contenders], but=run_id)

    def alike(one: str, other: str) -> bool:
        """Also where more is kept of the same questions than an earlier evalkit kept, as their kinds."""
        return one == other or all(a == b for a, b in zip_longest(store.requests(one), store.requests(other)))

    found = changes(saved_run.plan(before), plan, alike) if before else []
    if before and found:
        yield sentence(before.id, found)


def withdrawn(store: Store) -> Iterator[str]:
    """What a run tells of answers that were no answers; nothing where there are none."""
    if count := store.withdrawn:
        yield (
            f"answers in {store.path} that their server had ended (aborted, filtered or in error) and "
            f"that were kept as whole ones: {count:,}; they count as failures now, in every run, and are asked again"
        )
