"""`evalkit history` says what changed since the run before, from both runs' answers, and whether noise does as much."""

import dataclasses
import json

import pytest
from click.testing import CliRunner

from evalkit.cli.history import command
from support.nights import IDS, RIGHT, TASK, TWICE, N, losing, night, several
from support.pastruns import write_run
from support.reports import task


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
    text = shown(tmp_path)
    assert f"recovery not changed beyond noise since {IDS[0]}: 100.00 → 99.66 %" in text
    assert "ANSWERS CHANGED" not in text


def test_answers_that_changed_both_ways_are_found_although_the_recovery_stays(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(1)[:TWICE])
    better = {at for at, one in enumerate(RIGHT) if not one and at < 160}
    turned = [at in better or one for at, one in enumerate(losing(40))]
    night(tmp_path, IDS[1], [RIGHT, turned], versions=("1", "2"))
    found = since(tmp_path)
    assert (found["changed"], found["recovery"]["beyond_noise"], found["baseline_drifted"]) == (True, False, False)
    cand = found["models"]["cand"]
    assert (cand["worse"], cand["better"], cand["flips_beyond_noise"]) == (40, 40, True)
    text = shown(tmp_path)
    assert f"Pages, cand: recovery not changed beyond noise since {IDS[0]}: 100.00 → 100.00 %" in text
    within = cand["noise_flips"]
    assert 4 <= within < 20
    assert (
        f"Pages, cand: ANSWERS CHANGED since {IDS[0]}, beyond noise: cand: 40 worse, 40 better of 400; "
        f"noise alone flips {within} at most\n" in text
    )


def test_a_baseline_whose_answers_changed_both_ways_drifted_although_its_score_stays(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(1)[:TWICE])
    better = {at for at, one in enumerate(RIGHT) if not one and at < 160}
    turned = [at in better or one for at, one in enumerate(losing(40))]
    night(tmp_path, IDS[1], [turned, turned], versions=("2", "2"))
    assert since(tmp_path)["baseline_drifted"] is True
    told = f"BASELINE DRIFTED from {IDS[0]}, beyond noise: score 75.00 → 75.00, +0.00 points"
    (line,) = [line for line in shown(tmp_path).splitlines() if told in line]
    assert "(base: 40 worse, 40 better; noise alone flips " in line


def test_a_baseline_that_drifts_is_told_although_the_recovery_stays(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=losing(1)[:TWICE])
    night(tmp_path, IDS[1], [losing(60), losing(60)], versions=("2", "2"))
    found = since(tmp_path)
    assert (found["recovery"]["beyond_noise"], found["baseline_drifted"]) == (False, True)
    text = shown(tmp_path)
    assert f"Pages, cand: BASELINE DRIFTED from {IDS[0]}, beyond noise: score 75.00 → 60.00, -15.00 points" in text
    assert "(base: 60 worse, 0 better; noise alone flips " in text


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
    assert (
        f"Pages, cand: whether the recovery changed since {IDS[0]} by more than noise cannot be told, because no run "
        "of this baseline asked it twice (--noise-floor 500): it was 100.00 → 87.50 %, -12.50 points (cand: 90 worse"
        in text
    )
    assert "CHANGED" not in text
    assert "DRIFTED" not in text


def test_samples_without_an_answer_in_one_of_the_runs_are_no_flips(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=RIGHT[:TWICE])
    lost = [None if number < 10 else right for number, right in enumerate(RIGHT)]
    night(tmp_path, IDS[1], [RIGHT, lost], versions=("1", "2"))
    found = since(tmp_path)
    assert (found["samples"], found["models"]["cand"]["worse"], found["changed"]) == (N - 10, 0, False)
    assert [found["models"][label]["lost"] for label in ("base", "cand")] == [0, 10]
    told = f"LOST since {IDS[0]}: 10 answers of cand, scored then and failed now, are in none of these figures"
    assert told in shown(tmp_path)


def test_one_lost_answer_is_told_in_the_singular_and_what_failed_both_times_is_not_lost(tmp_path):
    gone = [[None if number in held else right for number, right in enumerate(RIGHT)] for held in ({1}, {1, 2})]
    night(tmp_path, IDS[0], [RIGHT, gone[0]])
    night(tmp_path, IDS[1], [RIGHT, gone[1]], versions=("1", "2"))
    assert f"LOST since {IDS[0]}: 1 answer of cand, scored then and failed now, is in none" in shown(tmp_path)


def test_a_candidate_that_lost_everything_is_told(tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=RIGHT[:TWICE])
    night(tmp_path, IDS[1], [RIGHT, [None] * N], versions=("1", "2"))
    found = since(tmp_path)
    assert (found["samples"], found["recovery"], found["changed"]) == (0, None, None)
    text = shown(tmp_path)
    assert f"since {IDS[0]}: no sample was answered by both models in both runs, so nothing can be compared" in text
    assert f"LOST since {IDS[0]}: 400 answers of cand" in text


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


OTHER = task("charts", "Charts")


def average(output):
    lines = json.loads(shown(output, "--json"))["lines"]
    (found,) = [line["since"] for line in lines if line["task"] == "Average Score (Vision)"]
    return found


def test_an_average_has_a_finding_of_its_own(tmp_path):
    several(
        tmp_path,
        IDS[0],
        [(TASK, [RIGHT, RIGHT]), (OTHER, [RIGHT, RIGHT])],
        again=[(TASK, RIGHT[:TWICE]), (OTHER, losing(1)[:TWICE])],
    )
    several(tmp_path, IDS[1], [(TASK, [RIGHT, losing(60)]), (OTHER, [RIGHT, RIGHT])], versions=("1", "2"))
    found = average(tmp_path)
    assert (found["changed"], found["samples"], found["noise_from"]) == (True, 2 * N, IDS[0])
    assert (found["recovery"]["before"], found["recovery"]["after"]) == (100.0, pytest.approx(90.0))
    # The candidate alone was asked again: 2 and 3 of 200 for each task, over both tasks.
    variance = (2 / 200 + 3 / 200) / N / 2**2
    assert found["recovery"]["noise"] == pytest.approx(100 * 1.959964 * variance**0.5 / 0.75, rel=1e-6)
    assert (found["models"]["cand"]["worse"], found["models"]["cand"]["noise_flips"]) == (60, None)
    told = f"Average Score (Vision), cand: CHANGED since {IDS[0]}: recovery 100.00 → 90.00 %"
    assert told in shown(tmp_path)


@pytest.mark.parametrize("why", ["a task without a noise floor", "another task", "a task that asks otherwise"])
def test_an_average_of_other_tasks_or_of_unknown_noise_is_not_found_changed(tmp_path, why):
    both = [(TASK, [RIGHT, RIGHT]), (OTHER, [RIGHT, RIGHT])]
    several(tmp_path, IDS[0], both, again=[(TASK, RIGHT[:TWICE])])
    other = OTHER
    if why == "another task":
        other = task("figures", "Figures")
    if why == "a task that asks otherwise":
        other = dataclasses.replace(OTHER, decoding=dataclasses.replace(OTHER.decoding, max_tokens=99))
    several(tmp_path, IDS[1], [(TASK, [RIGHT, losing(60)]), (other, [RIGHT, RIGHT])], versions=("1", "2"))
    found = average(tmp_path)
    if why == "a task without a noise floor":
        assert (found["changed"], found["noise_from"], found["models"]["cand"]["worse"]) == (None, None, 60)
    else:
        assert found is None
