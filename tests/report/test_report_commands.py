"""The commands in a report: complete enough to repeat it, silent about the machine."""

import shlex
from dataclasses import asdict

import click
import pytest

from evalkit import config
from evalkit.cli import cli
from evalkit.report import commands
from reports import PROVENANCE, RIGHT, built


def report_of(settled):
    """A report that knows how it was asked for."""
    return built({"base": [RIGHT], "cand": [RIGHT]}, provenance={"config": asdict(settled)})


FULL = {
    "baseline": "org/base",
    "candidates": ["org/a", "b=/home/somebody/b w4"],
    "tasks": ["mmmu", "docvqa"],
    "data": {"docvqa": "/home/somebody/my pages.parquet"},
    "limit": 20,
    "images": "original",
    "dialect": "mistral",
    "noise_floor": 5,
    "accept_differences": ["chat_template"],
    "policy": {"min_recovery": 98.5, "max_failed": 0.02},
    "serve": {
        "profile": "published",
        "args": {"max-model-len": 4096, "enforce-eager": True, "limit-mm-per-prompt": {"image": 7}},
        "trust_remote_code": True,
    },
}


@pytest.mark.parametrize(
    "settings",
    [
        {"baseline": "org/base", "candidates": ["org/cand"]},
        {"baseline": "x=org/base", "suite": "pixtral-card"},
        FULL,
    ],
)
def test_the_command_asks_for_the_same_again(settings):
    settled = config.from_mapping(settings, "t")
    words = shlex.split(commands.evaluating(report_of(settled)))
    assert words[:2] == ["evalkit", "run"]
    run = cli.get_command(click.Context(cli), "run")
    given = run.make_context("run", words[2:]).params
    given.pop("config_file")
    given.pop("as_json")
    again = asdict(config.resolved({}, "t", given))
    expected = asdict(settled)
    for one, other in zip(
        [expected["baseline"], *expected["candidates"]], [again["baseline"], *again["candidates"]], strict=True
    ):
        assert one["label"] == other["label"]
        assert other["source"] == commands.public(one["source"])
    for key in ("data", "baseline", "candidates"):
        expected.pop(key), again.pop(key)
    assert again == expected


def test_nothing_of_the_machine_is_told():
    settled = config.from_mapping(
        FULL | {"endpoints": {"b": "http://10.0.0.7:8000"}, "tasks_dir": ["/home/somebody/tasks"]}, "t"
    )
    command = commands.evaluating(report_of(settled))
    assert "somebody" not in command
    assert "10.0.0.7" not in command
    assert "--endpoint b=URL" in command


def test_a_server_is_told_as_it_was_started():
    one = built({"base": [RIGHT], "b": [RIGHT]}, provenance=PROVENANCE)
    assert commands.serving(one, "b") == "python -m vllm.entrypoints.openai.api_server --model b-w4"
    assert commands.serving(one, "base") == ""


def test_what_is_not_known_is_not_told():
    assert commands.evaluating(built({"base": [RIGHT]})) == ""


@pytest.mark.parametrize(
    ("word", "told"),
    [
        ("/a/b/python", "python"),
        ("--x=/a/b/c d", "--x=c d"),
        ("~/models/x", "x"),
        ("owner/name", "owner/name"),
        ("http://127.0.0.1:8000/v1", "http://127.0.0.1:8000/v1"),
        ('{"image": 7}', '{"image": 7}'),
        ("label=/a/b/c", "label=c"),
        ("a/relative/path", "a/relative/path"),
    ],
)
def test_a_path_becomes_its_last_part(word, told):
    assert commands.public(word) == told
