"""The house: a folder is a room on a floor; a module imports from its own floor or a lower one, never in a circle."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "evalkit"

FLOORS = [
    {"base"},
    {"files", "config", "stats", "cards"},
    {"tasks"},
    {"records"},
    {"comparison", "client", "perf", "trackers", "processes"},
    {"answers", "cluster", "sandbox", "serve"},
    {"harnesses", "report"},
    {"runs", "demo", "testing", "measuring"},
    {"quantize"},
    {"public"},
    {"view"},
    {"cli"},
]
"""From the ground to the roof; what stands at the top of the package is the door."""
PURE = ["base", "config", "stats", "cards", "tasks/benchmarks", "tasks/metrics", "comparison", "perf", "report"]
"""Rooms and rooms of rooms that touch no file, process, socket or clock, and take randomness as an argument."""
WORLD = {
    "os",
    "socket",
    "subprocess",
    "requests",
    "aiohttp",
    "sqlite3",
    "time",
    "tempfile",
    "shutil",
    "datasets",
    "random",
}


@cache
def rooms() -> dict[str, list[Path]]:
    """Folder of the package to its files."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.glob("*/**/*.py")):
        found.setdefault(path.relative_to(PACKAGE).parts[0], []).append(path)
    return found


def floor_of(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


@cache
def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(parsed(path)):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_used(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("evalkit.")} & set(rooms())


def test_every_folder_has_a_floor_and_every_floor_its_folders():
    assert set(rooms()) == set().union(*FLOORS)
    assert sum(map(len, FLOORS)) == len(rooms())


def test_nothing_but_the_door_stands_beside_the_rooms():
    assert {path.stem for path in PACKAGE.glob("*.py")} == {"__init__", "__main__"}


@pytest.mark.parametrize("room", rooms())
def test_a_room_imports_from_its_floor_or_lower(room):
    for path in rooms()[room]:
        for used in rooms_used(path):
            assert floor_of(used) <= floor_of(room), f"{path} ({room}) imports {used}"


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_touch_no_world(room):
    files = list((PACKAGE / room).rglob("*.py"))
    assert files
    for path in files:
        used = {name.split(".")[0] for name in imports(path)}
        assert not used & WORLD, f"{path} imports {used & WORLD}"


def test_no_import_circle_of_rooms():
    graph = {room: {used for path in files for used in rooms_used(path)} - {room} for room, files in rooms().items()}
    done: set[str] = set()

    def visit(room, trail):
        assert room not in trail, f"circle: {' -> '.join((*trail, room))}"
        if room not in done:
            for used in graph[room]:
                visit(used, (*trail, room))
            done.add(room)

    for room in graph:
        visit(room, ())


def test_no_import_circle_of_modules():
    modules = {".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts): path for path in PACKAGE.rglob("*.py")}
    modules = {name.removesuffix(".__init__"): path for name, path in modules.items()}
    graph = {name: {known(full, modules) for full in at_the_top(path)} - {name, None} for name, path in modules.items()}
    # A package's face imports its rooms; that a room is imported through its package is no circle of two modules.
    graph = {name: {one for one in used if not name.startswith(f"{one}.")} for name, used in graph.items()}
    done: set[str] = set()

    def visit(name, trail):
        assert name not in trail, f"circle: {' -> '.join((*trail, name))}"
        if name not in done:
            for used in graph[name]:
                visit(used, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def at_the_top(path: Path) -> set[str]:
    """Dotted names that are imported as the module is, but for what the type checker alone imports."""
    found = set()
    for node in parsed(path).body:
        if isinstance(node, ast.ImportFrom):
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
    return found


def known(full: str, modules: dict[str, Path]) -> str | None:
    """The module that a dotted name is, or is in."""
    return full if full in modules else full.rpartition(".")[0] if full.rpartition(".")[0] in modules else None


def test_no_two_classes_have_one_name():
    homes: dict[str, list[str]] = {}
    for path in PACKAGE.rglob("*.py"):
        for node in parsed(path).body:
            if isinstance(node, ast.ClassDef):
                homes.setdefault(node.name, []).append(path.relative_to(PACKAGE).as_posix())
    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def drawn() -> list[tuple[str, str]]:
    """The rooms that CONTRIBUTING.md draws, from the roof to the ground, each with what is said of it."""
    text = (PACKAGE.parent / "CONTRIBUTING.md").read_text(encoding="utf-8")
    return re.findall(r"^([a-z]+) {2,}(.+)$", text.partition("## The house")[2].split("```")[1], re.MULTILINE)


def test_every_room_is_drawn_once_and_not_above_what_imports_from_it():
    named = [room for room, _ in drawn()]
    assert sorted(named) == sorted(rooms())
    floors = [floor_of(room) for room in named]
    assert floors == sorted(floors, reverse=True)


def test_the_rooms_that_are_drawn_as_pure_are():
    assert {room for room, said in drawn() if said.endswith("(pure)")} == {room for room in PURE if "/" not in room}
