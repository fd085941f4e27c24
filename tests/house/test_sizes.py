"""How long a module and a function may be: what is longer is two things."""

import ast
from pathlib import Path

PACKAGE = Path(__file__).resolve().parents[2] / "evalkit"
MODULE, FUNCTION = 400, 40
"""Lines of a module; lines of code of a function, which are those that are neither blank, comment nor docstring."""


def texts(node):
    """Lines of the texts that stand alone in a node: docstrings."""
    return {
        line
        for one in ast.walk(node)
        if isinstance(one, ast.Expr) and isinstance(one.value, ast.Constant) and isinstance(one.value.value, str)
        for line in range(one.lineno, one.end_lineno + 1)
    }


def lines_of_code(node, lines):
    own = set(range(node.lineno, node.end_lineno + 1)) - texts(node)
    return sum(bool(text := lines[number - 1].strip()) and not text.startswith("#") for number in own)


def test_modules_are_short():
    files = {str(path.relative_to(PACKAGE)): path for path in PACKAGE.rglob("*.py")}
    sizes = {name: len(path.read_text(encoding="utf-8").splitlines()) for name, path in files.items()}
    assert {name: size for name, size in sizes.items() if size > MODULE} == {}


def test_functions_are_short():
    found = {}
    for path in PACKAGE.rglob("*.py"):
        text = path.read_text(encoding="utf-8")
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                size = lines_of_code(node, text.splitlines())
                if size > FUNCTION:
                    found[f"{path.relative_to(PACKAGE)}: {node.name}"] = size
    assert found == {}


def test_blank_lines_comments_and_docstrings_are_no_code():
    text = 'def short():\n    """Two\n    lines."""\n\n    # why\n    return 1  # said\n'
    assert lines_of_code(ast.parse(text).body[0], text.splitlines()) == 2
