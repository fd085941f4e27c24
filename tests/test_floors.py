"""The house: a module imports only from its own floor or a lower one, and nobody imports in a circle."""

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parent.parent / "evalkit"

FLOORS = [
    {"types", "errors", "events", "identity", "printable", "__init__"},
    {"schema", "config", "options", "policy", "taskfile", "benchmarks", "metrics", "stats", "images", "cards", "draw"},
    {
        "chat",
        "plan",
        "score",
        "losses",
        "pairs",
        "averages",
        "verdict",
        "outcome",
        "drift",
        "elsewhere",
        "checkpoint",
        "comparability",
        "forecast",
        "flips",
        "speed",
        "report",
        "runfile",
        "moved",
    },
    {
        "answers",
        "client",
        "control",
        "demo",
        "doctor",
        "environment",
        "harnesses",
        "places",
        "private",
        "storefile",
        "prompts",
        "registry",
        "rows",
        "sandbox",
        "scratch",
        "server",
        "store",
        "textfile",
        "tools",
    },
    {
        "prepare",
        "refusals",
        "vouching",
        "checks",
        "ledger",
        "deaths",
        "ask",
        "publish",
        "thumbnails",
        "reopen",
        "export",
        "outlook",
        "history",
        "since",
        "run",
    },
    {"cli", "display", "library_log", "pace", "view", "__main__"},
]
PURE = {name for floor in FLOORS[:3] for name in floor}
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


def rooms() -> dict[str, list[Path]]:
    """Top-level module or package name to its files."""
    found: dict[str, list[Path]] = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        found.setdefault(path.relative_to(PACKAGE).parts[0].removesuffix(".py"), []).append(path)
    return found


def floor_of(room: str) -> int:
    return next(number for number, floor in enumerate(FLOORS) if room in floor)


def imports(path: Path) -> set[str]:
    """Dotted names that a file imports, wherever the import stands."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_used(path: Path) -> set[str]:
    return {name.split(".")[1] for name in imports(path) if name.startswith("evalkit.")} - {"__version__"}


def test_every_module_has_a_floor():
    assert set(rooms()) <= {name for floor in FLOORS for name in floor}


@pytest.mark.parametrize("room", rooms())
def test_a_module_imports_from_its_floor_or_lower(room):
    for path in rooms()[room]:
        for used in rooms_used(path):
            assert floor_of(used) <= floor_of(room), f"{path.name} ({room}) imports {used}"


@pytest.mark.parametrize("room", sorted(PURE & set(rooms())))
def test_the_lower_floors_touch_no_world(room):
    for path in rooms()[room]:
        used = {name.split(".")[0] for name in imports(path)}
        assert not used & WORLD, f"{path} imports {used & WORLD}"


def test_no_import_cycle():
    graph = {room: {used for path in files for used in rooms_used(path)} - {room} for room, files in rooms().items()}
    done: set[str] = set()

    def visit(room, trail):
        assert room not in trail, f"cycle: {' -> '.join((*trail, room))}"
        if room not in done:
            for used in graph[room]:
                visit(used, (*trail, room))
            done.add(room)

    for room in graph:
        visit(room, ())


def test_modules_are_short():
    for files in rooms().values():
        for path in files:
            assert len(path.read_text(encoding="utf-8").splitlines()) <= 420, path
