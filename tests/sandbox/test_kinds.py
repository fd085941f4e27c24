"""Which kind is chosen, and that plain programs run as if nothing stood around them."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from evalkit import sandbox
from evalkit.base.errors import SandboxError
from evalkit.sandbox import Limits
from evalkit.sandbox.kinds import Namespaces

REFUSING = """
from evalkit.base.errors import SandboxError
from evalkit.sandbox import Limits, available, find, guard
guard._give_up_rights("none")  # from here on the kernel refuses this process new namespaces
print([works for _, works, _ in available()])
try:
    find()
except SandboxError as error:
    print(error.message)
    print(error.fix)
box = find(unsafe=True)
print(box.name, box.run(b"print(6 * 7)", b"", Limits(wall_s=60, cpu_s=10)).output)
"""
ALONE = """
import ctypes, os
uid, gid = os.getuid(), os.getgid()
assert ctypes.CDLL(None).unshare(0x10000000) == 0
for name, line in (("setgroups", "deny"), ("uid_map", f"0 {uid} 1"), ("gid_map", f"0 {gid} 1")):
    with open("/proc/self/" + name, "w") as file:
        file.write(line)
from evalkit.sandbox import Limits, available
from evalkit.sandbox.kinds import PROTECTED
text = b"import os; print(os.getuid(), not os.access(os.__file__, os.W_OK), os.listdir() == [])"
for kind, (_, works, _) in zip(PROTECTED, available()):
    if works:
        print(kind.name, os.getuid(), kind.run(text, b"", Limits(wall_s=60, cpu_s=10)).output)
"""


def test_the_kernels_namespaces_work_here():
    assert ("namespaces", True, "") in sandbox.available()
    assert sandbox.find().name in {"bubblewrap", "namespaces"}
    assert sandbox.find(unsafe=True).name != "none"


def test_where_namespaces_are_refused_so_is_the_sandbox():
    lines = subprocess.run(
        [sys.executable, "-c", REFUSING], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert lines[0] == "[False, False]"
    assert lines[1].startswith("generated code cannot be run safely on this machine (bubblewrap: ")
    assert "namespaces: [Errno 1] unshare: Operation not permitted" in lines[1]
    assert "--unsafe-exec" in lines[2]
    assert lines[3] == "none b'42\\n'"


def test_root_of_a_container_with_one_user_id_gets_walls_too():
    lines = subprocess.run(
        [sys.executable, "-c", ALONE], check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert "namespaces" in {line.split()[0] for line in lines}
    assert {tuple(line.split()[1:]) for line in lines} == {("0", "b'1000", "True", "True\\n'")}


def test_where_there_are_no_namespaces_at_all_it_says_so(monkeypatch):
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SandboxError, match="no namespaces on darwin"):
        sandbox.find()


@pytest.mark.parametrize(
    ("text", "stdin", "output"),
    [
        ("print(input()[::-1])", b"abc\n", b"cba\n"),
        ("import sys; sys.stdout.buffer.write(bytes(range(256)))", b"", bytes(range(256))),
        ("import sys; sys.stdout.buffer.write(sys.stdin.buffer.read())", b"\0\xff" * 2**20, b"\0\xff" * 2**20),
        ("from __future__ import annotations\nprint('\\u00e9', __name__)", b"", "é __main__\n".encode()),
        ("import numpy; print(numpy.arange(4).sum())", b"", b"6\n"),
        ("import sys; print(sys.argv, sys.flags.isolated, sys.flags.no_site)", b"", b"['program.py'] 1 1\n"),
        ("print([name for name in globals() if not name.startswith('__')])", b"", b"[]\n"),
        (
            "import tempfile, os; print(open(tempfile.mkstemp()[1], 'w').write('x'), os.listdir() != [])",
            b"",
            b"1 True\n",
        ),
        ("import dataclasses\n@dataclasses.dataclass\nclass A:\n x: 'int'\nprint(A(1))", b"", b"A(x=1)\n"),
        ("import asyncio\nasync def f(): return 3\nprint(asyncio.run(f()))", b"", b"3\n"),
        (f"text = {'y' * 300_000!r}\nprint(len(text))", b"", b"300000\n"),
    ],
)
def test_a_plain_program_gives_exactly_its_bytes(plain_box, attack, text, stdin, output):
    ended = attack(plain_box, text, stdin)
    assert (ended.output, ended.returncode, ended.stderr) == (output, 0, b"")
    assert (ended.killed_by, ended.overflow, ended.timed_out) == ("", False, False)


def test_a_failing_program_tells_where(plain_box, attack):
    ended = attack(plain_box, "x = 1\nraise ValueError('no')")
    assert ended.returncode == 1
    assert b'File "program.py", line 2' in ended.stderr
    assert ended.stderr.endswith(b"ValueError: no\n")


def test_a_program_that_is_no_python_fails(plain_box, attack):
    assert attack(plain_box, "def f(:\n\0").returncode == 1


def test_several_at_a_time_do_not_meet():
    box = sandbox.find()
    text = b"import os; n = input(); open('mine' + n, 'x'); print(n, os.listdir())"
    with ThreadPoolExecutor(4) as pool:
        ended = list(pool.map(lambda n: box.run(text, str(n).encode(), Limits(wall_s=60, cpu_s=10)), range(12)))
    assert [run.output.decode() for run in ended] == [f"{n} ['mine{n}']\n" for n in range(12)]


def test_time_counts_from_the_programs_start():
    ended = Namespaces().run(b"import time; time.sleep(0.2)", b"", Limits(wall_s=60, cpu_s=10))
    assert 0.2 <= ended.seconds < 60
