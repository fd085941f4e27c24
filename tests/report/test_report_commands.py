"""The commands in a report: complete enough to repeat it, silent about the machine."""

import shlex
import tomllib
from dataclasses import asdict, fields, is_dataclass, replace

import click
import pytest

from evalkit import report
from evalkit import serve as server
from evalkit.base import codec
from evalkit.cli import cli
from evalkit.config import options, run_config
from evalkit.records.provenance import Provenance
from evalkit.report import commands
from support.reports import PROVENANCE, RIGHT, built


def report_of(settled):
    """A report that knows how it was asked for."""
    return built({"base": [RIGHT], "cand": [RIGHT]}, provenance=codec.kept(Provenance, {"config": asdict(settled)}))


FULL = {
    "baseline": "org/base",
    "candidates": ["org/a", "b=/home/somebody/b w4"],
    "tasks": ["mmmu", "docvqa"],
    "data": {"docvqa": "/home/somebody/my pages.parquet"},
    "imported": [{"task": "lcb", "baseline": "l", "candidates": ["m", "n.jsonl"]}],
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
    settled = run_config.from_mapping(settings, "t")
    words = shlex.split(commands.evaluating(report_of(settled)))
    assert words[:2] == ["evalkit", "run"]
    run = cli.get_command(click.Context(cli), "run")
    given = run.make_context("run", words[2:]).params
    given.pop("config_file")
    given.pop("as_json")
    again = asdict(run_config.resolved({}, "t", given))
    expected = asdict(settled)
    for one, other in zip(
        [expected["baseline"], *expected["candidates"]], [again["baseline"], *again["candidates"]], strict=True
    ):
        assert one["label"] == other["label"]
        assert other["source"] == commands.public(one["source"])
    for key in ("data", "baseline", "candidates"):
        expected.pop(key), again.pop(key)
    assert again == expected


# Every option of `evalkit run`: either what stands in the command when it is used, or why it need not stand there.
TOLD = {
    "baseline": ["--baseline", "org/base"],
    "candidates": ["--candidate", "org/cand"],
    "suite": ["--suite", "pixtral-card"],
    "tasks": ["--task", "mmmu"],
    "tasks_dir": ["--tasks-dir", "my-tasks"],
    "allow_task_code": ["--allow-task-code"],
    "data": ["--data", "mmmu=rows.parquet"],
    "imported": ["--import", "lcb=base.jsonl,cand.jsonl"],
    "limit": ["--limit", "7"],
    "images": ["--images", "original"],
    "dialect": ["--dialect", "official"],
    "published": ["--published", "card.md"],
    "allow_overlong": ["--allow-overlong"],
    "min_recovery": ["--min-recovery", "97.5"],
    "max_failed": ["--max-failed", "0.25"],
    "accept_differences": ["--accept-difference", "tokenizer"],
    "noise_floor": ["--noise-floor", "9"],
    "endpoints": ["--endpoint", "org/cand=http://127.0.0.1:8000"],
    "endpoint_is": ["--endpoint", "org/cand=http://127.0.0.1:8000", "--endpoint-is", "org/cand=v1"],
    "served_as": ["--endpoint", "org/cand=http://127.0.0.1:8000", "--served-as", "org/cand=dated"],
    "vllm": ["--vllm", "0.32.0", "--vllm", "org/cand=0.31.0"],
    "profile": ["--profile", "published"],
    "serve_args": ["--serve-arg", "max-model-len=512"],
    "serve_env": ["--serve-env", "VLLM_ATTENTION_BACKEND=TORCH_SDPA"],
    "trust_remote_code": ["--trust-remote-code"],
}
QUIET = {one.name: one.quiet for one in options.OPTIONS if one.quiet} | {"debug": "how a crash is printed"}
# The same for the settings that have no option.
TOLD_OF_FILE = {"serve.command": ["stand-in", "--flag"], "serve.device": "cpu"}
QUIET_OF_FILE = {
    "serve.models": "told by --vllm MODEL=RELEASE, or else paths of the machine",
    "serve.port": "an address",
    "serve.ray_resources": "which hosts of a cluster serve; what GPU they had stands beside each model",
    "serve.start_timeout_s": "patience",
    "serve.stall_s": "patience",
    "serve.stop_patience_s": "patience",
    "serve.restarts": "patience",
    "client.tries": "patience",
    "client.deadline_s": "patience: what is late is a failure, and a failure is no answer",
    "policy.tasks": "rules of single rows judge answers and move none",
    "policy.averages": "likewise",
}


def option_of():
    """Where a config keeps what each option says."""
    return {one.name: one.place for one in options.OPTIONS}


def test_every_option_and_setting_stands_in_the_command_or_has_a_reason_not_to():
    run = cli.get_command(click.Context(cli), "run")
    assert {one.name for one in run.params} == {*TOLD, *QUIET}
    assert not {*TOLD} & {*QUIET}
    assert all(one.group and one.help for one in options.OPTIONS)
    known = set()
    for one in fields(run_config.Config):
        value = getattr(run_config.Config(run_config.ModelChoice("a", "a")), one.name)
        inner = [f"{one.name}.{each.name}" for each in fields(value)] if is_dataclass(value) else []
        known |= set(inner) or {one.name}
    known = known - {"baseline.label", "baseline.source"} | {"baseline"}
    measured = {one.place for one in options.PERF_OPTIONS}
    assert known == {*option_of().values(), *measured, *TOLD_OF_FILE, *QUIET_OF_FILE} - {""}


def test_the_command_that_measures_names_what_it_was_told_and_no_address():
    given = {
        "baseline": "b=/models/base",
        "candidates": ("org/cand",),
        "endpoints": ("org/cand=http://10.0.0.1:8000",),
        "serve_args": ("enforce-eager",),
        "vllm_python": "/opt/python",
        "output": "elsewhere",
        "uses": ("chat",),
        "warmups": 0,
        "price": 3.29,
        "price_source": "a list, 2026",
        "deadline_s": 60.0,
    }
    config = asdict(run_config.resolved({}, "t", given))
    models = (
        "evalkit perf --baseline b=base --candidate org/cand --endpoint org/cand=URL --serve-arg enforce-eager=true"
    )
    measured = "--use chat --warmups 0 --price 3.29 --price-source 'a list, 2026'"
    assert report.performance_command(config) == f"{models} {measured}"
    here = report.performance_command(config, here=True)
    assert "--baseline b=/models/base" in here
    assert "--endpoint org/cand=http://10.0.0.1:8000 --vllm-python /opt/python" in here
    assert "--output elsewhere" in here


@pytest.mark.parametrize("name", TOLD)
def test_an_option_that_moves_answers_is_told(name):
    given = {"baseline": ["--baseline", "org/base"], "candidates": ["--candidate", "org/cand"], name: TOLD[name]}
    run = cli.get_command(click.Context(cli), "run")
    params = run.make_context("run", [word for words in given.values() for word in words]).params
    settled = run_config.resolved({}, "t", {key: value for key, value in params.items() if key not in QUIET})
    one = report_of(settled)
    numerics = server.numerics(replace(settled.serve, command=("stand-in",)))
    contenders = [replace(each, engine=replace(each.engine, numerics=numerics)) for each in one.plan.contenders]
    one = replace(one, plan=replace(one.plan, baseline=contenders[0], candidates=tuple(contenders[1:])))
    text = shlex.join(TOLD[name]).replace("http://127.0.0.1:8000", "URL")
    assert f" {text} " in f"{commands.evaluating(one)} "
    plain = run_config.from_mapping({"baseline": "org/base", "candidates": ["org/cand"]}, "t")
    assert name in {"baseline", "candidates"} or TOLD[name][0] not in commands.evaluating(report_of(plain))


def test_a_setting_without_an_option_that_moves_answers_is_told_in_a_file_beside_the_command():
    serve = {place.partition(".")[2]: value for place, value in TOLD_OF_FILE.items()}
    settled = run_config.from_mapping({"baseline": "org/base", "candidates": ["org/cand"], "serve": serve}, "t")
    one = report_of(settled)
    assert "--config settings.toml" in commands.evaluating(one)
    again = run_config.resolved(tomllib.loads(commands.settings_file(one)), "t", {"baseline": "org/base"})
    assert (again.serve.command, again.serve.device) == (settled.serve.command, settled.serve.device)
    assert '[serve]\ncommand = ["stand-in", "--flag"]' in report.model_card(one, "cand")


def test_what_looks_like_a_secret_is_not_told(monkeypatch):
    monkeypatch.setenv("VLLM_OTHER_TOKEN", "hidden")
    found = server.numerics(run_config.Serving(command=("x",), env={"MY_PASSWORD": "hidden", "VLLM_X": "1"}))
    assert {name for name in found if name.startswith("env:")} == {"env:VLLM_X"}


def test_nothing_of_the_machine_is_told():
    settled = run_config.from_mapping(
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
