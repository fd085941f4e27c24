"""Policy, comparability, noise floor and looking ahead, through the command line."""

import fcntl
import json
import re

import pytest

from support.commands import evalkit
from support.workplaces import model_folder

WORDS = ("--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages", "--task", "charts")


def test_a_run_is_judged_and_the_next_one_is_foreseen(workplace):
    run = workplace.here("run", *WORDS, "--min-recovery", 99, "--noise-floor", 10, check=3)
    outcome, answer = run.stdout.splitlines()[:2]
    assert outcome == "UNDECIDED (exit 3): nothing degraded; Vision average has too few samples to show 99 %."
    assert answer.startswith("RECOVERY ")
    assert "undecided at >= 99 % (n = 70; " in answer
    found = json.loads(workplace.results())
    for row in (*found["tasks"], *found["averages"]):
        judged = row["recovery"]["cand"]
        assert (judged["verdict"], judged["min_recovery"]) == ("undecided", 99.0)
        assert judged["sentence"].startswith("RECOVERY ")
        assert judged["interval"][0] < judged["percent"] < judged["interval"][1]
    more = {row["task"]: row["recovery"]["cand"]["more"] for row in found["tasks"]}
    # Ten pictures of four questions each say too little of how far off the threshold is.
    assert more["pages"] is None
    # All of the charts were asked: no more of them can decide.
    assert [row["available"] - row["planned"] for row in found["tasks"] if row["task"] == "charts"] == [0]
    assert more["charts"] is None
    assert [row["recovery"]["cand"]["tier"] for row in found["tasks"]] == ["supporting"] * 2
    assert found["averages"][0]["recovery"]["cand"]["tier"] == "critical"
    for row in found["tasks"]:
        assert set(row["scores"]) == {"base", "cand"}
        assert row["noise_floor"]["samples"] == 10
        # The stand-in is asked under another name the second time, and answers from the whole request.
        flips = row["noise_floor"]["baseline_again"]
        assert flips["regressed"] + flips["improved"] + flips["unchanged"] == 10
        assert set(row["drift"]["cand"]) == {"unparsed", "truncated", "empty", "tokens"}
        assert row["comparability"]["differences"] == {"cand": []}

    ahead = json.loads(workplace.here("plan", *WORDS, "--json", check=0).stdout)
    (run_id,) = [folder.name for folder in workplace.runs()]
    assert [one["from_run"] for one in ahead["tasks"]] == [run_id] * 2
    for one, row in zip(ahead["tasks"], found["tasks"], strict=True):
        judged = row["recovery"]["cand"]
        assert one["stored"] == one["requests"]
        assert one["seconds"] == 0
        # With twenty more samples, of which the guess has two change.
        changed = judged["regressed"] + judged["improved"] + 2
        assert one["discordance"] == pytest.approx(changed / (judged["paired"] + 20))
        assert not one["discordance_guessed"]
        assert one["completion_tokens"] == 5 * one["requests"]
    assert ahead["averages"] == []

    path = workplace.folder / "runs" / run_id / "run.json"
    kept = json.loads(path.read_text())
    for model in kept["plan"]["models"]:
        model["engine"]["accelerator"] = "NVIDIA H100 x1"
    path.write_text(json.dumps(kept))
    told = workplace.here("plan", *WORDS, "--min-recovery", 90, check=0).stdout
    assert told.count("which was on NVIDIA H100 x1 and tells no time of this machine") == 1
    assert told.count("more by the guess of 10 %") == 1
    assert told.count('chance of "recovered"') == 1
    for row in ("PAGES", "CHARTS", "Vision average"):
        assert re.search(rf"(?im)^  {row}[^\n]* at 90 %: \d+ % and \d+ %", told)
    (average,) = json.loads(workplace.here("plan", *WORDS, "--min-recovery", 90, "--json", check=0).stdout)["averages"]
    assert (average["category"], average["min_recovery"]) == ("Vision", 90.0)
    assert 0.0 <= average["chance_recovered_at_100"] <= 1.0


def test_plan_starts_and_writes_nothing(workplace):
    done = workplace.here("plan", *WORDS, "--limit", 12, check=0)
    assert "vllm.entrypoints.cli.main serve cand" in done.stdout
    assert "12 of 40" in done.stdout
    assert "drawn at random" in done.stdout
    # A normal limit would promise 25 points of twelve samples of which a tenth changes.
    found = re.findall(r"~(\d+) points", done.stdout)
    assert len(found) == 2
    assert all(37 <= int(drop) <= 44 for drop in found), done.stdout
    assert done.stdout.count("no earlier answers") == 1
    assert "--limit 50 tells it" in done.stdout
    assert not (workplace.folder / "runs").exists()


@pytest.mark.parametrize("share", ["1.5", "-0.1", "nan"])
def test_plan_takes_no_guess_that_is_no_share(share):
    ended = evalkit("plan", "--baseline", "m", "--discordance", share)
    assert ended.code == 2
    assert ended.err == f"error: --discordance is {float(share):g}; give a share between 0 and 1, such as 0.1\n"


def test_plan_takes_a_share_with_a_rounding_error(workplace):
    done = workplace.here("plan", *WORDS, "--discordance", "1.0000000000000002", "--json", check=0)
    assert json.loads(done.stdout)["tasks"][0]["discordance"] == 1.0


def test_plan_takes_a_guess(workplace):
    done = workplace.here("plan", *WORDS, "--discordance", 0.5, "--json", check=0)
    pages = json.loads(done.stdout)["tasks"][0]
    assert pages["smallest_visible_drop"] == pytest.approx(2.8016 * (0.5 / 40) ** 0.5, rel=0.1)
    assert (pages["planned"], pages["requests"], pages["seconds"]) == (40, 80, None)


POLICY = """
baseline = "base"
candidates = ["cand"]
tasks = ["pages", "charts"]
tasks_dir = ["tasks"]
[policy]
min_recovery = 99
"""


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("more", "said"),
    [
        (
            "[policy.tasks.page]\ntier = 'advisory'",
            "tasks.page: unknown task of this run 'page'; did you mean 'pages'?",
        ),
        ("[policy.averages.Visoin]\ntier = 'advisory'", "did you mean 'Vision'?"),
        ("max_faild = 0.5", "policy.max_faild: unknown key; did you mean 'max_failed'?"),
        ("[policy.tasks.pages]\nmin_recovery = 0.97", "is in percent; write 97"),
    ],
)
def test_a_policy_for_what_is_not_there_is_a_config_error(workplace, command, more, said):
    (workplace.folder / "policy.toml").write_text(POLICY + more)
    done = workplace.here(command, "--config", "policy.toml", check=2)
    assert said in done.stderr
    assert not list((workplace.folder).glob("runs/*/"))


@pytest.mark.parametrize("command", ["run", "plan"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--accept-difference", "chat_templat"), "did you mean 'chat_template'? valid: accelerator, "),
        (("--accept-difference", "samples"), "no such difference can be; valid: accelerator, "),
        (("--accept-difference", "max_model_len"), "did you mean 'max-model-len'?"),
        (("--task", "page"), "unknown task 'page'"),
        (("--data", "pages=nothing.parquet"), "nothing.parquet: no such file or folder"),
        (("--published", "nothing.md"), "nothing.md: cannot be read"),
        (("--candidate", "./nothing"), "./nothing: there is no such folder"),
    ],
)
def test_what_is_wrong_with_the_words_is_told_before_a_store_in_use_is(workplace, command, words, said):
    runs = workplace.folder / "runs"
    runs.mkdir()
    with (runs / "store.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = workplace.here(command, *WORDS, *words, check=2)
        assert said in done.stderr
        if command == "run":
            assert "in use" in workplace.here(command, *WORDS, check=5).stderr


def test_a_difference_of_a_flag_or_a_variable_can_be_accepted(workplace):
    more = ("--serve-arg", "odd-flag=1", "--serve-env", "ODD=1", "--accept-difference", "odd-flag")
    workplace.here("plan", *WORDS, *more, "--accept-difference", "env:ODD", check=0)


def test_a_threshold_that_is_no_percentage(workplace):
    done = workplace.here("run", *WORDS, "--min-recovery", 0.99, check=2)
    assert "command line: policy.min_recovery: is 0.99; is in percent; write 99" in done.stderr


def test_another_chat_template_is_not_comparable_until_it_is_accepted(workplace):
    (workplace.folder / "cand/chat_template.jinja").write_text("{{ messages }}")
    done = workplace.here("run", *WORDS, "--json", check=4)
    assert "cand is not comparable: chat_template: base has nothing" in done.stderr
    for row in json.loads(done.stdout)["tasks"]:
        judged = row["recovery"]["cand"]
        assert (judged["verdict"], judged["percent"], judged["differences"]) == (
            "not_comparable",
            None,
            ["chat_template"],
        )
    done = workplace.here("run", *WORDS, "--json", "--accept-difference", "chat_template", check=0)
    for row in json.loads(done.stdout)["tasks"]:
        assert row["recovery"]["cand"]["percent"] is not None
        assert row["comparability"]["accepted"] == ["chat_template"]
        assert any("accepted difference: chat_template" in text for text in row["recovery"]["cand"]["reasons"])
    (folder,) = workplace.runs()
    assert "accepted difference: chat_template" in (folder / "report.md").read_text()


def test_a_model_named_like_the_second_asking_is_refused(workplace):
    model_folder(workplace.folder / "other", b"other")
    words = ("--baseline", "base", "--candidate", "base (again)=other", "--noise-floor", 5, *WORDS[4:])
    assert "the same label" in workplace.here("run", *words, check=2).stderr
