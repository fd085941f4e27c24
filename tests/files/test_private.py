"""What a run leaves is its owner's, whatever the umask; folders that were there are left alone."""

import os
import stat

import pytest

from evalkit.files import private
from evalkit.processes.group import spawn
from evalkit.records.run_record import RunRecord
from evalkit.records.store import FILE, Store
from evalkit.runs import publish


@pytest.fixture(params=[0o000, 0o022])
def umask(request):
    before = os.umask(request.param)
    yield
    os.umask(before)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def everything(folder):
    return {str(path.relative_to(folder)): mode(path) for path in sorted(folder.rglob("*"))}


@pytest.mark.usefixtures("umask")
def test_a_store_and_a_run_are_their_owners(tmp_path):
    runs = tmp_path / "deep" / "runs"
    with Store(runs) as store:
        store.next_epoch("m")
        publish.RunFolder(runs, "run").going_on(RunRecord(), finished=False)
        private.write(runs / "run" / "samples" / "m" / "t.jsonl", "x\n")
        spawn(["true"], {}, runs / "run" / "server" / "m.log").wait()
        found = everything(tmp_path)
    assert {f"deep/runs/{FILE}{end}" for end in ("", "-wal", "-shm")} < set(found)
    assert {path: each for path, each in found.items() if each & 0o077} == {}
    assert found["deep/runs/run/samples/m/t.jsonl"] == 0o600
    assert found["deep/runs/run/server/m.log"] == 0o600


def test_what_an_earlier_evalkit_left_open_is_closed_and_the_users_own_folder_is_not_touched(tmp_path):
    tmp_path.chmod(0o755)
    with Store(tmp_path):
        pass
    for name in (FILE, "store.lock"):
        (tmp_path / name).chmod(0o644)
    (tmp_path / "run").mkdir(mode=0o755)
    with Store(tmp_path) as store:
        store.next_epoch("m")
        publish.RunFolder(tmp_path, "run").going_on(RunRecord(), finished=False)
    assert {path: each for path, each in everything(tmp_path).items() if each & 0o077} == {}
    assert mode(tmp_path) == 0o755


def test_a_folder_under_a_file_is_an_error(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(OSError, match="file"):
        private.folder(tmp_path / "file" / "below")
