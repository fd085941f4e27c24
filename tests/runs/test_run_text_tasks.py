"""Whole runs of MMLU and HumanEval through the command line; a stand-in answers in vLLM's place (``text_servers``)."""

import json
import signal
import sqlite3
import subprocess
import time
from collections import Counter, defaultdict
from statistics import fmean

import psutil
import pytest
from pyarrow import parquet

from support import textwork
from support.commands import evalkit
from support.text_servers import is_one_in
from support.textwork import ATTEMPTS, PROBLEMS, QUESTIONS, words

BOTH = ("base", "cand")


@pytest.fixture
def folder(workplace, monkeypatch):
    """The workplace as the working folder of this process: what the tasks need is imported once for all tests."""
    textwork.write(workplace.folder)
    monkeypatch.chdir(workplace.folder)
    for name, value in workplace.env.items():
        monkeypatch.setenv(name, value)
    yield workplace.folder
    here = str(workplace.folder)
    left = [one.pid for one in psutil.process_iter(["cmdline"]) if here in " ".join(one.info["cmdline"] or [])]
    assert left == []


def run(*more, code=0, **chosen):
    done = evalkit(*words(*more, **chosen))
    assert done.code == code, done.err
    return done


def rows(done):
    """Task name to its part of the results."""
    return {row["task"].removeprefix("demo-"): row for row in done.json["tasks"]}


def asked(folder, kind):
    return [line[1:] for line in textwork.journal(folder) if line[0] == kind]


def test_both_tasks_get_the_scores_that_their_answers_deserve(folder):
    first = rows(run())
    assert ["MET"] not in textwork.journal(folder)
    for model in BOTH:
        mmlu, programs = (first[task]["scores"][model] for task in ("mmlu", "humaneval"))
        assert (mmlu["planned"], mmlu["scored"]) == (QUESTIONS, QUESTIONS)
        # Each model's letters are drawn from its own name: neither can have the other's.
        assert mmlu["score"] == pytest.approx(
            textwork.deserved_accuracy(model, textwork.samples(folder, model, "mmlu"))
        )
        assert (programs["planned"], programs["scored"]) == (PROBLEMS * ATTEMPTS,) * 2
        assert programs["metrics"] == dict.fromkeys(
            ("pass@1", "pass@10", "pass@1+"), pytest.approx(textwork.deserved_pass(model))
        )
        facts = first["mmlu"]["exams"][model]
        assert (facts["method"], facts["canary questions"], facts["asked the exact way"]) == ("fast", 12, 0)
    assert textwork.deserved_pass("base") != textwork.deserved_pass("cand")
    # Subjects are strata: every question stands alone in its own.
    assert first["mmlu"]["recovery"]["cand"]["clusters"] == QUESTIONS
    groups = {(line["cluster"], line["stratum"]) for line in textwork.samples(folder, "cand", "mmlu")}
    assert groups == {(None, subject) for subject in textwork.SUBJECTS}
    # Beside the interval for problems like these stands what the same attempts would give again, or why not.
    programs = first["humaneval"]["recovery"]["cand"]
    assert (programs["question"], programs["if_repeated"]["question"]) == ("for questions like these", "if repeated")
    assert programs["if_repeated"]["reason"].startswith("all attempts at a problem came out alike")
    # Twelve rehearsed questions, the longest one, and the others sixteen at a time.
    assert [len(prompts) for prompts in asked(folder, "fast")] == 2 * [12, 1, 16, QUESTIONS - 17]
    # Before that the twelve without the prefix cache, those of a subject apart from each other.
    salted = asked(folder, "salted")
    assert sum(map(len, salted)) == 2 * 12
    assert max(map(len, salted)) <= len(textwork.SUBJECTS)
    assert len(asked(folder, "echo")) == 2 * 24
    assert Counter(int(count) for _, count in asked(folder, "program")) == {1: 2, ATTEMPTS - 1: 2, ATTEMPTS: 2 * 2}

    before = textwork.journal(folder)
    again = run()
    assert "ServerState" not in again.err
    assert textwork.journal(folder) == before
    assert rows(again) == first  # how the exams were held and judged is still told

    # A plan of its own, all of it answered by the run before.
    less = rows(run("--limit", "2"))
    assert textwork.journal(folder) == before
    for task in ("mmlu", "humaneval"):
        assert less[task]["exams"] == {model: {"answers": "from the store"} for model in BOTH}
    told = [
        path for path in folder.glob("runs/*/report.md") if "every model: answers: from the store" in path.read_text()
    ]
    assert len(told) == 1


def test_the_mean_of_subjects_is_that_of_the_run_of_its_files_and_of_its_report(folder):
    small = folder / "mmlu" / textwork.SUBJECTS[0] / "test-0.parquet"
    parquet.write_table(parquet.read_table(small).slice(0, 3), small)
    done = run("--task", "openllm-mmlu", "--data", "openllm-mmlu=mmlu", tasks=())
    (row,) = done.json["tasks"]
    (path,) = folder.glob("runs/*/report.md")
    told = path.read_text()
    assert "the mean of its subjects' scores: each counts alike, whatever its size" in told
    means = {}
    for model in BOTH:
        lines = [json.loads(one) for one in (path.parent / f"samples/{model}/openllm-mmlu.jsonl").open()]
        subjects = defaultdict(list)
        for one in lines:
            subjects[one["stratum"]].append(one["score"])
        assert Counter(map(len, subjects.values())) == {8: 2, 3: 1}
        means[model] = fmean(map(fmean, subjects.values()))
        over_all = fmean(one["score"] for one in lines)
        assert row["scores"][model]["metrics"] == pytest.approx({"acc_by_subject": means[model], "acc": over_all})
        assert f"{model} {100 * over_all:.2f} %" in told
    found = row["recovery"]["cand"]
    assert found["percent"] == pytest.approx(100 * means["cand"] / means["base"])
    assert found["interval"][0] < found["percent"] < found["interval"][1]
    files = [path.parent / f"samples/{model}/openllm-mmlu.jsonl" for model in BOTH]
    again = evalkit("compare", *files, "--json").json
    assert again["recovery"] == pytest.approx(found["percent"])
    assert again["interval"] == pytest.approx(found["interval"])


def test_a_further_server_shows_that_it_may_be_asked_the_fast_way(folder):
    done = run("--replicas", "2", tasks=("mmlu",))
    for model in BOTH:
        found = rows(done)["mmlu"]
        assert found["exams"][model]["method"] == "fast"
        assert (found["scores"][model]["scored"], found["scores"][model]["failed"]) == (QUESTIONS, 0)
    assert "given up" not in done.err
    # Each first server is asked twelve questions twice the exact way; a further one, ready in time, four of them once.
    exact = asked(folder, "echo")
    assert len(exact) in {2 * 24, 2 * 24 + 4, 2 * (24 + 4)}


def test_a_server_that_does_not_know_chosen_ids_is_asked_the_exact_way_and_the_report_says_so(folder):
    found = rows(run("--limit", "15", tasks=("mmlu",), serve=("ignore-ids=true",)))["mmlu"]
    for model in BOTH:
        asked_of = textwork.samples(folder, model, "mmlu")
        assert found["scores"][model]["scored"] == len(asked_of) == 15
        assert found["scores"][model]["score"] == pytest.approx(textwork.deserved_accuracy(model, asked_of))
        facts = found["exams"][model]
        assert (facts["method"], facts["asked the exact way"]) == ("echo", 15)
        assert facts["reason"] == "12 of 12 questions had no answer the fast way"
    (report,) = folder.glob("runs/*/report.md")
    assert "12 of 12 questions had no answer the fast way" in report.read_text()
    assert ["MET"] not in textwork.journal(folder)


@pytest.mark.parametrize("kind", ["tekken alone", "code of its own"])
def test_a_tokenizer_that_cannot_be_read_here_is_the_servers_and_the_report_says_so(folder, kind):
    for name in BOTH:
        (folder / name / "tokenizer.json").rename(folder / name / "known-to-the-server.json")
        (folder / name / "tokenizer_config.json").unlink()
        if kind == "tekken alone":
            (folder / name / "tekken.json").write_text("{}")
        else:
            own = {"auto_map": {"AutoTokenizer": ["own.Own", None]}, "tokenizer_class": "Own"}
            (folder / name / "tokenizer_config.json").write_text(json.dumps(own))
    serve = ('tokens=["known-to-the-server.json"]',)
    done = run("--limit", "15", tasks=("mmlu",), serve=serve)
    found = rows(done)["mmlu"]
    for model in BOTH:
        asked_of = textwork.samples(folder, model, "mmlu")
        assert found["scores"][model]["score"] == pytest.approx(textwork.deserved_accuracy(model, asked_of))
        assert found["exams"][model]["tokenizer"] == "the server's /tokenize"
        assert f"{model}: its tokenizer cannot be read here" in done.err
    (row,) = folder.glob("runs/*/run.json")
    kept = json.loads(row.read_text())["notices"]
    assert [text.partition(":")[0] for text in kept if "so the server tokenizes" in text] == list(BOTH)


def test_what_was_asked_before_a_server_died_is_counted_with_what_came_after(folder):
    # The rehearsal takes thirty requests: nine questions are answered by each first server, six by the next one.
    serve = ("ignore-ids=true", "die-after=40")
    done = run("--limit", "15", "--window", "1", tasks=("mmlu",), serve=serve)
    assert done.err.count("starting it again") == 2
    for facts in rows(done)["mmlu"]["exams"].values():
        assert (facts["asked the exact way"], facts["method"], facts["truncations"]) == (15, "echo", 0)


def test_a_likelihood_that_another_request_overwrote_is_asked_again_alone(folder):
    found = rows(run(tasks=("mmlu",), serve=("overwrite=4", "delay-s=0.02")))["mmlu"]
    for model in BOTH:
        asked_of = textwork.samples(folder, model, "mmlu")
        assert found["scores"][model]["score"] == pytest.approx(textwork.deserved_accuracy(model, asked_of))
        hit = {one["id"] for one in asked_of if is_one_in(4, textwork.prompt_ids(one))}
        assert 0 < len(hit) < QUESTIONS
        assert {one["id"] for one in asked_of if json.loads(one["answer"])["method"] == "echo"} == hit
        facts = found["exams"][model]
        assert (facts["fast replies without an answer"], facts["asked the exact way"]) == (len(hit), len(hit))
    assert ["MET"] not in textwork.journal(folder)


def test_a_prompt_that_the_server_refuses_fails_alone(folder):
    found = rows(run(tasks=("mmlu",), serve=("refuse=9",), code=4))["mmlu"]
    for model in BOTH:
        asked_of = textwork.samples(folder, model, "mmlu")
        hit = {one["id"] for one in asked_of if is_one_in(9, textwork.prompt_ids(one))}
        assert 0 < len(hit) < 8
        assert found["scores"][model]["failures"] == {"refused": len(hit)}
        answered = [one for one in asked_of if one["id"] not in hit]
        assert found["scores"][model]["score"] == pytest.approx(textwork.deserved_accuracy(model, answered))
    before = textwork.journal(folder)
    run(tasks=("mmlu",), serve=("refuse=9",), code=4)
    assert textwork.journal(folder) == before  # refused for good, like any other


def test_killed_amid_the_questions_it_ends_like_an_undisturbed_run(folder, workplace):
    line = words("--window", "1", tasks=("mmlu",), serve=("delay-s=0.1",))
    process = subprocess.Popen(workplace.command(*line), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    ends = time.monotonic() + 90
    # The rehearsal and the longest question are through, the sixteen next ones under way.
    while len(asked(folder, "fast")) < 3 and process.poll() is None:
        assert time.monotonic() < ends
        time.sleep(0.01)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    with sqlite3.connect(folder / "runs/store.sqlite3") as connection:
        answers = set(connection.execute("SELECT fingerprint, text FROM response"))
    assert len(answers) in {1, 17}
    before = len(asked(folder, "fast"))
    found = rows(run("--window", "1", tasks=("mmlu",), serve=("delay-s=0.1",)))["mmlu"]
    left = QUESTIONS - len(answers)
    # The longest question is known; what is left comes after a rehearsal, sixteen at a time.
    ours = [len(prompts) for prompts in asked(folder, "fast")[before:]]
    assert ours == [12, *filter(None, (min(left, 16), left - min(left, 16))), 12, 1, 16, QUESTIONS - 17]
    with sqlite3.connect(folder / "runs/store.sqlite3") as connection:
        assert answers <= set(connection.execute("SELECT fingerprint, text FROM response"))
    for model in BOTH:
        deserved = textwork.deserved_accuracy(model, textwork.samples(folder, model, "mmlu"))
        assert found["scores"][model]["score"] == pytest.approx(deserved)
    assert ["MET"] not in textwork.journal(folder)


def test_plan_counts_questions_and_attempts_and_asks_nothing(folder):
    done = evalkit(*words("--limit", "2", command="plan"))
    assert done.code == 0, done.err
    found = {one["task"]: one for one in done.json["tasks"]}
    assert found["demo-mmlu"]["planned"] == 2
    assert found["demo-humaneval"]["planned"] == 2 * ATTEMPTS
    assert found["demo-humaneval"]["available"] == PROBLEMS * ATTEMPTS
    assert textwork.journal(folder) == []
    assert not (folder / "runs").exists()
