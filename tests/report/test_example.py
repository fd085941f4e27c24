"""The committed example report is what its script makes of the committed pictures."""

import pytest

from support.example_report import FOLDER, LABELS, NOTICE, files


@pytest.fixture(scope="module")
def made():
    return files()


@pytest.mark.parametrize("name", ["report.html", "report.md", "results.json"])
def test_the_committed_file_is_the_one_that_is_made(made, name):
    committed = (FOLDER / name).read_bytes()
    # Not compared by ==: a difference in a line of a megabyte would be printed.
    same = committed == made[name].encode()
    assert same, f"reports/example/{name} differs; `nox -s example` writes it anew"


def test_the_example_says_that_it_is_invented(made):
    assert NOTICE in made["report.html"]
    assert NOTICE in made["report.md"]
    assert all(label.startswith("invented-") for label in LABELS)
    assert "pixtral-12b" not in "".join(made.values())


def test_the_example_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 3_000_000
