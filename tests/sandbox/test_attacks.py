"""Real attacks on every kind of sandbox that works here; the kernel's namespaces must work wherever this runs."""

import json
import os
import socket
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import pytest

NAMED = """
import ctypes, os, sys, time
ctypes.CDLL(None).prctl(15, {mark!r}.encode(), 0, 0, 0)  # children inherit the name
"""
TRY = """
import ctypes, importlib, json, os, pathlib, signal, socket, subprocess, sys, time
libc = ctypes.CDLL(None, use_errno=True)
done = {}
def attempt(name, action):
    try:
        done[name] = str(action())
    except BaseException as error:
        done[name] = "refused: " + type(error).__name__
"""
LIBRARY = str(Path(os.__file__).parent)
TELL = "\nprint(json.dumps(done))\n"


def told(ended):
    assert ended.returncode == 0, ended
    return json.loads(ended.output)


def all_refused(done):
    assert done
    return {name: what for name, what in done.items() if not what.startswith("refused: ")} == {}


# What a program may see


def test_a_program_gets_no_variable_of_ours(box, attack, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    ended = attack(box, "import os; print(sorted(os.environ))")
    assert ended.output == (
        b"['HOME', 'LC_ALL', 'MKL_NUM_THREADS', 'OMP_NUM_THREADS', 'OPENBLAS_NUM_THREADS', 'TMPDIR']\n"
    )


def test_no_variable_is_found_in_other_processes_either(walled, attack):
    text = """
for pid in ("self", "1"):
    attempt(pid, lambda: open(f"/proc/{pid}/environ").read())
"""
    assert all_refused(told(attack(walled, TRY + text + TELL)))


def test_the_home_is_not_there(walled, attack):
    home = Path.home()
    keys = Path(tempfile.mkdtemp(prefix=".ssh-of-a-test-", dir=home))
    keys.chmod(0o755)
    try:
        (keys / "id_ed25519").write_text("the-secret-words")
        text = f"""
home = pathlib.Path({str(home)!r})
attempt("read", (home / {keys.name!r} / "id_ed25519").read_text)
attempt("list", lambda: os.listdir(home / {keys.name!r}))
found = []
for folder, folders, names in os.walk("/"):
    skipped = "/usr/lib", "/packages/0", {LIBRARY!r}
    folders[:] = [name for name in folders if os.path.join(folder, name) not in skipped]
    found += [name for name in names if name == "id_ed25519"]
"""
        ended = attack(walled, TRY + text + "print(json.dumps([done, found, sorted(os.listdir('/'))]))")
    finally:
        (keys / "id_ed25519").unlink(missing_ok=True)
        keys.rmdir()
    done, found, top = told(ended)
    assert all_refused(done)
    assert found == []
    assert set(top) <= {
        "dev",
        "etc",
        "gnu",
        "lib",
        "lib32",
        "lib64",
        "nix",
        "packages",
        "root",
        "tmp",
        "usr",
        "opt",
    } | {Path(sys.base_prefix).parts[1]}


def test_other_users_temporary_files_are_not_there(walled, attack, open_folder):
    text = f"""
attempt("read", lambda: open({str(open_folder / "secret")!r}).read())
attempt("change", lambda: open({str(open_folder / "secret")!r}, "w"))
attempt("add", lambda: open({str(open_folder / "added")!r}, "w"))
attempt("climb", lambda: open("../" * 9 + {str(open_folder / "secret")!r}).read())
print(json.dumps([done, os.listdir("/tmp")]))
"""
    done, listed = told(attack(walled, TRY + text))
    assert all_refused(done)
    assert listed == []
    assert [path.name for path in open_folder.iterdir()] == ["secret"]
    assert (open_folder / "secret").read_text() == "the-secret-words"


def test_it_inherits_three_descriptors(box, attack, open_folder):
    bait = os.open(open_folder / "secret", os.O_RDWR)
    os.set_inheritable(bait, True)
    try:
        text = """
for number in range(3, 1024):
    for name, action in (("stat", lambda: os.fstat(number)), ("write", lambda: os.write(number, b"x"))):
        try:
            action()
        except OSError:
            continue
        print(name, number)
"""
        ended = attack(box, "import os\n" + text)
    finally:
        os.close(bait)
    assert (ended.returncode, ended.output) == (0, b"")
    assert (open_folder / "secret").read_text() == "the-secret-words"


# What a program may touch


def test_it_writes_nowhere_but_in_its_folder(walled, attack):
    text = """
places = ["/", "/usr/lib", "/dev", "/etc", "/packages/0", os.path.dirname(os.__file__), os.path.dirname(sys.executable)]
for place in places:
    attempt("write " + place, lambda: open(os.path.join(place, "mark-of-an-attack"), "w"))
attempt("mkdir", lambda: os.mkdir("/new"))
attempt("remove", lambda: os.unlink(os.__file__))
attempt("replace", lambda: open(os.__file__, "r+"))
attempt("interpreter", lambda: open(sys.executable, "r+b"))
pathlib.Path("own").write_text("fine")
loose = [place for place in places if place != "/dev" and not os.statvfs(place).f_flag & os.ST_RDONLY]
print(json.dumps([done, loose, os.getcwd(), os.listdir(), open("own").read()]))
"""
    done, loose, cwd, listed, own = told(attack(walled, TRY + text))
    assert all_refused(done)
    assert loose == [], "read-only for everybody, not just for this user"
    assert (cwd, listed, own) == ("/tmp", ["own"], "fine")
    assert told(attack(walled, TRY + "print(json.dumps(os.listdir()))")) == []


def test_it_cannot_widen_its_rights(walled, attack):
    text = """
def call(name, *arguments):
    if getattr(libc, name)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), name)
attempt("user namespace", lambda: call("unshare", 0x10000000))
attempt("mount", lambda: call("mount", b"tmpfs", b"/tmp", b"tmpfs", 0, None))
attempt("remount", lambda: call("mount", None, b"/", None, 32 | 4096, None))
attempt("unmount", lambda: call("umount2", b"/tmp", 2))
attempt("root", lambda: os.setuid(0))
attempt("chroot", lambda: os.chroot("/tmp"))
attempt("unlimit", lambda: __import__("resource").setrlimit(__import__("resource").RLIMIT_CPU, (-1, -1)))
attempt("trace", lambda: call("ptrace", 16, 1, None, None))
attempt("keys", lambda: call("syscall", 250 if os.uname().machine == "x86_64" else 219, 0, -3, 0))
attempt("memory of nobody", lambda: os.memfd_create("x"))
attempt("shared memory", lambda: call("shmget", 0, 1 << 30, 0o1600))
attempt("terminal", lambda: open("/dev/tty"))
print(json.dumps([done, libc.prctl(39, 0, 0, 0, 0), libc.prctl(21, 0, 0, 0, 0), os.getuid() != 0]))
"""
    done, no_new_privileges, filtered, ordinary = told(attack(walled, TRY + text))
    assert all_refused(done)
    assert (no_new_privileges, filtered, ordinary) == (1, 2, True)


def test_it_reaches_no_port_of_this_machine(box, attack, open_folder):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.socket(socket.AF_UNIX) as local:
        local.bind(f"\0{open_folder.name}")
        local.listen()
        server.setblocking(False)
        local.setblocking(False)
        text = f"""
attempt("port", lambda: socket.create_connection(("127.0.0.1", {server.getsockname()[1]}), timeout=5))
attempt("datagram", lambda: socket.socket(type=socket.SOCK_DGRAM).sendto(b"x", ("127.0.0.1", 9)))
attempt("abstract", lambda: socket.socket(socket.AF_UNIX).connect(chr(0) + {open_folder.name!r}))
"""
        assert all_refused(told(attack(box, TRY + text + TELL)))
        for listening in (server, local):
            with pytest.raises(BlockingIOError):
                listening.accept()


def test_the_network_is_away_even_without_the_filter_of_calls(walled, attack):
    """Its network namespace has no interface but loopback and the idle ends of tunnels that some kernels make."""
    text = """
pair, _ = socket.socketpair()
names = []
for index in range(1, 100):
    request = ctypes.create_string_buffer(16 + struct.calcsize("i") + 20)
    struct.pack_into("i", request, 16, index)
    if libc.ioctl(pair.fileno(), 0x8910, request) == 0:
        names.append(request.value.decode())
print(json.dumps(names))
"""
    names = set(told(attack(walled, "import struct" + TRY + text)))
    assert "lo" in names
    assert names <= {"lo", "sit0", "tunl0", "gre0", "gretap0", "erspan0", "ip_vti0", "ip6_vti0", "ip6tnl0", "ip6gre0"}


def test_it_cannot_signal_anything_outside(walled, attack):
    bystander = subprocess.Popen(["sleep", "60"], user=walled.uid if os.getuid() == 0 else None)
    try:
        text = f"""
for pid in ({os.getpid()}, {bystander.pid}):
    attempt(f"kill {{pid}}", lambda: os.kill(pid, signal.SIGKILL))
attempt("kill the guard", lambda: os.kill(1, signal.SIGKILL))
attempt("interrupt the guard", lambda: os.kill(1, signal.SIGINT))
attempt("kill the parent", lambda: os.kill(os.getppid(), signal.SIGKILL))
signal.signal(signal.SIGTERM, signal.SIG_IGN)
attempt("kill the group", lambda: os.killpg(0, signal.SIGTERM))
attempt("kill all", lambda: os.kill(-1, signal.SIGKILL))
"""
        done = told(attack(walled, TRY + text + TELL))
        assert bystander.poll() is None
        assert done[f"kill {bystander.pid}"] == "refused: ProcessLookupError"
    finally:
        bystander.kill()
        bystander.wait()


def test_shells_reach_nothing(walled, attack, open_folder):
    target = open_folder / "touched"
    text = f"""
command = "echo x > {target}; touch /usr/lib/mark-of-an-attack"
attempt("ctypes", lambda: libc.system(command.encode()))
attempt("reload", lambda: importlib.reload(os).system(command))
attempt("posix", lambda: importlib.import_module("posix").system(command))
attempt("spawn", lambda: os.waitpid(os.posix_spawn("/bin/sh", ["sh", "-c", command], {{}}), 0))
attempt("subprocess", lambda: subprocess.run(command, shell=True, check=True))
"""
    done = told(attack(walled, TRY + text + TELL))
    assert set(done) == {"ctypes", "reload", "posix", "spawn", "subprocess"}
    assert "0" not in done.values()
    assert not target.exists()


# How much a program may use


def test_a_fork_bomb_is_refused_and_ends(bounded_box, attack, mark, alive):
    bomb = NAMED.format(mark=mark) + "while True:\n try: os.fork()\n except OSError: pass"
    ended = attack(bounded_box, bomb, wall_s=1)
    assert (ended.returncode, ended.killed_by, ended.timed_out) == (None, "time", True)
    assert alive(mark) == []


def test_processes_are_counted(walled, attack):
    text = """
import os, time
children = 0
try:
    while children < 200:
        if not os.fork():
            time.sleep(60)
            os._exit(0)
        children += 1
except BlockingIOError:
    pass
print(children)
"""
    ended = attack(walled, text, processes=10)
    assert ended.returncode == 0
    assert 9 <= int(ended.output) <= 11


def test_without_walls_too_many_processes_are_seen_and_ended(attack, mark, alive):
    from evalkit.sandbox.kinds import Unprotected

    text = NAMED.format(mark=mark) + "for _ in range(60):\n if not os.fork(): time.sleep(60)\ntime.sleep(60)"
    ended = attack(Unprotected(), text, processes=10)
    # An ordinary user is refused them by the system, which counts all that the user runs.
    assert (ended.returncode, ended.killed_by) == ((None, "processes") if os.getuid() == 0 else (1, ""))
    assert alive(mark) == []


def test_ten_gigabytes_are_refused(plain_box, attack):
    ended = attack(plain_box, "x = bytearray(10 * 2**30)")
    assert (ended.returncode, ended.killed_by) == (1, "")
    assert ended.stderr.endswith(b"MemoryError\n")


def test_memory_of_many_processes_is_counted_together(box, attack, mark, alive):
    text = (
        NAMED.format(mark=mark)
        + """
for _ in range(8):
    if not os.fork():
        break
x = b"x" * (90 * 2**20)
time.sleep(60)
"""
    )
    ended = attack(box, text, memory_bytes=400 * 2**20, wall_s=30)
    if box.name == "none" and box.uid != 0:
        # An ordinary user without walls may already have too many processes to be given another.
        assert ended.killed_by in {"memory", ""}
    else:
        assert (ended.returncode, ended.killed_by, ended.timed_out) == (None, "memory", False)
    assert alive(mark) == []


@pytest.mark.parametrize("descriptor", [1, 2])
def test_endless_output_is_cut(plain_box, attack, descriptor):
    ended = attack(plain_box, f"import os\nwhile True: os.write({descriptor}, b'x' * 65536)", output_bytes=2**20)
    assert (ended.returncode, ended.killed_by, ended.overflow) == (None, "output", True)
    assert ended.output == (b"x" * 2**20 if descriptor == 1 else b"")
    assert len(ended.stderr) <= 2**13


def test_output_just_within_the_limit_is_whole(plain_box, attack):
    ended = attack(plain_box, "import os\nfor _ in range(16): os.write(1, b'x' * 65536)", output_bytes=2**20)
    assert (ended.returncode, ended.overflow, len(ended.output)) == (0, False, 2**20)


def test_output_just_beyond_the_limit_is_an_overflow_even_of_a_program_that_ended(plain_box, attack):
    ended = attack(plain_box, "import os\nos.write(1, b'x' * 1001)", output_bytes=1000)
    assert (ended.returncode, ended.killed_by, ended.overflow) == (None, "output", True)
    assert ended.output == b"x" * 1000


def test_cpu_seconds_end_a_program_whatever_it_catches(plain_box, attack):
    text = """
import signal
for number in range(1, 64):
    try: signal.signal(number, signal.SIG_IGN)
    except (OSError, ValueError): pass
while True:
    try:
        while True: pass
    except BaseException: pass
"""
    ended = attack(plain_box, text, cpu_s=1)
    assert (ended.returncode, ended.killed_by, ended.timed_out) == (None, "time", True)


@pytest.mark.parametrize(
    "text",
    [
        "import time; time.sleep(600)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
        "import os, time; os.closerange(0, 1000); time.sleep(600)",
        "import sys; sys.stdin.buffer.read(); import os; os.read(os.pipe()[0], 1)",
    ],
)
def test_wall_seconds_end_a_program_that_does_nothing(plain_box, attack, text):
    ended = attack(plain_box, text, b"input", wall_s=0.7)
    assert (ended.returncode, ended.killed_by, ended.timed_out) == (None, "time", True)
    assert 0.7 <= ended.seconds < 60


def test_one_file_is_bounded(plain_box, attack):
    text = """
import os
with open("big", "wb", buffering=0) as file:
    try:
        while True: file.write(b"x" * 2**16)
    except OSError: pass
print(os.path.getsize("big"))
"""
    ended = attack(plain_box, text, file_bytes=2**22)
    assert ended.returncode == 0
    assert 2**21 < int(ended.output) <= 2**22


def test_many_files_do_not_fill_the_disk(walled, attack):
    text = """
import os
try:
    for number in range(10**6):
        with open(f"file{number}", "wb", buffering=0) as file: file.write(b"x" * 2**18)
except OSError as error: print(error.strerror)
print(sum(os.path.getsize(name) for name in os.listdir()) <= 2**22)
"""
    ended = attack(walled, text, file_bytes=2**22)
    assert ended.output == b"No space left on device\nTrue\n"


def test_many_empty_files_do_not_either(attack):
    from evalkit.sandbox.kinds import Namespaces

    text = """
try:
    for number in range(10**6): open(f"file{number}", "x").close()
except OSError as error: print(error.strerror, number < 20000)
"""
    assert attack(Namespaces(), text).output == b"No space left on device True\n"


# When a program ends


def test_nothing_outlives_it(box, attack, mark, alive, open_folder):
    """Twice forked, in a session of its own, deaf to signals, and holding the pipe: still gone, and at once."""
    text = (
        NAMED.format(mark=mark)
        + f"""
import signal
if not os.fork():
    os.setsid()
    if not os.fork():
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGINT): signal.signal(number, signal.SIG_IGN)
        os.write(1, b"ready\\n")
        time.sleep(30)
        open({str(open_folder / "late")!r}, "w").close()
    os._exit(0)
os.wait()
time.sleep(0.1)
print("done")
"""
    )
    began = time.monotonic()
    ended = attack(box, text)
    assert (ended.returncode, ended.output) == (0, b"ready\ndone\n")
    assert time.monotonic() - began < 25
    assert alive(mark) == []
    assert not (open_folder / "late").exists()


def test_a_running_program_is_seen_by_the_search_for_survivors(walled, attack, mark, alive):
    """Without this, a search that finds nothing would prove nothing."""
    seen = []
    ended = []
    text = NAMED.format(mark=mark) + "os.fork(); time.sleep(600)"
    run = threading.Thread(target=lambda: ended.append(attack(walled, text, wall_s=2)))
    run.start()
    while run.is_alive() and len(seen) < 2:
        seen = alive(mark)
    run.join()
    assert len(seen) == 2
    assert ended[0].timed_out
    assert alive(mark) == []


def test_leaving_through_the_back_door_is_just_an_exit_status(plain_box, attack):
    ended = attack(plain_box, "import os; os.write(1, b'half'); os._exit(0)")
    assert (ended.returncode, ended.output, ended.killed_by) == (0, b"half", "")


def test_a_signal_of_its_own_is_told(plain_box, attack):
    ended = attack(plain_box, "import os; os.abort()")
    assert (ended.returncode, ended.killed_by, ended.timed_out) == (-6, "signal 6", False)


def test_closing_every_descriptor_changes_nothing(plain_box, attack):
    ended = attack(plain_box, "import os; os.closerange(0, 1000); os._exit(3)", b"x" * 2**20)
    assert (ended.returncode, ended.output, ended.killed_by) == (3, b"", "")


def test_it_dies_with_the_one_who_ran_it(walled, mark, alive):
    program = NAMED.format(mark=mark) + "os.fork(); print('up', flush=True); time.sleep(600)"
    text = f"""
from evalkit.sandbox import Limits
from evalkit.sandbox.kinds import Bubblewrap, Namespaces
kinds = {{kind.name: kind for kind in (Bubblewrap(), Namespaces())}}
kinds[{walled.name!r}].run({program!r}.encode(), b"", Limits(wall_s=60, cpu_s=60))
"""
    runner = walled.runner(text)
    try:
        wait_for(lambda: len(alive(mark)) == 3)  # the runner's command line carries the mark, too
    finally:
        runner.kill()
        runner.wait()
    wait_for(lambda: alive(mark) == [])


def wait_for(condition):
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.02)
