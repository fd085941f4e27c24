"""The example of a notebook, as a script, beside a run."""

import json
import re
import subprocess
import sys
from pathlib import Path

from support.workplaces import fitted_out

EXAMPLE = Path(__file__).resolve().parents[2] / "examples/notebook.py"


def test_it_tells_what_the_report_tells(tmp_path):
    workplace = fitted_out(tmp_path)
    workplace.here(*workplace.comparison(), check=0)
    done = subprocess.run(
        [sys.executable, str(EXAMPLE)], cwd=tmp_path, env=workplace.env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    results = json.loads(workplace.results())
    assert done.stdout.startswith(results["outcome"]["lines"][0])
    # Of the task with the most flips, the last interval is from all samples: the report's own.
    whole = max(
        results["tasks"], key=lambda row: row["recovery"]["cand"]["regressed"] + row["recovery"]["cand"]["improved"]
    )
    told = re.findall(r"^(\S+), (\d+) samples: (\S+) % \[(\S+), (\S+)\]$", done.stdout, re.MULTILINE)[-1]
    row = whole["recovery"]["cand"]
    figures = (row["percent"], *row["interval"])
    assert told == (whole["task"], str(row["paired"]), *(f"{figure:.1f}" for figure in figures))
