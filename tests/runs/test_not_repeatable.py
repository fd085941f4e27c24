"""A task that gives other samples each time it is read is told so; its data have not changed."""

from support.workplaces import DOCVQA, fitted_out

CODE = """
import itertools
from dataclasses import replace
from evalkit.base.types import Text
from evalkit.tasks.benchmarks.docvqa import DOCVQA

COUNT = itertools.count()

def sample(cells, prompt, position):
    made = DOCVQA.sample(cells, prompt, position)
    return replace(made, content=(*made.content, Text(f"{next(COUNT)}"))) if made.id == "3" else made

BENCHMARKS = {"moody": replace(DOCVQA, sample=sample)}
"""


def test_the_sample_that_is_another_each_time_is_named(tmp_path):
    workplace = fitted_out(tmp_path)
    (workplace.folder / "tasks/pages.toml").write_text(DOCVQA.replace('"docvqa"', '"moody"'))
    (workplace.folder / "tasks/moody.py").write_text(CODE)
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
    done = workplace.evalkit(*words, "--allow-task-code", check=2)
    assert "pages: not repeatable: sample '3' is another each time the samples are read" in done.stderr
    assert "the data changed" not in done.stderr
