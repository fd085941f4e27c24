"""Which GPUs each server gets: replicas of one model, and models that are served at the same time."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from evalkit.base.errors import UsageError
from evalkit.base.printable import counted
from evalkit.serve import launch
from evalkit.serve.gpus import gpus

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from evalkit.config.run_config import Serving
    from evalkit.serve.gpus import Gpu


@dataclass(frozen=True, slots=True)
class ServerPlace:
    """Where one server runs."""

    gpus: tuple[str, ...] = ()
    """As ``CUDA_VISIBLE_DEVICES`` names them; empty: whatever the server would take by itself."""
    number: int = 0
    """Of the servers that run at the same time, from 0: ports that were chosen follow each other."""
    where: str = ""
    """Where that is, in words, where it is not this machine."""

    def serving(self, serving: Serving) -> Serving:
        """How a server is served there."""
        port = serving.port + self.number if serving.port else 0
        if not self.gpus:
            return replace(serving, port=port)
        chosen = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID", "CUDA_VISIBLE_DEVICES": ",".join(self.gpus)}
        return replace(serving, port=port, env={**serving.env, **chosen})

    @property
    def words(self) -> str:
        """As it is told; empty where nothing was chosen."""
        return f"GPU {', '.join(self.gpus)}" if self.gpus else self.where


@dataclass(frozen=True, slots=True)
class Placement:
    """Who is served where and when."""

    turns: tuple[Mapping[str, tuple[ServerPlace, ...]], ...]
    """One after the other: the models that are served at the same time, by label, each with its replicas' places."""

    @property
    def share(self) -> float:
        """Of the time that all models take in turn on one server each, where they owe alike much."""
        turns = sum(max(1 / len(places) for places in turn.values()) for turn in self.turns)
        return turns / sum(map(len, self.turns)) if self.turns else 1.0

    def words(self) -> tuple[str, ...]:
        """A line a turn; none where each model in turn has one server on this machine."""
        alone = [len(turn) == 1 and len(next(iter(turn.values()))) == 1 for turn in self.turns]
        if all(alone) and not any(one.where for turn in self.turns for places in turn.values() for one in places):
            return ()
        return tuple(
            "; ".join(
                f"{label} on {', '.join(dict.fromkeys(one.words for one in places if one.words)) or 'this machine'}"
                f" ({counted(len(places), 'server')})"
                for label, places in turn.items()
            )
            for turn in self.turns
        )


def placement(models: Mapping[str, Serving], *, one_after_another: bool, any_kind: bool = False) -> Placement:
    """Spread models over the GPUs that the user names, or sees where he asks for replicas.

    Without either, each model in turn has one server, which takes what it finds.

    Args:
        models: Label to how it is served, in the order in which they are asked.
        one_after_another: Whether no two models are served at the same time.
        any_kind: Whether the GPUs may be of different kinds.

    Raises:
        UsageError: There are not enough GPUs for the replicas asked for, a named one is not there, or they are of
            different kinds.
    """
    if not models:
        return Placement(())
    serving = next(iter(models.values()))
    wanted = serving.replicas or ("auto" if serving.gpus else 1)
    if not serving.several:
        return Placement(tuple({label: (ServerPlace(),)} for label in models))
    there = _usable(serving, any_kind=any_kind)
    if not there:
        count = 1 if wanted == "auto" else wanted
        same = tuple(ServerPlace(number=number) for number in range(count))
        return Placement(tuple({label: same} for label in models))
    degree = max(launch.gpus_used(one) for one in models.values())
    slots = [tuple(there[at : at + degree]) for at in range(0, len(there) - degree + 1, degree)]
    least = 1 if wanted == "auto" else wanted
    if len(slots) < least:
        need = f"{counted(least, 'server')} of {counted(degree, 'GPU')} each"
        raise UsageError(
            f"serve.replicas: {need} do not fit on {counted(len(there), 'GPU')} ({', '.join(there)})",
            fix="ask for fewer replicas, name more GPUs (--gpus), or lower tensor-parallel-size",
        )
    places = [ServerPlace(chosen, number) for number, chosen in enumerate(slots)]
    return spread([*models], places, wanted, one_after_another=one_after_another)


def spread(
    labels: Sequence[str], places: Sequence[ServerPlace], wanted: int | Literal["auto"], *, one_after_another: bool
) -> Placement:
    """Who is served at which of some places, and when.

    Args:
        labels: The models, in the order in which they are asked.
        places: Where a server can be, at least as many as are wanted.
        wanted: Servers of each model; ``auto`` for as many as fit.
        one_after_another: Whether no two models are served at the same time.
    """
    least = 1 if wanted == "auto" else wanted
    at_once = 1 if one_after_another else min(len(labels), len(places) // least)
    each = len(places) // at_once if wanted == "auto" else least
    turns = [labels[at : at + at_once] for at in range(0, len(labels), at_once)]
    return Placement(
        tuple({label: tuple(places[at * each : (at + 1) * each]) for at, label in enumerate(turn)} for turn in turns)
    )


def chosen_gpus(serving: Serving) -> tuple[Gpu, ...]:
    """Of the GPUs that servers see, by their variables or by ours, those that were named, or all.

    Raises:
        UsageError: A named one is not there.
    """
    seen, named = gpus(serving.env.get("CUDA_VISIBLE_DEVICES")), _named(serving)
    known = {name: one for one in seen for name in (str(one.index), one.uuid)}
    unknown = [name for name in named if name not in known] if seen else []
    if unknown:
        raise UsageError(
            f"serve.gpus: no GPU {', '.join(unknown)} here",
            fix=f"there are {', '.join(str(one.index) for one in seen)}",
        )
    return tuple(known[name] for name in named) if named and seen else seen


def _named(serving: Serving) -> list[str]:
    return list(dict.fromkeys(name.strip() for name in serving.gpus.split(",") if name.strip()))


def _usable(serving: Serving, *, any_kind: bool) -> list[str]:
    """The GPUs that were named, or all that are seen."""
    if launch.device(serving) != "gpu":
        if serving.gpus:
            raise UsageError(
                "serve.gpus: this vLLM computes on the CPU", fix="leave it out; --replicas N works there too"
            )
        return []
    chosen = chosen_gpus(serving)
    if not chosen:
        return _named(serving)
    kinds = {one.name for one in chosen}
    if len(kinds) > 1 and not any_kind:
        raise UsageError(
            f"GPUs of different kinds: {', '.join(sorted(kinds))}",
            fix="name those of one kind with --gpus, because another kind computes other roundings; or accept that: "
            "--accept-difference accelerator",
        )
    return [str(one.index) for one in chosen]
