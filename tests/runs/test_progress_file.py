"""What a run tells its folder while it goes on: enough to look at, seldom, and never in the way of the run."""

from unittest import mock

import pytest

from evalkit.base.errors import InfrastructureError
from evalkit.base.events import Notice, Progress, ServerState, SoFar, Stage
from evalkit.records import progress
from evalkit.runs import progress_file
from evalkit.runs.progress_file import ProgressFile
from evalkit.runs.publish import RunFolder


class Clock:
    now = 1000.0
    back = 0.0
    """So far it was set back, or ahead: time itself goes on."""

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def told(tmp_path, clock):
    return ProgressFile(RunFolder(tmp_path.parent, tmp_path.name), clock, steady=lambda: clock.now - 1000 + clock.back)


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
    told.end()
    assert progress.read(tmp_path) is None


def test_answers_are_written_every_two_seconds_at_most_and_what_is_rare_at_once(told, clock, tmp_path):
    def scored():
        return [one.scored for one in progress.read(tmp_path).tasks]

    told.hear(Progress("cand", "pages", 40, 0, 1, 0, 0.5))
    clock.now += 1
    told.hear(Progress("cand", "pages", 40, 0, 2, 0, 0.5))
    told.hear(SoFar("cand", "pages", 11, 98.5, 91.0, 104.0))
    assert scored() == [1]
    told.hear(ServerState("cand", "died"))
    assert progress.read(tmp_path).servers == {"cand": "died"}
    assert scored() == [2]
    told.hear(Stage("writing the report"))
    assert progress.read(tmp_path).stage == "writing the report"
    clock.now += 2
    told.hear(Progress("cand", "pages", 40, 0, 3, 0, 0.5))
    assert scored() == [3]


def test_a_clock_that_is_set_back_silences_nobody(told, clock, tmp_path):
    told.hear(Progress("cand", "pages", 40, 0, 1, 0, 0.5))
    clock.now, clock.back = clock.now - 86_400, 86_402.0
    told.hear(Progress("cand", "pages", 40, 0, 2, 0, 0.5))
    assert progress.read(tmp_path).tasks[0].scored == 2
    assert progress.read(tmp_path).told == clock.now


@pytest.mark.parametrize("ending", [KeyboardInterrupt, ZeroDivisionError, InfrastructureError("gone", fix="look")])
def test_a_run_that_ends_otherwise_leaves_nothing_that_says_it_goes_on(workplace, ending):
    left = []

    def ends(turns, *_):
        turns.say(Stage("asking"))
        (folder,) = workplace.runs()
        left.append((folder / progress.FILE).exists())
        raise ending

    with mock.patch("evalkit.runs.turns.Turns.each", ends):
        workplace.here(*workplace.comparison())
    assert left == [True], "it had told of itself"
    (folder,) = workplace.runs()
    assert not (folder / progress.FILE).exists()


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
