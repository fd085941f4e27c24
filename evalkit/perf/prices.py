"""What an hour of hardware costs: told by the user, or found in a file of prices. There is no default."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from evalkit.base import codec
from evalkit.base.codec import Fault
from evalkit.base.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True)
class HourPrice:
    """What one hour of one GPU costs, or of the whole machine where models are served on its CPU."""

    gpu: str
    """As ``nvidia-smi`` names it, or a part of that such as ``H100``; ``cpu`` for a machine without one."""
    price: float
    """Of an hour, in units of ``currency``."""
    currency: str
    """Such as ``USD``."""
    source: str
    """Who asks this price, or where it was read."""
    date: str
    """When it was."""

    @property
    def words(self) -> str:
        """``3.29 USD an hour of H100 (name, date)``."""
        told = ", ".join(part for part in (self.source, self.date) if part)
        return f"{self.price:g} {self.currency} an hour of {self.gpu}" + (f" ({told})" if told else "")


@dataclass(frozen=True, slots=True)
class PriceFile:
    """A TOML file of prices: ``[[price]]`` with the keys of one each."""

    price: tuple[HourPrice, ...]
    """In any order; the one whose ``gpu`` fits the machine is taken."""


def prices(mapping: Mapping[str, Any], source: str) -> tuple[HourPrice, ...]:
    """The prices of a file.

    Raises:
        ConfigError: With one line for each key or value that is wrong.
    """
    found = codec.read(PriceFile, mapping, source).price
    codec.refuse(
        [
            fault
            for number, one in enumerate(found)
            for fault in (
                *codec.above(0, {f"price[{number}].price": one.price}),
                *(
                    Fault(f"price[{number}].{key}", "is empty", "a price without it tells nobody anything")
                    for key in ("gpu", "currency", "source", "date")
                    if not getattr(one, key).strip()
                ),
            )
        ],
        source,
    )
    return found


def fitting(found: tuple[HourPrice, ...], gpu: str, source: str) -> HourPrice:
    """The price of the hardware that models are served on.

    Args:
        found: The file's.
        gpu: The GPU's full name, or ``cpu``.
        source: How messages name the file.

    Raises:
        UsageError: None fits, or several do.
    """
    same = [one for one in found if one.gpu.casefold() == gpu.casefold()]
    fits = same or [one for one in found if one.gpu.casefold() in gpu.casefold()]
    if len(fits) == 1:
        return fits[0]
    names = ", ".join(one.gpu for one in (fits or found)) or "nothing"
    what = f"several prices fit '{gpu}' ({names})" if fits else f"no price of '{gpu}' (it has {names})"
    raise UsageError(f"{source}: {what}", fix=f"name one gpu = '{gpu}', or give the price with --price")
