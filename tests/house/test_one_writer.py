"""A run's folder has one writer, and whoever writes a part of it is called by that writer alone."""

import ast
from pathlib import Path

RUNS = Path(__file__).resolve().parents[2] / "evalkit/runs"
WRITER = "publish.py"
ITS_PARTS = {"sample_files.py": "SampleFiles", "thumbnails.py": "keep"}
"""Modules that write a part of the folder, with what they are called by to do so."""
ELSEWHERE = {"export.py"}
"""Writes the file that its user names, which is no part of a run's folder."""
PRIVATE = {"private.write", "private.opener", "private.descriptor", "private.folder", "private.own"}
PATHS = {"write_text", "write_bytes", "mkdir"}
"""Of a ``Path``: what makes a file or a folder, as ``PRIVATE`` of ``evalkit.files`` does."""


def called(path: Path) -> set[str]:
    """Names of what a module calls or hands on, as ``room.name`` or ``.name``."""
    found = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Attribute):
            found.add(f"{node.value.id if isinstance(node.value, ast.Name) else ''}.{node.attr}")
        elif isinstance(node, ast.ImportFrom):
            found |= {f"{(node.module or '').rpartition('.')[2]}.{alias.name}" for alias in node.names}
    return found


def writes(path: Path) -> bool:
    """Whether a module writes files itself."""
    return any(one in PRIVATE or one.partition(".")[2] in PATHS for one in called(path))


def test_nobody_but_the_writer_and_its_parts_writes():
    assert {path.name for path in RUNS.glob("*.py") if writes(path)} == {WRITER, *ITS_PARTS, *ELSEWHERE}


def test_its_parts_are_called_by_the_writer_alone():
    for part, name in ITS_PARTS.items():
        users = {path.name for path in RUNS.glob("*.py") if f"{part.removesuffix('.py')}.{name}" in called(path)}
        assert users == {WRITER}, part
