"""What a run tells its folder while it goes on: enough to look at, seldom, and never in the way of the run."""

from unittest import mock

import pytest

from evalkit.base.events import Notice, Progress, ServerState, SoFar, Stage
from evalkit.records import progress
from evalkit.runs import progress_file
from evalkit.runs.progress_file import ProgressFile
from evalkit.runs.publish import RunFolder


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(tmp_path, clock):
    return ProgressFile(RunFolder(tmp_path.parent, tmp_path.name), clock)


def test_progress_recovery_servers_and_failures_stand_in_the_file(told, clock, tmp_path):
    told.hear(ServerState("cand", "ready"))
    clock.now += 3
    told.hear(Progress("cand", "pages", 40, 0, 11, 2, 0.5, {"deadline": 2}))
    clock.now += 3
    told.hear(SoFar("cand", "pages", 11, 98.5, 91.0, 104.0))
    found = progress.read(tmp_path)
    assert found.told == 1006.0
    assert found.servers == {"cand": "ready"}
    (one,) = found.tasks
    assert (one.planned, one.done, one.failures, one.score) == (40, 13, {"deadline": 2}, 0.5)
    assert (one.percent, one.low, one.high, one.paired) == (98.5, 91.0, 104.0, 11)
    clock.now += 3
    told.hear(Progress("cand", "pages", 40, 0, 20, 2, 0.5, {"deadline": 2}))
    assert progress.read(tmp_path).tasks[0].percent == 98.5, "what is known of the recovery stays"
    told.hear(Stage("writing the report"))
    assert progress.read(tmp_path).stage == "", "it is not written at every event"
    clock.now += 3
    told.hear(Stage("writing the report"))
    assert progress.read(tmp_path).stage == "writing the report"
    told.end()
    assert progress.read(tmp_path) is None


def test_a_notice_alone_writes_nothing(told, tmp_path):
    told.hear(Notice("something"))
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_cannot_be_written_stops_nobody(tmp_path, clock):
    (tmp_path / "file").write_text("")
    told = ProgressFile(RunFolder(tmp_path / "file", "below"), clock)
    told.hear(Stage("asking"))
    told.end()


def test_a_damaged_file_tells_nothing(tmp_path):
    (tmp_path / progress.FILE).write_text('{"told": "yesterday"}')
    assert progress.read(tmp_path) is None


def test_a_run_tells_while_it_goes_on_and_leaves_nothing(workplace):
    seen = []
    write = ProgressFile._write

    def spy(self, now):
        write(self, now)
        seen.append(progress.read(self.folder.path))

    with mock.patch.object(ProgressFile, "_write", spy), mock.patch.object(progress_file, "_EVERY_S", 0.0):
        workplace.here(*workplace.comparison(), check=0)
    last = {(one.model, one.task): one for one in seen[-1].tasks}
    assert set(last) == {(model, task) for model in ("base", "cand") for task in ("pages", "charts")}
    assert all(one.done == one.planned > 0 for one in last.values())
    (folder,) = workplace.runs()
    assert not (folder / progress.FILE).exists()
