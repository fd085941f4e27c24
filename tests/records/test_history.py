"""Runs over time: which count, in which order, and what changed between two of them."""

import json
import shutil
from hashlib import sha256

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from evalkit.base.errors import UsageError
from evalkit.cli.history import command
from evalkit.records import history
from evalkit.records.store import RunRow, Store
from support.pastruns import recovery, write_run

NEW = {"vllm": "0.33.0", "transformers": "5.1"}


def nights(output):
    """Three nights: the same, then another vLLM and transformers, then another revision of the data."""
    known = recovery(99.0, [98.0, 100.0], verdict="recovered", paired=9, planned=10)
    write_run(output, "20260103-000000-cccccc", versions=NEW, revision="b" * 40, recoveries={"pages": recovery(97.5)})
    write_run(output, "20260101-000000-aaaaaa", recoveries={"pages": known})
    write_run(output, "20260102-000000-bbbbbb", versions=NEW)


def only_line(output, **choice):
    (line,) = history.lines(history.counted(history.past_runs(output), **choice))
    return line


def test_a_line_has_its_points_in_the_order_of_time(tmp_path):
    nights(tmp_path)
    line = only_line(tmp_path)
    assert [point.percent for point in line.points] == [99.0, 98.75, 97.5]
    assert (line.task, line.candidate, line.baseline) == ("pages", "cand", "base")


def test_what_a_file_tells_of_a_recovery_is_kept_and_the_rest_is_unknown(tmp_path):
    nights(tmp_path)
    told, untold, _ = only_line(tmp_path).points
    assert (told.interval, told.verdict, told.paired, told.planned) == ((98.0, 100.0), "recovered", 9, 10)
    assert (untold.interval, untold.verdict, untold.paired) == (None, None, None)


def test_a_change_is_marked_where_it_happened(tmp_path):
    nights(tmp_path)
    first, second, third = (point.changed for point in only_line(tmp_path).points)
    assert first == ()
    assert second == ("vLLM 0.32.0 → 0.33.0", "transformers 5.0 → 5.1")
    assert third == (f"data set revision {'a' * 12} → {'b' * 12}",)


def test_another_evalkit_and_other_weights_are_marked(tmp_path):
    write_run(tmp_path, "20260101-000000-aaaaaa")
    second = write_run(tmp_path, "20260102-000000-bbbbbb", evalkit="0.2.0")
    results = json.loads((second / "results.json").read_text())
    results["models"]["cand"]["digest"] = "f" * 64
    (second / "results.json").write_text(json.dumps(results))
    assert only_line(tmp_path).points[1].changed == (
        "evalkit 0.1.0 → 0.2.0",
        f"weights of cand {sha256(b'cand').hexdigest()[:12]} → {'f' * 12}",
    )


def test_smoke_and_unfinished_runs_count_only_on_demand(tmp_path):
    write_run(tmp_path, "20260101-000000-aaaaaa")
    write_run(tmp_path, "20260102-000000-bbbbbb", smoke=True)
    write_run(tmp_path, "20260103-000000-cccccc", finished=False)
    write_run(tmp_path, "20260104-000000-dddddd", with_results=False)
    assert len(only_line(tmp_path).points) == 1
    assert len(only_line(tmp_path, everything=True).points) == 3


def test_averages_have_lines_of_their_own_behind_the_tasks(tmp_path):
    average = {"category": "Vision", "baseline": 0.7, "recovery": {"cand": recovery(99.5, [99, 100])}}
    write_run(tmp_path, averages=[average])
    task, whole = history.lines(history.past_runs(tmp_path))
    assert (task.task, whole.task) == ("pages", "Average Score (Vision)")
    assert whole.points[0].interval == (99.0, 100.0)


@pytest.mark.parametrize("damage", ["{", "[]", '{"plan": 7}'])
def test_a_damaged_run_stands_in_the_list_and_harms_no_other(tmp_path, damage):
    write_run(tmp_path, "20260101-000000-aaaaaa")
    broken = write_run(tmp_path, "20260102-000000-bbbbbb")
    (broken / "run.json").write_text(damage)
    runs = history.past_runs(tmp_path)
    assert {run.id for run in runs} == {"20260101-000000-aaaaaa", "20260102-000000-bbbbbb"}
    assert len(only_line(tmp_path).points) == 1


@pytest.mark.parametrize(
    "damage",
    ["{", "[]", '{"tasks": {}}', '{"tasks": [1]}', '{"tasks": [{}]}', '{"averages": [{"recovery": {"cand": 99}}]}'],
)
def test_a_damaged_table_is_said_and_harms_no_other(tmp_path, damage):
    write_run(tmp_path, "20260101-000000-aaaaaa")
    (write_run(tmp_path, "20260102-000000-bbbbbb") / "results.json").write_text(damage)
    whole, broken = history.past_runs(tmp_path)
    assert (whole.problem, whole.finished) == ("", True)
    assert broken.problem.startswith("cannot be read: ")
    assert (broken.results, broken.finished) == (None, False)
    assert len(only_line(tmp_path).points) == 1


def kept_in_the_store(output, *runs):
    with Store(output) as store:
        for run in runs:
            store.keep_run(RunRow(run, "plan", finished=not run.startswith("2025"), body={}))


@pytest.mark.parametrize("lost", ["deleted", "moved", "without its facts"])
def test_a_run_whose_folder_is_gone_is_said(tmp_path, lost):
    output, ids = tmp_path / "runs", ("20260101-000000-aaaaaa", "20260102-000000-bbbbbb")
    first, _ = (write_run(output, run) for run in ids)
    kept_in_the_store(output, "20251231-000000-eeeeee", *ids)
    assert history.gone(output) == []
    if lost == "deleted":
        shutil.rmtree(first)
    elif lost == "moved":
        first.rename(tmp_path / first.name)
    else:
        (first / "run.json").unlink()
    assert history.gone(output) == [ids[0]]
    done = CliRunner(env={"COLUMNS": "120"}).invoke(command, ["-o", str(output)])
    assert done.exit_code == 0, done.output
    assert f"the folder of {ids[0]} is not here any more" in done.stderr
    assert ids[1] in done.stdout
    assert history.past_run(output, ids[0]) is None
    assert history.past_run(output, ids[1]).id == ids[1]


def test_the_json_stays_json_when_folders_are_gone(tmp_path):
    write_run(tmp_path)
    kept_in_the_store(tmp_path, *(f"2026010{n}-000000-gone" for n in range(2, 7)))
    done = CliRunner().invoke(command, ["-o", str(tmp_path), "--json"])
    assert len(json.loads(done.stdout)["lines"]) == 1
    assert "20260104-000000-gone, 20260105-000000-gone, 20260106-000000-gone and 2 more are not here" in done.stderr


@pytest.mark.parametrize("damage", [b"", b"no database at all, but longer than a header of one is " * 4])
def test_a_history_needs_no_store_that_can_be_read(tmp_path, damage):
    write_run(tmp_path)
    (tmp_path / "store.sqlite3").write_bytes(damage)
    assert history.gone(tmp_path) == []
    assert CliRunner().invoke(command, ["-o", str(tmp_path)]).exit_code == 0


def test_a_run_is_read_once_and_again_when_it_changed(tmp_path):
    nights(tmp_path)
    before = history.past_runs(tmp_path)
    assert all(one is other for one, other in zip(before, history.past_runs(tmp_path), strict=True))
    write_run(tmp_path, before[-1].id, recoveries={"pages": recovery(42.5)})
    after = history.past_runs(tmp_path)
    assert [one is other for one, other in zip(before, after, strict=True)] == [True, True, False]
    (line,) = history.lines(after)
    assert line.points[-1].percent == 42.5
    (after[0].folder / "results.json").unlink()
    assert not history.past_runs(tmp_path)[0].results


@pytest.mark.parametrize("key", ["", ".", "..", "../runs/20260101-000000-aaaaaa", "nothing"])
def test_no_id_reaches_outside(tmp_path, key):
    write_run(tmp_path / "runs")
    write_run(tmp_path, "runs")
    assert history.past_run(tmp_path / "runs", key) is None


def test_a_mistyped_task_gets_the_near_miss(tmp_path):
    write_run(tmp_path)
    with pytest.raises(UsageError) as caught:
        history.lines(history.past_runs(tmp_path), "page")
    assert caught.value.fix == "did you mean 'pages'?"


def test_no_folder_is_a_clear_error(tmp_path):
    with pytest.raises(UsageError, match="no such folder"):
        history.past_runs(tmp_path / "nowhere")


@given(st.lists(st.none() | st.floats(0, 200), max_size=30))
def test_a_sparkline_has_a_sign_for_each_value_and_rises_with_it(values):
    drawn = history.sparkline(values)
    assert len(drawn) == len(values)
    pairs = [(value, sign) for value, sign in zip(values, drawn, strict=True) if value is not None]
    assert all(sign != " " for _, sign in pairs)
    assert [sign for _, sign in sorted(pairs)] == sorted(sign for _, sign in pairs)


def test_the_terminal_shows_points_and_marks(tmp_path):
    nights(tmp_path)
    done = CliRunner(env={"COLUMNS": "120"}).invoke(command, ["-o", str(tmp_path)])
    assert done.exit_code == 0, done.output
    assert "98.00 to 100.00" in done.output
    assert "▲1 vLLM 0.32.0 → 0.33.0, transformers 5.0 → 5.1" in done.output
    assert "█│" in done.output


def test_a_log_has_every_run_in_one_line_and_a_narrow_terminal_all_of_it(tmp_path):
    nights(tmp_path)
    log = CliRunner(env={"COLUMNS": None})  # another test's library may have set it
    lines = log.invoke(command, ["-o", str(tmp_path), "--task", "pages"]).output.splitlines()
    (row,) = [line for line in lines if "20260101-000000-aaaaaa" in line]
    assert row.split()[1:] == [
        "80.00",
        "79.00",
        "99.00",
        "98.00",
        "to",
        "100.00",
        "9/10",
        "recovered",
        "candidate",
        "80.00",
    ]
    for columns in ("40", "60", "80"):
        text = CliRunner(env={"COLUMNS": columns}).invoke(command, ["-o", str(tmp_path), "--task", "pages"]).output
        assert max(map(len, text.splitlines())) <= int(columns)
        assert "…" not in text
        assert ("20260101-000000-aaaaaa" in text) == (columns != "40")


def test_what_was_not_judged_has_no_column_of_verdicts(tmp_path):
    write_run(tmp_path)
    shown = CliRunner().invoke(command, ["-o", str(tmp_path)]).output
    assert "98.75" in shown
    assert "verdict" not in shown


def test_the_json_has_the_same(tmp_path):
    nights(tmp_path)
    done = CliRunner().invoke(command, ["-o", str(tmp_path), "--task", "pages", "--json"])
    (line,) = json.loads(done.output)["lines"]
    assert [point["percent"] for point in line["points"]] == [99.0, 98.75, 97.5]
    assert line["points"][0]["interval"] == [98.0, 100.0]


def test_runs_without_a_candidate_are_said(tmp_path):
    write_run(tmp_path, lines={"base": {"pages": []}})
    assert "has a candidate" in CliRunner().invoke(command, ["-o", str(tmp_path)]).output


def test_an_empty_history_says_what_was_left_out(tmp_path):
    write_run(tmp_path, smoke=True)
    assert "--all" in CliRunner().invoke(command, ["-o", str(tmp_path)]).output


def test_printed_scores_divide_to_the_printed_recovery_and_own_means_stand_beside_them(tmp_path):
    """Over 390 pairs; both models' own means over all that they answered are 80 %."""
    found = recovery(100 * 201 / 203, baseline=203 / 390, candidate=201 / 390, paired=390, planned=400)
    write_run(tmp_path, recoveries={"pages": found})
    shown = CliRunner(env={"COLUMNS": "200"}).invoke(command, ["-o", str(tmp_path)]).output
    (row,) = [line for line in shown.splitlines() if "20260101-000000-aaaaaa" in line]
    assert row.split()[1:4] == ["52.051", "51.538", "99.01"]
    assert f"{100 * 51.538 / 52.051:.2f}" == "99.01"
    assert row.rstrip().endswith("baseline 80.000, candidate 80.000")
    assert "on all answered" in shown
