"""evalkit export: a run's samples as one table, whole in every format."""

import csv
import dataclasses
import json
import os

import pandas as pd
import pytest

from evalkit.base.types import Answer, Dataset, Decoding, Engine, Failure, FailureKind, Model, Sample, Task, Text
from evalkit.records.judgements import judgement_key
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.store import Store
from evalkit.runs import export
from support.commands import evalkit
from support.webhooks import KEY, webhook

NASTY = [
    '=HYPERLINK("http://x")',
    "+1",
    "-5",
    "@SUM(A1)",
    "\t=1",
    "\r=1",
    "\n=1",
    "\uff1d1",
    'a "b", c',
    "half \ud83d?",
    "",
]
TASK = Task(
    name="pages",
    benchmark="docvqa",
    dataset=Dataset("", "validation"),
    decoding=Decoding(10),
    metrics=("anls", "anls@official"),
    headline="anls",
    category="Vision",
    title="Pages",
)


@pytest.fixture
def kept(tmp_path):
    """A store with two models' answers, and the plan of the run that asked for them."""
    models = [Contender(Model(name, name, name), Engine("vllm", "1", "cpu")) for name in ("base", "=cand")]
    with Store(tmp_path / "runs") as store:
        samples = [
            (Sample(f"s{at}", (Text("q"),), ["word", text], f"c{at // 2}"), f"r{at}") for at, text in enumerate(NASTY)
        ]
        samples += [(Sample("lost", (Text("q"),), ["x"]), "lost"), (Sample("unasked", (Text("q"),), ["x"]), "unasked")]
        listing, _ = store.write_listing(samples, note="pages")
        for one in models:
            fingerprint = one.fingerprint()
            for at, text in enumerate(NASTY):
                store.put(fingerprint(f"r{at}"), Answer(text, "stop", 7, at, 1 / 3, 2), "run")
            store.put(fingerprint("lost"), Failure(FailureKind.DEADLINE, "slow", 2.5, 4), "run")
        part = PlannedTask(TASK, listing, len(samples), len(samples), "rev")
        yield Plan(models[0], (models[1],), (part,)), store


def rows(path, kind):
    if kind == "parquet":
        frame = pd.read_parquet(path)
        return frame.astype(object).where(frame.notna(), None).to_dict("records")
    if kind == "jsonl":
        return [json.loads(line) for line in path.read_text(encoding="utf-8").split("\n") if line]
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream))


@pytest.mark.parametrize("chunk", [1, 5, 1_000])
@pytest.mark.parametrize("kind", ["parquet", "jsonl"])
def test_every_sample_of_every_model_is_a_line_with_all_it_has(kept, tmp_path, kind, chunk):
    plan, store = kept
    path = tmp_path / f"out.{kind}"
    assert export.export(plan, store, path, kind, chunk) == 2 * (len(NASTY) + 2)
    found = rows(path, kind)
    assert [row["id"] for row in found[: len(NASTY)]] == [f"s{at}" for at in range(len(NASTY))]
    assert [row["model"] for row in found] == ["base"] * (len(NASTY) + 2) + ["=cand"] * (len(NASTY) + 2)
    for at, text in enumerate(NASTY):
        row = found[at]
        assert row["answer"] == text.replace("\ud83d", "?")
        assert (row["task"], row["metric"], row["cluster"]) == ("pages", "anls", f"c{at // 2}")
        assert (row["finish_reason"], row["prompt_tokens"], row["completion_tokens"]) == ("stop", 7, at)
        assert row["latency_s"] == 1 / 3
        assert row["tries"] == 2
        assert row["failure"] is None
        told = json.loads(row["scores"])
        assert set(told) == {"anls", "anls@official"}
        assert told["anls"]["value"] == row["score"]
        assert told["anls"]["parsed"] == row["parsed"]
    lost, unasked = found[len(NASTY)], found[len(NASTY) + 1]
    assert (lost["failure"], lost["failure_message"], lost["tries"], lost["score"]) == ("deadline", "slow", 4, None)
    assert (unasked["failure"], unasked["answer"], unasked["latency_s"]) == ("not_asked", None, None)
    assert list(found[0]) == list(export.COLUMNS)
    assert not path.with_name(path.name + ".part").exists()


def test_the_types_of_parquet_do_not_hang_on_what_a_part_holds(kept, tmp_path):
    plan, store = kept
    export.export(plan, store, tmp_path / "out.parquet", "parquet", 1)
    frame = pd.read_parquet(tmp_path / "out.parquet", dtype_backend="numpy_nullable")
    assert {name: str(kind) for name, kind in frame.dtypes.items()} == export.COLUMNS


def test_a_spreadsheet_finds_no_formula_in_csv(kept, tmp_path):
    plan, store = kept
    export.export(plan, store, tmp_path / "out.csv", "csv", 4)
    found = rows(tmp_path / "out.csv", "csv")
    assert len(found) == 2 * (len(NASTY) + 2)
    for row in found:
        for value in row.values():
            assert not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d"))
    assert found[0]["answer"] == "'" + NASTY[0]
    assert found[-1]["model"] == "'=cand"
    assert found[8]["answer"] == NASTY[8]
    assert float(found[0]["latency_s"]) == 1 / 3


def test_a_table_without_lines_has_its_columns(kept, tmp_path):
    plan, store = kept
    for kind in ("parquet", "csv", "jsonl"):
        assert export.export(Plan(plan.baseline, (), ()), store, tmp_path / f"none.{kind}", kind) == 0
    assert list(pd.read_parquet(tmp_path / "none.parquet")) == list(export.COLUMNS)
    assert (tmp_path / "none.csv").read_text().strip() == ",".join(export.COLUMNS)


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_checkers_verdict_is_one_column_of_json(tmp_path, kind):
    metrics, often = ("pass@1", "pass@1+"), Decoding(10, n=4)
    task = dataclasses.replace(TASK, benchmark="humaneval", metrics=metrics, headline="pass@1", decoding=often)
    one = Contender(Model("base", "base", "base"), Engine("vllm", "1", "cpu"))
    verdicts = [{"base": "pass", "plus": "fail"}, {"base": "fail", "note": 'timeout, "x"\n\ud83d'}, None]
    planned = [(Sample(f"p#{at}", (Text("q"),), at), f"r{at}") for at in range(len(verdicts))]
    with Store(tmp_path / "runs") as store:
        listing, _ = store.write_listing([*planned, (Sample("p#9", (Text("q"),), 9), "r9")], note="programs")
        for (sample, request), verdict in zip(planned, verdicts, strict=True):
            answer = Answer(f"answer {sample.id}", "stop", 1, 1, 0.5)
            store.put(one.fingerprint()(request), answer, "run")
            if verdict is not None:
                store.put_judgement(judgement_key("judge", sample, answer), verdict)
        part = PlannedTask(task, listing, 4, 4, "v0.1", "judge")
        export.export(Plan(one, (), (part,)), store, tmp_path / f"out.{kind}", kind)
    found = rows(tmp_path / f"out.{kind}", kind)
    assert [json.loads(row["verdict"]) if row["verdict"] else None for row in found] == [*verdicts, None]
    assert [float(row["score"]) for row in found[:2]] == [1.0, 0.0]
    assert [json.loads(row["scores"])["pass@1+"]["value"] for row in found[:2]] == [0.0, 0.0]
    told = [(row["problem"], int(row["attempt"]), int(row["attempts"]), int(row["available"])) for row in found]
    assert told == [("p", 0, 4, 1), ("p", 1, 4, 1), ("p", 2, 4, 1), ("p", 9, 4, 1)]


@pytest.mark.parametrize("kind", ["parquet", "csv", "jsonl"])
def test_a_table_is_its_owners_alone(kept, tmp_path, kind):
    plan, store = kept
    path = tmp_path / "deep" / f"out.{kind}"
    before = os.umask(0o000)
    try:
        export.export(plan, store, path, kind)
        assert (path.stat().st_mode & 0o777, path.parent.stat().st_mode & 0o777) == (0o600, 0o700)
        path.chmod(0o644)
        export.export(plan, store, path, kind)
        assert path.stat().st_mode & 0o777 == 0o600
    finally:
        os.umask(before)


def test_a_folder_that_cannot_be_written_is_one_line(kept, tmp_path):
    plan, store = kept
    (tmp_path / "file").write_text("")
    with pytest.raises(export.OutputError, match="file"):
        export.export(plan, store, tmp_path / "file" / "out.csv", "csv")


def test_what_is_no_file_is_left_as_it_is(kept, tmp_path):
    plan, store = kept
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    for path in (pipe, tmp_path / "to-the-pipe"):
        if path != pipe:
            path.symlink_to(pipe)
        with pytest.raises(export.OutputError, match="not a file") as caught:
            export.export(plan, store, path, "csv")
        assert "samples.csv" in caught.value.fix
        assert pipe.is_fifo()
    assert (tmp_path / "to-the-pipe").is_symlink()


def test_a_link_stays_a_link(kept, tmp_path):
    plan, store = kept
    (tmp_path / "link.csv").symlink_to("real.csv")
    for _ in range(2):
        count = export.export(plan, store, tmp_path / "link.csv", "csv")
        assert (tmp_path / "link.csv").is_symlink()
        assert len(rows(tmp_path / "real.csv", "csv")) == count


def test_the_command_writes_beside_the_report_or_where_it_is_told(workplace):
    with webhook() as hook:
        told = workplace.here(*workplace.comparison("--limit", "3", "--notify", hook.url), check=0)
    assert [message.splitlines()[0] for message in hook.messages] == json.loads(told.stdout)["outcome"]["lines"]
    left = [path.read_bytes() for path in workplace.folder.rglob("*") if path.is_file()]
    assert not [text for text in [*left, told.stdout.encode(), told.stderr.encode()] if KEY.encode() in text]
    (run,) = workplace.runs()
    for kind in ("parquet", "csv", "jsonl"):
        done = evalkit("export", run, "--format", kind)
        assert done.code == 0, done.err
        assert "14 lines" in done.out
        assert len(rows(run / f"samples.{kind}", kind)) == 14  # three charts, and two pictures with two questions each
    words = ("export", "latest", "--runs", run.parent, "--format", "csv", "-o", workplace.folder / "a/b.csv")
    done = evalkit(*words, "--json")
    assert done.code == 0, done.err
    assert done.json == {"file": str(workplace.folder / "a/b.csv"), "lines": 14}
    assert len(rows(workplace.folder / "a/b.csv", "csv")) == 14
    done = evalkit("export", run, "--site", "--json")
    assert done.code == 0, done.err
    assert done.json["page"] == str(run / "site/index.html")
    assert len(list((run / "site").glob("sample-*.html"))) == done.json["samples"]
    for kind in ("csv", "jsonl"):
        done = evalkit("export", run, "--format", kind, "-o", "-")
        assert (done.code, done.err) == (0, "")
        assert done.out.encode() == (run / f"samples.{kind}").read_bytes()
    for wrong in (["--format", "parquet"], ["--format", "csv", "--json"]):
        done = evalkit("export", run, *wrong, "-o", "-")
        assert (done.code, done.out) == (2, "")
        assert "name a file" in done.err
    found = rows(run / "samples.jsonl", "jsonl")
    one = json.loads((run / "samples/base/pages.jsonl").read_text().splitlines()[0])
    assert {key: found[0][key] for key in ("id", "answer", "score", "finish_reason", "latency_s")} == {
        key: one[key] for key in ("id", "answer", "score", "finish_reason", "latency_s")
    }
