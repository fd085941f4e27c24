"""Makes an environment: beside its place, checked, and renamed when it is whole."""

from __future__ import annotations

import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.base.events import Notice, Stage
from evalkit.serve.tools import environment
from evalkit.serve.tools.environment import MANIFEST, Environment
from evalkit.serve.tools.installer import CommandFailedError, follow, unheard, uv
from evalkit.serve.tools.locks import locked, unwritable
from evalkit.serve.tools.pins import loosened

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.base.events import Say
    from evalkit.serve.tools.recipes import Build, Recipe

_RESOLVE_PATIENCE_S: Final = 120.0
"""Finding out what would be installed takes seconds; an index that does not answer may take its time to say so."""
_CHECK_PATIENCE_S: Final = 600.0
"""vLLM takes half a minute to import, on a busy machine with a cold disk several minutes."""
_ASK: Final = """
import importlib, importlib.metadata, json, platform, sys
for name in sys.argv[2:]:
    importlib.import_module(name)
print(json.dumps({"python": platform.python_version(), "release": importlib.metadata.version(sys.argv[1])}))
"""


def make(recipe: Recipe, say: Say) -> Environment:
    """The environment of a recipe, made when it is not there yet.

    It is filled in a folder of its own beside its place, checked by importing what it is for, and given its name only
    then: whatever is killed in between leaves a folder that nothing uses and that the next maker removes.

    Args:
        recipe: What it holds.
        say: Hears how far it is, and of the result in one line.

    Raises:
        InfrastructureError: It could not be made: the command that failed, and its last words.
    """
    waits = f"waiting for process %s, which makes {recipe.name}"
    with locked(environment.home(), recipe.name, lambda pid: say(Stage(waits % pid))):
        found = environment.find(recipe)
        if found is not None:
            return found
        environment.sweep(recipe.name)
        say(Stage(f"making an environment with {recipe}"))
        return _made(recipe, say)


def _made(recipe: Recipe, say: Say) -> Environment:
    """Try the recipe's ways in turn; the first environment that can import the tool is the one."""
    *first, last = recipe.ways
    for way in first:
        try:
            return _filled(recipe, way, say)
        except CommandFailedError as error:
            say(Stage(f"{recipe} with {way.words} cannot be had here ({error.words}); trying {last.words}"))
    try:
        return _filled(recipe, last, say)
    except CommandFailedError as error:
        raise InfrastructureError(
            f"no environment with {recipe} could be made: `{error.command}` said: {error.words}",
            fix="see that the network and the package index can be reached and that the disk has room, then try again",
        ) from error


def _filled(recipe: Recipe, way: Build, say: Say) -> Environment:
    """An environment filled in one way."""
    half = environment.half_folder(recipe.name)
    try:
        half.mkdir(parents=True)
        facts = _Work(recipe, half, say).fill(way)
        manifest = {
            "tool": recipe.tool,
            "distribution": recipe.distribution,
            "torch": way.words,
            "size_bytes": _size(half),
            "made": datetime.now(UTC).isoformat(timespec="seconds"),
            **facts,
        }
        (half / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")
        # The name must not reach the disk before the files do: a machine may lose its power as well.
        os.sync()
        place = environment.home() / recipe.name
        # One whose Python was removed may still stand there.
        environment.discard(place)
        half.rename(place)
    except BrokenPipeError:
        raise  # of who listens, not of the disk
    except OSError as error:
        raise unwritable(environment.home(), error) from error
    finally:
        environment.discard(half)
    made = environment.find(recipe)
    if made is None:
        raise InfrastructureError(f"{place}: what was made there is gone", fix="run the same command again")
    say(Notice(f"made {made}, with {way.words}"))
    return made


class _Work:
    """The commands that fill one folder."""

    def __init__(self, recipe: Recipe, folder: Path, say: Say) -> None:
        self._recipe, self._folder = recipe, folder
        self._tell: Callable[[str], None] = lambda line: say(Stage(f"{recipe}: {line}"))

    def fill(self, way: Build) -> dict[str, str]:
        """Install and check; returns what the environment says of itself."""
        recipe, tell = self._recipe, self._tell
        # Relocatable: programs in its bin folder find their Python beside them, also after the folder is renamed.
        uv(["venv", "--relocatable", "--python", recipe.python, str(self._folder)], self._folder, unheard)
        words = [*recipe.requirements, *(["--torch-backend", way.backend] if way.backend else [])]
        if way.loosened:
            words += ["--overrides", str(self._overrides())]
        # Resolved first: an index that lacks a build says so before anything is downloaded.
        self._install(["--dry-run", *words], unheard, _RESOLVE_PATIENCE_S)
        self._install(["--compile-bytecode", *words], tell)
        tell(f"importing {', '.join(recipe.imports)}")
        return self._checked()

    def _install(self, words: Sequence[str], tell: Callable[[str], None], patience_s: float | None = None) -> None:
        uv(["pip", "install", "--python", str(self._python), *words], self._folder, tell, patience_s)

    def _overrides(self) -> Path:
        """A file with the pins to local builds, without the local part."""
        requirement = self._recipe.requirements[0]
        self._install(["--no-deps", requirement], self._tell)
        file = self._folder / "overrides.txt"
        pins = loosened(str(self._python), self._recipe.distribution, self._folder)
        file.write_text("".join(f"{pin}\n" for pin in pins), encoding="utf-8")
        self._tell(f"in place of its own pins: {', '.join(pins) or 'nothing'}")
        return file

    def _checked(self) -> dict[str, str]:
        words = [str(self._python), "-I", "-c", _ASK, self._recipe.distribution, *self._recipe.imports]
        lines = follow(words, self._folder, unheard, _CHECK_PATIENCE_S)
        found: dict[str, str] = json.loads(next(line for line in reversed(lines) if re.match(r"\{.*\}$", line)))
        return found

    @property
    def _python(self) -> Path:
        return self._folder / "bin" / "python"


def _size(folder: Path) -> int:
    """Bytes of all files below a folder, each counted once."""
    seen: dict[tuple[int, int], int] = {}
    for place, _, names in os.walk(folder):
        for name in names:
            state = os.lstat(Path(place, name))
            seen[state.st_dev, state.st_ino] = state.st_size
    return sum(seen.values())
