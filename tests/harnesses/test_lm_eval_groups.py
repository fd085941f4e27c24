"""Scores of subjects, of categories and of all: those of a report are lm-eval's own."""

import json
import random
from dataclasses import replace

import pytest

from evalkit import report
from evalkit.base.types import Answer
from evalkit.comparison.score import Tally
from evalkit.harnesses import harness
from evalkit.harnesses.lm_eval.harness import LmEval
from evalkit.harnesses.lm_eval.wire import parsed
from evalkit.records.plan import Plan, PlannedTask
from support.lm_eval_oracle import lm_eval_results
from support.mmlu_folder import THREE, mmlu, rows, task, write
from support.reports import contender
from support.rich_report import templates


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


def reported(questions, said, limit=None, **other):
    """The report of two models with these answers."""
    part = PlannedTask(
        replace(task(), **other), "listing", questions.planned(limit), questions.available, questions.revision
    )
    tallies = {(label, part.task.name): Tally(part.task, label, harness(part.task)) for label in said}
    for sample, _ in questions.samples(limit):
        for label, found in said.items():
            tallies[label, part.task.name].add(sample, Answer(found[sample.id], "stop", 9, 1, 0.1))
    return report.build(Plan(contender("base"), (contender("cand"),), (part,)), tallies, harness)


@pytest.mark.parametrize(("seed", "limit"), [(0, None), (2, None), (4, 1), (6, 9)])
def test_every_score_of_a_report_is_lm_evals(questions, seed, limit):
    said = {"base": answered(questions, seed, limit), "cand": answered(questions, seed + 1, limit)}
    (row,) = reported(questions, said, limit).rows
    for label, side in (("base", "baseline"), ("cand", "candidate")):
        theirs = lm_eval_results(questions, said[label], limit)
        ours = {f"mmlu_{name}": getattr(one, side) for name, one in row.groups["cand"].items()}
        ours["mmlu"] = row.scores[label].score
        # Both are means of zeros and ones; the order of the additions is all that may differ.
        assert ours == {
            name: pytest.approx(line["acc,none"], abs=1e-12)
            for name, line in theirs["results"].items()
            if "acc,none" in line
        }
        sizes = {name: each["effective"] for name, each in theirs["n-samples"].items()}
        assert {name: row.groups["cand"][name.removeprefix("mmlu_")].n for name in sizes} == sizes
        assert row.scores[label].scored == theirs["results"]["mmlu"]["sample_len"] == questions.planned(limit)


def test_where_each_subject_counts_alike_the_row_is_of_the_mean_of_lm_evals_subjects(questions):
    said = {"base": answered(questions, 2), "cand": answered(questions, 3)}
    (row,) = reported(questions, said, metrics=("acc_by_subject", "acc"), headline="acc_by_subject").rows
    one = row.judgements["cand"].comparison
    for label, mean in (("base", one.baseline), ("cand", one.candidate)):
        theirs = lm_eval_results(questions, said[label])
        subjects = [theirs["results"][name]["acc,none"] for name in theirs["n-samples"]]
        assert row.scores[label].score == pytest.approx(sum(subjects) / 8)
        assert mean == row.scores[label].score
        over_all = theirs["results"]["mmlu"]["acc,none"]
        assert row.scores[label].metrics == {
            "acc_by_subject": mean,
            "acc": pytest.approx(over_all),
        }
        assert abs(over_all - mean) > 0.001
        (told,) = [text for text in row.judged if text.startswith("over all questions")]
        assert f"{label} {100 * over_all:.2f} %" in told
    assert one.recovery.low < one.recovery.percent < one.recovery.high


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


def test_a_report_shows_categories_before_subjects_and_of_each_the_worst_first(questions):
    built = reported(questions, {"base": answered(questions, 5), "cand": answered(questions, 6)})
    found = built.rows[0].groups["cand"]
    categories = {sample.references["category"] for sample, _ in questions.samples(None)}
    assert list(found)[: len(categories)] == sorted(categories, key=lambda name: (recovery(found[name]), name))
    page = report.html(built, templates())
    assert all(name in page for name in found)
    assert report.results_json(built)["tasks"][0]["groups"]["cand"].keys() == found.keys()


def recovery(one):
    return float("inf") if one.recovery.percent is None else one.recovery.percent
