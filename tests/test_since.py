"""`evalkit history` says what changed since the run before, from both runs' answers, and whether noise does as much."""

import dataclasses
import json

import pytest
from click.testing import CliRunner
from nights import IDS, RIGHT, TASK, TWICE, N, losing, night
from pastruns import write_run

from evalkit.cli.history import command


def shown(output, *words):
    done = CliRunner(env={"COLUMNS": "400"}).invoke(command, ["-o", str(output), *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def since(output):
    (line,) = json.loads(shown(output, "--json"))["lines"]
    return line["since"]


def test_a_candidate_that_changed_is_its_own_finding_with_the_flips_behind_it(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(1)[:TWICE])
    night(tmp_path, IDS[1], [RIGHT, losing(60)], versions=("1", "2"))
    found = since(tmp_path)
    assert (found["changed"], found["baseline_drifted"], found["question"]) == (True, False, "if repeated")
    assert (found["before"], found["after"], found["noise_from"]) == (IDS[0], IDS[1], IDS[0])
    assert found["models"]["cand"]["worse"] == 60
    assert found["models"]["base"]["asked_again"] is False
    assert (found["recovery"]["before"], found["recovery"]["after"]) == (100.0, pytest.approx(80.0))
    # One of 200 came out otherwise, two are added, and the candidate alone was asked again.
    assert found["recovery"]["noise"] == pytest.approx(100 * 1.959964 * (3 / 200 / N) ** 0.5 / 0.75, rel=1e-6)
    text = shown(tmp_path)
    assert (
        f"Pages, cand: CHANGED since {IDS[0]}: recovery 100.00 → 80.00 %, -20.00 points; noise alone stays within ±1.60"
        in text
    )
    assert "(cand: 60 worse, 0 better; base: the same answers; 400 samples in both runs)" in text
    assert "DRIFTED" not in text


def test_what_noise_does_is_no_finding(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(4)[:TWICE])
    night(tmp_path, IDS[1], [losing(2), losing(3)], versions=("2", "2"))
    found = since(tmp_path)
    assert (found["changed"], found["baseline_drifted"]) == (False, False)
    assert f"not changed beyond noise since {IDS[0]}" in shown(tmp_path)


def test_a_baseline_that_drifts_is_told_although_the_recovery_stays(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(1)[:TWICE])
    night(tmp_path, IDS[1], [losing(60), losing(60)], versions=("2", "2"))
    found = since(tmp_path)
    assert (found["changed"], found["baseline_drifted"]) == (False, True)
    text = shown(tmp_path)
    assert f"Pages, cand: BASELINE DRIFTED from {IDS[0]}, beyond noise: score 75.00 → 60.00, -15.00 points" in text
    assert "(base: 60 worse, 0 better)" in text


def test_a_slow_drift_that_no_night_shows_is_told_beside_the_oldest(tmp_path):
    for at, lost in enumerate((0, 5, 10, 15)):
        night(tmp_path, IDS[at], [losing(lost)] * 2, versions=(str(at),) * 2, again=losing(lost + 2)[:TWICE])
    found = since(tmp_path)
    assert [found["baseline_beside"][run]["beyond_noise"] for run in (IDS[2], IDS[0])] == [False, True]
    text = shown(tmp_path)
    assert f"BASELINE DRIFTED from {IDS[0]}" in text
    assert f"BASELINE DRIFTED from {IDS[2]}" not in text


def test_without_a_noise_floor_the_flips_are_told_and_nothing_is_found(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT])
    night(tmp_path, IDS[1], [losing(60), losing(90)], versions=("2", "2"))
    found = since(tmp_path)
    assert (found["changed"], found["baseline_drifted"], found["noise_from"]) == (None, None, None)
    assert (found["models"]["base"]["worse"], found["recovery"]["noise"]) == (60, None)
    text = shown(tmp_path)
    assert "noise is not known, so nothing is found" in text
    assert "CHANGED" not in text
    assert "DRIFTED" not in text


def test_samples_without_an_answer_in_one_of_the_runs_are_no_flips(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=RIGHT[:TWICE])
    lost = [None if number < 10 else right for number, right in enumerate(RIGHT)]
    night(tmp_path, IDS[1], [RIGHT, lost], versions=("1", "2"))
    found = since(tmp_path)
    assert (found["samples"], found["models"]["cand"]["worse"], found["changed"]) == (N - 10, 0, False)


def test_a_run_that_asked_nothing_again_says_so(tmp_path):
    for run in IDS[:2]:
        night(tmp_path, run, [RIGHT, RIGHT])
    assert "no model was asked again, the same answers were reused" in shown(tmp_path)


@pytest.mark.parametrize("why", ["one run", "another prompt", "the store lacks the run", "no store", "another store"])
def test_where_two_runs_cannot_be_held_together_nothing_is_said_and_the_history_stands(tmp_path, why):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=RIGHT[:TWICE])
    other = dataclasses.replace(TASK, decoding=dataclasses.replace(TASK.decoding, max_tokens=99))
    if why != "one run":
        part = other if why == "another prompt" else TASK
        night(tmp_path, IDS[1], [RIGHT, losing(60)], versions=("2", "2"), part=part)
    if why == "the store lacks the run":
        write_run(tmp_path, IDS[2])
    if why == "no store":
        (tmp_path / "store.sqlite3").unlink()
    if why == "another store":
        (tmp_path / "store.sqlite3").write_bytes(b"no database at all, but longer than a header is " * 4)
    assert since(tmp_path) is None
    assert IDS[0] in shown(tmp_path)
    assert ": since 2026" not in shown(tmp_path)
    assert "CHANGED since" not in shown(tmp_path)


def test_several_candidates_have_findings_of_their_own(tmp_path):
    night(tmp_path, IDS[0], [RIGHT] * 3, versions="111", again=RIGHT[:TWICE], labels=("base", "a", "b"))
    night(tmp_path, IDS[1], [RIGHT, RIGHT, losing(60)], versions="122", labels=("base", "a", "b"))
    lines = json.loads(shown(tmp_path, "--json"))["lines"]
    assert {line["candidate"]: line["since"]["changed"] for line in lines} == {"a": False, "b": True}
