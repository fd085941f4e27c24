"""Flips in the viewer are those of the report, also where a problem is asked several times."""

import json
import random
import re

import pytest

from evalkit.base import codec
from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text
from evalkit.files import private
from evalkit.records import history
from evalkit.records.judgements import judgement_key
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.run_record import KeptPlan
from evalkit.records.store import RunRow, Store
from evalkit.view.samples import Filter
from support.pastruns import failed, sample, write_run
from support.published import publish_run
from support.reports import kept
from support.viewers import indexed

PROBLEMS, ATTEMPTS = 24, 5
RUN = "20260101-000000-aaaaaa"
TASK = Task(
    name="humaneval",
    benchmark="humaneval",
    dataset=Dataset("", "test"),
    decoding=Decoding(100, temperature=0.2, n=ATTEMPTS),
    metrics=("pass@1",),
    headline="pass@1",
    category="Text",
    title="HumanEval pass@1",
)
LABELS = ("base", "cand", "other")


def write_attempts(output, seed=3):
    """A finished run whose attempts pass, fail and get lost at random; the first problem has no answer of cand."""
    draw = random.Random(seed)
    models = [Contender(Model(name, name, name), Engine("vllm", "1", "cpu")) for name in LABELS]
    planned = [
        (Sample(f"HumanEval/{at}#{n}", (Text(f"def f{at}"),), at), f"{at}#{n}")
        for at in range(PROBLEMS)
        for n in range(ATTEMPTS)
    ]
    with Store(output) as store:
        listing, _ = store.write_listing(planned, note="humaneval")
        for one in models:
            share = 0.4 if one.model.label == "cand" else 0.5
            for asked, request in planned:
                answer = Answer(f"{request} {one.model.label}", "stop", 1, 3, 0.1)
                lost = draw.random() < 0.05 or (one.model.label == "cand" and asked.references == 0)
                verdict = {"base": "pass" if draw.random() < share else "fail"}
                store.put_judgement(judgement_key("judge", asked, answer), verdict)
                store.put(one.fingerprint()(request), Failure(FailureKind.DEADLINE, "slow") if lost else answer, RUN)
        part = PlannedTask(TASK, listing, len(planned), len(planned), "v0.1", "judge")
        plan = Plan(models[0], tuple(models[1:]), (part,))
        body = {"began": "2026-01-01T00:00:00+00:00", "plan": codec.written(KeptPlan.of(plan))}
        store.keep_run(RunRow(RUN, plan.key, finished=True, body=body))
        publish_run(output, RUN, plan, store)
    private.write(output / RUN / "run.json", json.dumps({**body, "run": RUN, "finished": True}))
    return output / RUN


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_the_viewer_counts_problems_as_the_results_do(tmp_path, seed):
    folder = write_attempts(tmp_path, seed)
    (row,) = json.loads((folder / "results.json").read_text())["tasks"]
    samples = indexed(folder)
    for model, label in enumerate(LABELS[1:], 1):
        told = row["recovery"][label]
        assert told["regressed"]
        assert told["improved"]
        for word in ("regressed", "improved"):
            found = samples.found(samples.numbers(Filter(model, flip=word)).tolist())
            assert len(found) == told[word]
            assert {one.entries[model].flip for one in found} == {word}
            assert len({one.id.partition("#")[0] for one in found}) == told[word]
            # Where attempts are lost, no single pair of them may show what the means do; none shows the contrary.
            pairs = [[one.entries[at].score for at in (0, model)] for one in found]
            assert all(own <= base if word == "regressed" else own >= base for base, own in pairs)
        unchanged = len(samples.numbers(Filter(model, flip="unchanged")))
        assert unchanged == told["paired"] - told["regressed"] - told["improved"]


def test_the_page_says_the_numbers_of_the_report(viewer, tmp_path):
    folder = write_attempts(tmp_path / "runs")
    (row,) = json.loads((folder / "results.json").read_text())["tasks"]
    report = (folder / "report.html").read_text()
    visit = viewer(tmp_path / "runs").enter()
    for label in LABELS[1:]:
        for word in ("regressed", "improved"):
            count = row["recovery"][label][word]
            listed = visit.get(f"/runs/{RUN}/samples?task=humaneval&model={label}&flip={word}").text
            assert f"<strong>{count}</strong> sample" in listed
            assert listed.count('<th scope="row">') == count
            assert "one attempt stands for its problem" in listed
            link = f"model={label}&amp;flip={word}"
            assert re.search(rf'{link}">{count} {word}</a>', visit.get(f"/runs/{RUN}").text)
            # The example of the report is the attempt that the viewer lists.
            shown = set(re.findall(r"HumanEval/\d+#\d", listed))
            assert len(shown) == count
            assert shown <= set(re.findall(r"HumanEval/\d+#\d", report))


def test_a_problem_whose_attempts_were_never_both_answered_still_counts(tmp_path):
    base = [sample(0, "x", 1.0, id="p#0"), {**failed(1, "deadline"), "id": "p#1"}]
    cand = [{**failed(0, "deadline"), "id": "p#0"}, sample(1, "y", 0.0, id="p#1")]
    task = {"task": {**kept("pages"), "decoding": {"max_tokens": 10, "n": 2}}}
    folder = write_run(tmp_path, lines={"base": {"pages": base}, "cand": {"pages": cand}}, plan_tasks=[task])
    (found,) = indexed(folder).found(indexed(folder).numbers(Filter(1, flip="regressed")).tolist())
    assert found.id == "p#1"


def test_a_task_that_asks_once_keeps_a_sign_of_its_ids(tmp_path):
    base, cand = ([sample(n, "x", score, id=f"p#{n}") for n in range(3)] for score in (1.0, 0.0))
    folder = write_run(tmp_path, lines={"base": {"pages": base}, "cand": {"pages": cand}})
    assert history.attempts(history.past_runs(tmp_path)[0]) == {}
    assert len(indexed(folder).numbers(Filter(1, flip="regressed"))) == 3
