"""Results in a tracker: the real library of each, keeping runs on this machine, read back by itself."""

import json
import os
import shutil
from pathlib import Path

import pytest

from evalkit import trackers
from evalkit.base.errors import InfrastructureError
from evalkit.config.after import After
from evalkit.runs import afterwards
from evalkit.trackers.tracked_run import TrackedRun
from support.commands import evalkit
from support.wants import imported

EXAMPLE = Path(__file__).resolve().parents[2] / "reports/example"
RUN = "20260101-010101-abcdef"


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """The committed example as a run's folder, and no setting of the machine's own."""
    for name in [name for name in os.environ if name.startswith(("MLFLOW_", "WANDB_", "TRACKIO_"))]:
        monkeypatch.delenv(name)
    shutil.copytree(EXAMPLE, tmp_path / "runs" / RUN)
    (tmp_path / "runs" / RUN / "run.json").write_text("{}")
    return tmp_path / "runs" / RUN


@pytest.fixture
def results(folder):
    return json.loads((folder / "results.json").read_text())


def send(folder, tracker):
    done = evalkit("export", folder, "--to", tracker, "--json")
    assert done.code == 0, done.err
    return done.json["where"]


def expected(results):
    """Some numbers that have to be there, by their names."""
    row, label = results["tasks"][0], results["candidates"][0]
    found, name = row["recovery"][label], f"{row['task']}/{label.replace('/', '--')}"
    return {
        f"recovery/{name}": found["percent"],
        f"recovery_low/{name}": found["interval"][0],
        f"recovery_high/{name}": found["interval"][1],
        f"score/{name}": row["scores"][label]["score"],
        f"verdict/{name}": found["verdict"],
    }


def test_what_a_tracker_is_told_is_what_the_results_say(folder, results):
    told = TrackedRun.of(folder)
    for name, value in expected(results).items():
        assert {**told.numbers, **told.words}[name] == value
    assert told.words["outcome"] == " | ".join(results["outcome"]["lines"])
    averages = [one["category"] for one in results["averages"]]
    assert all(any(name.startswith(f"recovery/average-{one}/") for name in told.numbers) for one in averages)
    assert [path.name for path in told.files] == ["report.html", "report.md", "results.json"]


def test_mlflow_keeps_a_run_once_however_often_it_is_sent(folder, results, tmp_path, monkeypatch):
    imported("mlflow")
    from mlflow.tracking import MlflowClient

    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"file://{tmp_path}/mlruns")
    monkeypatch.setenv("MLFLOW_ALLOW_FILE_STORE", "true")
    assert send(folder, "mlflow") == send(folder, "mlflow")
    client = MlflowClient()
    said = []
    afterwards.finished(After(track=("mlflow",)), folder, ["recovered"], said.append)
    assert [one.text.partition(",")[0] for one in said] == ["sent to mlflow"]
    (one,) = client.search_runs([client.get_experiment_by_name("evalkit").experiment_id])
    assert {**one.data.metrics, **one.data.tags}.items() >= expected(results).items()
    assert (one.info.run_name, one.info.status) == (RUN, "FINISHED")
    assert {found.path for found in client.list_artifacts(one.info.run_id)} >= {"report.html", "results.json"}


def test_wandb_keeps_a_run_offline(folder, results, monkeypatch):
    wandb = imported("wandb")
    from wandb.proto import wandb_internal_pb2

    monkeypatch.setenv("WANDB_MODE", "offline")
    where = send(folder, "wandb")
    assert where.startswith("wandb, offline: wandb sync ")
    wandb.teardown()  # its service writes the last of the file when it ends
    (path,) = Path(where.rpartition(" ")[2]).glob("*.wandb")
    kept, files = {}, set()
    for raw in logged(path.read_bytes()):
        record = wandb_internal_pb2.Record.FromString(raw)
        kept |= {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.summary.update}
        kept |= {one.key or "/".join(one.nested_key): json.loads(one.value_json) for one in record.run.config.update}
        files |= {one.path for one in record.artifact.manifest.contents}
    assert kept.items() >= expected(results).items()
    assert files >= {"report.html", "results.json"}


def logged(data):
    """The records of wandb's file: after 7 bytes a log of LevelDB's, in blocks of 32 KiB."""
    at, record = 7, b""
    while at < len(data):
        if (left := 32_768 - at % 32_768) < 7:
            at += left
            continue
        length, kind = int.from_bytes(data[at + 4 : at + 6], "little"), data[at + 6]
        record += data[at + 7 : at + 7 + length]
        at += 7 + length
        if kind in {1, 4}:  # the whole, or the last part of it
            yield record
            record = b""


def test_trackio_keeps_a_run_on_this_machine(folder, results, tmp_path, monkeypatch):
    # Its folder is settled when it is imported.
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "tracked"))
    trackio = imported("trackio")
    for name in [name for name in vars(trackio.utils) if name == "TRACKIO_DIR"]:
        monkeypatch.setattr(trackio.utils, name, tmp_path / "tracked")
    assert send(folder, "trackio") == "trackio show --project evalkit"
    (line,) = trackio.SQLiteStorage.get_logs("evalkit", RUN)
    config = trackio.SQLiteStorage.get_run_config("evalkit", RUN)
    assert {**line, **config}.items() >= expected(results).items()
    (report,) = trackio.SQLiteStorage.list_artifacts("evalkit")
    assert (report["name"], report["type"]) == (f"evalkit-{RUN}", "evalkit-report")


def test_a_tracker_that_is_not_there_is_one_line(folder, monkeypatch):
    monkeypatch.setattr(trackers, "find_spec", lambda name: None)
    said = []
    afterwards.forewarn(After(track=("wandb",)), said.append)
    afterwards.finished(After(track=("wandb",)), folder, ["recovered"], said.append)
    assert [one.text.partition(",")[0].partition(";")[0] for one in said] == ["warning: wandb is not installed"] * 2
    done = evalkit("export", folder, "--to", "wandb")
    assert (done.code, done.err) == (2, "error: wandb is not installed; pip install 'evalkit[wandb]'\n")


def test_what_a_tracker_raises_is_one_line_without_a_password(folder, monkeypatch):
    class Broken:
        @staticmethod
        def keep(run):
            raise OSError(f"https://me:hidden@host/{run.id}\nrefused")

    monkeypatch.setattr(trackers, "import_module", lambda name: Broken)
    monkeypatch.setattr(trackers, "find_spec", lambda name: True)
    with pytest.raises(InfrastructureError) as caught:
        trackers.send("mlflow", folder)
    assert caught.value.message == f"mlflow did not take the run: OSError: https://host/{RUN} refused"
    assert "evalkit export" in caught.value.fix


@pytest.mark.parametrize("words", [[], ["--to", "mlflow", "--format", "csv"], ["--to", "mlflow", "-o", "x"]])
def test_what_cannot_be_exported_together_is_said(folder, words):
    assert evalkit("export", folder, *words).code == 2
