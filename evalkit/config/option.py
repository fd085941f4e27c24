"""What an option is: its flag, its key in the file, and how its value is read."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

Group: TypeAlias = Literal["Models", "Tasks", "Measuring", "Prices", "Serving", "Judging", "Output"]
Kind: TypeAlias = Literal[
    "text", "texts", "pairs", "files", "releases", "flags", "switch", "count", "number", "choice", "file"
]
"""What its value is: a text; several; ``KEY=VALUE``, several; ``KEY=FILE,FILE``, several; ``[MODEL=]RELEASE``, several;
``FLAG[=VALUE]``, several; on or off; a whole number from ``least``; a number; one of ``choices``; a file that is
read."""
SEVERAL: Final = ("texts", "pairs", "files", "releases", "flags")


@dataclass(frozen=True, slots=True)
class Option:
    """One option."""

    flag: str
    place: str
    """Its key in the file, dotted from the top; empty where it has none."""
    kind: Kind
    group: Group
    help: str
    form: str = ""
    """How the help names its value."""
    quiet: str = ""
    """Why the command on a model card need not name it: it cannot move an answer of whoever repeats the run. Empty for
    what can move an answer or a verdict, which the command has to name."""
    choices: tuple[str, ...] = ()
    least: float | None = None
    """Of a number; a count without one begins at 1."""
    short: str = ""

    @property
    def name(self) -> str:
        """As the command line passes it on: the flag's own words where a file has no such key."""
        return _NAMES.get(self.flag, self.flag.removeprefix("--").replace("-", "_"))

    @property
    def several(self) -> bool:
        """Whether it can be repeated."""
        return self.kind in SEVERAL


_NAMES: Final = {
    "--candidate": "candidates",
    "--endpoint": "endpoints",
    "--task": "tasks",
    "--accept-difference": "accept_differences",
    "--import": "imported",
    "--serve-arg": "serve_args",
    "--config": "config_file",
    "--json": "as_json",
    "--use": "uses",
    "--deadline": "deadline_s",
}
"""Flags that are read better in the singular, beside the names that their keys have."""
