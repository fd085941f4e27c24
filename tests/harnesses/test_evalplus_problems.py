"""Problems become samples, one for each attempt, always the same."""

import json

import pytest

from evalkit.base.errors import ConfigError, DataError
from evalkit.harnesses.evalplus import prompts
from evalkit.harnesses.evalplus.harness import EvalPlus
from evalkit.harnesses.evalplus.samples import attempts
from support.evalplus_tasks import questions, rows, task, write


def load(path, **settings):
    return EvalPlus().questions(task(**settings), path, lambda _: None)


def test_every_attempt_is_a_sample(tmp_path):
    made = rows(3)
    asked = load(write(tmp_path / "x.jsonl", made), n=4)
    listed = list(asked.samples(None))
    assert [sample.id for sample, _ in listed[:5]] == [
        *(f"HumanEval/0#{number}" for number in range(4)),
        "HumanEval/1#0",
    ]
    assert (asked.available, asked.planned(None), asked.planned(2), asked.planned(9)) == (12, 12, 8, 12)
    assert len(list(asked.samples(2))) == 8
    first = listed[0][0]
    assert first.cluster == "HumanEval/0"
    assert first.content[0].text == made[0]["prompt"]
    assert first.references["entry_point"] == made[0]["entry_point"]
    assert len({digest for _, digest in listed}) == 12
    assert listed == list(asked.samples(None))


def test_what_moves_an_answer_moves_its_digest_and_what_does_not_does_not(tmp_path):
    path = write(tmp_path / "x.jsonl", rows(1))

    def digest(n=1, **settings):
        return next(request for _, request in load(path, n=n, **settings).samples(None))

    assert digest() == digest(n=5) == digest(min_time_limit_s=9.0) == digest(workers=1)
    assert digest() != digest(bos="published")
    words = prompts.texts()
    assert digest() == digest(instruction=words.instruction, response=words.response)
    assert len({digest(), digest(instruction="Write it."), digest(response="Write it.")}) == 3


def test_the_checker_s_identity_names_what_moves_a_judgement(tmp_path):
    made = rows(2)
    path = write(tmp_path / "x.jsonl", made)
    assert load(path).checker == load(path, n=3, workers=1, bos="published").checker
    made[1]["base_input"].append([[7]])
    other = load(write(tmp_path / "y.jsonl", made))
    assert other.checker != load(path).checker
    assert other.revision != load(path).revision
    others = [{"plus": False}, {"min_time_limit_s": 2.0}, {"gt_time_factor": 9.0}, {"memory_mib": 512}]
    assert len({load(path, **settings).checker for settings in [{}, *others, {"find_zero": "mended"}]}) == 6


def test_compressed_files_and_plain_ones_are_the_same(tmp_path):
    made = rows(2)
    plain, packed = (load(write(tmp_path / name, made)) for name in ("x.jsonl", "x.jsonl.gz"))
    assert plain.revision == packed.revision


@pytest.mark.parametrize(
    ("change", "word"),
    [
        ({"prompt": None}, "not all texts"),
        ({"entry_point": "no name"}, "name no function"),
        ({"base_input": [1]}, "base_input is not a list"),
        ({"atol": "x"}, "atol"),
        ({"plus_input": ...}, "no plus_input"),
        ({"base_input": ...}, "no base_input"),
    ],
)
def test_a_wrong_line_is_named(tmp_path, change, word):
    made = rows(2)
    made[1] = {key: value for key, value in {**made[1], **change}.items() if value is not ...}
    with pytest.raises(DataError, match=rf"x.jsonl:2: .*{word}"):
        load(write(tmp_path / "x.jsonl", made))


def test_a_file_that_is_no_such_file_is_refused(tmp_path):
    (tmp_path / "x.jsonl").write_text("{\n")
    with pytest.raises(DataError, match=r"x\.jsonl:1: not JSON"):
        load(tmp_path / "x.jsonl")
    (tmp_path / "y.jsonl.gz").write_bytes(b"no gzip")
    with pytest.raises(DataError, match=r"y.jsonl.gz"):
        load(tmp_path / "y.jsonl.gz")
    with pytest.raises(DataError, match=r"none.jsonl"):
        load(tmp_path / "none.jsonl")
    with pytest.raises(DataError, match="occurs twice"):
        load(write(tmp_path / "z.jsonl", rows(1) * 2))


def test_wrong_settings_are_refused(tmp_path):
    path = write(tmp_path / "x.jsonl", rows(1))
    with pytest.raises(ConfigError, match="bos"):
        load(path, bos="three")
    with pytest.raises(ConfigError, match="min_time_limit_s"):
        load(path, min_time_limit_s=0.0)


def test_sample_files_of_evalplus_are_read(tmp_path):
    made = rows(2)
    _, asked = questions(tmp_path / "x.jsonl", made)
    lines = [
        {"task_id": "HumanEval/1", "solution": "def a(): ..."},
        {"task_id": "HumanEval/0", "completion": "    return 0"},
        {"task_id": "HumanEval/1", "solution": "def b(): ..."},
    ]
    read = list(attempts(write(tmp_path / "s.jsonl", lines), asked))
    assert [(sample.id, text) for sample, text in read] == [
        ("HumanEval/1#0", "def a(): ..."),
        ("HumanEval/0#0", made[0]["prompt"] + "    return 0"),
        ("HumanEval/1#1", "def b(): ..."),
    ]
    assert all(sample.references["as_written"] for sample, _ in read)
    assert not any(
        "as_written" in sample.references for sample, _ in attempts(tmp_path / "s.jsonl", asked, sanitize=True)
    )


def test_sample_folders_of_evalplus_are_read_in_order(tmp_path):
    _, asked = questions(tmp_path / "x.jsonl", rows(2))
    for number in (10, 2, 0):
        file = tmp_path / "samples" / "HumanEval_1" / f"{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# {number}")
    read = [(sample.id, text) for sample, text in attempts(tmp_path / "samples", asked)]
    assert read == [("HumanEval/1#0", "# 0"), ("HumanEval/1#1", "# 2"), ("HumanEval/1#2", "# 10")]


@pytest.mark.parametrize(
    "line", [{"task_id": "HumanEval/9", "solution": ""}, {"task_id": 1}, {"task_id": "HumanEval/0"}]
)
def test_a_wrong_sample_line_is_named(tmp_path, line):
    _, asked = questions(tmp_path / "x.jsonl", rows(1))
    (tmp_path / "s.jsonl").write_text(json.dumps(line))
    with pytest.raises(DataError, match=r"s\.jsonl:1"):
        list(attempts(tmp_path / "s.jsonl", asked))
