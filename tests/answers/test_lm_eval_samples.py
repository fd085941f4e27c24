import pytest

from evalkit import answers
from evalkit.answers import MetricChoice
from evalkit.base.errors import DataError
from support.commands import write_json, write_lines

DATE = "2026-01-02T03-04-05.678901"


def line(number, filtered="none", **metrics):
    """As lm-eval 0.4.13 writes it."""
    return {
        "doc_id": number,
        "doc": {"question": f"q{number}", "choices": ["a", "b"]},
        "target": "1",
        "arguments": {"gen_args_0": {"arg_0": "prompt", "arg_1": " A"}},
        "resps": [[["-1.0", "True"]]],
        "filtered_resps": [["-1.0", "True"]],
        "filter": filtered,
        "metrics": list(metrics),
        "doc_hash": f"d{number}",
        "prompt_hash": f"p{number}",
        "target_hash": f"t{number}",
        **metrics,
    }


def read(path, metric=None):
    found = answers.read(path, MetricChoice("baseline", metric))
    assert found.format == "lm-eval"
    (side,) = found.tasks.values()
    return side


def test_the_only_metric_is_read(tmp_path):
    side = read(write_lines(tmp_path / "f.jsonl", [line(0, acc=1.0), line(1, acc=0.0)]))
    assert [side.scores[key].value for key in ("0", "1")] == [1.0, 0.0]
    assert side.content["1"] == {"question": "d1", "prompt": "p1", "references": "t1"}
    assert side.settings == {"metric": "acc", "filter": "none"}
    assert side.cautions == ()


def test_of_several_metrics_the_usual_one_is_read_and_the_others_are_named(tmp_path):
    path = write_lines(tmp_path / "f.jsonl", [line(0, acc=1.0, acc_norm=0.0)])
    side = read(path)
    assert side.scores["0"].value == 1.0
    assert side.cautions == ("metric acc; --metric chooses another (acc_norm)",)
    assert read(path, "acc_norm").scores["0"].value == 0.0


def test_unusual_metrics_have_to_be_chosen(tmp_path):
    path = write_lines(tmp_path / "f.jsonl", [line(0, rouge=0.1, chrf=0.2)])
    with pytest.raises(DataError, match="has rouge, chrf"):
        read(path)
    with pytest.raises(DataError, match="no metric 'rogue'") as caught:
        read(path, "rogue")
    assert "did you mean 'rouge'?" in caught.value.fix


def test_a_metric_of_the_whole_task_is_no_score(tmp_path):
    path = write_lines(tmp_path / "f.jsonl", [line(0, bleu=["a", "b"])])
    with pytest.raises(DataError, match="no metric with a number for each sample"):
        read(path)
    with pytest.raises(DataError, match="bleu is"):
        read(path, "bleu")


def test_several_filters_have_to_be_chosen_from(tmp_path):
    lines = [line(0, name, exact_match=value) for name, value in (("strict-match", 0.0), ("flexible-extract", 1.0))]
    path = write_lines(tmp_path / "f.jsonl", lines)
    with pytest.raises(DataError, match="several filters") as caught:
        read(path)
    assert "--metric exact_match,flexible-extract" in caught.value.fix
    side = read(path, "exact_match,strict-match")
    assert side.scores["0"].value == 0.0
    assert side.settings["filter"] == "strict-match"
    with pytest.raises(DataError, match="no filter 'strict'"):
        read(path, "exact_match,strict")


def test_the_name_and_the_neighbour_say_which_task_and_how_large(tmp_path):
    write_json(
        tmp_path / f"results_{DATE}.json",
        {
            "n-samples": {"gsm8k": {"original": 1319, "effective": 100}},
            "n-shot": {"gsm8k": 5},
            "versions": {"gsm8k": 3.0},
            "lm_eval_version": "0.4.13",
        },
    )
    side = read(write_lines(tmp_path / f"samples_gsm8k_{DATE}.jsonl", [line(0, acc=1)]))
    assert (side.planned, side.available, side.smoke) == (100, 1319, True)
    assert side.settings["task"] == "gsm8k"
    assert (side.settings["n-shot"], side.settings["lm-eval version"]) == (5, "0.4.13")


@pytest.mark.parametrize(
    ("second", "said"),
    [
        (line(0, acc=1.0), "f.jsonl:2: doc_id 0 occurs again"),
        (line(1, acc=70.5), "f.jsonl:2: acc is 70.5, outside 0 to 1"),
        (line(1, acc=float("nan")), "f.jsonl:2: acc is not a number"),
        (line(1, f1=1.0), "f.jsonl:2: no metric 'acc'"),
        ({"id": 1, "score": 1}, "f.jsonl:2: no key 'doc_id'"),
    ],
)
def test_a_bad_line_is_named(tmp_path, second, said):
    path = write_lines(tmp_path / "f.jsonl", [line(0, acc=1.0), second])
    with pytest.raises(DataError) as caught:
        read(path)
    assert said in caught.value.message
    assert caught.value.fix
