"""One reading of every text that a user gives."""

import codecs
import gzip
import json
import re
from pathlib import Path

import pytest

from evalkit.base.errors import ConfigError, DataError
from evalkit.base.types import Model
from evalkit.files import textfile
from evalkit.serve.environment.weights import object_in
from evalkit.serve.launch import context_length
from support.commands import evalkit, write_lines

MARK = codecs.BOM_UTF8


def marked(path, text):
    """The file as Notepad saves it."""
    path.write_bytes(MARK + text.encode())
    return path


def test_a_mark_in_front_is_no_part_of_the_text(tmp_path):
    assert textfile.text(marked(tmp_path / "x.txt", "Größe\n")) == "Größe\n"
    assert textfile.toml(marked(tmp_path / "x.toml", "a = 1\n")) == {"a": 1}
    assert list(textfile.objects(marked(tmp_path / "x.jsonl", '{"a": 1}\n\n{"a": 2}\n'))) == [
        (f"{tmp_path / 'x.jsonl'}:1", {"a": 1}),
        (f"{tmp_path / 'x.jsonl'}:3", {"a": 2}),
    ]
    packed = tmp_path / "x.jsonl.gz"
    packed.write_bytes(gzip.compress(MARK + b'{"a": 1}\n'))
    assert [row for _, row in textfile.objects(packed)] == [{"a": 1}]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ("{}".encode("utf-16"), "UTF-16 text; save it as UTF-8"),
        (b"{}\n\xff\n", "not UTF-8 text after line 0 (invalid start byte); save it as UTF-8"),
        (b"[1]", "x.jsonl:1: not a JSON object but [1]"),
        (b"[" * 100_000, "x.jsonl:1: not JSON"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, data, said):
    (tmp_path / "x.jsonl").write_bytes(data)
    with pytest.raises(DataError) as caught:
        list(textfile.objects(tmp_path / "x.jsonl"))
    assert said in f"{caught.value.message}; {caught.value.fix}"


def test_a_damaged_archive_and_a_missing_file(tmp_path):
    (tmp_path / "x.jsonl.gz").write_bytes(gzip.compress(b'{"a": 1}\n' * 9999)[:-30])
    with pytest.raises(DataError, match=r"x\.jsonl\.gz: damaged after line"):
        list(textfile.objects(tmp_path / "x.jsonl.gz"))
    (tmp_path / "y.gz").write_bytes(b"no archive")
    with pytest.raises(DataError, match="damaged after line 0"):
        textfile.text(tmp_path / "y.gz")
    with pytest.raises(DataError, match="No such file"):
        textfile.text(tmp_path / "nowhere")


@pytest.mark.parametrize("text", ["a = ", "a = " + "[" * 100_000])
def test_what_is_no_toml(tmp_path, text):
    (tmp_path / "x.toml").write_text(text)
    with pytest.raises(ConfigError, match="not TOML"):
        textfile.toml(tmp_path / "x.toml")


def test_every_door_takes_a_file_with_a_mark(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lines = "".join(json.dumps({"id": str(at), "score": 1, "answer": "x", "reference": "x"}) + "\n" for at in range(9))
    scores = marked(tmp_path / "scores.jsonl", lines)
    policy = marked(tmp_path / "policy.toml", "[policy]\nmin_recovery = 50\n")
    assert evalkit("compare", scores, scores, "--policy", policy).code == 0
    assert evalkit("score", scores, "--metric", "anls", "--json").json["mean"] == 1.0
    tasks = tmp_path / "tasks"
    tasks.mkdir()
    task = marked(
        tasks / "own.toml",
        'name = "own"\ntitle = "Own"\ncategory = "C"\nbenchmark = "docvqa"\nmetrics = ["anls"]\nheadline = "anls"\n'
        'prompt = "p"\n[dataset]\nid = ""\nsplit = "s"\nfiles = ["rows.jsonl"]\n[decoding]\nmax_tokens = 10\n',
    )
    shown = evalkit("tasks", "--tasks-dir", tasks, "show", "own")
    assert shown.code == 0, shown.err
    assert "\ufeff" not in shown.out
    # The config is read: what is wrong with it is found in it.
    config = marked(tmp_path / "config.toml", 'limt = 2\nbaseline = "m"\n')
    assert "limt: unknown key" in evalkit("run", "--config", config, "--task", task).err


def test_a_mark_in_the_text_of_results_beside_samples(tmp_path):
    samples = tmp_path / "run" / "samples" / "m"
    write_lines(samples / "t.jsonl", [{"id": "a", "score": 1}])
    told = {"baseline": "m", "candidates": [], "tasks": [{"task": "t", "planned": 7}]}
    marked(tmp_path / "run" / "results.json", json.dumps(told))
    found = evalkit("compare", samples / "t.jsonl", samples / "t.jsonl", "--json")
    assert found.json["planned"] == 7


def test_json_files_are_read_by_what_knows_of_nesting():
    """``json.loads`` alone raises `RecursionError`, which no reader of a damaged file expects."""
    package = Path(textfile.__file__).parent.parent
    alone = re.compile(r"json\.loads?\([^\n]*(read_text|read_bytes|\.read\(|open\()")
    # Programs of their own, which import nothing of evalkit: the sandbox's child, and what quantizes.
    alone_too = {"child.py", "worker.py"}
    ours = [path for path in package.rglob("*.py") if path.name not in alone_too]
    assert [str(path) for path in ours if alone.search(path.read_text(encoding="utf-8"))] == []


@pytest.mark.parametrize("text", ["[" * 5000, "{", "[]", "null"])
def test_a_config_json_that_is_none_tells_nothing_of_a_model(tmp_path, text):
    (tmp_path / "config.json").write_text(text)
    assert object_in(tmp_path / "config.json") == {}
    assert context_length(Model("m", str(tmp_path), "0")) is None
