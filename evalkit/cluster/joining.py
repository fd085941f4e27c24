"""A Ray cluster that is there, joined as a driver, and left again."""

from __future__ import annotations

import importlib.util
import logging
import os
import socket
import threading
from concurrent.futures import Future
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.base.printable import one_line
from evalkit.config.cluster import problems

if TYPE_CHECKING:
    from collections.abc import Sequence

    from evalkit.base.events import Say
    from evalkit.cluster.hosts import Hosts
    from evalkit.config.run_config import Serving

_KNOCK_S: Final = 10.0
_JOIN_S: Final = 60.0
_INSTALL: Final = "pip install 'evalkit[ray]', with the release of Ray that the cluster runs (`ray --version` there)"


def joined(servings: Sequence[Serving], say: Say, *, any_kind: bool) -> Hosts:
    """The cluster that models are to be served on, with what its hosts have.

    Args:
        servings: How each of them is served; all name the same cluster.
        say: Hears of hosts that are left out.
        any_kind: Whether the GPUs may be of different kinds.

    Raises:
        UsageError: Ray is missing, or of another release than the cluster, or the hosts cannot serve.
        InfrastructureError: The cluster cannot be reached, or has no room now.
    """
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--ray: Ray is not installed beside evalkit", fix=_INSTALL)
    _connect(servings[0].ray)
    from evalkit.cluster.hosts import looked_at  # noqa: PLC0415 - it imports Ray

    try:
        return looked_at(servings, say, any_kind=any_kind)
    except BaseException:
        left()
        raise


def left() -> None:
    """Leave the cluster; actors of this driver end with that."""
    import ray  # noqa: PLC0415 - this module is imported where Ray may be missing

    ray.shutdown()


def _connect(address: str) -> None:
    """Become a driver of the cluster, without a word of Ray's own."""
    import ray  # noqa: PLC0415 - this module is imported where Ray may be missing

    address = _named(address)
    if address != "auto":
        _knock(address)
    # Nothing is told to those who make Ray.
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        _init(address).result(timeout=_JOIN_S)
    except TimeoutError as error:
        raise InfrastructureError(
            f"--ray {address}: this host could not join the cluster within {_JOIN_S:g} s",
            fix="run evalkit on one of the cluster's own hosts, where `ray status` answers",
        ) from error
    except ConnectionError as error:
        raise InfrastructureError(
            f"--ray {address}: no Ray cluster runs here",
            fix="name one with --ray HOST:PORT, or start it: `ray start --head` on one host, `ray start "
            "--address=HOST:6379` on the others",
            evidence=one_line(str(error)),
        ) from error
    except (RuntimeError, ValueError, ray.exceptions.RayError) as error:
        raise UsageError(
            f"--ray {address}: {one_line(str(error))}",
            fix="run evalkit with the Python and the Ray of the cluster, such as from its own environment or image",
        ) from error


def _named(address: str) -> str:
    """The cluster that is meant: of ``auto`` Ray takes what RAY_ADDRESS says.

    Raises:
        UsageError: The variable has what ``--ray`` may not be; of some of it Ray would start a cluster.
    """
    own = os.environ.get("RAY_ADDRESS", "") if address == "auto" else ""
    for fault in problems(own, {}, ""):
        raise UsageError(f"--ray auto: RAY_ADDRESS {fault.what}", fix=fault.fix)
    return own or address


def _init(address: str) -> Future[None]:
    """Ray's own joining, in a thread: where this host has no part in the cluster it asks for minutes, in silence."""
    import ray  # noqa: PLC0415 - this module is imported where Ray may be missing

    ended: Future[None] = Future()

    def work() -> None:
        # evalkit says itself what came of it.
        logging.getLogger("ray").setLevel(logging.CRITICAL + 1)
        try:
            ray.init(address=address, log_to_driver=False, configure_logging=False, logging_level="ERROR")
        except BaseException as error:  # noqa: BLE001 - raised again where it is awaited; Ray may end by SystemExit
            ended.set_exception(error if isinstance(error, Exception) else RuntimeError(f"Ray gave up: {error}"))
        else:
            ended.set_result(None)

    threading.Thread(target=work, name="evalkit-ray", daemon=True).start()
    return ended


def _knock(address: str) -> None:
    """See that somebody listens there: Ray would ask for a minute, and then end the process."""
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_KNOCK_S).close()
    except OSError as error:
        raise InfrastructureError(
            f"--ray {address}: nothing answers there ({one_line(error.strerror or str(error))})",
            fix="name the address that `ray start --head` has printed; its port is 6379 unless --port said otherwise",
        ) from error
