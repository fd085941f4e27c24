import pytest

from evalkit import answers
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError, UsageError
from support.commands import write_json


def row(question, answer, reference="3"):
    request = {"temperature": 0.0, "max_tokens": 10, "messages": [{"role": "user", "content": question}]}
    return {"request": request, "model_answer": answer, "reference_answer": reference}


def write(path, rows):
    return write_json(path, {str(at): one for at, one in enumerate(rows)})


def read(path, metric="anls"):
    found = answers.read(path, MetricChoice("baseline", metric))
    assert found.format == "mistral-evals"
    return found.tasks[""]


def test_rows_are_named_by_what_was_asked_in_whatever_order_they_ended(tmp_path):
    one = read(write(tmp_path / "a.json", [row("q1", "3"), row("q2", "#####")]))
    two = read(write(tmp_path / "b.json", [row("q2", "#####"), row("q1", "3")]))
    assert one.scores == two.scores
    assert sorted(score.value for score in one.scores.values()) == [0.0, 1.0]


def test_another_reference_is_another_sample(tmp_path):
    side = read(write(tmp_path / "a.json", [row("q1", "3"), row("q1", "3", "4")]))
    assert len(side.scores) == 2


def test_rows_that_ask_the_same_are_attempts(tmp_path):
    side = read(write(tmp_path / "a.json", [row("q1", "3"), row("q1", "#####")]))
    assert [score.value for score in side.scores.values()] == [0.5]


def test_a_metric_has_to_be_named(tmp_path):
    path = write(tmp_path / "a.json", [row("q1", "3")])
    with pytest.raises(DataError, match="answers without scores") as caught:
        read(path, None)
    assert "anls" in caught.value.fix
    with pytest.raises(UsageError, match="metric 'anl'"):
        read(path, "anl")


def test_means_cannot_be_paired(tmp_path):
    path = write_json(tmp_path / "docvqa.json", {"anls": 0.89})
    with pytest.raises(DataError, match="means only") as caught:
        read(path)
    assert "--save_raw_output" in caught.value.fix


@pytest.mark.parametrize(
    ("second", "said"),
    [
        ({"request": {}, "model_answer": "x"}, "row 1: no reference_answer"),
        ("x", "row 1: no request, model_answer, reference_answer"),
        (row("q", 3), "row 1: model_answer is 3"),
    ],
)
def test_a_bad_row_is_named(tmp_path, second, said):
    path = write(tmp_path / "a.json", [row("q1", "3"), second])
    with pytest.raises(DataError) as caught:
        read(path)
    assert said in caught.value.message
