"""The kinds of sandbox to attack: as the user who runs the tests, and, for root, as an ordinary user as well."""

import os
import pickle
import shutil
import subprocess
import sys
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path
from uuid import uuid4

import psutil
import pytest

from evalkit.base.errors import SandboxError
from evalkit.sandbox import Limits
from evalkit.sandbox.kinds import Bubblewrap, Namespaces, Unprotected
from support import wants

REPOSITORY = Path(__file__).resolve().parents[2]
NOBODY = 65534
KINDS = {"namespaces": Namespaces, "bubblewrap": Bubblewrap, "none": Unprotected}
SERVE = """
import pickle, sys
from evalkit.base.errors import SandboxError
from evalkit.sandbox.kinds import Bubblewrap, Namespaces, Unprotected
kinds = {kind.name: kind for kind in (Bubblewrap(), Namespaces(), Unprotected())}
while True:
    try:
        name, arguments = pickle.load(sys.stdin.buffer)
    except EOFError:
        break
    try:
        answer = kinds[name].run(*arguments)
    except SandboxError as error:
        answer = error
    pickle.dump(answer, sys.stdout.buffer)
    sys.stdout.buffer.flush()
"""


@cache
def interpreter_for_others():
    """A Python that an ordinary user may run and that has what evalkit's sandbox imports; None when there is none."""
    paths = os.pathsep.join([str(REPOSITORY), *(path for path in sys.path if path.endswith("site-packages"))])
    environment = {"PYTHONPATH": paths, "PATH": os.environ["PATH"]}
    check = "import sys, numpy, evalkit.sandbox; assert sys.version_info[:2] == " + repr(sys.version_info[:2])
    for name in (sys.executable, "/usr/bin/python3", "/usr/local/bin/python3"):
        try:
            subprocess.run([name, "-c", check], env=environment, check=True, capture_output=True, **as_nobody())
        except (OSError, subprocess.CalledProcessError):
            continue
        return name, environment
    return None


def as_nobody():
    return {"user": NOBODY, "group": NOBODY, "extra_groups": [], "cwd": "/"}


class Elsewhere:
    """Runs programs from a process of an ordinary user."""

    uid = NOBODY

    def __init__(self, process, name):
        self.process = process
        self.name = name

    def runner(self, code):
        """A process of the same user that runs this code."""
        python, environment = interpreter_for_others()
        return subprocess.Popen([python, "-c", code], env=environment, **as_nobody())

    def run(self, program, stdin, limits):
        pickle.dump((self.name, (program, stdin, limits)), self.process.stdin)
        self.process.stdin.flush()
        answer = pickle.load(self.process.stdout)
        if isinstance(answer, SandboxError):
            raise answer
        return answer


class Here:
    """Runs programs from this process."""

    def __init__(self, name):
        self.kind = KINDS[name]()
        self.name = name
        self.uid = os.getuid()

    def run(self, program, stdin, limits):
        return self.kind.run(program, stdin, limits)

    def runner(self, code):
        return subprocess.Popen([sys.executable, "-c", code])


@pytest.fixture(scope="session")
def nobody():
    """A process of an ordinary user that runs sandboxes on demand."""
    found = interpreter_for_others()
    if found is None:
        wants.missing("a Python for other users")
    name, environment = found
    with subprocess.Popen(
        [name, "-c", SERVE], env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **as_nobody()
    ) as process:
        yield process
        process.stdin.close()
        process.wait(30)


def box_of(request):
    kind, _, user = request.param.partition(" by ")
    if kind == "bubblewrap" and shutil.which("bwrap") is None:
        wants.missing("bubblewrap")
    return Elsewhere(request.getfixturevalue("nobody"), kind) if user else Here(kind)


WALLED = ["namespaces", "bubblewrap"]
BARE = ["none"]
if os.getuid() == 0:
    # Whoever is an ordinary user already has no other to become.
    WALLED += ["namespaces by nobody", "bubblewrap by nobody"]
    BARE += ["none by nobody"]


@pytest.fixture(params=WALLED)
def walled(request):
    """Every kind with walls."""
    return box_of(request)


@pytest.fixture(params=[*WALLED, *BARE])
def box(request):
    """Every kind."""
    return box_of(request)


@pytest.fixture(params=[*WALLED, BARE[-1]])
def bounded_box(request):
    """Every kind that refuses a fork: nothing but walls refuses one to root."""
    return box_of(request)


@pytest.fixture(params=["namespaces", "bubblewrap", "none"])
def plain_box(request):
    """Every kind, for what does not depend on the user."""
    return box_of(request)


@pytest.fixture
def attack():
    """Run a program's text in a kind; limits are generous unless given."""

    def run(box, text, stdin=b"", **limits):
        return box.run(text.encode(), stdin, Limits(**{"wall_s": 60, "cpu_s": 20, "memory_bytes": 2**30, **limits}))

    return run


@pytest.fixture
def open_folder():
    """A folder of this machine that everybody may read and write, with a secret in it."""
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="everybody-") as name:
        folder = Path(name)
        folder.chmod(0o777)
        (folder / "secret").write_text("the-secret-words")
        (folder / "secret").chmod(0o666)
        yield folder


@pytest.fixture
def mark():
    """A name that only this test's processes carry."""
    return uuid4().hex[:12]


@pytest.fixture
def alive():
    """The living processes of this machine that carry a mark in their name or their command line."""

    def find(mark):
        found = []
        for process in psutil.process_iter():
            with suppress(psutil.Error):
                words = [process.name(), *process.cmdline()]
                if process.status() != psutil.STATUS_ZOMBIE and any(mark in word for word in words):
                    found.append(process.pid)
        return found

    return find
