"""What the page on reading runs says to type, typed beside a run."""

import contextlib
import io
import json
import re
from pathlib import Path

import pytest

from support.workplaces import fitted_out

PAGE = Path(__file__).resolve().parents[2] / "docs/how-to/python.md"


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    found = fitted_out(tmp_path_factory.mktemp("notebook"))
    found.here(*found.comparison(), check=0)
    found.here("export", "latest", "--format", "parquet", "-o", "samples.parquet", check=0)
    return found


def test_every_block_of_the_page_runs_after_the_other(workplace, monkeypatch):
    monkeypatch.chdir(workplace.folder)
    blocks = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names, out = {}, io.StringIO()
    with contextlib.redirect_stdout(out):
        for block in blocks:
            exec(compile(block, PAGE.name, "exec"), names)
    results = json.loads(workplace.results())
    told = [row["recovery"]["cand"] for row in results["tasks"]]
    assert results["outcome"]["lines"][0] in out.getvalue()
    assert len(names["flips"]) == sum(row["regressed"] + row["improved"] for row in told) > 0
    assert len(names["worse"]) == sum(row["regressed"] for row in told)
