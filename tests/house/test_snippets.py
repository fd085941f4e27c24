"""What the documentation says to type can be typed, and the files that it shows can be read."""

import json
import re
import shlex
import tomllib
from pathlib import Path

import click
import pytest

from evalkit.base import codec
from evalkit.base.errors import ConfigError
from evalkit.cli import cli
from evalkit.config.run_config import Config
from evalkit.tasks import extensions, task_file

ROOT = Path(__file__).resolve().parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
FENCE = re.compile(r"^ *```(?P<kind>\w*)\n(?P<text>.*?)^ *```$", re.MULTILINE | re.DOTALL)


def blocks(*kinds):
    """Every block of these kinds, with the page that it stands on."""
    for page in PAGES:
        for found in FENCE.finditer(page.read_text(encoding="utf-8")):
            if found["kind"] in kinds:
                yield page.relative_to(ROOT).as_posix(), found["text"]


def commands():
    """Every line that starts evalkit, whole."""
    for page, text in blocks("sh", ""):
        for line in text.replace("\\\n", " ").splitlines():
            words = line.partition(" #")[0].strip()
            if words.startswith("evalkit "):
                yield page, words


@pytest.fixture(autouse=True)
def nothing_runs(monkeypatch):
    """Lines are read as from a shell, and that is all."""
    monkeypatch.setattr(click.Command, "invoke", lambda self, context: None)


def typed(line):
    values = {"$BASELINE": "base", "$CANDIDATE": "cand", "$MIN_RECOVERY": "99"}
    return cli.main([values.get(word, word) for word in shlex.split(line)[1:]], standalone_mode=False)


@pytest.fixture(autouse=True)
def files(tmp_path, monkeypatch):
    """Files that commands name and click wants to see."""
    monkeypatch.chdir(tmp_path)
    # Folders that another tool's command on the page has written.
    for _, text in blocks("sh"):
        for folder in re.findall(r"--output_path (\w+)", text):
            (tmp_path / folder).mkdir(exist_ok=True)
    for _, line in commands():
        for word in shlex.split(line):
            if re.fullmatch(r"[\w-]+\.(jsonl|md|json|toml)", word):
                (tmp_path / word).touch()


@pytest.mark.parametrize(("page", "line"), sorted(set(commands())))
def test_every_command_can_be_typed(page, line):
    assert not typed(line)


@pytest.mark.parametrize("line", ["evalkit run --basline x", "evalkit tools mak vllm", "evalkit gate"])
def test_a_command_that_is_wrong_would_be_noticed(line):
    with pytest.raises(click.UsageError):
        typed(line)


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_every_file_of_settings_can_be_read(page, text):
    read(tomllib.loads(text), page)


def read(table, page):
    """A file by what it holds: a task, a suite, or settings of a run, of which a page may show a part."""
    if "build-system" in table or "project" in table:
        # A package of somebody else's: its entry points are of groups that evalkit reads.
        groups = {f"evalkit.{kinds}" for kinds in extensions.KINDS.values()}
        return {*table["project"].get("entry-points", {})} <= groups or pytest.fail(f"{page}: {table}")
    if "benchmark" in table:
        files = ROOT.glob("examples/*/*.toml")
        # A task of lm-eval's may leave its name to lm-eval's files.
        said = f'name = "{table.get("name")}"'
        beside = next((path.parent for path in files if said in path.read_text()), None)
        with extensions.allowing():
            return task_file.task(table, page, beside)
    if "title" in table:
        return task_file.suite(table, page)
    return codec.read(Config, {"baseline": "base", **table}, page)


def test_a_key_that_does_not_exist_would_be_noticed():
    with pytest.raises(ConfigError, match="did you mean 'min_recovery'"):
        read({"policy": {"min_recover": 99}}, "page")


@pytest.mark.parametrize(("page", "text"), list(blocks("json")))
def test_every_line_of_json_can_be_read(page, text):
    assert [json.loads(line) for line in text.splitlines() if line.strip()]
