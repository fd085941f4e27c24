"""Comparisons from Python: tables, files and plain numbers."""

import json
import math

import numpy as np
import pandas as pd
import pytest

import evalkit
from evalkit import stats
from support.commands import evalkit as command


def table(scores, **more):
    return pd.DataFrame({"id": [str(number) for number in range(len(scores))], "score": scores, **more})


BASE = [1.0] * 180 + [0.0] * 20
CAND = [1.0] * 178 + [0.0] * 22


def test_two_tables_are_compared_sample_by_sample():
    found = evalkit.compare(table(BASE), table(CAND), min_recovery=90)
    (row,) = found.rows().to_dict("records")
    assert (row["n"], row["regressed"], row["improved"], row["verdict"]) == (200, 2, 0, "recovered")
    assert row["recovery"] == pytest.approx(100 * 178 / 180)
    assert found.exit_code == 0
    assert "recovered" in found.outcome.lower()


def test_a_table_and_the_command_say_the_same(tmp_path):
    paths = []
    for name, scores in (("base", BASE), ("cand", CAND)):
        paths.append(tmp_path / f"{name}.jsonl")
        paths[-1].write_text("".join(json.dumps(line) + "\n" for line in table(scores).to_dict("records")))
    told = command("compare", *paths, "--json").json
    (of_files,) = evalkit.compare(*paths).rows().to_dict("records")
    (of_tables,) = evalkit.compare(table(BASE), table(CAND)).rows().to_dict("records")
    assert (
        of_files.items()
        >= {key: value for key, value in of_tables.items() if key != "task" and pd.notna(value)}.items()
    )
    assert [of_files["recovery"], of_files["low"], of_files["high"]] == [told["recovery"], *told["interval"]]


def test_what_is_missing_in_a_table_is_a_failure():
    found = evalkit.compare(table([1.0, None, 0.5, 1.0]), table([1.0, 1.0, 0.5, 0.0]))
    assert found.rows()["n"].tolist() == [3]
    assert found.rows()["planned"].tolist() == [4]


def test_attempts_in_a_table_are_averaged():
    problem = ["a", "a", "b", "b"]
    found = evalkit.compare(table([1.0, 0.0, 1.0, 1.0], problem=problem), table([1.0, 1.0, 1.0, 1.0], problem=problem))
    assert found.rows()[["n", "regressed", "improved"]].to_numpy().tolist() == [[2, 0, 1]]


def test_a_line_that_is_wrong_is_named():
    with pytest.raises(evalkit.EvalkitError, match="the baseline's table: line 1"):
        evalkit.compare(table([1.0, 2.0]), table([1.0, 1.0]))


@pytest.mark.parametrize("kind", [list, tuple, np.array, pd.Series])
def test_numbers_have_a_recovery_with_an_interval(kind):
    found = evalkit.recovery(kind(BASE), kind(CAND))
    assert found == stats.recovery(BASE, CAND)
    assert found.low < found.percent < found.high


def test_clusters_and_strata_say_how_samples_hang_together():
    groups = [str(number // 10) for number in range(200)]
    alone, pages, subjects = (
        evalkit.recovery(BASE, CAND, **more) for more in ({}, {"clusters": groups}, {"strata": groups})
    )
    assert pages.clusters == 20
    assert alone.clusters == subjects.clusters == 200
    assert pages.high - pages.low > alone.high - alone.low


def test_scores_in_percent_are_refused():
    with pytest.raises(evalkit.EvalkitError, match="score number 1 is 80"):
        evalkit.recovery([80.0], [79.0])


@pytest.mark.parametrize("missing", [None, pd.NA, math.nan, "right"])
def test_a_score_that_is_none_is_named_by_its_place(missing):
    with pytest.raises(evalkit.EvalkitError, match="candidate: score number 2 is "):
        evalkit.recovery([1.0, 1.0], [1.0, missing])
