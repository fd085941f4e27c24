from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import ConfigError, UsageError
from evalkit.config import run_config
from evalkit.config.model_choice import ModelChoice
from evalkit.config.policy import Policy, Rule

NOTHING = {
    "baseline": None,
    "candidates": (),
    "suite": None,
    "tasks": (),
    "tasks_dir": (),
    "data": (),
    "limit": None,
    "images": None,
    "dialect": None,
    "output": None,
    "fresh": None,
    "allow_overlong": None,
    "endpoints": (),
    "vllm_python": None,
    "profile": None,
    "serve_args": (),
    "serve_env": (),
    "trust_remote_code": None,
    "window": None,
}
FILE = {
    "baseline": "mgoin/pixtral-12b",
    "candidates": ["int8=neuralmagic/pixtral-12b-quantized.w8a8"],
    "suite": "pixtral-card",
    "limit": 20,
    "data": {"docvqa": "a.parquet", "mmmu": "b.parquet"},
    "serve": {"profile": "published", "args": {"max-model-len": 4096}, "env": {"A": "1"}},
    "client": {"window": 8, "deadline_s": 60},
}


def resolved(mapping=None, **given) -> run_config.Config:
    return run_config.resolved({} if mapping is None else mapping, "evalkit.toml", NOTHING | given)


def complaint(mapping=None, **given) -> str:
    with pytest.raises(UsageError) as caught:
        resolved(mapping, **given)
    return "; ".join(part for part in (str(caught.value), caught.value.fix) if part)


def test_a_file_alone():
    found = resolved(FILE)
    assert found.models == (
        ModelChoice("mgoin/pixtral-12b", "mgoin/pixtral-12b"),
        ModelChoice("int8", "neuralmagic/pixtral-12b-quantized.w8a8"),
    )
    assert (found.suite, found.limit, found.output, found.fresh) == ("pixtral-card", 20, "runs", False)
    assert (found.client.window, found.client.deadline_s, found.client.tries) == (8, 60.0, 4)
    assert found.serve.args == {"max-model-len": 4096}


def test_the_command_line_alone():
    found = resolved(
        baseline="a/b",
        candidates=("x=./q", "y=c/d"),
        tasks=("mmmu", "own.toml"),
        tasks_dir=("mine",),
        data=("mmmu=rows=1.jsonl",),
        endpoints=("x=http://127.0.0.1:8000/v1/",),
        vllm_python="/opt/python",
        profile="published",
        serve_args=("enforce-eager", "max-model-len=4096", "dtype=bfloat16", "seed=", "prefix-caching=false"),
        serve_env=("VLLM_X=a=b",),
        trust_remote_code=True,
        fresh=True,
        window=3,
    )
    assert found.candidates == (ModelChoice("x", "./q"), ModelChoice("y", "c/d"))
    assert (found.tasks, found.tasks_dir, found.suite) == (("mmmu", "own.toml"), ("mine",), None)
    assert found.data == {"mmmu": "rows=1.jsonl"}
    assert found.endpoints == {"x": "http://127.0.0.1:8000"}
    assert found.serve.python == "/opt/python"
    assert found.serve.args == {
        "enforce-eager": True,
        "max-model-len": 4096,
        "dtype": "bfloat16",
        "seed": "",
        "prefix-caching": False,
    }
    assert found.serve.env == {"VLLM_X": "a=b"}
    assert (found.serve.trust_remote_code, found.fresh, found.client.window) == (True, True, 3)


def test_the_command_line_wins_key_by_key():
    found = resolved(
        FILE,
        baseline="other/model",
        limit=5,
        data=("mmmu=c.parquet",),
        serve_args=("dtype=float16",),
        serve_env=("A=2",),
        window=1,
    )
    assert found.baseline.source == "other/model"
    assert found.candidates == resolved(FILE).candidates
    assert found.limit == 5
    assert found.data == {"docvqa": "a.parquet", "mmmu": "c.parquet"}
    assert found.serve.args == {"max-model-len": 4096, "dtype": "float16"}
    assert found.serve.env == {"A": "2"}
    assert (found.serve.profile, found.client.window, found.client.deadline_s) == ("published", 1, 60.0)


def test_tasks_on_the_command_line_replace_a_suite_in_the_file_and_the_other_way_round():
    assert (resolved(FILE, tasks=("mmmu",)).suite, resolved(FILE, tasks=("mmmu",)).tasks) == (None, ("mmmu",))
    found = resolved(FILE | {"tasks": ["mmmu"]}, suite="vision")
    assert (found.suite, found.tasks) == ("vision", ())


def test_a_config_can_be_written_to_json():
    assert json.loads(json.dumps(asdict(resolved(FILE))))["baseline"]["label"] == "mgoin/pixtral-12b"


@pytest.mark.parametrize(
    ("text", "label", "source"),
    [
        ("mgoin/pixtral-12b", "mgoin/pixtral-12b", "mgoin/pixtral-12b"),
        ("gpt2", "gpt2", "gpt2"),
        ("/models/pixtral-w8a8/", "pixtral-w8a8", "/models/pixtral-w8a8/"),
        ("./pixtral", "pixtral", "./pixtral"),
        ("../a/b/c", "c", "../a/b/c"),
        ("int8 = /m/x", "int8", "/m/x"),
        ("a=b=c", "a", "b=c"),
        ("/runs/step=3/model", "model", "/runs/step=3/model"),
        ("here=.", "here", "."),
    ],
)
def test_a_model_is_a_source_with_or_without_a_label(text, label, source):
    assert ModelChoice.parse(text) == ModelChoice(label, source)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "names no model"),
        ("a=", "names no model"),
        ("=a/b", "has no name of its own; write LABEL=a/b"),
        ("m" * 201, "is too long for names of files; write a short one before it: LABEL=MODEL"),
        ("ü" * 120 + "=a/b", "is too long for names of files"),
        (".", "has no name of its own; write LABEL=."),
        ("..", "has no name of its own"),
        ("/", "has no name of its own"),
        ("a\nb=c", "cannot be printed"),
    ],
)
def test_a_model_without_a_source_or_a_label_is_refused(text, said):
    assert said in complaint(baseline=text)


@given(st.text(max_size=20))
def test_a_parsed_model_always_has_a_printable_label_and_a_source(text):
    try:
        found = ModelChoice.parse(text)
    except ValueError as error:
        found = ModelChoice(str(error), "refused")
    assert found.label.strip(".")
    assert found.label.isprintable()
    assert found.source


def test_no_baseline_says_both_ways_to_name_one():
    assert complaint() == (
        "no baseline is named; add --baseline MODEL, or baseline = 'MODEL' to a file given with --config"
    )


@pytest.mark.parametrize(
    ("candidates", "said"),
    [
        (("/b/model",), "/a/model and /b/model have the same label 'model'; name one of them: LABEL=/b/model"),
        (("/a/model",), "/a/model is the baseline; to measure the noise of a repeated run, name it: again=/a/model"),
        (("x/y", "x/y"), "candidates[1]: x/y is named twice; remove one"),
        (("q=x/y", "q=x/z"), "candidates[1]: x/y and x/z have the same label 'q'; name one of them: LABEL=x/z"),
    ],
)
def test_two_models_never_share_a_label(candidates, said):
    assert said in complaint(baseline="/a/model", candidates=candidates)


def test_the_baseline_may_be_its_own_candidate_under_another_name():
    found = resolved(baseline="/a/model", candidates=("again=/a/model",), endpoints=("again=http://h:1",))
    assert [choice.label for choice in found.models] == ["model", "again"]
    assert found.endpoints == {"again": "http://h:1"}


def test_an_endpoint_may_be_named_by_label_or_by_source():
    by_label = resolved(baseline="base=a/b", endpoints=("base=https://host.example:8000/",))
    by_source = resolved(baseline="base=a/b", endpoints=("a/b=https://host.example:8000",))
    assert by_label.endpoints == by_source.endpoints == {"base": "https://host.example:8000"}


def test_an_endpoint_of_an_unknown_model_names_the_near_miss():
    assert "command line: endpoints.bsae: unknown model 'bsae'; did you mean 'base'?" in complaint(
        baseline="base=a/b", endpoints=("bsae=http://h:1",)
    )


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("localhost:8000", "not the address of an HTTP server"),
        ("", "not the address of an HTTP server"),
        ("ftp://h", "not the address of an HTTP server"),
        ("http://", "not the address of an HTTP server"),
        ("http://h:99999", "not the address of an HTTP server"),
        ("http://h:0", "not the address of an HTTP server"),
        ("http://[::1", "not the address of an HTTP server"),
        ("http://me:secret@h", "an address with a password would stand in the report"),
        ("http://h?x=1", "more than an address"),
    ],
)
def test_a_bad_url_is_refused(url, said):
    assert said in complaint(baseline="base=a/b", endpoints=(f"base={url}",))


@pytest.mark.parametrize(
    ("mapping", "said"),
    [
        ({"limit": 0}, "evalkit.toml: limit: is 0; must be 1 or more"),
        ({"limit": 0.5}, "evalkit.toml: limit: is 0.5 (a number); must be a whole number"),
        ({"client": {"tries": 0}}, "evalkit.toml: client.tries: is 0; must be 1 or more"),
        ({"client": {"deadline_s": 0}}, "evalkit.toml: client.deadline_s: is 0.0; must be more than 0"),
        ({"serve": {"stall_s": -1}}, "evalkit.toml: serve.stall_s: is -1.0; must be more than 0"),
        ({"serve": {"port": 70000}}, "evalkit.toml: serve.port: is 70000; must be 65535 or less"),
        (
            {"serve": {"ray_resources": {"seat": 1}}},
            "evalkit.toml: serve.ray_resources.seat: is given without serve.ray; name the cluster, or leave it out",
        ),
        (
            {"serve": {"ray": "auto", "ray_resources": {"seat": 0}}},
            "evalkit.toml: serve.ray_resources.seat: is 0.0; must be more than 0",
        ),
        (
            {"serve": {"ray": "auto", "ray_resources": {"GPU": 2}}},
            "evalkit.toml: serve.ray_resources.GPU: is what tensor-parallel-size says; leave it out",
        ),
        ({"serve": {"env": {"A": 1}}}, "evalkit.toml: serve.env.A: is 1 (a whole number); must be text"),
        ({"output": ""}, "evalkit.toml: output: is empty; name a folder"),
        ({"canidates": []}, "evalkit.toml: canidates: unknown key; did you mean 'candidates'?"),
        ({"dialect": "mistal"}, "evalkit.toml: dialect: unknown choice 'mistal'; did you mean 'mistral'?"),
        ({"serve": {"profil": "x"}}, "evalkit.toml: serve.profil: unknown key; did you mean 'profile'?"),
    ],
)
def test_a_bad_file_says_where_what_and_how_to_fix_it(mapping, said):
    assert complaint({"baseline": "a/b"} | mapping) == said


def test_a_bad_option_is_not_blamed_on_the_file():
    assert complaint({"baseline": "a/b", "limit": 3}, limit=0).startswith("command line: limit: is 0")
    both = complaint({"baseline": "a/b", "client": {"tries": 0}}, window=0).splitlines()
    assert both == [
        "command line: client.window: is 0; must be 1 or more",
        "evalkit.toml: client.tries: is 0; must be 1 or more",
    ]


@pytest.mark.parametrize(
    ("option", "text", "said"),
    [
        ("data", "rows.parquet", "--data rows.parquet: is not of the form TASK=FILE; write --data TASK=FILE"),
        ("endpoints", "=http://h", "--endpoint =http://h: is not of the form MODEL=URL; write --endpoint MODEL=URL"),
        ("serve_env", "A", "--serve-env A: is not of the form NAME=VALUE; write --serve-env NAME=VALUE"),
        ("serve_args", "=1", "--serve-arg =1: is not of the form FLAG=VALUE; write --serve-arg FLAG=VALUE"),
    ],
)
def test_a_pair_without_a_sign_shows_its_form(option, text, said):
    assert complaint(baseline="a/b", **{option: (text,)}) == said


def test_data_for_a_task_that_does_not_take_part_names_the_near_miss():
    found = resolved(baseline="a/b", data=("dovcqa=x.parquet",))
    with pytest.raises(UsageError, match="data is given for 'dovcqa', which is not among the tasks") as caught:
        run_config.check_tasks(found, ["docvqa", "mmmu"])
    assert caught.value.fix == "did you mean 'docvqa'?"
    run_config.check_tasks(found, ["dovcqa"])


def test_from_mapping_names_its_file():
    with pytest.raises(ConfigError, match=r"^mine\.toml: baseline: missing; must be text$"):
        run_config.from_mapping({}, "mine.toml")


# --- policy, accepted differences, noise floor ---


def test_policy_options_win_over_the_file():
    file = {
        "baseline": "b",
        "policy": {"min_recovery": 95, "max_failed": 0.02, "tasks": {"mmmu": {"tier": "advisory"}}},
        "accept_differences": ["dtype"],
        "noise_floor": 50,
    }
    found = run_config.resolved(file, "c.toml", {"min_recovery": 99.0, "max_failed": None})
    assert (found.policy.min_recovery, found.policy.max_failed) == (99.0, 0.02)
    assert found.policy.tasks["mmmu"].tier == "advisory"
    assert found.accept_differences == ("dtype",)
    assert found.noise_floor == 50
    found = run_config.resolved(file, "c.toml", {"max_failed": 0.0, "accept_differences": ("tokenizer",)})
    assert (found.policy.min_recovery, found.policy.max_failed) == (95.0, 0.0)
    assert found.accept_differences == ("tokenizer",)


@pytest.mark.parametrize(
    ("policy", "said"),
    [
        ({"min_recovery": 0.99}, "c.toml: policy.min_recovery: is 0.99; is in percent; write 99"),
        ({"max_failed": 2}, "c.toml: policy.max_failed: is 2.0; must be a share"),
        ({"tasks": {"a": {"tier": "crucial"}}}, "c.toml: policy.tasks.a.tier: unknown choice"),
        ({"min_recover": 99}, "did you mean 'min_recovery'?"),
    ],
)
def test_a_policy_that_makes_no_sense_is_refused(policy, said):
    with pytest.raises(ConfigError) as caught:
        run_config.resolved({"baseline": "b", "policy": policy}, "c.toml", {})
    assert said in caught.value.message


def test_rules_for_rows_that_are_not_there_are_refused():
    one = Policy(tasks={"mmmo": Rule(99.0)}, averages={"Text": Rule(99.0)})
    with pytest.raises(ConfigError) as caught:
        run_config.check_policy(one, ["mmmu", "vqav2"], ["Vision"])
    lines = caught.value.message.splitlines()
    assert lines[0].startswith("policy: tasks.mmmo: unknown task of this run")
    assert "did you mean 'mmmu'?" in lines[0]
    assert lines[1].startswith("policy: averages.Text: unknown average of this run")
    with pytest.raises(ConfigError, match="no category of this run has several tasks"):
        run_config.check_policy(Policy(averages={"Vision": Rule(99.0)}), ["mmmu"], [])
    run_config.check_policy(Policy(tasks={"mmmu": Rule(99.0)}, averages={"Vision": Rule()}), ["mmmu"], ["Vision"])
