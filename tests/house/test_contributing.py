"""No file that CONTRIBUTING.md names is gone. That it draws every room on its floor is tested with the floors."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
MADE = {"build/junit.xml"}
"""Files that are named and made only when something is run."""


def is_there(name: str) -> bool:
    """Whether a path of the repository or of the package is there; a module goes without its ending."""
    found = [folder / name for folder in (ROOT, ROOT / "evalkit")]
    found += [folder / f"{name}.py" for folder in (ROOT, ROOT / "evalkit")]
    return any(path.exists() for path in found)


def test_every_file_that_is_named_is_there():
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    named = {name.rstrip("/") for name in re.findall(r"`([\w.-]+(?:/[\w.-]+)+/?)`", text)} - MADE
    assert len(named) > 50
    assert sorted(name for name in named if not is_there(name)) == []
