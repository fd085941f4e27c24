"""What is done with a run's results when it has ended."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.config import addresses

if TYPE_CHECKING:
    from collections.abc import Iterator

TRACKERS: Final = ("mlflow", "wandb", "trackio")
"""Where results can be kept beside those of trainings; each is an extra of that name."""


@dataclass(frozen=True, slots=True)
class After:
    """What is done when a run has ended. Where it does not succeed, a line says so, and the run's outcome stays."""

    track: tuple[str, ...] = ()
    """Trackers that get the results: mlflow, wandb, trackio, each by its own settings."""
    notify: str = field(default="", repr=False)
    """A webhook that is sent the outcome, in Slack's form. Its address is a key: it is never shown or kept."""

    @property
    def shown(self) -> After:
        """The same without what is nobody's business."""
        return replace(self, notify="")


def problems(one: After) -> Iterator[Fault]:
    """Trackers that there are not, and an address that is none; no line holds the address."""
    for name in one.track:
        yield from codec.known("track", name, TRACKERS, "tracker")
    if one.notify and (found := addresses.fault_of_webhook(one.notify)):
        yield Fault("notify", found, "write it like https://host/path")
