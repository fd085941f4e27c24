"""What an installed wheel brings along: everything that is read at run time and is not a module."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parent.parent
KEPT = {
    "tasks": "evalkit/tasks",
    "reports": "evalkit/reports",
    "evalkit/demo/models": "evalkit/demo/models",
    "evalkit/demo/train": "evalkit/demo/train",
    "evalkit/harnesses": "evalkit/harnesses",
}
"""Folders of the repository and their places in the wheel."""


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """The wheel, built as the release is and unpacked as an installer does."""
    folder = tmp_path_factory.mktemp("wheel")
    words = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(words, cwd=ROOT, check=True, capture_output=True)
    (wheel,) = folder.glob("*.whl")
    with ZipFile(wheel) as packed:
        packed.extractall(folder / "site")
    return folder / "site"


@pytest.mark.parametrize("source", KEPT)
def test_every_file_of_a_folder_is_in_the_wheel(installed, source):
    files = [file for file in (ROOT / source).rglob("*") if file.is_file() and file.parent.name != "__pycache__"]
    assert files
    for file in files:
        assert (installed / KEPT[source] / file.relative_to(ROOT / source)).read_bytes() == file.read_bytes(), file


def test_the_demonstration_has_all_it_needs(installed, tmp_path):
    code = (
        "from pathlib import Path\n"
        "import evalkit\n"
        "from evalkit import places, registry\n"
        "from evalkit.demo import pair, rows, texts\n"
        "here = Path(evalkit.__file__).parent\n"
        "assert all(here in folder.parents for folder in (*pair.trained(), places.tasks(), places.reports()))\n"
        "rows.write(Path('rows'), 2)\n"
        "texts.write_mmlu(Path('mmlu'))\n"
        "texts.write_humaneval(Path('humaneval.jsonl'))\n"
        "print(*[task.name for task in registry.chosen((), 'demo')])\n"
    )
    words = [sys.executable, "-B", "-c", code]
    done = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 7
    assert len(list((tmp_path / "mmlu").iterdir())) == 57


def test_nothing_but_the_package_is_in_the_wheel(installed):
    top = {path.name for path in installed.iterdir()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"evalkit"}
    assert not list(installed.rglob("*.part"))
    assert not list(installed.rglob("__pycache__"))
