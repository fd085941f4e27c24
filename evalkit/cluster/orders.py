"""What driver and keeper tell each other: plain values, which both must read alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

    from evalkit.base.types import Model
    from evalkit.config.run_config import Serving

Phase: TypeAlias = Literal["starting", "ready", "failed", "died", "stopped"]
OVER: Final = frozenset({"failed", "died", "stopped"})
"""Phases of a server that answers no more."""
BEAT_S: Final = 5.0
"""A keeper that has nothing to tell says so after so long."""


@dataclass(frozen=True, slots=True)
class Order:
    """A server to be kept."""

    serving: Serving
    model: Model
    """Its source is an absolute path where it is a folder."""
    key: str
    """What whoever asks the server has to show."""
    variables: Mapping[str, str] = field(default_factory=dict)
    """Those of vLLM's that the driver runs with and that are part of an answer's identity."""
    files: Mapping[str, int] = field(default_factory=dict)
    """Of a model in a folder: each file's bytes, by its path in the folder."""
    like: HostFacts | None = None
    """What the answers' identity says of the host; no GPU in it: any kind, or none."""


@dataclass(frozen=True, slots=True)
class News:
    """How a server is, and what it has said since the last news."""

    phase: Phase
    said: tuple[tuple[str, str], ...] = ()
    """State and detail, as `Server` says them."""
    url: str = ""
    reason: str = ""
    """Why it ended or did not start; empty where it did."""
    fix: str = ""
    last_words: str = ""


@dataclass(frozen=True, slots=True)
class HostFacts:
    """What a host has to serve with."""

    evalkit: str
    vllm: Mapping[str, Mapping[str, str]]
    """By interpreter: its distributions that are worth recording, by name."""
    gpus: tuple[str, ...]
    """The names of its GPUs, each kind once."""
    fault: str = ""
    """Why it cannot serve, in words; empty where nothing is known against it."""
