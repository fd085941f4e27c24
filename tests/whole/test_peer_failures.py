"""Failures that comparison tools are known for, each shown to end well in ``evalkit compare`` on files and in a run."""

import base64
import io
import json
import random
import re

import numpy as np
import pytest
from PIL import Image

from evalkit import stats
from evalkit.testing import ModelServer, chat, error
from support.commands import evalkit, scored, write_lines
from support.workplaces import pages, picture, write_parquet


def answers(n, share, seed=1):
    chance = random.Random(seed)
    return [int(chance.random() < share) for _ in range(n)]


def lines(tmp_path, baseline, candidate):
    return write_lines(tmp_path / "base.jsonl", baseline), write_lines(tmp_path / "cand.jsonl", candidate)


@pytest.mark.parametrize("how", ["left out", "null", "failure"])
def test_an_identical_candidate_that_lost_requests_is_not_a_regression(tmp_path, how):
    base = scored(answers(1000, 0.8))
    cand = [dict(line) for line in base]
    for line in cand[::33]:  # 31 of 1,000
        del line["score"]
        line.update({"null": {"score": None}, "failure": {"failure": {"kind": "deadline"}}}.get(how, {}))
    if how == "left out":
        cand = [line for line in cand if "score" in line]
    ended = evalkit("compare", *lines(tmp_path, base, cand), "--min-recovery", 99, "--json")
    assert ended.code == 4
    found = ended.json
    assert found["verdict"] == "incomplete"
    assert (found["n"], found["planned"], found["recovery"], found["regressed"]) == (969, 1000, 100.0, 0)
    low, high = found["bounds"]
    assert low < 97
    assert high > 100
    assert "31 of 1,000 planned samples have no pair" in found["reasons"][0]


def test_a_candidate_with_200_of_12000_samples_does_not_pass(tmp_path):
    base = scored(answers(12_000, 0.9))
    ended = evalkit("compare", *lines(tmp_path, base, base[:200]), "--min-recovery", 50, "--json")
    assert ended.code == 4
    assert ended.json["verdict"] == "incomplete"
    assert (ended.json["n"], ended.json["planned"], ended.json["missing"]) == (200, 12_000, 11_800)


def test_two_short_files_do_not_pass_when_the_size_of_the_task_is_known(tmp_path):
    base = scored(answers(200, 0.9))
    files = lines(tmp_path, base, base)
    assert evalkit("compare", *files, "--min-recovery", 50).code == 0
    ended = evalkit("compare", *files, "--min-recovery", 50, "--expected", 12_000, "--json")
    assert (ended.code, ended.json["verdict"], ended.json["planned"]) == (4, "incomplete", 12_000)


def pair_of(n=1000):
    """A baseline and a candidate that differs in 40 samples, with their questions."""
    base = [{**line, "question": f"Question {line['id']}?"} for line in scored(answers(n, 0.7))]
    cand = [{**line, "score": 1 - line["score"]} if at % 25 == 0 else line for at, line in enumerate(base)]
    return base, cand


def test_the_order_of_a_file_is_harmless(tmp_path):
    base, cand = pair_of()
    straight = evalkit("compare", *lines(tmp_path, base, cand), "--json")
    random.Random(2).shuffle(cand)
    shuffled = evalkit("compare", *lines(tmp_path, base, cand), "--json")
    assert shuffled.json == straight.json
    assert straight.json["regressed"] + straight.json["improved"] == 40


def renumbered(lines):
    """The same answers in another order, numbered by position."""
    order = [*lines]
    random.Random(3).shuffle(order)
    return [{**line, "id": f"q{at}"} for at, line in enumerate(order)]


def test_shuffled_pairs_are_noticed_by_their_questions(tmp_path):
    base, cand = pair_of()
    ended = evalkit("compare", *lines(tmp_path, base, renumbered(cand)), "--min-recovery", 99, "--json")
    assert ended.code == 4
    found = ended.json
    assert (found["verdict"], found["differences"]) == ("not_comparable", ["question"])
    assert (found["recovery"], found["interval"], found["regressed"]) == (None, None, None)
    assert "with the same id differs: q0, q1" in found["reasons"][0]


def test_shuffled_pairs_are_suspected_by_their_scores_alone(tmp_path):
    base, cand = ([{"id": line["id"], "score": line["score"]} for line in side] for side in pair_of())
    ended = evalkit("compare", *lines(tmp_path, base, renumbered(cand)), "--json")
    assert any("do not go together" in reason for reason in ended.json["reasons"])
    ended = evalkit("compare", *lines(tmp_path, base, cand), "--json")
    assert not any("do not go together" in reason for reason in ended.json["reasons"])


def test_a_small_consistent_drop_of_a_fractional_metric_is_allowed(tmp_path):
    chance = random.Random(4)
    base = [round(chance.uniform(0.5, 1), 3) for _ in range(2000)]
    ended = evalkit(
        "compare",
        *lines(tmp_path, scored(base), scored([value - 0.001 for value in base])),
        *("--min-recovery", 99, "--json"),
    )
    found = ended.json
    assert (found["regressed"], found["improved"]) == (2000, 0)
    assert (ended.code, found["verdict"]) == (0, "recovered")
    assert found["recovery"] == pytest.approx(99.87, abs=0.02)


def test_fractional_scores_that_fall_and_stay_above_zero_are_degraded(tmp_path):
    """Who counts a score above 0 as right sees 100 % on both sides."""
    chance = random.Random(9)
    base = [min(1.0, max(0.05, chance.gauss(0.65, 0.15))) for _ in range(1000)]
    cand = [max(0.05, value - chance.uniform(0.25, 0.35)) for value in base]
    ended = evalkit("compare", *lines(tmp_path, scored(base), scored(cand)), "--min-recovery", 99, "--json")
    found = ended.json
    assert min(cand) > 0
    assert (found["baseline"], found["candidate"]) == (pytest.approx(0.65, abs=0.02), pytest.approx(0.35, abs=0.02))
    assert (ended.code, found["verdict"], found["improved"]) == (1, "degraded", 0)
    assert found["recovery"] == pytest.approx(54, abs=2)
    assert found["interval"][1] < 60


@pytest.mark.parametrize(
    ("ratio", "verdict", "code"), [(0.9549, "recovered", 0), (0.9451, "degraded", 1), (0.9499, "degraded", 1)]
)
def test_a_ratio_is_not_rounded_before_it_is_compared(tmp_path, ratio, verdict, code):
    """Two decimals make 0.95 of the first and of the last two alike."""
    assert round(ratio, 2) == 0.95
    base = [0.7, 0.8, 0.9, 1.0] * 500
    cand = [value * ratio + (0.0001 if at % 3 else -0.0002) for at, value in enumerate(base)]
    ended = evalkit("compare", *lines(tmp_path, scored(base), scored(cand)), "--min-recovery", 95)
    assert ended.code == code
    assert f"{verdict} at >= 95 %" in ended.out
    assert (f"\nRECOVERY {ratio * 100:.2f} % [" if ratio == 0.9499 else f"\nRECOVERY {ratio * 100:.1f}") in ended.out


def test_the_smallest_visible_drop_is_not_off_by_a_factor():
    drop = stats.visible_drop(stats.guessed(0.7, 0.1), 1000, np.random.default_rng(6))
    assert drop == pytest.approx(2.8016 * (0.1 / 1000) ** 0.5, rel=0.05)
    # What it promises, tried: a drop of that size is seen about four times in five.
    chance = random.Random(6)
    down, up = (0.1 + drop) / 2, (0.1 - drop) / 2
    seen = 0
    for _ in range(400):
        draws = [chance.random() for _ in range(1000)]
        lost, won = sum(value < down for value in draws), sum(value > 1 - up for value in draws)
        seen += (lost - won) / (lost + won) ** 0.5 > 1.96
    assert 0.72 < seen / 400 < 0.88


# --- the same in a run, on real sockets ---


def knows(number):
    """What both models answer: four of five questions right."""
    return f"word{number}" if number % 5 else "#####"


REFUSED = error(400, "too long")


def number_in(asked):
    """Which question a request asks."""
    return int(re.search(rb"What is number (\d+)\?", asked.body)[1])


def serving(label, lost=(), instead=REFUSED):
    """A server that answers the questions about pages, and some of them always with something else."""

    def part(asked):
        number = number_in(asked)
        return instead if number in lost else chat(asked, knows(number))

    return ModelServer(label, part)


def run_of(workplace, lost, *more, rows=100, instead=REFUSED):
    """A run on two such servers; ``lost`` are the questions that the candidate's answers with ``instead``."""
    write_parquet(workplace.folder / "tasks/pages.parquet", pages(rows))
    with serving("base") as base, serving("cand", lost, instead) as cand:
        servers = ("--endpoint", f"base={base.url}", "--endpoint", f"cand={cand.url}")
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
        done = workplace.here(*words, *servers, "--json", *more)
    return done.returncode, json.loads(done.stdout)["tasks"][0]


def test_in_a_run_an_identical_candidate_that_lost_requests_is_not_a_regression(workplace):
    code, row = run_of(workplace, {7, 20, 61}, "--min-recovery", 99)
    found = row["recovery"]["cand"]
    assert (code, found["verdict"]) == (4, "incomplete")
    assert (found["percent"], found["regressed"], found["improved"]) == (100.0, 0, 0)
    assert (found["paired"], found["planned"], row["scores"]["cand"]["failed"]) == (97, 100, 3)
    assert found["bounds"][0] < 100.0 < found["bounds"][1]
    assert "3 of 100 planned samples have no pair (3 %" in found["reasons"][0]


def test_in_a_run_a_candidate_with_a_few_of_its_samples_does_not_pass(workplace):
    code, row = run_of(workplace, set(range(2, 100)), "--min-recovery", 50)
    found = row["recovery"]["cand"]
    assert (code, found["verdict"], found["paired"], found["planned"]) == (4, "incomplete", 2, 100)


def test_a_few_lost_requests_are_allowed_and_inside_the_bounds(workplace):
    code, row = run_of(workplace, {7}, "--min-recovery", 85)
    found = row["recovery"]["cand"]
    assert (code, found["verdict"], found["percent"]) == (0, "recovered", 100.0)
    assert 85.0 < found["interval"][0] < 100.0
    assert found["bounds"][0] < 100.0


def answers_of(workplace, run, model):
    lines = (run / "samples" / model / "pages.jsonl").read_text().splitlines()
    return {json.loads(line)["answer"] for line in lines}


def test_a_resumed_run_never_keeps_another_model_s_scores(workplace):
    """The candidate's weights change under the same name, in the same output folder, for the same command."""
    says = workplace.folder / "says.txt"
    words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
    words += ["--serve-arg", "part=says:says.txt"]
    says.write_text("as before")
    workplace.here(*words, check=0)
    (workplace.folder / "cand/model.safetensors").write_bytes(b"other weights")
    says.write_text("as other weights would")
    workplace.here(*words, check=0)
    before, after = workplace.runs()
    assert answers_of(workplace, before, "cand") == {"as before"}
    assert answers_of(workplace, after, "cand") == {"as other weights would"}
    assert answers_of(workplace, after, "base") == {"as before"}


def test_one_request_that_fails_for_ever_costs_no_other_sample(workplace):
    code, row = run_of(workplace, {7}, "--min-recovery", 50, rows=40, instead=error(500, "out of luck"))
    found, scores = row["recovery"]["cand"], row["scores"]
    assert (scores["base"]["scored"], scores["cand"]["scored"], scores["cand"]["failed"]) == (40, 39, 1)
    assert scores["cand"]["failures"] == {"server_error": 1}
    assert (found["paired"], found["planned"], found["percent"], found["regressed"]) == (39, 40, 100.0, 0)
    # One of 40 is more than may be lost: the row says so, and judges nothing by what it does not have.
    assert (code, found["verdict"]) == (4, "incomplete")
    answers = [json.loads(line) for line in sample_lines(workplace, "cand")]
    assert [line["id"] for line in answers if "failure" in line] == ["7"]


def sample_lines(workplace, model):
    (run,) = workplace.runs()
    return (run / "samples" / model / "pages.jsonl").read_text().splitlines()


def test_the_pictures_are_in_the_bytes_that_are_sent(workplace):
    seen = {}

    def looking(asked):
        number = number_in(asked)
        (content,) = [one["content"] for one in json.loads(asked.body)["messages"]]
        (url,) = [part["image_url"]["url"] for part in content if part["type"] == "image_url"]
        seen[number] = Image.open(io.BytesIO(base64.b64decode(url.partition(";base64,")[2], validate=True)))
        return chat(asked, knows(number))

    write_parquet(workplace.folder / "tasks/pages.parquet", pages(20))
    with ModelServer("base", looking) as base, serving("cand") as cand:
        servers = ("--endpoint", f"base={base.url}", "--endpoint", f"cand={cand.url}")
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
        workplace.here(*words, *servers, check=0)
    assert sorted(seen) == list(range(20))
    for number, shown in seen.items():
        meant = Image.open(io.BytesIO(picture(number // 2)))
        assert shown.size == meant.size
        colours = zip(shown.convert("RGB").getpixel((5, 5)), meant.convert("RGB").getpixel((5, 5)), strict=True)
        assert all(abs(one - two) <= 4 for one, two in colours)
