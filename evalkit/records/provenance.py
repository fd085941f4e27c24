"""Where a run's numbers come from, as the run keeps it: what ran, on what, and how to run it again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evalkit.base.codec import LENIENT, OTHERS, UNSAID
from evalkit.base.task_parts import Extension
from evalkit.base.types import Json
from evalkit.records.results import StoredAnswers


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptGpu:
    """A GPU of the machine."""

    name: str | None = field(default=None, metadata=LENIENT)
    memory_mib: int | None = field(default=None, metadata=LENIENT)
    driver: str | None = field(default=None, metadata=LENIENT)
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ServedFrom:
    """The interpreter that served."""

    packages: Mapping[str, str] | None = field(default=None, metadata=LENIENT)
    """By name, the release."""
    processor: str | None = field(default=None, metadata=LENIENT)
    """What computed, where that was no GPU."""
    dtype: str | None = field(default=None, metadata=LENIENT)
    """In which numbers it did."""
    dtype_reason: str | None = field(default=None, metadata=LENIENT)
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ModelMaking:
    """How a model was made, as files beside its weights say."""

    command: str | None = field(default=None, metadata=LENIENT)
    """The one of ``evalkit quantize``; None of a model that another made."""
    recipe: str | None = field(default=None, metadata=LENIENT)
    """Its ``recipe.yaml``."""
    scheme: str | None = field(default=None, metadata=LENIENT)
    method: str | None = field(default=None, metadata=LENIENT)
    seed: int | None = field(default=None, metadata=LENIENT)
    calibration: Mapping[str, Json] | None = field(default=None, metadata=LENIENT)
    """``data``, ``samples`` and what else is known of what it was calibrated on."""
    releases: Mapping[str, str] | None = field(default=None, metadata=LENIENT)
    """Of the packages that made it, by name."""
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class ToldConfig:
    """What of a run's config is looked at again; the rest is kept for people and for the command that repeats it."""

    output: str | None = field(default=None, metadata=LENIENT)
    data: Mapping[str, str] | None = field(default=None, metadata=LENIENT)
    """Task name to the file or folder that was read in place of the hub."""
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What ran, and how to run it again."""

    evalkit: str | None = field(default=None, metadata=LENIENT)
    """Its version."""
    commit: str | None = field(default=None, metadata=LENIENT)
    """The one that evalkit ran from, where it was a checkout."""
    python: str | None = field(default=None, metadata=LENIENT)
    """Release of the interpreter that ran evalkit."""
    platform: str | None = field(default=None, metadata=LENIENT)
    cpu: str | None = field(default=None, metadata=LENIENT)
    gpus: tuple[KeptGpu, ...] | None = field(default=None, metadata=UNSAID)
    packages: Mapping[str, str] | None = field(default=None, metadata=LENIENT)
    """Beside evalkit, by name, the release."""
    serving: ServedFrom | None = field(default=None, metadata=UNSAID)
    endpoints: Mapping[str, StoredAnswers] | None = field(default=None, metadata=UNSAID)
    """Label of a server that evalkit did not start to what its stored answers are worth."""
    extensions: tuple[Extension, ...] | None = field(default=None, metadata=UNSAID)
    """Benchmarks, metrics and harnesses of the user's own."""
    making: Mapping[str, ModelMaking] | None = field(default=None, metadata=UNSAID)
    """Model label to how it was made, where files beside its weights tell."""
    config: ToldConfig | None = field(default=None, metadata=UNSAID)
    commands: Mapping[str, str] | None = field(default=None, metadata=LENIENT)
    """Model label to the command that served it."""
    command: str | None = field(default=None, metadata=LENIENT)
    """The command of a performance run, for whoever measures again."""
    others: Mapping[str, Json] = field(default_factory=dict, metadata=OTHERS)
    """Environments and the like, for people."""
