"""What a run leaves for people: the sample files tell all that is known of an answer."""

import json

from evalkit.base.types import Answer, Engine, Model, Sample, Text
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.store import Store, judgement_key
from evalkit.view.answers import panes
from evalkit.view.index import Files, build
from evalkit.view.samples import Samples
from support.published import publish_run
from support.reports import task

PROGRAMS = task("programs", "Programs", "Text", benchmark="humaneval", metrics=("pass@1",), headline="pass@1")


def test_what_a_checker_said_of_an_answer_stands_with_its_sample_and_in_the_viewer(tmp_path):
    models = [Contender(Model(name, name, name), Engine("vllm", "1", "cpu")) for name in ("base", "cand")]
    sample, answer = Sample("p/0", (Text("write it"),), {"task_id": "p/0"}), Answer("def f(): ...", "stop", 3, 4, 0.5)
    verdict = {"base": "fail", "plus": "fail", "why": "assert f() == 1"}
    with Store(tmp_path) as store:
        listing, _ = store.write_listing([(sample, "r")], note="programs")
        for one in models:
            store.put(one.fingerprint()("r"), answer, "run")
        store.put_judgement(judgement_key("judge", sample, answer), verdict)
        plan = Plan(models[0], (models[1],), (PlannedTask(PROGRAMS, listing, 1, 1, "x", "judge"),))
        publish_run(tmp_path, "run", plan, store)
    (line,) = map(json.loads, (tmp_path / "run/samples/cand/programs.jsonl").read_text().splitlines())
    assert line["verdict"] == verdict
    files = Files(tmp_path / "run", ("base", "cand"), ("programs",), ("pass@1",), (1,))
    samples = Samples(build(files, lambda *_: None), files)
    (found,) = samples.found([0])
    assert [json.loads(pane.checked) for pane in panes(samples, found, 1)] == [verdict, verdict]
