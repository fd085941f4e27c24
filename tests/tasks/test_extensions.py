"""Benchmarks, metrics and harnesses that evalkit does not bring: found, loaded on the user's word, told when wrong."""

import sys
import zipfile
from dataclasses import replace
from hashlib import sha256

import pytest

from evalkit.base.errors import ConfigError
from evalkit.comparison.score import Scoring
from evalkit.harnesses import Harness
from evalkit.tasks import extensions, registry
from evalkit.tasks.offers import Offer, offers
from support import tinywheels

TASK = """
name = "{name}"
title = "Mine"
category = "Vision"
benchmark = "{benchmark}"
metrics = ["{metric}"]
headline = "{metric}"
prompt = "Answer."
[dataset]
id = ""
split = "test"
files = ["rows.parquet"]
[decoding]
max_tokens = 8
"""
HALF = "def half(answer, references, dialect):\n    return 0.5\n\nMETRICS = {'half': half}\n"


@pytest.fixture
def folder(tmp_path):
    """A folder of tasks."""
    return tmp_path


def add(folder, name="mine", benchmark="docvqa", metric="half"):
    path = folder / f"{name}.toml"
    path.write_text(TASK.format(name=name, benchmark=benchmark, metric=metric))
    return path


def found(folder, name="mine", *, allowed=True):
    with extensions.allowing(wanted=allowed):
        (task,) = registry.find([name], [folder])
    return task


def complaint(call):
    with pytest.raises(ConfigError) as caught:
        call()
    return "; ".join(part for part in (caught.value.message, caught.value.fix) if part)


def installed(tmp_path, monkeypatch, name, points, code, version="1.2"):
    """A wheel of one module, unpacked where Python looks for packages."""
    tinywheels.wheel(tmp_path / "wheels", name, version, {f"{name}.py": code}, points=points)
    place = tmp_path / f"site-{name}"
    zipfile.ZipFile(tmp_path / "wheels" / f"{name}-{version}-py3-none-any.whl").extractall(place)
    monkeypatch.syspath_prepend(place)


def test_what_an_installed_package_offers_is_listed_and_not_loaded(tmp_path, monkeypatch):
    installed(tmp_path, monkeypatch, "gone_wrong", {"evalkit.metrics": {"far": "gone_wrong:far"}}, "raise OSError\n")
    listed = offers()
    assert Offer("far", "gone_wrong 1.2") in listed["metric"]
    assert {"docvqa", "qa"} <= {one.name for one in listed["benchmark"] if not one.source}
    assert "mmlu" in {one.name for one in listed["harness"]}


# --- Python beside a task file ---


def test_a_metric_beside_the_task_file_scores(folder):
    add(folder)
    (folder / "own.py").write_text(HALF)
    task = found(folder)
    (own,) = task.extensions
    assert (own.kind, own.name, own.source) == ("metric", "half", str(folder / "own.py"))
    assert own.state == "sha256:" + sha256(HALF.encode()).hexdigest()
    assert extensions.score("half", task, "a", ["b"], "neuralmagic").value == 0.5
    assert extensions.score("half", task, None, ["b"], "neuralmagic").note == "no content"


def test_nothing_runs_without_the_users_word(folder):
    add(folder)
    (folder / "own.py").write_text(HALF + f"open({str(folder / 'ran')!r}, 'w').close()\n")
    told = complaint(lambda: found(folder, allowed=False))
    assert told.startswith(
        f"{folder / 'mine.toml'}: metrics[0]: unknown metric 'half'; code of your own in "
        f"{folder / 'own.py'} was not run: --allow-task-code (in Python allow_task_code=True) runs it; "
        "known: acc, acc_by_subject, anls, "
    )
    assert not (folder / "ran").exists()


def test_a_script_that_declares_nothing_is_never_run(folder):
    add(folder)
    (folder / "own.py").write_text(HALF)
    (folder / "make_rows.py").write_text("raise SystemExit('ran')\n")
    assert found(folder).extensions


def test_a_bad_file_spoils_itself_alone(folder):
    add(folder)
    add(folder, "other", metric="third")
    (folder / "own.py").write_text(HALF)
    (folder / "bad.py").write_text("METRICS = {}\nMETRICS['third'] = absent\n")
    assert found(folder).extensions
    assert f"{folder / 'bad.py'}:2: NameError: name 'absent' is not defined" in complaint(
        lambda: found(folder, "other")
    )


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("METRICS = {'anls': len}\n", "METRICS: 'anls' is evalkit's own; give it another name"),
        ("METRICS = {'pass@3': len}\n", "METRICS: 'pass@3' cannot be a name"),
        ("METRICS = {'half': 1}\n", "METRICS: 'half' is no function"),
        ("BENCHMARKS = {'half': 1}\n", "BENCHMARKS: 'half' is no Benchmark"),
        ("HARNESSES = {'half': 1}\n", "HARNESSES: 'half' is no harness: it lacks questions, fetch, session, checker, "),
        ("METRICS = [1]\n", "METRICS is no dictionary of names"),
        ("METRICS = {\n", "own.py:1: SyntaxError: '{' was never closed; known: "),
        ("METRICS = exit(3)\n", "SystemExit: 3"),
    ],
)
def test_a_file_that_declares_nonsense_is_told(folder, code, said):
    add(folder)
    (folder / "own.py").write_text(code)
    told = complaint(lambda: found(folder))
    assert said in told
    assert str(folder / "own.py") in told


def test_two_files_of_one_name_are_told(folder):
    add(folder)
    for name in ("one", "two"):
        (folder / f"{name}.py").write_text(HALF + f"# {name}\n")
    assert f"metric 'half' is offered by {folder / 'one.py'} and {folder / 'two.py'}" in complaint(
        lambda: found(folder)
    )


def test_a_task_is_scored_by_the_text_that_was_allowed(folder):
    add(folder)
    (folder / "own.py").write_text(HALF)
    task = found(folder)
    (folder / "own.py").write_text(HALF.replace("0.5", "0.25"))
    assert extensions.score("half", task, "a", ["b"], "neuralmagic").value == 0.5
    assert extensions.score("half", found(folder), "a", ["b"], "neuralmagic").value == 0.25


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("return 1 / 0", "raises ZeroDivisionError"),
        ("return 1.5", "says 1.5"),
        ("return float('nan')", "says nan"),
        ("return 'yes'", "says 'yes'"),
    ],
)
def test_what_is_no_score_is_an_error_and_never_counts_as_wrong(folder, body, said):
    add(folder)
    (folder / "own.py").write_text(HALF.replace("return 0.5", body))
    task = found(folder)
    told = complaint(lambda: extensions.score("half", task, "a", ["b"], "neuralmagic"))
    assert told.startswith(f"metric 'half' ({folder / 'own.py'}) {said}")


def test_every_method_of_the_protocol_is_asked_for():
    wanted = {name for kind in (Harness, Scoring) for name, one in vars(kind).items() if callable(one)}
    assert {name for name in wanted if not name.startswith("_")} == set(extensions._HARNESS)


# --- installed packages ---


def test_a_package_offers_a_metric_and_is_loaded_when_it_is_named(tmp_path, folder, monkeypatch):
    add(folder, metric="half_acme")
    points = {"evalkit.metrics": {"half_acme": "acme_metrics:half"}}
    installed(tmp_path, monkeypatch, "acme_metrics", points, HALF)
    assert "mine" in registry.tasks([folder])
    assert "acme_metrics" not in sys.modules
    task = found(folder, allowed=False)
    (own,) = task.extensions
    assert (own.source, own.state) == ("acme_metrics", "1.2")
    assert extensions.score("half_acme", task, "a", ["b"], "neuralmagic").value == 0.5


def test_a_broken_package_spoils_its_own_tasks_alone(tmp_path, folder, monkeypatch):
    add(folder, metric="half_bad")
    add(folder, "other", metric="anls")
    points = {"evalkit.metrics": {"half_bad": "acme_bad:half"}}
    installed(tmp_path, monkeypatch, "acme_bad", points, "import absent_module\n")
    assert found(folder, "other")
    told = complaint(lambda: found(folder))
    assert told.startswith("metric 'half_bad' of acme_bad 1.2 cannot be loaded: ModuleNotFoundError: No module")


def test_two_packages_of_one_name_are_told(tmp_path, folder, monkeypatch):
    add(folder, metric="half_two")
    for name in ("acme_one", "acme_two"):
        installed(tmp_path, monkeypatch, name, {"evalkit.metrics": {"half_two": f"{name}:half"}}, HALF)
    told = complaint(lambda: found(folder))
    assert "metric 'half_two' is offered by acme_two and acme_one; rename or remove one of them" in told


def test_a_package_cannot_take_a_built_in_name_silently(tmp_path, folder, monkeypatch):
    add(folder, metric="contains")
    points = {"evalkit.metrics": {"contains": "acme_taker:half"}}
    installed(tmp_path, monkeypatch, "acme_taker", points, HALF)
    task = found(folder)
    assert task.extensions == ()
    assert extensions.score("contains", task, "a b", ["b"], "neuralmagic").value == 1.0
    assert extensions.taken(task) == ["acme_taker 1.2 offers the metric 'contains', too: evalkit's own is used"]


def test_another_version_than_the_run_had_is_told(tmp_path, folder, monkeypatch):
    add(folder, metric="half_old")
    installed(tmp_path, monkeypatch, "acme_old", {"evalkit.metrics": {"half_old": "acme_old:half"}}, HALF)
    task = found(folder)
    (own,) = task.extensions
    before = replace(task, extensions=(replace(own, state="1.1"),))
    told = complaint(lambda: extensions.loaded(before))
    assert told.startswith("metric 'half_old' is of acme_old 1.1; installed is 1.2; install acme_old 1.1, or run the")
    gone = replace(task, extensions=(replace(own, name="half_gone"),))
    assert "is of the package acme_old, which is not installed; install acme_old 1.2" in complaint(
        lambda: extensions.loaded(gone)
    )
