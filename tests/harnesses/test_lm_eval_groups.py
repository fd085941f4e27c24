import json
import random

import pytest
from mmlu_folder import THREE, mmlu, rows, task, write
from rich_report import templates

from evalkit import report
from evalkit.errors import DataError
from evalkit.harnesses.lm_eval import LmEval
from evalkit.harnesses.lm_eval_groups import Share, groups, lm_eval_results
from evalkit.harnesses.lm_eval_requests import parsed
from evalkit.plan import Plan, PlannedTask
from evalkit.score import Tally
from evalkit.types import Answer
from reports import contender


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """Eight subjects of unequal size over the four categories."""
    names = (*THREE, "anatomy", "virology", "management", "econometrics", "jurisprudence")
    folder = mmlu(tmp_path_factory.mktemp("mmlu"), names)
    for number, name in enumerate(names):
        write(folder / name / "test-00000-of-00001.parquet", rows(name, "test")[: 1 + number])
    return LmEval().questions(task(), folder, print)


def answered(questions, seed, limit=None):
    """A random answer to every planned question."""
    rng = random.Random(seed)
    return {
        sample.id: json.dumps({"loglikelihoods": [rng.choice((-1, -2, -3)) for _ in range(4)], "greedy": [False] * 4})
        for sample, _ in questions.samples(limit)
    }


def ours(questions, answers, limit=None):
    return groups(
        (
            sample.id,
            sample.references["subject"],
            sample.references["category"],
            float(parsed(answers[sample.id]).best == sample.references["gold"]),
        )
        for sample, _ in questions.samples(limit)
    )


@pytest.mark.parametrize("limit", [None, 1, 9])
@pytest.mark.parametrize("seed", range(4))
def test_every_score_is_lm_evals_to_the_last_digit(questions, seed, limit):
    answers = answered(questions, seed, limit)
    found, theirs = ours(questions, answers, limit), lm_eval_results(questions, answers, limit)
    expected = {name: line["acc,none"] for name, line in theirs["results"].items() if "acc,none" in line}
    assert {
        "mmlu": found.overall.score,
        **{f"mmlu_{name}": share.score for name, share in (found.categories | found.subjects).items()},
    } == expected
    assert found.overall.questions == theirs["results"]["mmlu"]["sample_len"] == questions.planned(limit)
    sizes = {name.removeprefix("mmlu_"): each["effective"] for name, each in theirs["n-samples"].items()}
    assert {name: share.questions for name, share in found.subjects.items()} == sizes


def test_samples_carry_lm_evals_numbers_and_hashes(questions):
    answers = answered(questions, 1)
    theirs = lm_eval_results(questions, answers)
    lines = {
        f"{name.removeprefix('mmlu_')}/{line['doc_id']}": line
        for name, some in theirs["samples"].items()
        for line in some
    }
    listed = [sample for sample, _ in questions.samples(None)]
    assert set(lines) == {sample.id for sample in listed}
    for sample in listed:
        line = lines[sample.id]
        assert {key: line[key] for key in ("doc_hash", "prompt_hash")} == {
            key: sample.references[key] for key in ("doc_hash", "prompt_hash")
        }
        assert line["target"] == sample.references["gold"]
        assert [value for value, _ in line["filtered_resps"]] == list(parsed(answers[sample.id]).values)


def test_a_missing_answer_is_no_wrong_answer(questions):
    answers = answered(questions, 1)
    answers.pop("sociology/0")
    with pytest.raises(DataError, match="sociology/0 has no answer"):
        lm_eval_results(questions, answers)


def test_categories_are_weighted_by_their_questions():
    lines = [
        ("a/0", "a", "stem", 1.0),
        ("a/1", "a", "stem", 0.0),
        ("b/0", "b", "stem", 1.0),
        ("c/0", "c", "other", 0.0),
    ]
    found = groups(lines)
    assert found.overall == Share(0.5, 4)
    assert found.categories == {"stem": Share(pytest.approx(2 / 3), 3), "other": Share(0.0, 1)}
    assert found.subjects == {"a": Share(0.5, 2), "b": Share(1.0, 1), "c": Share(0.0, 1)}


def test_nothing_scored_has_no_score():
    assert groups([]).overall is None


def test_the_groups_of_a_report_are_lm_evals(questions):
    said = {label: answered(questions, seed) for label, seed in (("base", 5), ("cand", 6))}
    part = PlannedTask(task(), "listing", questions.available, questions.available, questions.revision)
    tallies = {(label, part.task.name): Tally(part.task, label) for label in said}
    for sample, _ in questions.samples(None):
        for label, found in said.items():
            tallies[label, part.task.name].add(sample, Answer(found[sample.id], "stop", 9, 1, 0.1))
    built = report.build(Plan(contender("base"), (contender("cand"),), (part,)), tallies)
    groups_of_report = built.rows[0].groups["cand"]
    for label, answers in said.items():
        theirs = ours(questions, answers)
        wanted = {**theirs.categories, **theirs.subjects}
        side = "baseline" if label == "base" else "candidate"
        assert {name: (getattr(one, side), one.n) for name, one in groups_of_report.items()} == {
            name: (pytest.approx(share.score, abs=1e-12), share.questions) for name, share in wanted.items()
        }
    assert list(groups_of_report)[: len(theirs.categories)] == sorted(
        theirs.categories, key=lambda name: (recovery(groups_of_report[name]), name)
    )
    page = report.html(built, templates())
    assert f"{len(groups_of_report)} groups of samples" in page
    assert report.results(built)["tasks"][0]["groups"]["cand"].keys() == groups_of_report.keys()


def recovery(one):
    return float("inf") if one.recovery.percent is None else one.recovery.percent
