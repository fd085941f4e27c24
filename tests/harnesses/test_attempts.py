"""Any chat task asked several times: each attempt is listed, asked, stored and scored by itself."""

import json
from dataclasses import replace

import pytest

from evalkit.base.types import Answer, Elsewhere, Model, Sample, Text
from evalkit.client import chat
from evalkit.comparison.score import tally
from evalkit.harnesses import Served, attempts
from evalkit.harnesses.chat import Chat
from evalkit.records.store import Store
from evalkit.tasks import registry
from evalkit.testing import ModelServer, check
from support.workplaces import charts, write_parquet

BASE = replace(registry.tasks()["chartqa"], prompt="Answer.", images="original")


def several(n, **decoding):
    return replace(BASE, decoding=replace(BASE.decoding, n=n, temperature=0.7, **decoding))


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    path = tmp_path_factory.mktemp("rows") / "test.parquet"
    write_parquet(path, charts(4))
    return path


def listed(task, rows, limit=None):
    return list(Chat().questions(task, rows, lambda _: None).samples(limit))


def bodies(task, pending, *, alone=False):
    session = Chat().session(task, Served("http://x", "m", Model("m", "m", "d")), print)
    made = session.alone(pending) if alone else session.requests(pending)
    return [(one.key, json.loads(one.payload())) for one in made]


def test_attempts_are_listed_beside_each_other_with_ids_and_digests_of_their_own(rows):
    once, thrice = listed(BASE, rows), listed(several(3), rows)
    assert [one.id for one, _ in thrice] == [f"{one.id}#{k}" for one, _ in once for k in range(3)]
    assert len({digest for _, digest in thrice}) == len(thrice) == 12


def test_the_first_attempt_is_what_a_task_that_asks_once_has_stored(rows):
    once = [digest for _, digest in listed(several(1), rows)]
    assert [digest for _, digest in listed(several(3), rows)][::3] == once
    assert [digest for _, digest in listed(several(5), rows)][1::5] == [
        digest for _, digest in listed(several(3), rows)
    ][1::3]


def test_a_limit_draws_samples_with_all_their_attempts(rows):
    questions = Chat().questions(several(3), rows, lambda _: None)
    drawn = [one.id for one, _ in questions.samples(2)]
    assert (questions.planned(2), questions.available, len(drawn)) == (6, 12, 6)
    assert len({name.partition("#")[0] for name in drawn}) == 2
    assert len(questions.rows(2)) == 6


def test_attempts_are_choices_of_one_request(rows):
    pending = [(digest, one) for one, digest in listed(several(3), rows, 2)]
    asked = bodies(several(3), pending)
    assert [len(keys) for keys, _ in asked] == [3, 3]
    assert [body["n"] for _, body in asked] == [3, 3]
    # Two are stored: the third is asked alone.
    assert [body.get("n") for _, body in bodies(several(3), pending[2:])] == [None, 3]
    assert [body.get("n") for _, body in bodies(several(3), pending, alone=True)] == [None] * 6


def test_a_stated_seed_is_counted_up_and_asks_separately(rows):
    task = several(3, seed=40)
    pending = [(digest, one) for one, digest in listed(task, rows, 1)]
    assert [(body["seed"], body.get("n")) for _, body in bodies(task, pending)] == [(40, None), (41, None), (42, None)]
    digests = [digest for _, digest in listed(several(1, seed=41), rows, 1)]
    assert digests == [key for key, _ in pending[1:2]]


def test_without_temperature_attempts_are_asked_separately(rows):
    cold = replace(several(2), decoding=replace(several(2).decoding, temperature=0.0))
    pending = [(digest, one) for one, digest in listed(cold, rows, 1)]
    assert [body.get("n") for _, body in bodies(cold, pending)] == [None, None]


@pytest.mark.parametrize("part", ["fine", "one-choice"])
def test_the_contract_holds_and_a_server_that_gives_one_choice_is_asked_for_each(rows, part):
    servers = []

    def server():
        servers.append(ModelServer("tiny", part))
        return servers[-1]

    check(several(3), rows, server=server)
    assert servers[0].asked.total() >= (4 if part == "fine" else 12)


def test_scores_are_averaged_within_a_sample(tmp_path):
    task = several(2)
    sample = Sample("q", (Text("?"),), ["4"])
    found = [(replace(sample, id=f"q#{k}"), Answer(text, "stop", 1, 1, 0.1)) for k, text in enumerate(["4", "5"])]
    with Store(tmp_path) as store:
        listing, entries = store.write_listing([(one, f"r{one.id}") for one, _ in found], note="t")
        for entry, (_, answer) in zip(entries, found, strict=True):
            store.put(entry.request, answer, "run")
        total = tally(task, "m", store.records(listing, lambda request: request), Chat())
    (paired,) = total.paired.values()
    assert (paired.id, paired.value, paired.attempts) == ("q", 0.5, 2)


def test_reasoning_is_kept_beside_an_answer_and_scored_only_where_the_task_says_so():
    sample = Sample("q", (Text("?"),), ["4"])
    answer = Answer("so it is", "stop", 1, 9, 0.1, elsewhere=Elsewhere("reasoning", "Final Answer: 4"))
    assert Chat().score(BASE, sample, answer)[BASE.headline].value == 0
    scored = replace(BASE, score_reasoning=True)
    assert "Final Answer: 4" in answer.scored(scored)
    assert Chat().score(scored, sample, replace(answer, text=""))[BASE.headline].value == 1
    assert (answer.astray, answer.reasoning) == (None, "Final Answer: 4")
    only = replace(answer, text=None)
    assert only.astray is only.elsewhere


def test_an_attempts_number_is_read_from_its_id():
    one = Sample("a#b", (Text("?"),), None)
    found = [attempts.number(each) for each, _ in attempts.listed(one, several(3), chat.request_digest)]
    assert found == [0, 1, 2]
