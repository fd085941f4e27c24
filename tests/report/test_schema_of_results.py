"""results.json keeps what its published schema promises, and holds nothing that the schema does not name."""

import copy
import json

import jsonschema
import pytest

from evalkit import report
from evalkit.files import resources
from evalkit.records import results
from evalkit.records.results import FORMAT
from support.reports import MIXED, RIGHT, built, judged, whole

SCHEMA = json.loads((resources.reports() / "results.schema.json").read_text(encoding="utf-8"))
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def found(one):
    return json.loads(report.results_text(one))


def problems(value):
    return [f"{'/'.join(map(str, error.path))}: {error.message}" for error in CHECK.iter_errors(value)]


def test_the_schema_is_one_and_says_its_version():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    assert SCHEMA["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert SCHEMA["properties"]["schema_version"]["const"] == FORMAT
    assert SCHEMA["$id"].endswith(f":{FORMAT}")


def test_a_report_with_everything_is_valid_and_leaves_no_part_untried():
    value = found(whole())
    assert problems(value) == []
    row = value["tasks"][0]
    for part in ("published", "noise_floor", "groups", "drift"):
        assert row[part], part
    assert value["tasks"][2]["exams"]
    assert value["tasks"][2]["checks"]
    assert value["averages"][0]["published"]
    assert value["warnings"]
    assert value["models"]["org/a"]["checkpoint"]["quantized_layers"]
    assert value["models"]["b"]["checkpoint"] is None
    assert row["scores"]["b"]["failures"]
    assert row["recovery"]["b"]["bounds"]


@pytest.mark.parametrize(
    "one",
    [
        built({"base": [RIGHT], "cand": [MIXED]}),
        built({"base": [RIGHT]}),
        built({"base": [[False] * 4], "cand": [MIXED]}),
        built({"base": [[None] * 4], "cand": [[None] * 4]}),
        built({"base": [[False, True]], "cand": [[None, True]]}, terms=judged()),
        built({"base": [[None, False, True]], "cand": [[True] * 3]}, terms=judged(max_failed=1.0)),
        built({"base": [[True] * 50], "cand": [[True] * 50]}, terms=judged(90.0)),
    ],
    ids=["plain", "no candidate", "nothing right", "nothing answered", "incomplete", "without end", "recovered"],
)
def test_every_kind_of_report_is_valid(one):
    assert problems(found(one)) == []


@pytest.mark.parametrize("one", [whole(), built({"base": [RIGHT]})], ids=["everything", "no candidate"])
def test_what_is_written_is_read_as_it_was(one):
    assert results.read(report.results_text(one)) == report.results(one)


def objects(value, place=()):
    """Every object in a JSON value with its place."""
    if isinstance(value, dict):
        yield place, value
    for key, item in value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ():
        yield from objects(item, (*place, key))


def free(place):
    """Whether the schema leaves an object's keys to others: labels, flags, harnesses' own words."""
    named = {"metrics", "failures", "notes", "dtypes", "quantized_layers", "files", "settings", "unknown", "numerics"}
    labelled = {"models", "scores", "recovery", "drift", "published", "groups", "candidates", "exams", "differences"}
    inside_free = {"numerics", "settings", "exams", "checks"} & set(place)
    ends = place[-1] if place else ""
    of_policy = place[:1] == ("policy",) and ends in {"tasks", "averages"}
    of_group = len(place) > 1 and place[-2] == "groups"
    return bool(inside_free) or ends in named | labelled | {"checks"} or of_policy or of_group


def test_a_key_that_the_schema_does_not_name_is_refused_wherever_it_stands():
    value = found(whole())
    tried = 0
    for place, _ in list(objects(value)):
        if free(place):
            continue
        changed = copy.deepcopy(value)
        target = changed
        for key in place:
            target = target[key]
        target["surprise"] = 1
        assert problems(changed), place
        tried += 1
    assert tried > 40


def test_a_key_that_is_missing_is_noticed():
    value = found(whole())
    for key in list(value):
        assert problems({name: item for name, item in value.items() if name != key}), key
