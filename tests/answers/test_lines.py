import json

import pytest

from evalkit import answers, harnesses
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError, EvalkitError
from evalkit.base.scores import SampleScore
from evalkit.comparison import imported
from support.commands import scored, write_json, write_lines
from support.reports import kept

BASE = MetricChoice("baseline")


def read(path, **choice):
    found = answers.read(path, MetricChoice("baseline", groups_of=harnesses.groups, **choice))
    assert found.format == "lines"
    (side,) = found.tasks.values()
    return side


def test_id_score_and_cluster(tmp_path):
    lines = [
        {"id": "a", "score": 0.25, "cluster": "page"},
        {"id": 7, "score": True, "answer": "x"},
        {"id": "c", "score": False, "cluster": 3},
    ]
    side = read(write_lines(tmp_path / "f.jsonl", lines))
    assert side.scores == {
        "a": SampleScore("a", 0.25, "page"),
        "7": SampleScore("7", 1.0, said=side.scores["7"].said),
        "c": SampleScore("c", 0.0, "3"),
    }


def test_null_or_a_failure_is_a_planned_sample_without_a_score(tmp_path):
    lines = [{"id": 1, "score": 1}, {"id": 2, "score": None}, {"id": 3, "failure": {"kind": "deadline"}}]
    side = read(write_lines(tmp_path / "f.jsonl", lines))
    assert set(side.scores) == {"1"}
    assert side.failed == {"2", "3"}


def test_a_sample_without_a_score_keeps_its_stratum(tmp_path):
    lines = [
        {"id": 1, "score": 1, "stratum": "sums"},
        {"id": 2, "score": None, "stratum": "sums"},
        {"id": 3, "failure": {"kind": "deadline"}, "stratum": "words"},
        {"id": 4, "failure": {"kind": "deadline"}},
    ]
    side = read(write_lines(tmp_path / "f.jsonl", lines))
    assert side.strata == {"2": "sums", "3": "words"}
    assert side.every_stratum == {"1": "sums", "2": "sums", "3": "words"}
    again = imported.side(imported.kept(side, "f.jsonl", "lines"), side.label)
    assert (again.strata, again.scores) == (side.strata, side.scores)


def test_blank_lines_and_a_byte_order_mark_are_no_content(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(b'\xef\xbb\xbf\n{"id": 1, "score": 1}\r\n\r\n{"id": 2, "score": 0}\r\n')
    assert len(read(path).scores) == 2


def test_what_was_asked_is_kept_as_a_digest(tmp_path):
    lines = [{"id": 1, "score": 1, "question": "How many?", "references": ["3"]}, {"id": 2, "score": 1}]
    side = read(write_lines(tmp_path / "f.jsonl", lines))
    assert set(side.content) == {"1"}
    assert set(side.content["1"]) == {"question", "references"}


def test_another_metric_of_the_same_lines(tmp_path):
    lines = [{"id": 1, "score": 1, "scores": {"a": {"value": 1, "note": None}, "b": {"value": 0.5}}}]
    path = write_lines(tmp_path / "f.jsonl", lines)
    side = read(path, metric="b")
    assert side.scores["1"].value == 0.5
    assert side.settings["metric"] == "b"
    with pytest.raises(DataError, match=r"f\.jsonl:1: no metric 'c'"):
        read(path, metric="c")


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ('{"id": 1, "score": 1.2}', "score is 1.2, outside 0 to 1"),
        ('{"id": 1, "score": -0.1}', "outside 0 to 1"),
        ('{"id": 1, "score": 1e999}', "outside 0 to 1"),
        ('{"id": 1, "score": NaN}', "NaN"),
        ('{"id": 1, "score": "0.5"}', 'score is "0.5"'),
        ('{"id": 1, "score": [1]}', "score is [1]"),
        ('{"id": 1}', "no key 'score'"),
        ('{"score": 1}', "no key 'id'"),
        ('{"id": null, "score": 1}', "id is null"),
        ('{"id": "", "score": 1}', 'id is ""'),
        ('{"id": 1.5, "score": 1}', "id is 1.5"),
        ('{"id": true, "score": 1}', "id is true"),
        ('{"id": "ok", "score": 1}', "id 'ok' occurs again"),
        ('{"id": 1, "score": 1, "cluster": [1]}', "cluster is [1]"),
        ('{"id": 1, "score": 1, "failure": {"kind": "deadline"}}', "a score and a failure"),
        ('{"doc_id": 1, "acc": 1}', "a file holds lines of one format only"),
        ("[1]", "not a JSON object but [1]"),
        ('{"id": 1, "score": ', "not JSON"),
        ("[" * 100_000, "not JSON"),
        ("id,score", "not JSON"),
    ],
)
def test_a_bad_line_is_named_with_its_number_and_a_way_out(tmp_path, line, said):
    path = tmp_path / "f.jsonl"
    path.write_text('{"id": "ok", "score": 1}\n\n' + line + "\n")
    with pytest.raises(DataError) as caught:
        answers.read(path, BASE)
    assert caught.value.message.startswith(f"{path}:3: ")
    assert said in caught.value.message + "; " + caught.value.fix
    assert caught.value.fix


def test_whole_and_text_ids_are_the_same_ids(tmp_path):
    with pytest.raises(DataError, match="id '1' occurs again"):
        read(write_lines(tmp_path / "f.jsonl", [{"id": 1, "score": 1}, {"id": "1", "score": 0}]))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "the file is empty"),
        ("\n \n", "the file is empty"),
        ("id,value\n1,1\n", "f.jsonl:1: no column 'score'"),
        ("1,1\n2,0\n", "f.jsonl:1: no column 'id'"),
        ('{"id": 1, "score": \n{"id": 2, "score": 1}\n', "f.jsonl:1: not JSON"),
        ("[]", "a JSON array"),
        ('[\n {"id": 1, "score": 1}\n]', "a JSON array"),
        ("3", "no JSON object"),
        ("{}", "unknown format, a value with no keys"),
        (
            '{"results": {"t": {"acc,none": 1}}, "configs": {}}',
            "f.jsonl: lm-eval's totals, without the score of any",
        ),
        ("{\n", "f.jsonl: not JSON"),
        ('{"name": "x"}\n{"name": "y"}\n', "f.jsonl:1: unknown format, a value with name"),
    ],
)
def test_what_is_no_known_format_is_refused(tmp_path, text, said):
    path = tmp_path / "f.jsonl"
    path.write_text(text)
    with pytest.raises(EvalkitError) as caught:
        answers.read(path, BASE)
    assert said in caught.value.message
    assert caught.value.fix
    assert caught.value.exit_code == 2


def test_a_file_that_is_not_text_is_refused(tmp_path):
    path = tmp_path / "f.jsonl"
    path.write_bytes(json.dumps(scored([1])[0]).encode() + b"\n\xff\xfe\x00")
    with pytest.raises(DataError, match="not UTF-8"):
        answers.read(path, BASE)


# --- inside an evalkit run ---

RESULTS = {
    "smoke": True,
    "baseline": "org/base",
    "candidates": ["org/cand"],
    "models": {
        "org/base": {
            "engine": {"name": "vllm", "version": "0.32", "accelerator": "cpu", "numerics": {"dtype": "float16"}}
        }
    },
    "averages": [{"category": "Vision"}],
    "tasks": [
        {
            "task": "docvqa",
            "category": "Vision",
            "metric": "anls",
            "dialect": "neuralmagic",
            "images": "reencode",
            "revision": "abc",
            "planned": 3,
            "available": 5349,
        }
    ],
}


def test_a_run_says_what_its_lines_are(tmp_path):
    write_json(tmp_path / "results.json", RESULTS)
    path = write_lines(tmp_path / "samples" / "org--base" / "docvqa.jsonl", scored([1, 0]))
    found = answers.read(path, BASE)
    side = found.tasks["docvqa"]
    assert found.averages == {"Vision": ("docvqa",)}
    assert (side.label, side.planned, side.available, side.smoke) == ("org/base", 3, 5349, True)
    assert side.settings == {
        "task": "docvqa",
        "metric": "anls",
        "dialect": "neuralmagic",
        "images": "reencode",
        "revision": "abc",
        "engine": "vllm",
        "engine version": "0.32",
        "accelerator": "cpu",
        "numerics.dtype": "float16",
    }


def test_a_stratum_is_a_fixed_group(tmp_path):
    side = read(write_lines(tmp_path / "f.jsonl", [{"id": "a", "score": 1, "stratum": "law", "cluster": 4}]))
    assert side.scores["a"] == SampleScore("a", 1.0, "4", "law")
    with pytest.raises(DataError, match=r"stratum is 0\.5") as caught:
        read(write_lines(tmp_path / "f.jsonl", [{"id": "a", "score": 1, "stratum": 0.5}]))
    assert "a stratum is a text" in caught.value.fix


@pytest.mark.parametrize(("benchmark", "groups"), [("mmlu", None), ("docvqa", None), ("docvqa", "fixed")])
def test_a_subject_that_a_run_called_a_cluster_is_a_stratum(tmp_path, benchmark, groups):
    """Runs of earlier versions wrote MMLU's subjects so."""
    path = write_lines(tmp_path / "samples/m/exam.jsonl", [{"id": "a", "score": 1, "cluster": "law"}])
    write_json(
        tmp_path / "results.json", {"baseline": "m", "candidates": [], "tasks": [{"task": "exam", "planned": 1}]}
    )
    exam = kept("exam", benchmark=benchmark, groups=groups)
    part = {"task": exam, "listing": "l", "planned": 1, "available": 1, "revision": "r"}
    write_json(tmp_path / "run.json", {"plan": {"models": [], "tasks": [part]}})
    fixed = benchmark == "mmlu" or groups == "fixed"
    assert read(path).scores["a"] == SampleScore("a", 1.0, *((None, "law") if fixed else ("law", None)))
