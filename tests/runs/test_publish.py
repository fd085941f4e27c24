"""What a run leaves for people: the sample files tell all that is known of an answer."""

import json

from evalkit.base import codec
from evalkit.base.types import Answer, Elsewhere, Engine, Failure, FailureKind, Image, Model, Sample, Score, Text, Turn
from evalkit.records.judgements import judgement_key
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.sample_lines import AnsweredLine, AskedLine, EarlierMessage, FailedLine, LinePart, WhyNot
from evalkit.records.store import Store
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
    files = Files(tmp_path / "run", ("base", "cand"), ("programs",), ("pass@1",), (1,), ("official",), ({},))
    samples = Samples(build(files, lambda *_: None), files)
    (found,) = samples.found([0])
    assert [json.loads(pane.checked) for pane in panes(samples, found, 1)] == [verdict, verdict]


def test_each_line_is_of_two_types_that_the_codec_reads_back_in_the_spelling_that_it_always_had(tmp_path):
    models = [Contender(Model(name, name, name), Engine("vllm", "1", "cpu")) for name in ("base", "cand")]
    picture = Image.of(b"x")
    talk = Sample("1", (picture, Text("q")), ["yes"], "page", (Turn("user", (Text("a"),)),), "pre")
    alone = Sample("2", (Text("é"),), [{"answer": "no"}])
    outcomes = {
        ("base", "r1"): Answer("yes", "stop", 3, 4, 0.5, elsewhere=Elsewhere("reasoning", "hm")),
        ("base", "r2"): Answer(None, None, None, None, 0.25, 2),
        ("cand", "r1"): Failure(FailureKind.DEADLINE, "late", 600.0, 4),
        ("cand", "r2"): Answer("no", "length", 3, 4, 0.5),
    }
    part = task("pages", "Pages", "Vision", benchmark="docvqa", metrics=("exact_match",), headline="exact_match")
    with Store(tmp_path) as store:
        listing, _ = store.write_listing([(talk, "r1"), (alone, "r2")], note="pages")
        for one in models:
            for request in ("r1", "r2"):
                store.put(one.fingerprint()(request), outcomes[one.model.label, request], "run")
        publish_run(tmp_path, "run", Plan(models[0], (models[1],), (PlannedTask(part, listing, 2, 2, "x"),)), store)
    base, cand = [(tmp_path / f"run/samples/{name}/pages.jsonl").read_text("utf-8") for name in ("base", "cand")]
    sha = picture.sha256
    first_begun = (
        '{"id": "1", "turns": [{"role": "user", "content": [{"text": "a"}]}], '
        f'"content": [{{"image_sha256": "{sha}"}}, {{"text": "q"}}], "prefix": "pre", "references": ["yes"], '
        '"cluster": "page", "stratum": null, '
    )
    second_begun = (
        '{"id": "2", "content": [{"text": "é"}], "references": [{"answer": "no"}], "cluster": null, "stratum": null, '
    )
    assert base.splitlines()[0] == (
        first_begun + '"answer": "yes", "score": 1.0, "scores": {"exact_match": {"value": 1.0, "parsed": "yes", '
        '"note": null, "parts": [], "left_out": false}}, "finish_reason": "stop", "prompt_tokens": 3, '
        '"completion_tokens": 4, "latency_s": 0.5, "tries": 1, "elsewhere": {"place": "reasoning", "text": "hm"}}'
    )
    assert cand.splitlines()[0] == first_begun + '"failure": {"kind": "deadline", "message": "late"}, "tries": 4}'
    assert all(text.splitlines()[1].startswith(second_begun) for text in (base, cand))
    first, second = map(json.loads, base.splitlines())
    assert codec.kept(AskedLine, first) == AskedLine(
        id="1",
        turns=(EarlierMessage("user", (LinePart(text="a"),)),),
        content=(LinePart(image_sha256=sha), LinePart(text="q")),
        prefix="pre",
        references=["yes"],
        cluster="page",
        stratum=None,
    )
    assert codec.kept(AnsweredLine, first).scores == {"exact_match": Score(1.0, "yes")}
    assert codec.kept(AnsweredLine, first).elsewhere == Elsewhere("reasoning", "hm")
    assert codec.kept(AnsweredLine, second).answer is None
    assert codec.kept(FailedLine, json.loads(cand.splitlines()[0])) == FailedLine(WhyNot("deadline", "late"), 4)
