"""A performance run that is killed or interrupted leaves no process and nothing half made, and is continued."""

import json
import signal
import subprocess
import time

import psutil
import pytest

PATIENCE_S = 240


def waited(holds):
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.1)


def started(place, **play):
    """evalkit perf as a process of its own; everything that it starts inherits the name of the journal."""
    env = {"FAKE_GUIDELLM": json.dumps(play), "FAKE_JOURNAL": str(place.folder / "sent.jsonl")}
    words = place.workplace.command(*place.words("--starts", 1))
    return subprocess.Popen(
        words, cwd=place.folder, env={**place.workplace.env, **env}, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL
    )


def living(place):
    """Commands of what carries the mark of this place, the test itself apart."""
    found = []
    for process in psutil.process_iter():
        try:
            ours = process.environ().get("FAKE_JOURNAL") == str(place.folder / "sent.jsonl")
            if ours and process.status() != psutil.STATUS_ZOMBIE:
                found.append(" ".join(process.cmdline())[:120])
        except (psutil.Error, OSError):
            continue
    return found


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM])
def test_nothing_lives_on_and_the_same_command_continues(place, number):
    """The engine hangs in the candidate's first cell, and a worker of it ignores SIGTERM."""
    running = started(place, hang_on=["cand"], leaves=True)
    try:
        waited(lambda: any(one["model"] == "cand" for one in place.sent))
        assert any("fake_guidellm" in words for words in living(place))
        running.send_signal(number)
        _, said = running.communicate(timeout=PATIENCE_S)
    finally:
        running.kill()
    if number is signal.SIGTERM:
        assert running.returncode == 130
        assert b"every finished cell is kept: run the same command again to continue" in said
    waited(lambda: not living(place))

    (folder,) = place.runs
    cells = sorted((folder / "cells").iterdir())
    assert [json.loads(path.read_text())["model"] for path in cells] == ["base", "base"]
    assert not [path for path in folder.rglob("*") if path.name.endswith(".part")]
    sent = len(place.sent)
    place.perf("--starts", 1)
    assert [one["model"] for one in place.sent[sent:]] == ["cand", "cand"]
    assert place.runs == [folder]
    assert place.row("cand")["figure"] is not None
    assert not list(folder.rglob("*.server.json")), "no note about a process that is gone"
