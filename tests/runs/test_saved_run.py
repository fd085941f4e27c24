"""A run is found by what people call it, and an earlier one by the models that it had."""

import pytest

from evalkit.base import codec
from evalkit.base.errors import StoreError, UsageError
from evalkit.records.plan import Plan, PlannedTask
from evalkit.records.run_record import KeptPlan
from evalkit.records.store import RunRow, Store
from evalkit.runs import saved_run
from support.reports import COMMIT, contender, task

IDS = ["20260101-010000-aaaaaa", "20260102-010000-bbbbbb", "20260102-020000-cccccc"]


def plan(*labels):
    base, *others = map(contender, labels)
    return Plan(base, tuple(others), (PlannedTask(task(), "listing", 2, 2, COMMIT),))


@pytest.fixture
def store(tmp_path):
    with Store(tmp_path) as found:
        for key, labels, finished in zip(
            IDS, (["base", "a"], ["base", "b"], ["x", "y"]), (True, True, False), strict=True
        ):
            body = {"plan": codec.written(KeptPlan.of(plan(*labels)))}
            found.keep_run(RunRow(key, "plan", finished, body))
        yield found


@pytest.mark.parametrize(
    ("name", "at"), [("latest", 2), (IDS[0], 0), (IDS[0][:10], 0), ("20260102-02", 2), ("20260102-01", 1)]
)
def test_a_run_is_found_by_its_names(store, name, at):
    assert saved_run.find(name, store).id == IDS[at]


def test_a_beginning_that_several_share_is_refused_with_their_names(store):
    with pytest.raises(UsageError, match=f"could be {IDS[1]}, {IDS[2]}"):
        saved_run.find("20260102", store)


def test_a_name_that_no_run_has_brings_the_near_miss_or_the_newest(store):
    with pytest.raises(UsageError) as close:
        saved_run.find(IDS[1][:-1] + "c", store)
    assert IDS[1] in close.value.fix
    with pytest.raises(UsageError) as far:
        saved_run.find("x", store)
    assert all(key in far.value.fix for key in IDS)


def test_an_empty_store_says_how_to_begin(tmp_path):
    with Store(tmp_path / "empty") as empty, pytest.raises(UsageError, match="no run has begun"):
        saved_run.find("latest", empty)


def test_the_folder_of_a_run_names_its_store(tmp_path):
    run = tmp_path / "runs" / IDS[0]
    run.mkdir(parents=True)
    assert saved_run.place(str(run), tmp_path) == (tmp_path, str(run))
    (run / "run.json").write_text("{}")
    assert saved_run.place(str(run), tmp_path) == (tmp_path / "runs", IDS[0])
    assert saved_run.place("latest", tmp_path) == (tmp_path, "latest")


def test_the_run_before_is_the_newest_finished_one_with_one_of_the_models(store):
    assert saved_run.latest(store, ["base"], but="").id == IDS[1]
    assert saved_run.latest(store, ["base"], but=IDS[1]).id == IDS[0]
    assert saved_run.latest(store, ["a", "x"], but="").id == IDS[0]
    assert saved_run.latest(store, ["x"], but="") is None


def test_a_plan_comes_back_or_the_store_is_said_to_be_anothers(store):
    assert saved_run.plan(saved_run.find(IDS[0], store)) == plan("base", "a")
    with pytest.raises(StoreError, match="another evalkit"):
        saved_run.plan(RunRow("r", "p", finished=True, body={"plan": {"models": []}}))
    with pytest.raises(StoreError, match="another evalkit"):
        saved_run.report(RunRow("r", "p", finished=True, body={}), {})


def test_what_is_missing_is_counted(store):
    with pytest.raises(UsageError, match="4 of 4 outcomes are not in") as finished:
        saved_run.check(saved_run.find(IDS[0], store), store)
    assert "its own store" in finished.value.fix
    with pytest.raises(UsageError) as begun:
        saved_run.check(saved_run.find(IDS[2], store), store)
    assert "finish it" in begun.value.fix
