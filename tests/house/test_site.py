"""The documentation builds with every link and anchor in place, asks for nothing elsewhere, and hides no page."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md"))
FETCHED = re.compile(r'<(?:script|img|link|iframe)\b[^>]*?(?:src|href)="((?:https?:)?//[^"]+)"')


def built(folder, page="", text=""):
    """A strict build in ``folder``, where every way to a network ends at a closed port."""
    shutil.copytree(DOCS, folder / "docs")
    shutil.copy(ROOT / "zensical.toml", folder)
    if page:
        with (folder / "docs" / page).open("a", encoding="utf-8") as file:
            file.write(text)
    nowhere = dict.fromkeys(("http_proxy", "https_proxy", "all_proxy"), "http://127.0.0.1:9")
    return subprocess.run(
        [sys.executable, "-m", "zensical", "build", "--clean", "--strict"],
        cwd=folder,
        env={**os.environ, **nowhere},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    made = built(folder)
    assert made.returncode == 0, made.stdout + made.stderr
    return folder / "build/docs"


def test_every_page_is_built_and_asks_for_nothing_elsewhere(site):
    for page in PAGES:
        text = (site / page).with_suffix(".html").read_text(encoding="utf-8")
        assert FETCHED.findall(text) == [], page


def test_every_page_can_be_found():
    def listed(entry):
        if isinstance(entry, str):
            return [entry]
        below = entry.values() if isinstance(entry, dict) else entry
        return [name for one in below for name in listed(one)]

    project = tomllib.loads((ROOT / "zensical.toml").read_text(encoding="utf-8"))["project"]
    assert sorted(listed(project["nav"])) == PAGES


@pytest.mark.parametrize("link", ["(nowhere.md)", "(explanation/outcome.md#nowhere)"])
def test_a_link_that_leads_nowhere_ends_the_build(tmp_path, link):
    made = built(tmp_path, "index.md", f"\n[there]{link}\n")
    assert made.returncode != 0
    assert "does not exist" in made.stdout + made.stderr
