"""Indexes of runs, made on first need in the background, so that a page can tell how far they are."""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Event, Lock, Thread
from typing import TYPE_CHECKING

from evalkit.base.errors import EvalkitError
from evalkit.view import index
from evalkit.view.index import Files
from evalkit.view.samples import Samples

if TYPE_CHECKING:
    from collections.abc import Callable

    from evalkit.records.history import PastRun

_SMALL = 2_000_000
"""Bytes of samples that are read in a moment: a page waits for them."""
_PATIENCE_S, _LITTLE_S = 1.5, 0.05
"""So long a page waits at most for a small run, and for another: then it shows how far the reading is."""


@dataclass(slots=True)
class Building:
    """An index on its way."""

    state: str
    done: Event = field(default_factory=Event)
    read: int = 0
    total: int = 1
    """Bytes."""
    samples: Samples | None = None
    error: EvalkitError | None = None

    @property
    def share(self) -> float:
        """How much has been read, 0-1."""
        return self.read / max(self.total, 1)


class Indexes:
    """The indexes of all runs. Safe to use from several threads."""

    def __init__(self, say: Callable[[str], None]) -> None:
        """Tell ``say`` when something takes long."""
        self._say = say
        self._lock = Lock()
        self._buildings: dict[str, Building] = {}

    def there(self, run: PastRun) -> Samples | None:
        """The samples of a run, when they are to be had at once."""
        files = Files.of(run)
        with self._lock:
            known = self._buildings.get(run.id)
        if known is not None and known.samples is not None and known.state == files.state():
            return known.samples
        path = index.ready(files)
        if path is None:
            return None
        samples = Samples(path, files)
        with self._lock:
            self._buildings[run.id] = Building(files.state(), _set(), samples=samples)
        return samples

    def get(self, run: PastRun) -> Samples | Building:
        """The samples of a run, or how far their index is.

        Raises:
            EvalkitError: The samples cannot be read.
        """
        here = self.there(run)
        if here is not None:
            return here
        building = self._begun(run)
        building.done.wait(_PATIENCE_S if building.total <= _SMALL else _LITTLE_S)
        if building.error is not None:
            with self._lock:
                # Forgotten, so that the next visit tries again.
                self._buildings.pop(run.id, None)
            raise building.error
        return building.samples or building

    def _begun(self, run: PastRun) -> Building:
        files = Files.of(run)
        state = files.state()
        with self._lock:
            known = self._buildings.get(run.id)
            if known is not None and known.state == state:
                return known
            size = sum(path.stat().st_size for path in files.all())
            building = self._buildings[run.id] = Building(state, total=size)
        self._say(f"{run.id}: reading the samples once, for quick pages")
        Thread(target=_build, args=(building, files), daemon=True).start()
        return building


def _build(building: Building, files: Files) -> None:
    def tell(read: int, total: int) -> None:
        building.read, building.total = read, total

    try:
        building.samples = Samples(index.build(files, tell), files)
    except EvalkitError as error:
        building.error = error
    except Exception as error:  # noqa: BLE001 - a thread's error would be lost, and the page would wait for ever
        building.error = EvalkitError(f"the samples cannot be read: {error!r}", fix="run the same command again")
    finally:
        building.done.set()


def _set() -> Event:
    done = Event()
    done.set()
    return done
