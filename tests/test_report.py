import dataclasses
import json
from html.parser import HTMLParser

import pytest

from evalkit import places, report
from evalkit.plan import Contender, Plan, PlannedTask
from evalkit.score import Tally
from evalkit.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text

HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)> [x](javascript:alert(1)) \u202e|`'


def task(name="docvqa", title="DocVQA (val)", category="Vision"):
    return Task(
        name=name,
        benchmark="docvqa",
        dataset=Dataset("d", "validation"),
        prompt="p",
        decoding=Decoding(10),
        metrics=("anls",),
        headline="anls",
        dialect="neuralmagic",
        category=category,
        title=title,
    )


def contender(label, digest="sha256:1"):
    return Contender(Model(label, label, digest), Engine("vllm", "0.32.0", "cpu"))


def tally(one, part, outcomes):
    total = Tally(part.task, one.model.label)
    for number, outcome in enumerate(outcomes):
        sample = Sample(str(number), (Text("q"),), ["right"])
        if outcome is None:
            total.add(sample, Failure(FailureKind.DEADLINE, "slow"))
        else:
            total.add(sample, Answer("right" if outcome else "#####", "stop", 1, 3, 0.1))
    return total


TASK = task()


def built(outcomes, *, labels=("base", "cand"), tasks=(TASK,), smoke=False):
    """A report; ``outcomes[label][task]`` are True, False or None."""
    contenders = [contender(label) for label in labels]
    parts = tuple(PlannedTask(one, "listing", len(outcomes[labels[0]][0]), 10, "rev") for one in tasks)
    tallies = {
        (one.model.label, part.task.name): tally(one, part, outcomes[one.model.label][number])
        for one in contenders
        for number, part in enumerate(parts)
    }
    return report.build(Plan(contenders[0], tuple(contenders[1:]), parts, smoke=smoke), tallies)


def templates():
    return {path.name: path.read_text(encoding="utf-8") for path in places.reports().iterdir() if path.is_file()}


RIGHT, MIXED = [True] * 4, [True, True, True, False]


def test_the_table_has_the_published_shape():
    two = (task(), task("chartqa", "ChartQA (test, CoT)"))
    text = report.markdown(built({"base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=two))
    assert "| Category | Metric | base | cand | Recovery (%) |" in text
    assert "| Vision | DocVQA (val) anls | 100.00 | 75.00 | 75.00% |" in text
    assert "| Vision | Average Score | 100.00 | 87.50 | 87.50% |" in text


def test_a_single_task_has_no_average_row():
    assert report.AVERAGE not in report.markdown(built({"base": [RIGHT], "cand": [MIXED]}))


def test_several_candidates_stand_side_by_side():
    head, body = report.table(built({"base": [RIGHT], "a": [MIXED], "b": [RIGHT]}, labels=("base", "a", "b")))
    assert head == ["Category", "Metric", "base", "a", "Recovery (%)", "b", "Recovery (%)"]
    assert body == [["Vision", "DocVQA (val) anls", "100.00", "75.00", "75.00%", "100.00", "100.00%"]]


def test_shown_scores_give_the_shown_recovery_when_samples_are_missing():
    _, body = report.table(built({"base": [[True, True, False, False]], "cand": [[None, True, False, False]]}))
    assert body[0][2:] == ["33.33", "33.33", "100.00%"]


def test_failures_are_told_with_bounds_and_never_as_wrong_answers():
    found = "\n".join(report.completeness(built({"base": [RIGHT], "cand": [[True, True, True, None]]})))
    assert "1 of 4 samples have no answer (1 deadline)" in found
    assert "between 75.00% and 100.00%" in found


def test_an_undefined_recovery_is_a_dash_with_its_reason():
    one = built({"base": [[False] * 4], "cand": [MIXED]})
    assert report.table(one)[1][0][-1] == "–"
    assert any("the baseline scored 0" in text for text in report.completeness(one))
    assert json.loads(report.results_text(one))["tasks"][0]["recovery"]["cand"]["percent"] is None


def test_a_smoke_run_says_so_first():
    assert report.sentences(built({"base": [RIGHT], "cand": [RIGHT]}, smoke=True))[0].startswith("Smoke run")


def test_json_is_unrounded_and_complete():
    found = json.loads(report.results_text(built({"base": [RIGHT], "cand": [[True, False, False]]})))
    row = found["tasks"][0]
    assert row["scores"]["cand"]["score"] == pytest.approx(1 / 3, abs=0)
    assert row["scores"]["cand"]["planned"] == row["scores"]["cand"]["scored"] + row["scores"]["cand"]["failed"]
    assert found["schema_version"] == report.SCHEMA_VERSION


def test_equal_reports_render_to_equal_bytes():
    first, second = (built({"base": [RIGHT], "cand": [MIXED]}) for _ in range(2))
    assert report.html(first, templates()) == report.html(second, templates())
    assert report.markdown(first) == report.markdown(second)
    assert report.results_text(first) == report.results_text(second)


class Tags(HTMLParser):
    """Collects what a browser would act on."""

    def __init__(self):
        super().__init__()
        self.found = []
        self.text = ""

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data


def test_hostile_names_stay_text():
    hostile = dataclasses.replace(task(), title=HOSTILE, category=HOSTILE)
    page = report.html(
        built({"base": [RIGHT], HOSTILE: [MIXED]}, labels=("base", HOSTILE), tasks=(hostile,)), templates()
    )
    tags = Tags()
    tags.feed(page)
    assert not [tag for tag, _ in tags.found if tag in {"script", "img", "iframe", "link", "a"}]
    assert not [key for _, attrs in tags.found for key in attrs if key.startswith("on")]
    assert "<script>alert(1)</script>" in tags.text
    assert "default-src 'none'" in page


def test_hostile_names_break_no_markdown_table():
    hostile = dataclasses.replace(task(), title=HOSTILE + "\n\n# heading")
    text = report.markdown(built({"base": [RIGHT], "cand": [MIXED]}, tasks=(hostile,)))
    row = next(line for line in text.splitlines() if line.startswith("| Vision"))
    assert row.replace("\\|", "").count("|") == 6
    assert "<script>" not in text.replace("\\<", "")
    assert not [line for line in text.splitlines() if line.startswith("# heading")]
