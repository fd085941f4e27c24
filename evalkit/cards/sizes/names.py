"""Which benchmark a row names: a whole name, and settings that are all understood."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass, field, replace
from functools import cache, lru_cache
from importlib import resources
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

Kind: TypeAlias = Literal["accuracy", "attempts", "seeds", "two", "partial", "wer", "anls"]

_BRACKETS = re.compile(r"[(\[{]([^()\[\]{}]{0,200})[)\]}]")
_SHOTS = re.compile(
    r"\b\d{1,3}[- ]?shots?\b|\b(?:zero|one|few|five)[- ]shot\b|\bpass\s?@\s?\d{1,3}(?:\s?:\s?\d{1,4})?\b"
    r"|\b(?:avg|average|mean|maj|cons)\s?@\s?\d{1,4}\b|\b\d{1,4} (?:runs|seeds|samples|trials|attempts|repeats)\b"
)
_RUNS = re.compile(
    r"\bpass\s?@\s?1\s?:\s?(\d{1,4})\b|\b(?:avg|average|mean)\s?@\s?(\d{1,4})\b"
    r"|\b(?:average|avg|mean)\.? (?:of|over) (\d{1,4}) (?:runs|seeds|samples|trials|attempts|repeats)\b"
    r"|\b(\d{1,4}) (?:runs|seeds|samples|trials|attempts|repeats)\b",
    re.IGNORECASE,
)
_BEST_OF = re.compile(r"\b(?:pass|maj|cons|best)\s?@\s?(\d{1,4})\b", re.IGNORECASE)
_WORD = re.compile(r"[a-z0-9+']+")
_FOREIGN = re.compile(
    r"\b(?:multilingual|global|translated|lite|mini|subset|redux|arabic|bengali|chinese|czech|dutch|finnish|french|german"
    r"|greek|hebrew|hindi|indonesian|italian|japanese|korean|persian|polish|portuguese|romanian|russian|spanish|swahili"
    r"|swedish|telugu|thai|turkish|ukrainian|vietnamese)\b"
)
"""What a section is called whose rows are other data under the same names."""


@dataclass(frozen=True, slots=True)
class Size:
    """A benchmark's split and its number of samples."""

    benchmark: str
    n: int
    what: str
    kind: Kind
    source: str
    names: tuple[str, ...]
    needs: frozenset[str] = frozenset()
    never: frozenset[str] = frozenset()
    versions: tuple[tuple[str, int], ...] = ()
    chance: float = 0.0
    """The share that guessing gets right, of benchmarks whose scores are published with and without it."""

    groups: Mapping[str, int] = field(default_factory=dict)
    """Sizes of the rows that stand for several parts, by their key."""
    parts: Mapping[str, int] = field(default_factory=dict)
    """Sizes of subjects or subtasks, by their key."""
    part: int | None = None
    """The size of those that are not listed."""

    @property
    def higher_is_better(self) -> bool:
        """Whether a better model has a higher score."""
        return self.kind != "wer"


@cache
def _data() -> Mapping[str, Any]:
    """The data file. It is a part of this package, as constant as its code."""
    text = resources.files(__package__).joinpath("benchmarks.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


@cache
def known() -> tuple[Size, ...]:
    """Every benchmark of the data file, ``evalkit/cards/sizes/benchmarks.toml``."""
    return tuple(_size(entry) for entry in _data()["benchmark"])


@cache
def _settings() -> frozenset[str]:
    """Words of a row that say how it was asked or counted, and not that something else was asked."""
    return frozenset(_data()["settings"])


def _size(entry: Mapping[str, Any]) -> Size:
    return Size(
        benchmark=entry["name"],
        n=entry["n"],
        what=entry["what"],
        kind=entry["kind"],
        source=entry["source"],
        names=tuple(_key(name) for name in entry["names"]),
        needs=frozenset(entry.get("needs", ())),
        never=frozenset(entry.get("never", ())),
        versions=tuple(entry.get("versions", {}).items()),
        chance=entry.get("chance", 0.0),
        groups={_key(name): n for name, n in entry.get("groups", {}).items()},
        parts={_key(name): n for name, n in entry.get("parts", {}).items()},
        part=entry.get("part"),
    )


@cache
def _by_name() -> dict[str, tuple[Size, ...]]:
    found: dict[str, list[Size]] = {}
    for size in known():
        for name in size.names:
            found.setdefault(name, []).append(size)
    return {name: tuple(sizes) for name, sizes in found.items()}


@lru_cache(maxsize=16384)
def size_of(label: str, category: str = "") -> Size | None:
    """The benchmark that a row of this name reports; None where the name fits none, or another split or version.

    The row's words have to be a known name and nothing but words of settings; a category may be in ``label`` before
    a colon, or apart. ``n`` is that of the split that the settings name.
    """
    before, colon, after = label.rpartition(": ")
    for name, section in ((label, category), (after, f"{category} {before}")) if colon else ((label, category),):
        if _FOREIGN.search(section.lower()):
            continue
        found = _named(name)
        if found is not None:
            return found
    # A row may be called by its metric or language alone, and its task stand where a category does.
    inside = bool(category) and (only_settings(label) or is_benchmark(category))
    return _named(f"{category} {label}") if inside else None


@lru_cache(maxsize=16384)
def is_benchmark(label: str) -> bool:
    """Whether a label begins with the name of a known benchmark, whatever follows: a split, a language, a metric."""
    words = _WORD.findall(label.lower())
    return any("".join(words[:count]) in _by_name() for count in range(1, min(len(words), 4) + 1))


@cache
def group_names() -> frozenset[str]:
    """What rows are called that stand for several subjects: "stem", "socialsciences"."""
    return frozenset(name for size in known() for name in size.groups)


def part_size(whole: str, label: str) -> int | None:
    """How many samples a part of a benchmark has, by its own name or behind the benchmark's; None where unknown.

    A ``whole`` that is a group of parts, such as "STEM", is one of the benchmark that has it.
    """
    size = size_of(whole) or next((one for one in known() if _key(whole) in one.groups), None)
    if size is None:
        return None
    name = _key(label)
    short = next((name[len(own) :] for own in size.names if name.startswith(own) and name != own), name)
    return size.groups.get(short) or size.parts.get(short) or size.part


@lru_cache(maxsize=16384)
def only_settings(label: str) -> bool:
    """Whether a label has words of settings and metrics alone: "acc", "exact_match, strict"."""
    words, settings = _taken_apart(label)
    return bool(words) and all(_is_setting(word) for word in [*words, *settings])


@lru_cache(maxsize=16384)
def runs_in(label: str) -> int | None:
    """Of how many runs a score is the mean, where its name says so: "pass@1:64", "avg@32", "mean of 3 runs"."""
    found = _RUNS.search(label)
    return next((int(one) for one in found.groups() if one), None) if found else None


@lru_cache(maxsize=16384)
def best_of(label: str) -> int:
    """Of how many attempts the best or the most frequent is counted: 10 of "pass@10"; 1 where each one is."""
    found = _BEST_OF.search(label)
    return int(found[1]) if found else 1


def _named(label: str) -> Size | None:
    words, settings = _taken_apart(label)
    for count in range(len(words), 0, -1):
        sizes = _by_name().get("".join(words[:count]))
        if sizes is None:
            continue
        rest = [*words[count:], *settings, *words[:count]]
        extra = [word for word in [*words[count:], *settings] if not _is_setting(word)]
        for size in sizes:
            unknown = set(extra) - size.needs - dict(size.versions).keys()
            if _tells_split(size, rest) and not (size.never & set(rest)) and not unknown:
                return _version(size, rest)
        return None
    return None


def _tells_split(size: Size, words: list[str]) -> bool:
    """Whether a row has a word that the size needs, in its settings or in the name itself: "GPQA Diamond"."""
    return not size.needs or bool(size.needs & set(words)) or any(need in words[-1] for need in size.needs)


def _version(size: Size, words: list[str]) -> Size:
    n = next((n for word, n in size.versions if word in words), size.n)
    what = size.what if n == size.n else f"{size.what.split(' of ')[0]} ({next(w for w, m in size.versions if m == n)})"
    return replace(size, n=n, what=what)


def _taken_apart(label: str) -> tuple[list[str], list[str]]:
    """The words of a name, and those in brackets, behind a slash or of a metric."""
    low = label.lower().replace("_", " ").replace("@", " @")
    low = re.sub(r"pass\s@", "pass@", low)
    low = _SHOTS.sub(" ", low)
    settings = [word for found in _BRACKETS.findall(low) for word in _WORD.findall(found)]
    return _WORD.findall(_BRACKETS.sub(" ", low)), settings


def _is_setting(word: str) -> bool:
    return word in _settings() or (word.isdigit() and len(word) < 3)


def _key(name: str) -> str:
    return "".join(_WORD.findall(name.lower()))
