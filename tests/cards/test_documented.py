"""The page on what published cards do names tests, shapes and cards that there are, and every card."""

import re
from pathlib import Path

from cards.test_audit_causes import FALSE_ALARMS
from support.cardshapes import SHAPES

HERE = Path(__file__).parent
PAGE = (HERE.parents[1] / "docs/explanation/audit.md").read_text(encoding="utf-8")
ROWS = [line for line in PAGE.splitlines() if line.startswith("| ") and not line.startswith("| what a card has")]
LAST = [row.strip("| ").rpartition(" | ")[2] for row in ROWS]
NAMED = {name for cell in LAST for name in re.findall(r"`([^`]+)`", cell)}
CARDS = {path.stem for path in (HERE / "corpus").glob("*.md")}


def test_every_name_of_the_page_is_that_of_a_test_a_shape_or_a_card():
    text = "".join(path.read_text(encoding="utf-8") for path in HERE.glob("test_*.py"))
    tests = set(re.findall(r"^def (test_\w+)\(", text, re.MULTILINE))
    cases = {f"[{name}]" for name in FALSE_ALARMS}
    files = {name for name in NAMED if "/" in name and (HERE.parents[1] / name).exists()}
    known = tests | cases | files | CARDS | {shape.__name__ for shape in SHAPES}
    known |= {f"test_no_false_alarm{case}" for case in cases}
    assert sorted(NAMED - known) == []


def test_every_case_shape_and_card_is_on_the_page():
    cases = {name.removeprefix("test_no_false_alarm").strip("[]") for name in NAMED}
    assert sorted(set(FALSE_ALARMS) - cases) == []
    assert sorted(CARDS - NAMED) == []


def test_every_line_names_a_test():
    assert len(ROWS) > 40
    assert [row for row, cell in zip(ROWS, LAST, strict=True) if "`" not in cell] == []
