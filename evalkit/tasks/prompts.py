"""A task's prompt text: carried by the task, or published elsewhere and checked against its sha256.

A published prompt is one string constant of one Python file at one commit. It is looked for in the user's cache,
then in a checkout of the repository, then on the network, and kept in the cache. The file is parsed, never run.
"""

from __future__ import annotations

import ast
import os
import time
import warnings
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

from platformdirs import user_cache_path

from evalkit.base.errors import InfrastructureError, PromptError
from evalkit.files.scratch import Scratch, sweep

if TYPE_CHECKING:
    from evalkit.base.task_parts import PublishedPrompt

CHECKOUT: Final = "EVALKIT_MISTRAL_EVALS"
"""The environment variable that names a checkout of mistral-evals or of a fork of it."""
RAW_FILES: Final = "https://raw.githubusercontent.com"
_FOR_NOW: Final = {429, *range(500, 600)}
"""Answers of a server that say nothing of the file."""

_OFFLINE: Final = ("EVALKIT_OFFLINE", "HF_HUB_OFFLINE")
_LONGEST: Final = 256 * 1024
"""Bytes of a source file; the known ones have a few thousand."""


def read(
    prompt: PublishedPrompt | str,
    *,
    checkout: Path | None = None,
    cache: Path | None = None,
    offline: bool = False,
    base_url: str = RAW_FILES,
    deadline_s: float = 30.0,
) -> str:
    """The text of ``prompt``, with the sha256 that it should have; a text of the task's own as it is.

    Args:
        prompt: the text itself, or where it is published.
        checkout: a folder with the prompt's repository; by default what ``EVALKIT_MISTRAL_EVALS`` names.
        cache: the folder of ``<sha256>.txt`` files; by default ``prompts`` in the user's cache of evalkit.
        offline: never use the network; ``EVALKIT_OFFLINE=1`` and ``HF_HUB_OFFLINE=1`` say the same.
        base_url: where ``<repository>/<commit>/<file>`` is served.
        deadline_s: seconds that the whole download may take.

    Raises:
        PromptError: the text is another one, or nobody can be asked for it.
        InfrastructureError: the network does not give it now.
    """
    if isinstance(prompt, str):
        return prompt
    place = _place(prompt, cache)
    kept = _kept(prompt, place)
    if kept is not None:
        return kept
    folder = checkout or _checkout(prompt)
    if folder is not None:
        source, origin = _file(prompt, folder), str(folder)
    elif offline or any(os.environ.get(name, "").lower() in {"1", "on", "yes", "true"} for name in _OFFLINE):
        state = "damaged" if place.exists() else "not"
        raise _error(prompt, f"{state} in the cache, and evalkit is offline")
    else:
        origin = f"{base_url}/{quote(f'{prompt.repository}/{prompt.commit}/{prompt.file}')}"
        source = _download(prompt, origin, deadline_s)
    text = _constant(source, prompt.constant)
    if text is None:
        raise _error(prompt, f"{origin} has no text constant of that name")
    data = text.encode("utf-8", "surrogatepass")
    if sha256(data).hexdigest() != prompt.sha256:
        raise _error(prompt, f"{origin} has another text: sha256 {sha256(data).hexdigest()}, not {prompt.sha256}")
    _keep(place, data)
    return text


def cached(prompt: PublishedPrompt | str, cache: Path | None = None) -> bool:
    """Whether ``read`` needs neither a checkout nor the network for ``prompt``."""
    return isinstance(prompt, str) or _kept(prompt, _place(prompt, cache)) is not None


def _place(prompt: PublishedPrompt, cache: Path | None) -> Path:
    return (cache or user_cache_path("evalkit") / "prompts") / f"{prompt.sha256}.txt"


def _kept(prompt: PublishedPrompt, place: Path) -> str | None:
    """The cached text; None where there is none, or a damaged one."""
    try:
        data = place.read_bytes()
    except OSError:
        return None
    return data.decode("utf-8", "surrogatepass") if sha256(data).hexdigest() == prompt.sha256 else None


def _keep(place: Path, data: bytes) -> None:
    # A cache that cannot be written costs a download next time, not this run.
    with suppress(OSError):
        place.parent.mkdir(parents=True, exist_ok=True)
        sweep(place.parent)
        with Scratch(place.parent) as folder:
            new = Path(folder) / place.name
            new.write_bytes(data)
            # One step, so that a second process never reads half a text.
            new.replace(place)


def _checkout(prompt: PublishedPrompt) -> Path | None:
    folder = os.environ.get(CHECKOUT)
    return Path(folder) if folder and _is_mistral_evals(prompt) else None


def _is_mistral_evals(prompt: PublishedPrompt) -> bool:
    return prompt.repository.endswith("/mistral-evals")


def _file(prompt: PublishedPrompt, folder: Path) -> bytes:
    path = folder / prompt.file
    try:
        with path.open("rb") as file:
            source = file.read(_LONGEST + 1)
    except OSError as error:
        raise _error(prompt, f"{path}: {error.strerror}") from error
    if len(source) > _LONGEST:
        raise _error(prompt, f"{path} has more than {_LONGEST} bytes")
    return source


def _download(prompt: PublishedPrompt, url: str, deadline_s: float) -> bytes:
    import requests  # noqa: PLC0415 - slow to import, and needed once per prompt and machine

    ends = time.monotonic() + deadline_s
    # Plain bytes, so that the bound on the size holds for what is unpacked too.
    headers = {"Accept-Encoding": "identity"}
    source = bytearray()
    try:
        with requests.get(url, headers=headers, timeout=(5, 10), stream=True, allow_redirects=False) as response:
            if response.status_code != 200:
                why = f"{url} answered {response.status_code}"
                raise (_for_now if response.status_code in _FOR_NOW else _error)(prompt, why)
            # Byte by byte, because a larger piece is waited for however slowly it drips.
            for byte in response.iter_content(1):
                source += byte
                if len(source) > _LONGEST:
                    raise _error(prompt, f"{url} sends more than {_LONGEST} bytes")
                if time.monotonic() > ends:
                    raise _for_now(prompt, f"{url} took longer than {deadline_s:g} s")
    except requests.RequestException as error:
        raise _for_now(prompt, f"{url} cannot be read ({type(error).__name__})", evidence=str(error)) from error
    return bytes(source)


def _constant(source: bytes, name: str) -> str | None:
    """The text that the module's statements give ``name``, read and never executed; None if there is none."""
    try:
        with warnings.catch_warnings():
            # Odd escapes in somebody else's file are not the reader's concern.
            warnings.simplefilter("ignore")
            module = ast.parse(source)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None
    found = None
    for statement in module.body:
        match statement:
            case ast.Assign(targets=targets, value=value):
                pass
            case ast.AnnAssign(target=target, value=ast.expr() as value):
                targets = [target]
            case _:
                continue
        if any(isinstance(target, ast.Name) and target.id == name for target in targets):
            found = _text(value)
    return found


def _text(value: ast.expr) -> str | None:
    """A string literal, or literals joined by ``+``."""
    pieces: list[str] = []
    waiting = [value]
    while waiting:
        match waiting.pop():
            case ast.Constant(value=str(piece)):
                pieces.append(piece)
            case ast.BinOp(left=left, op=ast.Add(), right=right):
                waiting += [right, left]
            case _:
                return None
    return "".join(pieces)


def _error(prompt: PublishedPrompt, why: str) -> PromptError:
    return PromptError(_named(prompt, why), fix=_ways(prompt))


def _for_now(prompt: PublishedPrompt, why: str, *, evidence: str = "") -> InfrastructureError:
    """What may be otherwise when the same command is given again."""
    return InfrastructureError(_named(prompt, why), fix=_ways(prompt), evidence=evidence)


def _named(prompt: PublishedPrompt, why: str) -> str:
    return f"prompt {prompt.constant} in {prompt.file} of {prompt.repository} at {prompt.commit[:7]}: {why}"


def _ways(prompt: PublishedPrompt) -> str:
    ways = ["give the task a text of its own (prompt = '...')"]
    if _is_mistral_evals(prompt):
        ways.insert(0, f"set {CHECKOUT} to a checkout of {prompt.repository} at commit {prompt.commit}")
    return ", or ".join(ways)
