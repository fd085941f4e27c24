"""One seam: what knows a benchmark stands in its room, behind the protocol of harnesses, and nowhere else."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from evalkit.tasks import benchmarks

PACKAGE = Path(__file__).resolve().parents[2] / "evalkit"
OWN_ROOMS = (
    "harnesses/chat.py",
    "harnesses/lm_eval/",
    "harnesses/evalplus/",
    "tasks/benchmarks/",
    "tasks/guess.py",
    "tasks/lm_eval/",
    "demo/",
    "cli/demo.py",
)
"""Where benchmarks are at home; the demonstration is made of some of them, and columns are guessed for one."""
READS_OTHERS = ("answers/evalplus.py", "answers/lm_eval.py", "cards/", "report/as_eval_records.py")
"""What reads or writes files and tables of others, whose rows and keys are called by these names."""
TOOLS = {"lm-eval"}
"""Benchmarks that are called as the tool whose files are read and whose command is named in many places."""
NAMES = re.compile(
    "|".join(
        [
            *benchmarks.BENCHMARKS,
            *(set(benchmarks.HARNESSED) - TOOLS),
            *(rf"(?<![a-z]){name}(?![a-z])" for name in benchmarks.MAPPED),
            *("find_zero", "exact way", "fast way"),
        ]
    ),
    re.IGNORECASE,
)
COLUMNS = {"subject", "task_id", "doc_hash", "prompt_hash", "questionId", "image_id", "as_written"}
OWN_COLUMNS = {"runs/sample_table.py": {"subject"}}
"""Columns of evalkit's own tables with the name of a benchmark's: filled from what a harness says (`parts`)."""
HARNESSES = ("chat", "lm_eval", "evalplus")


def outside() -> list[str]:
    names = [path.relative_to(PACKAGE).as_posix() for path in sorted(PACKAGE.rglob("*.py"))]
    return [name for name in names if not name.startswith((*OWN_ROOMS, *READS_OTHERS))]


@cache
def code(name: str) -> list[ast.AST]:
    """A module without what only documents it: docstrings may say where a rule is from."""
    found = list(ast.walk(ast.parse((PACKAGE / name).read_text(encoding="utf-8"))))
    told = {id(node.value) for node in found if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant)}
    return [node for node in found if id(node) not in told]


def words(node: ast.AST) -> list[str]:
    """What a piece of code says itself: texts, names of things, and names that it imports."""
    said = [getattr(node, key, None) for key in ("id", "attr", "name", "arg", "value", "module")]
    return [text for text in said if isinstance(text, str)]


@pytest.mark.parametrize("name", outside())
def test_no_module_outside_of_its_room_names_a_benchmark_or_a_column_of_one(name):
    said = [(node.lineno, text) for node in code(name) for text in words(node)]
    columns = COLUMNS - OWN_COLUMNS.get(name, set())
    assert not [f"line {at}: {text}" for at, text in said if NAMES.search(text) or text in columns]


PAGES = sorted(path for path in (PACKAGE.parent / "reports").rglob("*") if path.suffix in {".j2", ".js", ".css"})


@pytest.mark.parametrize("path", PAGES, ids=[path.name for path in PAGES])
def test_no_page_names_a_benchmark(path):
    assert not NAMES.search(path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", outside())
def test_no_module_outside_of_its_room_knows_one_harness_from_another(name):
    for node in code(name):
        if isinstance(node, ast.ImportFrom):
            room = re.match(rf"evalkit\.harnesses\.({'|'.join(HARNESSES)})\b", str(node.module))
            assert room is None or name == "harnesses/__init__.py", "the one place that finds a task's harness"
            names = {alias.name for alias in node.names}
            assert not (node.module == "evalkit.harnesses" and names & {*HARNESSES})
            assert name.startswith("tasks/") or node.module != "evalkit.tasks.benchmarks" or "BENCHMARKS" not in names
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "isinstance":
            kinds = " ".join(text for one in ast.walk(node.args[1]) for text in words(one))
            assert not re.search(r"Chat\b|LmEval|EvalPlus|Harness|ByMetrics|ByTests|Facts", kinds)
