"""The wheel: what it brings along, and that plain pip makes a working evalkit of it, without a checkout in sight."""

from __future__ import annotations

import ast
import importlib.util
import json
import os
import shutil
import subprocess
import sys
from email import message_from_string
from pathlib import Path
from zipfile import ZipFile

import pytest
from markdown_it import MarkdownIt
from uv import find_uv_bin

from evalkit.testing import ModelServer
from support.workplaces import fitted_out

ROOT = Path(__file__).resolve().parents[2]
KEPT = {
    "tasks": "evalkit/resources/tasks",
    "reports": "evalkit/resources/reports",
    "evalkit/demo/models": "evalkit/demo/models",
    "evalkit/demo/questions": "evalkit/demo/questions",
    "evalkit/harnesses": "evalkit/harnesses",
}
"""Folders of the repository and their places in the wheel."""
CHECKOUT = ("install -e", "--editable", "'.[", "nox")
"""Words of commands that only somebody with a checkout can use."""
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
REPOSITORY = "https://git.example/team/evalkit"
CARD = """
| Category | Metric | base | cand | Recovery (%) |
|---|---|---|---|---|
| Vision | ChartQA | 80.00 | 78.00 | 97.50% |
| Vision | DocVQA | 90.00 | 91.00 | 101.11% |
| Vision | Average Score | 85.00 | 84.00 | 99.41% |
"""


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """A folder with sdist and wheel as a release has them: the wheel is made of the sdist, which lacks nothing then."""
    folder = tmp_path_factory.mktemp("built")
    build = [sys.executable, "-m", "hatchling", "build", "-d", str(folder), "-t"]
    env = {**os.environ, "EVALKIT_REPOSITORY": REPOSITORY}
    subprocess.run([*build, "sdist"], cwd=ROOT, env=env, check=True, capture_output=True)
    shutil.unpack_archive(next(folder.glob("*.tar.gz")), folder / "sdist", filter="data")
    (unpacked,) = (folder / "sdist").iterdir()
    # The address is known to those who make the sdist, and to nobody after them.
    subprocess.run([*build, "wheel"], cwd=unpacked, check=True, capture_output=True)
    return folder


@pytest.fixture(scope="module")
def wheel(built):
    (found,) = built.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def installed(wheel, tmp_path_factory):
    """The wheel unpacked, as an installer does it."""
    folder = tmp_path_factory.mktemp("site")
    with ZipFile(wheel) as packed:
        packed.extractall(folder)
    return folder


@pytest.mark.parametrize("source", KEPT)
def test_every_file_of_a_folder_is_in_the_wheel(installed, source):
    files = [file for file in (ROOT / source).rglob("*") if file.is_file() and file.parent.name != "__pycache__"]
    assert files
    for file in files:
        assert (installed / KEPT[source] / file.relative_to(ROOT / source)).read_bytes() == file.read_bytes(), file


def test_every_module_is_in_the_wheel(installed):
    """The builder leaves out what git is told to ignore: a pattern for a user's folder may name a room as well."""
    modules = {path.relative_to(ROOT) for path in (ROOT / "evalkit").rglob("*.py")}
    assert {path.relative_to(installed) for path in (installed / "evalkit").rglob("*.py")} == modules


def test_the_demonstration_has_all_it_needs(installed, tmp_path):
    code = (
        "from pathlib import Path\n"
        "import evalkit\n"
        "from evalkit.files import resources\n"
        "from evalkit.tasks import registry\n"
        "from evalkit.demo import pair, rounded, rows, texts\n"
        "here = Path(evalkit.__file__).parent\n"
        "assert all(here in folder.parents for folder in (*pair.trained(), resources.tasks(), resources.reports()))\n"
        "rounded.made(pair.trained()[0], Path('rounded-w4'))\n"
        "rows.write(Path('rows'), 2)\n"
        "texts.write_mmlu(Path('mmlu'))\n"
        "texts.write_humaneval(Path('humaneval.jsonl'))\n"
        "print(*[task.name for task in registry.chosen((), 'demo')])\n"
    )
    words = [sys.executable, "-B", "-c", code]
    done = subprocess.run(
        words, cwd=tmp_path, env={"PYTHONPATH": str(installed)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    assert len(done.stdout.split()) == 7
    assert len(list((tmp_path / "mmlu").iterdir())) == 57


def test_nothing_but_the_package_is_in_the_wheel(installed):
    top = {path.name for path in installed.iterdir()}
    assert {name for name in top if not name.endswith(".dist-info")} == {"evalkit"}
    assert not list(installed.rglob("*.part"))
    assert not list(installed.rglob("__pycache__"))


# The text that a package index shows


@pytest.fixture(scope="module")
def hook():
    described = importlib.util.spec_from_file_location("hatch_build", ROOT / "hatch_build.py")
    module = importlib.util.module_from_spec(described)
    described.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def metadata(installed):
    (file,) = installed.glob("*.dist-info/METADATA")
    return message_from_string(file.read_text(encoding="utf-8"))


def links(text):
    """Where the links and pictures of a Markdown text lead."""
    inside = [child for token in MarkdownIt().parse(text) for child in token.children or []]
    return [address for token in inside if (address := token.attrs.get("href") or token.attrs.get("src"))]


def test_pictures_and_links_of_an_index_lead_to_the_repository(metadata):
    """A page of an index has no folder beside it: a relative address leads nowhere there."""
    assert metadata["Description-Content-Type"] == "text/markdown"
    found = links(metadata.get_payload())
    assert f"{REPOSITORY}/raw/HEAD/docs/images/demo.png" in found
    for address in found:
        _, kind, place = address.removeprefix(REPOSITORY).partition("/HEAD/")
        assert kind, address
        assert (ROOT / place.partition("#")[0]).exists()
    assert f"Source, {REPOSITORY}" in metadata.get_all("Project-URL")


def test_without_an_address_none_is_made_up(hook):
    text = hook.readme((ROOT / "README.md").read_text(encoding="utf-8"), "")
    assert links(text) == []
    assert "The first screen of the report" not in text
    assert "See CONTRIBUTING.md for how" in text
    assert "\n\n\n" not in text


def test_links_that_lead_somewhere_stay(hook):
    text = "[a](https://a.example) [b](#b) [c](docs/c.md#d) ![e](f.png)"
    assert hook.readme(text, "https://h.example/x") == (
        "[a](https://a.example) [b](#b) [c](https://h.example/x/blob/HEAD/docs/c.md#d) "
        "![e](https://h.example/x/raw/HEAD/f.png)"
    )


def test_the_address_is_what_the_builder_says(hook):
    hub = {"GITHUB_SERVER_URL": "https://hub.example", "GITHUB_REPOSITORY": "a/b"}
    assert hook.repository({}) == ""
    assert hook.repository(hub) == "https://hub.example/a/b"
    assert hook.repository({**hub, "EVALKIT_REPOSITORY": "https://other.example/c/"}) == "https://other.example/c"


@pytest.mark.parametrize("address", ["git@h.example:a/b", "http://h.example/a", "https://me:secret@h.example/a", "/a"])
def test_an_address_that_nobody_can_open_or_that_tells_a_secret_is_refused(hook, address):
    with pytest.raises(ValueError, match="write it like https://host/owner/name") as caught:
        hook.repository({"EVALKIT_REPOSITORY": address})
    assert "secret" not in str(caught.value)


def test_what_an_index_lists(metadata):
    listed = metadata.get_all("Classifier")
    assert "Typing :: Typed" in listed
    assert [line for line in listed if line.startswith("Operating System")] == ["Operating System :: POSIX :: Linux"]
    assert metadata["Requires-Python"] == ">=3.11"


def test_types_are_told_to_those_who_import_it(installed):
    assert (installed / "evalkit" / "py.typed").is_file()


def test_no_message_names_a_command_that_needs_a_checkout(installed):
    """Every text but docstrings, and but for what trains the demonstration, which needs a checkout."""
    files = [file for file in (installed / "evalkit").rglob("*.py") if "train" not in file.parts]
    assert len(files) > 100
    assert [(file.name, text) for file in files for text in texts(file) if any(said in text for said in CHECKOUT)] == []


def texts(file):
    """The texts of a module that a user may come to see."""
    nodes = list(ast.walk(ast.parse(file.read_text(encoding="utf-8"))))
    docs = {ast.get_docstring(node, clean=False) for node in nodes if isinstance(node, DOCUMENTED)}
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)} - docs


# What pip makes of it


@pytest.fixture(scope="module")
def alone(wheel, tmp_path_factory):
    """The folder of commands of a new environment with nothing in it but evalkit and what that asks for."""
    folder = tmp_path_factory.mktemp("alone")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True, capture_output=True)
    # Compiling 20,000 modules ahead of time takes longer than all the rest; what is imported is compiled then.
    words = [folder / "venv/bin/python", "-m", "pip", "install", "--quiet", "--no-compile", wheel]
    done = subprocess.run(words, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder / "venv" / "bin"


@pytest.fixture
def evalkit(alone, tmp_path):
    """Run the installed command in an empty folder of its own, with a user's folders that are empty as well."""

    def run(*words, cwd=tmp_path):
        kept = ("EVALKIT_", "VLLM_", "PYTHON", "XDG_", "HF_")
        env = {name: value for name, value in os.environ.items() if not name.startswith(kept)}
        env |= {"HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "HF_ENDPOINT": "http://127.0.0.1:9", "COLUMNS": "200"}
        words = [alone / "evalkit", *map(str, words)]
        return subprocess.run(words, cwd=cwd, env=env, capture_output=True, text=True, timeout=300, check=False)

    return run


def test_it_tells_its_version(evalkit, wheel):
    done = evalkit("--version")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"evalkit, version {wheel.name.split('-')[1]}\n"


def test_it_examines_the_machine(evalkit, alone):
    done = evalkit("doctor")
    assert done.returncode in {0, 5}, done.stderr
    assert f"{sys.version_info.major}.{sys.version_info.minor}." in done.stdout.splitlines()[0]
    assert not any(said in done.stdout for said in CHECKOUT)


def test_it_audits_a_card(evalkit, tmp_path):
    (tmp_path / "card.md").write_text(CARD.replace("84.00", "84.50"))
    done = evalkit("audit", "card.md")
    assert (done.returncode, done.stderr) == (0, "")
    (tmp_path / "card.md").write_text(CARD)
    done = evalkit("audit", "card.md", "--json")
    assert done.returncode == 1
    assert "84.50" in done.stdout


def test_it_knows_its_tasks(evalkit):
    done = evalkit("tasks")
    assert done.returncode == 0
    assert all(name in done.stdout for name in ("mmmu", "chartqa", "humaneval", "mmlu"))


def test_it_compares_two_models_that_are_served_already(evalkit, tmp_path):
    folder = tmp_path / "work"
    folder.mkdir()
    fitted_out(folder)
    with ModelServer("base") as base, ModelServer("cand", part="500-then-fine") as cand:
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
        words += ["--endpoint", f"base={base.url}", "--endpoint", f"cand={cand.url}", "--limit", "6", "--json"]
        done = evalkit(*words, cwd=folder)
    assert done.returncode == 0, done.stdout + done.stderr
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    (task,) = json.loads((run / "results.json").read_text(encoding="utf-8"))["tasks"]
    assert task["planned"] == 6
    assert "<title>" in (run / "report.html").read_text(encoding="utf-8")


def test_it_runs_without_being_installed(evalkit, wheel, tmp_path):
    """``uvx --from WHEEL evalkit``."""
    uv = [find_uv_bin(), "tool", "run", "--quiet", "--python", sys.executable]
    words = [*uv, "--from", wheel, "evalkit", "--version"]
    done = subprocess.run(words, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, f"evalkit, version {wheel.name.split('-')[1]}\n"), done.stderr
