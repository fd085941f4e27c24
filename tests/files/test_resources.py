from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from evalkit.files import resources

ROOT = Path(__file__).resolve().parents[2]
SHOW = "from evalkit.files import resources; print(resources.tasks()); print(resources.reports())"


def found_from(folder: Path, *, check: bool = True) -> subprocess.CompletedProcess[str]:
    """What a fresh interpreter finds that has ``folder`` alone on its path."""
    return subprocess.run(
        [sys.executable, "-c", SHOW],
        cwd="/",
        env={"PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        check=check,
    )


@pytest.fixture
def installed(tmp_path):
    """The package as a wheel lays it out, without its data."""
    package = tmp_path / "site" / "evalkit"
    package.mkdir(parents=True)
    for module in (ROOT / "evalkit").glob("**/*.py"):
        copied = package / module.relative_to(ROOT / "evalkit")
        copied.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(module, copied)
    return package


def test_a_checkout_has_its_data_beside_the_package():
    assert resources.tasks() == ROOT / "tasks"
    assert resources.reports() == ROOT / "reports"
    assert (resources.tasks() / "mmmu.toml").is_file()


def test_a_wheel_has_its_data_inside_the_package(installed):
    for name in ("tasks", "reports"):
        (installed / "resources" / name).mkdir(parents=True)
        (installed.parent / name).mkdir()
    assert found_from(installed.parent).stdout.split() == [
        str(installed / "resources" / name) for name in ("tasks", "reports")
    ]


def test_a_folder_of_the_same_name_beside_an_installed_package_is_not_ours(installed):
    (installed.parent / "tasks").mkdir()
    done = found_from(installed.parent, check=False)
    assert done.returncode != 0
    assert f"the folder 'tasks' is missing from {installed}" in done.stderr
