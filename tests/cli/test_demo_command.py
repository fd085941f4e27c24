"""``evalkit demo`` through the command line, on processors that this machine is not; a stand-in answers for vLLM."""

import json
import shutil
import threading
from functools import cache
from itertools import islice

import pytest

from evalkit.base.errors import EvalkitError
from evalkit.cli import demo as demonstration
from evalkit.demo import pair, rounded, rows
from evalkit.demo.questions import heldout
from support.commands import evalkit, write_lines
from support.processors import AMX, AVX2, AVX512_BF16, serving


@cache
def drawn(task, draw=rows.rows):
    return list(draw(task))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    # Its questions are the same every time: they are drawn for the first test, and written for each.
    monkeypatch.setattr(rows, "rows", drawn)
    # lm-eval takes seconds to read 57 subjects, of which one question is asked here; all are read in tests/demo.
    some = dict(islice(heldout.quizzes().items(), 3))
    monkeypatch.setattr(heldout, "quizzes", lambda: some)
    return tmp_path


def demo(folder, able, *more):
    """The demonstration's end on such a processor; `ALONE` among ``more`` saves the start of a server."""
    problems = folder / "cache/evalkit/demo/rows/humaneval.jsonl"
    its_own = ("--serve-arg", f"problems={problems}", "--serve-arg", f"journal={folder / 'journal'}")
    return evalkit("demo", "--limit", 1, "--vllm-python", serving(folder, able), *its_own, "--unsafe-exec", *more)


ALONE = ("--candidate", "w8a8")


def left(folder):
    """The run's own record, and its report."""
    (record,) = folder.glob("runs/*/run.json")
    return json.loads(record.read_text()), (record.parent / "report.html").read_text()


@pytest.mark.parametrize(("able", "dtype"), [(AMX, "bfloat16"), (AVX2, "float32")])
def test_both_models_are_served_in_what_the_processors_kernels_take(folder, able, dtype):
    done = demo(folder, able, *ALONE, "--json")
    assert done.code == 0, done.err
    engines = [model["engine"]["numerics"]["dtype"] for model in done.json["models"].values()]
    assert engines == [dtype] * 2
    (outset,) = [json.loads(line) for line in done.err.splitlines() if '"Outset"' in line]
    # Five pictures, two of them with two questions, ten attempts at a problem, and one question of MMLU.
    assert outset == {"event": "Outset", "planned": 36, "owed": {"demo-8m": 18, "demo-8m.w8a8": 18}, "starts": 2}
    assert "int8 kernel" not in done.err
    record, page = left(folder)
    served = record["provenance"]["serving"]
    assert served["dtype"] == dtype
    assert served["processor"] in page
    assert f"{dtype}: {served['dtype_reason']}" in page


def test_what_it_will_take_is_said_at_the_beginning(folder):
    done = demo(folder, AVX2)
    assert done.code == 0, done.err
    said = done.err.splitlines()
    assert "minutes on two quiet cores" in said[1]
    assert "a candidate has to keep 95 % here" in said[2]
    assert "3 servers to start, 54 answers to get" in said


def test_it_shows_two_candidates_at_a_threshold_and_ends_with_0_whatever_they_lost(folder):
    done = demo(folder, AVX2, "--json")
    assert done.json["candidates"] == ["demo-8m.w8a8", "demo-8m.rounded-w4"]
    assert done.json["outcome"]["exit_code"] == 3
    assert done.code == 0, done.err
    notices = [json.loads(line) for line in done.err.splitlines() if '"Notice"' in line]
    assert "ends with 0" in notices[-1]["text"]
    assert "would end with 3" in notices[-1]["text"]
    rows = {row["task"]: row["recovery"]["demo-8m.rounded-w4"] for row in done.json["tasks"]}
    assert {row["min_recovery"] for row in rows.values()} == {95}
    assert {name: rows[name]["tier"] for name in ("demo-humaneval", "demo-mmlu")} == {
        "demo-humaneval": "supporting",
        "demo-mmlu": "critical",
    }
    # A threshold of one's own is a gate.
    gate = demo(folder, AVX2, "--min-recovery", "90", "--json")
    assert gate.code == gate.json["outcome"]["exit_code"] == 3
    assert "ends with 0" not in gate.err


@pytest.mark.parametrize(("code", "more", "ends"), [(1, (), 0), (4, (), 4), (1, ("--min-recovery", "90"), 1)])
def test_only_a_verdict_that_nobody_asked_for_ends_with_0(folder, monkeypatch, code, more, ends):
    monkeypatch.setattr("evalkit.cli.run.carry_out", lambda *_, **__: code)
    assert demo(folder, AVX2, *more).code == ends


def test_candidates_of_ones_own_take_the_place_of_its_own_or_stand_beside_them(folder):
    shutil.copytree(pair.MODELS / pair.QUANTIZED, folder / "mine.w8a8")
    done = demo(folder, AVX2, "--candidate", "mine.w8a8", "--json")
    assert done.code == 0, done.err
    assert list(done.json["models"]) == ["demo-8m", "mine.w8a8"]
    _, page = left(folder)
    assert "mine.w8a8" in page
    assert "demo-8m.w8a8" not in page
    both = demo(folder, AVX2, "--candidate", "other=mine.w8a8", "--candidate", "rounded-w4", "-o", "both", "--json")
    assert both.json["candidates"] == ["other", "demo-8m.rounded-w4"]


def test_the_users_dtype_wins_and_the_report_says_what_would_have_suited(folder):
    done = demo(folder, AMX, "--serve-arg", "dtype=float16", *ALONE, "--json")
    assert done.code == 0, done.err
    record, page = left(folder)
    assert record["provenance"]["serving"]["dtype"] == "float16"
    assert "float16: as the flags say; bfloat16 suits this processor" in page


def test_float32_on_amx_ends_as_it_does_there(folder):
    done = demo(folder, AMX, "--serve-arg", "dtype=float32", *ALONE)
    assert done.code == 5
    assert "expect A to be bfloat16 or half" in done.err
    warned = (
        "warning: demo-8m.w8a8: the int8 kernel of this processor (x86-64 with AMX) does not take float32; serve all "
        "models with --serve-arg dtype=bfloat16"
    )
    assert warned in done.err.splitlines()
    assert not [line for line in done.err.splitlines() if line.startswith("warning: demo-8m:")]


@pytest.mark.parametrize(("able", "dtype"), [(AMX, "bfloat16"), (AVX512_BF16, "bfloat16"), (AVX2, "float32")])
def test_doctor_says_in_what_models_would_be_served(folder, able, dtype):
    done = evalkit("doctor", "--vllm-python", serving(folder, able))
    (line,) = [line for line in done.out.splitlines() if line.split()[1] == "dtype"]
    assert line.startswith("ok ")
    assert f"{dtype} suits this processor (x86-64 with " in line
    # What `evalkit plan` prints for the same interpreter is the profile's, and doctor says so.
    assert "`evalkit run` and `plan` in float16 as the model card's commands do" in line
    assert f"unless --serve-arg dtype={dtype} says otherwise" in line


def test_a_task_of_ones_own_is_asked_beside_the_seven(folder):
    write_lines(folder / "shop.jsonl", [{"q": f"What is {at}?", "a": "two"} for at in range(6)])
    assert evalkit("tasks", "new", "shop", "--from", "shop.jsonl").code == 0
    done = demo(folder, AVX2, "--task", "shop.toml", "--data", "shop=shop.jsonl", *ALONE, "--json")
    assert done.code == 0, done.err
    found = {row["task"]: row for row in done.json["tasks"]}
    assert len(found) == 8
    assert {label: one["scored"] for label, one in found["shop"]["scores"].items()} == {"demo-8m": 1, "demo-8m.w8a8": 1}
    # The average of the demonstration stays that of its five vision tasks.
    (average,) = done.json["averages"]
    assert "shop" not in average["recovery"]["demo-8m.w8a8"]["parts"]
    unknown = demo(folder, AVX2, "--data", "shop=shop.jsonl")
    assert (unknown.code, "data is given for 'shop', which is not among the tasks" in unknown.err) == (2, True)


def test_a_cache_that_cannot_be_written_is_told_in_one_line(folder):
    (folder / "cache/evalkit").mkdir(parents=True)
    (folder / "cache/evalkit/demo").write_text("no folder")
    done = demo(folder, AVX2, *ALONE)
    assert done.code == 5, done.err
    assert done.err.splitlines()[-1].startswith("error: ")
    assert "set XDG_CACHE_HOME to a folder that can be" in done.err


def test_demonstrations_at_once_write_their_models_and_rows_one_after_another(folder):
    place, failed = folder / "cache/evalkit/demo", []

    def one():
        try:
            demonstration.prepared((), place)
        except (EvalkitError, OSError) as error:
            failed.append(error)

    several = [threading.Thread(target=one) for _ in range(4)]
    for thread in several:
        thread.start()
    for thread in several:
        thread.join()
    assert failed == []
    assert rounded.digest(place / "models" / rounded.NAME / rounded.WEIGHTS) == rounded.DIGEST
