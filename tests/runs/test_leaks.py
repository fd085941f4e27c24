"""A candidate with evalkit's record: the report says how it was made, and what of its calibration it is asked."""

import json
from hashlib import sha256

import pytest

from evalkit.serve import environment
from support.workplaces import fitted_out, picture

MADE = {
    "command": "evalkit quantize base --scheme w8a8 -o cand --calibration captions.parquet",
    "scheme": "w8a8",
    "method": "GPTQ",
    "seed": 3,
    "releases": {"llmcompressor": "0.14.0.1", "torch": "2.14.0"},
    "calibration": {
        "data": "captions.parquet",
        "samples": 512,
        "pictures": ["0" * 64, sha256(picture(4)).hexdigest()],
        "texts": [],
    },
}
TOLD = (
    "cand was calibrated on 2 samples that it is asked: pages sample '8' (picture "
    f"{sha256(picture(4)).hexdigest()[:12]}); pages sample '9'"
)


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A workplace with a run, and what it said."""
    workplace = fitted_out(tmp_path_factory.mktemp("made"))
    (workplace.folder / "cand" / environment.RECORD).write_text(json.dumps(MADE))
    (workplace.folder / "cand" / "recipe.yaml").write_text("default_stage: {}\n")
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
    return workplace, workplace.here(*words, check=0)


def test_the_samples_are_named_at_once_and_in_the_report(run):
    workplace, done = run
    assert TOLD in done.stderr
    (folder,) = workplace.runs()
    assert TOLD.replace("'", "&#39;") in (folder / "report.html").read_text()


def test_the_report_says_how_it_was_made(run):
    workplace, _ = run
    (folder,) = workplace.runs()
    page, facts = (folder / "report.html").read_text(), json.loads((folder / "run.json").read_text())
    assert "How cand was made" in page
    assert MADE["command"] in page
    assert "w8a8 by GPTQ, 512 samples of captions.parquet (seed 3), llmcompressor 0.14.0.1, torch 2.14.0" in page
    making = facts["provenance"]["making"]
    assert list(making) == ["cand"]
    assert making["cand"]["recipe"] == "default_stage: {}\n"
    assert making["cand"]["calibration"] == {"data": "captions.parquet", "samples": 512}
