"""The tests' own server does, as a program, what other tests take for granted."""

import contextlib
import json
import re
import signal
import socket
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest
import requests

from evalkit.testing import PARTS, ModelServer, replies
from support import servers

PROGRAM = Path(servers.__file__)


@contextlib.contextmanager
def program(*words):
    """The program on a port of its own choosing, with its standard error."""
    command = [sys.executable, str(PROGRAM), "--port", "0", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            yield process
        finally:
            process.kill()


def address(process):
    """Where it listens, once it says so."""
    for line in process.stderr:
        if found := re.search(r"on (http://\S+)", line):
            return found[1]
    raise AssertionError("it ended before it listened")


def ask(url, number, model="tiny"):
    body = json.dumps({"model": model, "messages": [{"role": "user", "content": str(number)}]})
    headers = {"Content-Type": "application/json"}
    response = requests.post(f"{url}/v1/chat/completions", body, headers=headers, timeout=60)
    return sha256(body.encode()).hexdigest(), response


def test_every_part_is_explained():
    assert set(re.findall(r"^``([a-z0-9-]+)(?::\w+)?`` +", replies.__doc__, re.MULTILINE)) == set(PARTS)


def test_answers_are_the_same_in_every_run_and_different_for_every_request():
    texts = []
    for _ in range(2):
        with ModelServer() as server:
            texts.append([ask(server.url, n)[1].json()["choices"][0]["message"]["content"] for n in range(3)])
    assert texts[0] == texts[1]
    assert len(set(texts[0])) == 3


def test_requests_are_counted_by_their_bodies():
    with ModelServer() as server:
        one, _ = ask(server.url, 1)
        ask(server.url, 1)
        two, _ = ask(server.url, 2)
        assert server.asked == {one: 2, two: 1}


def test_the_program_takes_vllms_flags_and_stops_on_sigterm(tmp_path):
    journal = tmp_path / "journal"
    flags = ["--model", "org/m", "--served-model-name", "m", "--enforce-eager", "--max-num-seqs", "8"]
    with program(*flags, "--journal", str(journal)) as process:
        url = address(process)
        assert requests.get(f"{url}/v1/models", timeout=60).json()["data"][0]["id"] == "m"
        digest, response = ask(url, 1, "m")
        assert response.status_code == 200
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
    assert journal.read_text().split() == [digest]


def test_a_stubborn_program_dies_by_sigkill_alone():
    with program("--ignore-sigterm") as process:
        url = address(process)
        process.send_signal(signal.SIGTERM)
        assert requests.get(f"{url}/health", timeout=60).status_code == 200
        process.kill()
        assert process.wait(60) == -signal.SIGKILL


def test_a_program_that_gives_up_says_why():
    with program("--exit-saying", "CUDA out of memory") as process:
        _, said = process.communicate(timeout=60)
    assert process.returncode == 1
    assert "CUDA out of memory" in said


def test_a_program_can_log_much_before_it_listens():
    with program("--log-mib", "1") as process:
        size = 0
        for line in process.stderr:
            size += len(line)
            if "Started" in line:
                break
    assert size > 2**20


def test_a_silent_program_lives_and_does_not_listen():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        # It would fail on a port that is taken, if it tried to listen.
        with program("--never-listen", "--port", str(port)) as process:
            assert "Loading weights" in process.stderr.readline()
            process.send_signal(signal.SIGTERM)
            assert process.wait(60) == 0


def test_a_program_can_die_after_some_requests():
    with program("--die-after", "2") as process:
        url = address(process)
        assert ask(url, 1)[1].status_code == 200
        with pytest.raises(requests.ConnectionError):
            ask(url, 2)
        assert process.wait(60) == -signal.SIGKILL
