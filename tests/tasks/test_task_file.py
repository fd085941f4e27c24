from __future__ import annotations

import tomllib

import pytest

from evalkit.base.errors import ConfigError
from evalkit.base.task_parts import PublishedPrompt
from evalkit.base.types import Dataset, Decoding, Task
from evalkit.tasks import task_file

PUBLISHED = {
    "repository": "owner/name",
    "commit": "0" * 40,
    "file": "a/b.py",
    "constant": "PROMPT",
    "sha256": "f" * 64,
}
GOOD = {
    "name": "docs-mine",
    "title": "Docs (mine)",
    "category": "Vision",
    "benchmark": "docvqa",
    "metrics": ["anls", "anls@official"],
    "headline": "anls",
    "dialect": "neuralmagic",
    "prompt": "Answer briefly.",
    "dataset": {"id": "owner/docs", "split": "validation", "files": ["data/validation-*.parquet"]},
    "decoding": {"max_tokens": 10},
}


def complaint(**changes) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        task_file.task(GOOD | changes, "x.toml")
    return str(caught.value).splitlines()


def test_a_mapping_becomes_a_task():
    assert task_file.task(GOOD, "x.toml") == Task(
        name="docs-mine",
        title="Docs (mine)",
        category="Vision",
        benchmark="docvqa",
        metrics=("anls", "anls@official"),
        headline="anls",
        dialect="neuralmagic",
        prompt="Answer briefly.",
        dataset=Dataset("owner/docs", "validation", files=("data/validation-*.parquet",)),
        decoding=Decoding(10),
        source="x.toml",
    )


def test_a_published_prompt_is_named_not_carried():
    assert task_file.task(GOOD | {"prompt": PUBLISHED}, "x.toml").prompt == PublishedPrompt(**PUBLISHED)


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"name": "My Task"}, "x.toml: name: 'My Task' cannot be a name; use small letters, digits, '-', '_' and '.'"),
        (
            {"name": "d" * 101},
            f"x.toml: name: '{'d' * 101}' cannot be a name; use small letters, digits, '-', '_' and '.', 100 at most",
        ),
        ({"name": "../up"}, "x.toml: name: '../up' cannot be a name; use small letters, digits, '-', '_' and '.'"),
        ({"benchmark": "docqva"}, "x.toml: benchmark: unknown benchmark 'docqva'; did you mean 'docvqa'?"),
        ({"metrics": ["anls", "anlss"]}, "x.toml: metrics[1]: unknown metric 'anlss'; did you mean 'anls'?"),
        (
            {"metrics": ["anls", "anls@offical"]},
            "x.toml: metrics[1]: unknown dialect 'offical'; did you mean 'official'?",
        ),
        ({"metrics": ["anls", "anls"]}, "x.toml: metrics: names 'anls' twice; remove one"),
        (
            {"metrics": ["pass@1", "pass@10"], "headline": "pass@10"},
            "x.toml: headline: 'pass@10' cannot be compared; choose pass@1",
        ),
        (
            {"headline": "vqa_match"},
            "x.toml: headline: 'vqa_match' is not among the metrics; add it there, or choose from anls, anls@official",
        ),
        ({"source": "elsewhere"}, "x.toml: source: unknown key; known: "),
        ({"images": "orignal"}, "x.toml: images: unknown choice 'orignal'; did you mean 'original'?"),
        (
            {"decoding": {"max_tokens": 10, "temprature": 0}},
            "x.toml: decoding.temprature: unknown key; did you mean 'temperature'?",
        ),
        ({"decoding": {"max_tokens": 0}}, "x.toml: decoding.max_tokens: is 0; must be 1 or more"),
        ({"decoding": {"max_tokens": 1, "n": 0}}, "x.toml: decoding.n: is 0; must be 1 or more"),
        (
            {"decoding": {"max_tokens": 1, "temperature": -1}},
            "x.toml: decoding.temperature: is -1.0; must be 0 or more",
        ),
        ({"decoding": {"max_tokens": 1, "top_p": 0}}, "x.toml: decoding.top_p: is 0.0; must be more than 0"),
        ({"decoding": {"max_tokens": 1, "top_p": 2}}, "x.toml: decoding.top_p: is 2.0; must be 1 or less"),
        (
            {"dataset": {"id": "a/b/c", "split": "x", "files": ["a"]}},
            "x.toml: dataset.id: is 'a/b/c'; must be owner/name on the Hugging Face hub",
        ),
        (
            {"dataset": {"id": "a/b", "split": "", "files": ["a"]}},
            "x.toml: dataset.split: is empty; name the split that the files hold",
        ),
        (
            {"dataset": {"id": "a/b", "split": "val"}},
            "x.toml: dataset.files: is empty; name the files of this split, such as files = ['data/val-*.parquet']",
        ),
        (
            {"dataset": {"id": "", "split": "val", "files": ["a", "../b.parquet"]}},
            "x.toml: dataset.files[1]: is '../b.parquet'; must be a relative path with '/' and without '..'",
        ),
        (
            {"prompt": PUBLISHED | {"commit": "main"}},
            "x.toml: prompt.commit: is 'main'; must be a full commit: 40 hexadecimal digits",
        ),
        (
            {"prompt": PUBLISHED | {"repository": "x"}},
            "x.toml: prompt.repository: is 'x'; must be owner/name on GitHub",
        ),
        (
            {"prompt": PUBLISHED | {"constant": "a.b"}},
            "x.toml: prompt.constant: is 'a.b'; must be the name of a constant",
        ),
        (
            {"prompt": PUBLISHED | {"sha256": "F" * 64}},
            f"x.toml: prompt.sha256: is '{'F' * 64}'; must be the sha256 of the prompt: 64 hexadecimal digits",
        ),
        (
            {"prompt": PUBLISHED | {"file": "/etc/passwd"}},
            "x.toml: prompt.file: is '/etc/passwd'; must be a relative path with '/' and without '..'",
        ),
    ],
)
def test_a_bad_value_says_where_what_and_how_to_fix_it(changes, said):
    (line,) = complaint(**changes)
    assert line.startswith(said)


def test_a_task_may_say_what_its_groups_are():
    assert task_file.task(GOOD, "x.toml").groups is None
    assert task_file.task(GOOD | {"groups": "sampled"}, "x.toml").groups == "sampled"
    assert complaint(groups="random") == ["x.toml: groups: unknown choice 'random'; known: fixed, sampled"]


def test_no_metric_at_all_is_refused():
    assert "x.toml: metrics: is empty; name at least one" in complaint(metrics=[])


def test_every_problem_is_told():
    assert len(complaint(name="A", benchmark="x", decoding={"max_tokens": 0})) == 3


def test_a_suite():
    found = task_file.suite({"name": "mine", "title": "Mine", "tasks": ["a", "b"]}, "s.toml")
    assert (found.name, found.title, found.tasks, found.source) == ("mine", "Mine", ("a", "b"), "s.toml")


@pytest.mark.parametrize(
    ("tasks", "said"),
    [([], "s.toml: tasks: is empty; name at least one"), (["a", "a"], "s.toml: tasks: names 'a' twice; remove one")],
)
def test_a_suite_lists_each_task_once(tasks, said):
    with pytest.raises(ConfigError) as caught:
        task_file.suite({"name": "mine", "title": "Mine", "tasks": tasks}, "s.toml")
    assert str(caught.value) == said


def test_the_readme_spelling_of_a_task_is_toml():
    text = 'prompt = "p"\n[dataset]\nid = "a/b"\nsplit = "s"\nfiles = ["f"]\n[decoding]\nmax_tokens = 5\nstop = ["."]'
    rest = {key: GOOD[key] for key in ("name", "title", "category", "benchmark", "metrics", "headline", "dialect")}
    assert task_file.task(rest | tomllib.loads(text), "x.toml").decoding == Decoding(5, stop=(".",))
