"""The hosts of a cluster: what each has to serve with, and how many servers have room now."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import ray
from ray._private.state import available_resources_per_node
from ray.util.scheduling_strategies import NodeAffinitySchedulingStrategy

from evalkit import __version__, serve
from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.events import Notice
from evalkit.base.printable import counted, one_line
from evalkit.cluster.joining import left
from evalkit.cluster.keeper import Keeper
from evalkit.cluster.orders import HostFacts
from evalkit.cluster.remote import RemoteServer, everywhere

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from evalkit.base.events import Say
    from evalkit.base.types import Model
    from evalkit.config.run_config import Serving

_LOOK_S: Final = 60.0
"""How long a host is given to say what it has; it starts a process for that."""


@dataclass(frozen=True, slots=True)
class Hosts:
    """A cluster that was joined, until ``leave``."""

    address: str
    servers: int
    """Servers that have room now."""
    kinds: tuple[str, ...]
    """The names of the GPUs that models are served on; none where they are served on processors."""
    key: str = field(default_factory=lambda: secrets.token_urlsafe(32), repr=False)
    """What servers of this run want to be shown."""

    @property
    def places(self) -> tuple[serve.ServerPlace, ...]:
        """A place for each of the servers; which host that is Ray decides when it starts."""
        return tuple(serve.ServerPlace(number=at, where="the Ray cluster") for at in range(self.servers))

    def make(self, serving: Serving, model: Model, log: Path, say: Callable[[str, str], None]) -> RemoteServer:
        """A server on one of the hosts, not started yet."""
        serving = everywhere(serving)
        vllm = {} if serving.command else {serving.python: dict(serve.installed(serving.python).packages)}
        like = HostFacts(__version__, vllm, self.kinds)
        return RemoteServer((serving, model, self.key, like), log, say, lambda: _keeper(serving))

    def leave(self) -> None:
        """Leave the cluster."""
        left()


def looked_at(servings: Sequence[Serving], say: Say, *, any_kind: bool) -> Hosts:
    """The cluster of which this process is a driver, once its hosts have said what they have.

    Raises:
        UsageError: A host has no evalkit, or another one, or another vLLM; or GPUs are of different kinds.
        InfrastructureError: Nothing has room now.
    """
    servings = [everywhere(one) for one in servings]
    need = max((_takes(one) for one in servings), key=lambda taken: taken.get("GPU", 0.0))
    room = _room(need)
    servers = sum(room.values())
    if not servers:
        raise InfrastructureError(
            f"the Ray cluster has no room for a server, which takes {_words(need)}: {_what_is_there(need)}",
            fix="wait until others have finished (`ray status` says who holds what), add hosts, or lower "
            "tensor-parallel-size",
        )
    least = servings[0].replicas
    if isinstance(least, int) and servers < least:
        raise InfrastructureError(
            f"the Ray cluster has room for {counted(servers, 'server')}, not for {least}: {_what_is_there(need)}",
            fix="ask for fewer with --replicas, or leave it out for as many as fit",
        )
    facts = _asked([node for node, count in room.items() if count], servings, say)
    _refuse_others(facts, servings)
    on_gpus = "GPU" in need
    kinds = tuple(sorted({kind for one in facts.values() for kind in one.gpus})) if on_gpus else ()
    if len(kinds) > 1 and not any_kind:
        raise UsageError(
            f"GPUs of different kinds: {', '.join(kinds)}",
            fix='choose one of them with serve.ray_resources, such as "accelerator_type:H100" = 0.001, because '
            "another kind computes other roundings; or accept that: --accept-difference accelerator",
        )
    return Hosts(servings[0].ray, servers, kinds)


def _takes(serving: Serving) -> dict[str, float]:
    """What one server takes of the cluster, by Ray's names."""
    gpus = {"GPU": float(serve.gpus_used(serving))} if serve.device(serving) == "gpu" else {}
    return {"CPU": 1.0, **gpus, **serving.ray_resources}


def _keeper(serving: Serving) -> Any:
    """An actor that Ray is asked to put where there is room; it begins there when it can."""
    taken = _takes(serving)
    options = {"num_cpus": taken.pop("CPU"), "num_gpus": taken.pop("GPU", 0.0), "resources": taken}
    # Ray would kill the actor's children with it, the watcher first of all, and leave their children (vLLM's engines).
    options["runtime_env"] = {"env_vars": {"RAY_kill_child_processes_on_worker_exit": "0"}}
    return (
        ray.remote(_KeptByRay)
        .options(**options, scheduling_strategy="SPREAD", max_restarts=0, max_task_retries=0, max_concurrency=8)
        .remote()
    )


class _KeptByRay(Keeper):
    """A keeper that others reach at the address by which Ray knows its host."""

    def __init__(self) -> None:
        super().__init__(_nodes()[ray.get_runtime_context().get_node_id()])


def _nodes() -> dict[str, str]:
    """The hosts that live: Ray's id to its address."""
    return {one["NodeID"]: one["NodeManagerAddress"] for one in ray.nodes() if one["Alive"]}


def _room(need: Mapping[str, float]) -> dict[str, int]:
    """How many servers have room now on each host; on processors one a host is counted, because each takes all of them.

    Ray is asked for one CPU and may put two on a host while another has no room.
    """
    free = available_resources_per_node()
    found = {}
    for node in _nodes():
        there = free.get(node, {})
        fits = min(int(there.get(name, 0.0) / taken + 1e-9) for name, taken in need.items() if taken)
        found[node] = fits if "GPU" in need else min(fits, 1)
    return found


def _words(need: Mapping[str, float]) -> str:
    return ", ".join(f"{taken:g} {name}" for name, taken in need.items())


def _what_is_there(need: Mapping[str, float]) -> str:
    """Host by host what is free of what a server takes, and what there is of it at all."""
    free, nodes = available_resources_per_node(), [one for one in ray.nodes() if one["Alive"]]
    told = []
    for one in nodes[:_SHOWN]:
        there, whole = free.get(one["NodeID"], {}), one["Resources"]
        parts = [f"{there.get(name, 0.0):g} of {whole.get(name, 0.0):g} {name}" for name in need]
        told.append(f"{one['NodeManagerAddress']} has {', '.join(parts)} free")
    return "; ".join(told) + (f"; and {len(nodes) - _SHOWN} more hosts" if len(nodes) > _SHOWN else "")


_SHOWN: Final = 8


def _asked(nodes: Sequence[str], servings: Sequence[Serving], say: Say) -> dict[str, HostFacts]:
    """What hosts say of themselves, by address; one that says nothing in time is told and left to Ray."""
    address = _nodes()
    pythons = sorted({one.python for one in servings if not one.command})
    made = ray.remote(Keeper)
    actors = {
        node: made.options(num_cpus=0, scheduling_strategy=NodeAffinitySchedulingStrategy(node, soft=False)).remote()
        for node in nodes
    }
    asked = {actor.look.remote(pythons): node for node, actor in actors.items()}
    done, silent = ray.wait(list(asked), num_returns=len(asked), timeout=_LOOK_S)
    found = {}
    for one in done:
        where = address.get(asked[one], asked[one])
        try:
            found[where] = ray.get(one)
        except ray.exceptions.RayError as error:
            if asked[one] not in _nodes():
                say(Notice(f"{where}: the host left the Ray cluster while it was asked what it has"))
                continue
            last = one_line(str(error).strip().splitlines()[-1])
            raise UsageError(
                f"{where}: the host cannot run evalkit: {last}",
                fix=f"install evalkit {__version__} where Ray's own Python on every host finds it",
            ) from error
    for one in silent:
        say(Notice(f"{address.get(asked[one], asked[one])}: the host did not say within {_LOOK_S:g} s what it has"))
    for actor in actors.values():
        ray.kill(actor)
    if not found:
        raise InfrastructureError(
            f"no host of the Ray cluster said within {_LOOK_S:g} s what it has", fix="see `ray status`; or try again"
        )
    return found


def _refuse_others(facts: Mapping[str, HostFacts], servings: Sequence[Serving]) -> None:
    """See that all hosts serve with what is here: its versions are part of an answer's identity."""
    for where, one in facts.items():
        if one.evalkit != __version__:
            raise UsageError(f"{where}: has evalkit {one.evalkit}, here is {__version__}", fix="install the same one")
        if one.fault:
            raise UsageError(f"{where}: {one.fault}", fix="every host needs the interpreter that serves, at one path")
    for serving in servings:
        here = dict(serve.installed(serving.python).packages) if not serving.command else {}
        for where, one in facts.items():
            there = one.vllm.get(serving.python, here)
            odd = [name for name in sorted({*here, *there}) if there.get(name) != here.get(name)]
            if odd and not serving.command:
                raise UsageError(
                    f"{where}: has {odd[0]} {there.get(odd[0], 'not')}, here is {here.get(odd[0], 'none')}",
                    fix="serve with the same packages on every host, and run evalkit from there too",
                )
