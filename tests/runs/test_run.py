"""Whole runs through the command line, on real processes and sockets; a stand-in answers in vLLM's place."""

import base64
import json
import random
import shutil
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

import psutil
import pytest

from support.workplaces import charts, fitted_out, model_folder, pages, picture, write_parquet

SAMPLES = 70
JOURNAL = 'journal=["journal"]'
PIXEL = base64.b64encode(picture(1, "PNG")).decode()
BOTH = 2 * SAMPLES


def fast(*more):
    """Serving flags for the stand-in: where it writes down what it was asked, and whatever the test wants."""
    # As a list: a flag that names a file counts with the file's content, and this file grows with every request.
    words = ["--serve-arg", JOURNAL]
    for flag in more:
        words += ["--serve-arg", flag]
    return words


def servers_of(folder):
    """Living stand-ins that were started from ``folder``."""
    found = []
    for process in psutil.process_iter(["cmdline", "cwd"]):
        words = process.info["cmdline"] or []
        if "vllm.entrypoints.cli.main" in words and process.info["cwd"] == str(folder):
            found.append(process.pid)
    return found


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """A workplace in which everything was asked once, and what that run said."""
    workplace = fitted_out(tmp_path_factory.mktemp("undisturbed"))
    return workplace, workplace.here(*workplace.comparison(*fast()), check=0)


@pytest.fixture
def asked(undisturbed, workplace):
    """That workplace, for one test alone; the caches stay behind."""
    first, _ = undisturbed
    for name in ("base", "cand", "tasks"):
        shutil.rmtree(workplace.folder / name)
    shutil.copytree(first.folder, workplace.folder, ignore=shutil.ignore_patterns("cache"), dirs_exist_ok=True)
    return workplace


@pytest.fixture(autouse=True)
def nothing_left_behind(workplace):
    yield
    assert servers_of(workplace.folder) == []


def test_a_run_leaves_what_it_promises(workplace):
    done = workplace.here(*workplace.comparison(*fast()), check=0)
    found = json.loads(done.stdout)
    assert found["baseline"] == "base"
    assert found["candidates"] == ["cand"]
    for row in found["tasks"]:
        for score in row["scores"].values():
            assert score["planned"] == score["scored"] == row["planned"]
    (folder,) = workplace.runs()
    assert json.loads((folder / "results.json").read_text()) == found
    files = {path.relative_to(folder) for path in folder.rglob("*") if path.is_file()}
    assert {path.as_posix() for path in files if path.parts[0] != "thumbnails"} == {
        "run.json",
        "results.json",
        "report.md",
        "report.html",
        "model_card.md",
        "junit.xml",
        "summary.md",
        "annotations.txt",
        "every_eval_ever/base/charts.json",
        "every_eval_ever/base/pages.json",
        "every_eval_ever/cand/charts.json",
        "every_eval_ever/cand/pages.json",
        "samples/base/pages.jsonl",
        "samples/base/charts.jsonl",
        "samples/cand/pages.jsonl",
        "samples/cand/charts.jsonl",
        "server/base.log",
        "server/cand.log",
    }
    assert Path("thumbnails/wanted.json") in files
    lines = [json.loads(line) for line in (folder / "samples/base/pages.jsonl").read_text().splitlines()]
    assert [line["id"] for line in lines] == [str(number) for number in range(40)]
    facts = json.loads((folder / "run.json").read_text())
    assert facts["schema_version"] == 1
    assert facts["finished"] is True
    assert len(workplace.journal()) == BOTH


def test_a_finished_run_has_nothing_to_do_and_starts_no_server(asked):
    before = asked.results()
    words = [word for word in asked.comparison(*fast()) if word != "--json"]
    done = asked.here(*words, check=0)
    assert "nothing to do" in done.stdout
    assert "no server to start, 0 answers to get of 140; the store has the others" in done.stderr.splitlines()
    assert len(asked.journal()) == BOTH
    assert asked.results() == before


def test_a_notice_that_every_look_repeats_is_kept_once(workplace):
    text = (workplace.folder / "tasks/pages.toml").read_text()
    (workplace.folder / "tasks/mmmu.toml").write_text(text.replace('"pages"', '"mmmu"', 1))
    for _ in range(2):
        workplace.here(*workplace.comparison(*fast()), check=0)
    (folder,) = workplace.runs()
    notices = json.loads((folder / "run.json").read_text())["notices"]
    assert len([text for text in notices if text.startswith("mmmu is not the built-in one")]) == 1
    assert len(notices) == len(set(notices))


def test_a_new_candidate_reuses_the_baseline(asked):
    (asked.folder / "cand/model.safetensors").write_bytes(b"requantized")
    done = asked.here(*asked.comparison(*fast()), check=0)
    assert len(asked.journal()) == BOTH + SAMPLES
    assert len(asked.runs()) == 2
    events = [json.loads(line) for line in done.stderr.splitlines()]
    (outset,) = [event for event in events if event["event"] == "Outset"]
    assert outset == {"event": "Outset", "planned": 140, "owed": {"base": 0, "cand": 70}, "starts": 1}
    assert {event["reused"] for event in events if event["event"] == "Progress" and event["model"] == "base"} == {
        40,
        30,
    }


def test_what_can_move_an_answer_asks_again(asked):
    asked.here(*asked.comparison(*fast("dtype=bfloat16")), check=0)
    assert len(asked.journal()) == 2 * BOTH


def test_what_cannot_move_an_answer_is_reused(asked):
    asked.here(*asked.comparison(*fast("max-num-seqs=3"), "--window", "5"), check=0)
    task = asked.folder / "tasks/pages.toml"
    task.write_text(task.read_text().replace('metrics = ["anls"]', 'metrics = ["anls", "anls@official"]'))
    done = asked.here(*asked.comparison(*fast()), check=0)
    assert "anls@official" in json.loads(done.stdout)["tasks"][0]["scores"]["base"]["metrics"]
    assert len(asked.journal()) == BOTH


def test_fresh_asks_again_and_later_runs_build_on_it(asked):
    asked.here(*asked.comparison(*fast(), "--fresh"), check=0)
    assert len(asked.journal()) == 2 * BOTH
    asked.here(*asked.comparison(*fast()), check=0)
    assert len(asked.journal()) == 2 * BOTH


def test_a_part_is_drawn_and_says_so_and_its_answers_are_not_lost(workplace):
    done = workplace.here(*workplace.comparison(*fast(), "--limit", "5"), check=0)
    found = json.loads(done.stdout)
    assert found["smoke"] is False
    assert all(row["drawn"] and not row["smoke"] for row in found["tasks"])
    asked = [row["planned"] for row in found["tasks"]]
    assert all(5 <= planned < 12 for planned in asked)
    told = [row["recovery"]["cand"]["sentence"] for row in found["tasks"]]
    for row, text in zip(found["tasks"], told, strict=True):
        assert f"on {row['planned']} of {row['available']} questions, drawn at random" in text
    (report,) = workplace.folder.glob("runs/*/report.md")
    assert "Drawn at random, by a fixed seed" in report.read_text()
    there = sum(row["available"] for row in found["tasks"])
    assert f"{sum(asked):,} of {there:,} samples, by a fixed seed" in report.with_suffix(".html").read_text()
    assert len(workplace.journal()) == 2 * sum(asked)
    facts = json.loads((report.parent / "run.json").read_text())
    assert {task: len(rows) for task, rows in facts["rows"].items()} == {
        row["task"]: row["planned"] for row in found["tasks"]
    }
    workplace.here(*workplace.comparison(*fast()), check=0)
    assert len(workplace.journal()) == BOTH


@pytest.mark.parametrize(
    ("part", "kind"),
    [
        ("status:400", "refused"),
        ("status:404", "not_served"),
        ("status:500", "server_error"),
        ("429:0", "rate_limited"),
        ("empty", "bad_response"),
        ("no-choices", "bad_response"),
        ("half-body", "disconnected"),
        ("never", "deadline"),
        ("wrong-model", "asked base, but "),
    ],
)
def test_when_everything_fails_there_is_no_score(workplace, part, kind):
    settings = "[client]\ntries = 2\ndeadline_s = 0.5\nwindow = 64\npatience_s = 1\n"
    (workplace.folder / "evalkit.toml").write_text(settings)
    done = workplace.here(*workplace.comparison(*fast(f"part={part}"), "--limit", "4", "--config", "evalkit.toml"))
    assert done.returncode in {4, 5}
    assert done.stdout == ""
    assert kind in done.stderr
    assert not list(workplace.folder.glob("runs/*/results.json"))


@pytest.mark.parametrize("part", ["500-then-fine", "429-then-fine:0", "closes-reused", "faults:11"])
def test_passing_trouble_changes_nothing(workplace, undisturbed, part):
    calm = json.loads(undisturbed[1].stdout)
    done = json.loads(workplace.here(*workplace.comparison("--serve-arg", f"part={part}"), check=0).stdout)
    for row in (*done["tasks"], *calm["tasks"]):
        del row["comparability"]  # it names the flag that makes the trouble
    assert done["tasks"] == calm["tasks"]


def test_null_content_is_an_answer_that_scores_nothing(workplace):
    done = workplace.here(*workplace.comparison(*fast("part=null-content"), "--limit", "3"), check=0)
    for row in json.loads(done.stdout)["tasks"]:
        assert row["scores"]["base"]["score"] == 0
        assert row["scores"]["base"]["notes"] == {"no content": row["planned"]}
        assert row["recovery"]["cand"]["percent"] is None


def test_a_model_beside_itself_answers_for_itself(workplace):
    words = [
        "run",
        "--baseline",
        "base",
        "--candidate",
        "again=base",
        "--tasks-dir",
        "tasks",
        "--task",
        "pages",
        "--json",
    ]
    workplace.here(*words, *fast(), check=0)
    assert len(workplace.journal()) == 80
    workplace.here(*words, *fast(), check=0)
    assert len(workplace.journal()) == 80
    workplace.here(*words, *fast(), "--fresh", check=0)
    workplace.here(*words, *fast(), check=0)
    assert len(workplace.journal()) == 160


def test_a_mistake_beside_fresh_throws_nothing_away(asked):
    asked.here(*asked.comparison(*fast(), "--fresh", "--data", "pages=nothere.parquet"), check=2)
    asked.here(*asked.comparison(*fast()), check=0)
    assert len(asked.journal()) == BOTH


def test_the_content_of_a_file_that_a_flag_names_counts(workplace):
    template = workplace.folder / "t.jinja"
    template.write_text("{{ messages }}")
    words = workplace.comparison(*fast("chat-template=t.jinja"), "--limit", "2")
    workplace.here(*words, check=0)
    once = len(workplace.journal())
    template.write_text("{{ messages }}!")
    workplace.here(*words, check=0)
    assert len(workplace.journal()) == 2 * once


def test_half_a_surrogate_pair_in_a_row_breaks_nothing(workplace):
    rows = [{"image": {"bytes": PIXEL}, "question": "half \ud83d?", "answers": ["x"], "questionId": "1"}]
    (workplace.folder / "rows.jsonl").write_text("\n".join(map(json.dumps, rows)))
    workplace.here(*workplace.comparison(*fast(), "--data", "pages=rows.jsonl"), check=0)
    (folder,) = workplace.runs()
    assert json.loads((folder / "samples/base/pages.jsonl").read_text())["id"] == "1"


def test_a_token_is_refused_as_a_flag(workplace):
    done = workplace.here(*workplace.comparison("--serve-arg", "hf-token=hf_secret"), check=2)
    assert "HF_TOKEN" in done.stderr
    assert not list(workplace.folder.glob("runs/*/*"))


def test_a_row_that_cannot_be_asked_is_a_failure_of_both_models(workplace):
    rows = charts(30)
    rows[7]["image"]["bytes"] = b"not a picture"
    write_parquet(workplace.folder / "tasks/charts.parquet", rows)
    done = workplace.here(*workplace.comparison(*fast()), check=4)
    row = json.loads(done.stdout)["tasks"][1]
    assert {label: score["failures"] for label, score in row["scores"].items()} == {
        "base": {"bad_row": 1},
        "cand": {"bad_row": 1},
    }
    assert row["recovery"]["cand"]["paired"] == 29


@pytest.mark.usefixtures("hurried")
def test_a_server_that_dies_is_started_again_and_only_what_was_lost_is_sent_again(workplace, undisturbed):
    done = workplace.here(*workplace.comparison(*fast("die-after=50")), "--window", "4", check=0)
    # The flags that make the stand-in die are settings of the run, and stand in its results.
    measured, expected = (
        [(row["task"], row["scores"], row["recovery"]) for row in json.loads(one.stdout)["tasks"]]
        for one in (done, undisturbed[1])
    )
    assert measured == expected
    assert "the server died" in done.stderr
    repeated = len(workplace.journal()) - BOTH
    assert 0 <= repeated <= 2 * 2 * 4  # two deaths, two models, four requests under way


@pytest.mark.usefixtures("hurried")
def test_a_server_that_always_dies_ends_the_run_and_keeps_what_it_answered(workplace):
    (workplace.folder / "evalkit.toml").write_text("[serve]\nrestarts = 1\n")
    done = workplace.here(*workplace.comparison(*fast("die-after=12")), "--window", "2", "--config", "evalkit.toml")
    assert done.returncode == 5
    assert "died 2 times" in done.stderr
    stored = (
        sqlite3.connect(workplace.folder / "runs/store.sqlite3").execute("SELECT count(*) FROM response").fetchone()
    )
    assert stored[0] >= 18


def unservable(workplace, name):
    (workplace.folder / name).mkdir(exist_ok=True)
    (workplace.folder / name / "unservable.txt").write_text("ValueError: unknown quantization")


def test_a_candidate_that_cannot_be_served_does_not_cost_the_others_their_report(workplace):
    model_folder(workplace.folder / "broken", b"broken")
    unservable(workplace, "broken")
    words = workplace.comparison(*fast())
    at = words.index("--candidate")
    words = [*words[:at], "--candidate", "broken", *words[at:]]
    done = workplace.here(*words, check=5)
    assert "broken: the server did not start" in done.stderr
    assert "missing: broken" in done.stderr
    found = json.loads(done.stdout)
    row = found["tasks"][0]["recovery"]
    assert row["cand"]["percent"] is not None
    assert (row["broken"]["percent"], row["broken"]["verdict"]) == (None, "incomplete")
    assert "missing: broken: the server did not start" in row["broken"]["sentence"]
    assert found["tasks"][0]["scores"]["broken"]["failures"] == {"not_asked": 40}
    (folder,) = workplace.runs()
    for name in ("report.html", "report.md", "junit.xml", "summary.md", "results.json"):
        assert "broken: the server did not start" in (folder / name).read_text(), name
    assert len(workplace.journal()) == BOTH
    # The same command asks nothing again of those that have answered, and can be rendered again meanwhile.
    workplace.here(*words, check=5)
    assert len(workplace.journal()) == BOTH
    assert workplace.runs() == [folder]
    before = (folder / "report.md").read_text()
    workplace.here("report", folder.name, check=0)
    assert (folder / "report.md").read_text() == before


@pytest.mark.parametrize("name", ["base", "cand"])
def test_one_of_two_models_that_cannot_be_served_leaves_what_the_other_answered(workplace, name):
    unservable(workplace, name)
    other = {"base": "cand", "cand": "base"}[name]
    done = workplace.here(*workplace.comparison(*fast()), check=5)
    assert f"{name}: the server did not start" in done.stderr
    found = json.loads(done.stdout)
    for row in found["tasks"]:
        assert row["scores"][other]["scored"] == row["planned"]
        assert row["scores"][name]["scored"] == 0
        assert row["recovery"]["cand"]["percent"] is None
    assert any(text.startswith(f"missing: {name}: the server did not start") for text in found["warnings"])
    (folder,) = workplace.runs()
    assert json.loads((folder / "run.json").read_text())["finished"] is False
    assert f"missing: {name}" in (folder / "summary.md").read_text()
    assert f"missing: {name}" in (folder / "junit.xml").read_text()
    assert "errors=" in (folder / "junit.xml").read_text()
    assert len(workplace.journal()) == SAMPLES
    workplace.here("report", folder.name, check=0)


def test_what_the_environment_says_of_other_servers_is_not_passed_on(workplace):
    others = {"VLLM_API_KEY": "not-to-be-seen", "VLLM_LOGGING_LEVEL": "ERROR"}
    words = workplace.comparison(*fast(), "--limit", "2")
    done = workplace.here(*words, check=0, **others)
    (told,) = [line for line in done.stderr.splitlines() if "not passed on" in line]
    assert all(name in told for name in others)
    assert "not-to-be-seen" not in done.stderr + done.stdout
    done = workplace.here(*words, "--serve-env", "VLLM_API_KEY=k", check=2)
    assert "serve.env.VLLM_API_KEY" in done.stderr


def test_a_run_under_nohup_outlives_its_terminal(workplace):
    words = ["nohup", *workplace.command(*workplace.comparison(*fast("delay-s=0.05"), "--window", "2"))]
    process = subprocess.Popen(words, cwd=workplace.folder, env=workplace.env, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(workplace.journal()) >= 5)
    process.send_signal(signal.SIGHUP)
    process.communicate(timeout=60)
    assert process.returncode == 0
    assert len(workplace.journal()) == BOTH


def test_ctrl_c_stops_in_order_and_the_same_command_continues(workplace):
    words = workplace.command(*workplace.comparison(*fast("delay-s=0.05"), "--window", "2"))
    process = subprocess.Popen(words, cwd=workplace.folder, env=workplace.env, stderr=subprocess.PIPE, text=True)
    wait_for(lambda: len(workplace.journal()) >= 10)
    process.send_signal(signal.SIGINT)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "same command" in said
    assert servers_of(workplace.folder) == []
    workplace.here(*workplace.comparison(*fast("delay-s=0.05")), check=0)
    assert len(workplace.journal()) <= BOTH + 2
    assert len(workplace.runs()) == 1


def test_a_second_process_on_the_same_store_is_refused(workplace):
    words = workplace.command(*workplace.comparison(*fast("delay-s=1"), "--window", "2"))
    process = subprocess.Popen(words, cwd=workplace.folder, env=workplace.env, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: len(workplace.journal()) >= 2)
        done = workplace.here(*workplace.comparison())
        assert done.returncode == 5
        assert f"in use by process {process.pid}" in done.stderr
    finally:
        process.terminate()
        assert process.wait(timeout=30) == 130


def test_killed_at_twenty_moments_it_ends_like_an_undisturbed_run(workplace):
    """Kill -9 at seeded moments: while it starts, while it asks, while it changes models."""
    chance = random.Random(20)
    undisturbed = workplace.here(*workplace.comparison("--serve-arg", "delay-s=0.005"), "--output", "calm", check=0)
    words = workplace.comparison("--serve-arg", JOURNAL, "--serve-arg", "delay-s=0.005", "--window", "3")
    early = [chance.uniform(0.05, 1.5) for _ in range(6)]
    counts = sorted(chance.sample(range(1, BOTH), 14))
    for moment in early:
        kill_when(workplace, words, lambda began, moment=moment: time.monotonic() - began >= moment)
    for count in counts:
        kill_when(workplace, words, lambda _, count=count: stored(workplace) >= count)
    before, answered = len(workplace.journal()), stored(workplace)
    done = workplace.here(*words, check=0)
    assert len(workplace.journal()) - before == BOTH - answered  # nothing that was stored is asked again
    # But for the serving flags, which name the stand-in's journal here and not there.
    ours, theirs = [
        [{key: value for key, value in row.items() if key != "comparability"} for row in json.loads(said)["tasks"]]
        for said in (done.stdout, undisturbed.stdout)
    ]
    assert ours == theirs
    assert len(workplace.runs()) == 1


def kill_when(workplace, words, due):
    process = subprocess.Popen(
        workplace.command(*words),
        cwd=workplace.folder,
        env=workplace.env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    began = time.monotonic()
    wait_for(lambda: due(began) or process.poll() is not None)
    process.kill()
    assert process.wait() in {-signal.SIGKILL, 0}
    # Nothing is left of its server, long before the next run looks for it.
    wait_for(lambda: servers_of(workplace.folder) == [], timeout_s=60)


def stored(workplace):
    path = workplace.folder / "runs/store.sqlite3"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True, timeout=10) as connection:
            return connection.execute("SELECT count(*) FROM response").fetchone()[0]
    except sqlite3.OperationalError:
        return 0


def wait_for(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_references_at_fault_are_left_out_counted_and_named(workplace):
    rows = [{**row, "answers": [*row["answers"], None]} if at in {3, 5} else row for at, row in enumerate(pages(20))]
    write_parquet(workplace.folder / "tasks" / "pages.parquet", rows)
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages", "--json"]
    workplace.here(*words, *fast(), check=0)
    (row,) = json.loads(workplace.results())["tasks"]
    for found in row["scores"].values():
        assert (found["planned"], found["scored"], found["failed"]) == (20, 18, 0)
        assert found["left_out"] == {"reference is not text": ["3", "5"]}
    assert (row["recovery"]["cand"]["paired"], row["recovery"]["cand"]["planned"]) == (18, 18)
    (folder,) = workplace.runs()
    said = "2 of 20 samples count in no mean: reference is not text (3, 5)"
    assert said in (folder / "report.md").read_text()
    assert said in (folder / "summary.md").read_text()
    lines = [json.loads(line) for line in (folder / "samples/base/pages.jsonl").read_text().splitlines()]
    assert [(line["id"], line["score"]) for line in lines if "left_out" in line] == [("3", None), ("5", None)]
