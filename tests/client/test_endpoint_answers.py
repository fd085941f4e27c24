"""Answers of a server that evalkit did not start, from the socket to the report: what counts, and what is told."""

import json
import sqlite3
from contextlib import contextmanager

import pytest

from evalkit.testing import ModelServer, as_json, chat, error, part_named
from support.commands import evalkit
from support.earlierstores import to_format_1
from support.workplaces import fitted_out

ROWS = 40


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A workplace in which evalkit runs."""
    fitted_out(tmp_path)
    monkeypatch.chdir(tmp_path)
    (tmp_path / "quick.toml").write_text("[client]\ntries = 2\nwindow = 8\n")
    return tmp_path


def question(asked):
    """The number of the question in a request."""
    content = json.loads(asked.body)["messages"][0]["content"]
    text = content if isinstance(content, str) else "".join(part.get("text", "") for part in content)
    return int(text.partition("What is number ")[2].partition("?")[0])


def right(asked, **changes):
    return chat(asked, f"word{question(asked)}", **changes)


def ends(reason, asked, text="wor", **message):
    message = {"role": "assistant", "content": text, **message}
    return chat(asked, choices=[{"index": 0, "message": message, "finish_reason": reason}])


@contextmanager
def endpoints(base=right, cand=right):
    """Two servers, and the words of a run on them."""
    with ModelServer("base", base) as one, ModelServer("cand", cand) as two:
        words = ["run", "--baseline", "base", "--candidate", "cand", "--tasks-dir", "tasks", "--task", "pages"]
        words += ["--endpoint", f"base={one.url}", "--endpoint", f"cand={two.url}", "--config", "quick.toml", "--json"]
        yield one, two, words


def scores(ended):
    return ended.json["tasks"][0]["scores"]


# --- how answers ended ---


def test_an_answer_that_was_aborted_is_asked_again(folder):
    with endpoints(lambda asked: right(asked) if asked.earlier else ends("abort", asked)) as (one, _, words):
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["score"]) == (0, 1.0)
    assert one.asked.total() == 2 * ROWS


@pytest.mark.parametrize(("reason", "kind"), [("abort", "cut_off"), ("mystery", "cut_off"), ("content_filter",) * 2])
def test_one_that_stays_so_is_a_failure_by_name_and_the_same_command_asks_it_again(folder, reason, kind):
    troubled = lambda asked: ends(reason, asked) if question(asked) < 3 else right(asked)  # noqa: E731
    with endpoints(troubled) as (one, _, words):
        ended = evalkit(*words)
        assert (ended.code, scores(ended)["base"]["failures"]) == (4, {kind: 3})
        assert scores(ended)["base"]["score"] == 1.0  # of those that were answered
        one.part = right
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["failed"]) == (0, 0)


def test_a_store_that_holds_such_answers_is_cleared_of_them_and_says_so(folder):
    with endpoints() as (one, two, words):
        evalkit(*words)
        path = folder / "runs/store.sqlite3"
        with sqlite3.connect(path) as connection:  # as an earlier evalkit left it
            connection.execute("UPDATE response SET text = 'wo', finish_reason = 'abort' WHERE text LIKE 'word1%'")
            to_format_1(connection)
        assert evalkit("report", "latest", "--output", "again", "--format", "json").code in {0, 4}
        (row,) = json.loads((folder / "again/results.json").read_text())["tasks"]
        assert row["scores"]["base"]["failures"] == {"cut_off": 11}
        before = one.asked.total() + two.asked.total()
        ended = evalkit(*words)
    assert ended.code == 0
    assert "answers in runs/store.sqlite3 that their server had ended" in ended.err
    assert one.asked.total() + two.asked.total() >= before + 22
    assert scores(ended)["cand"]["score"] == 1.0


# --- text in another field ---


def test_text_in_another_field_is_told_in_the_run_and_in_the_report_with_the_flag_that_mends_it(folder):
    def silent(asked):
        return ends("length", asked, None, reasoning_content="... so seven")

    with endpoints(cand=silent) as (_, _, words):
        ended = evalkit(*words)
    assert ended.err.count("an answer came back as 'reasoning_content' and not as text") == 1
    assert "--reasoning-parser" in ended.err
    assert scores(ended)["cand"]["elsewhere"] == {"reasoning_content": ROWS}
    assert ended.json["tasks"][0]["drift"]["cand"]["elsewhere"]["flagged"] is True
    (run,) = [path for path in (folder / "runs").iterdir() if path.is_dir()]
    text = (run / "report.md").read_text()
    assert f"{ROWS} of {ROWS} answers came back as 'reasoning_content'" in text
    assert "text in another field" in text
    line = json.loads((run / "samples/cand/pages.jsonl").read_text().splitlines()[0])
    assert line["elsewhere"] == {"place": "reasoning_content", "text": "... so seven"}


# --- what is used again, and what says that it may be ---


def other(asked):
    """Another model behind the same name: a word is wrong now and then."""
    return right(asked) if question(asked) % 3 else chat(asked, "another")


def told(ended, label="base"):
    return ended.json["models"][label]["stored_answers"]


def test_within_the_run_that_asked_answers_are_used_again(folder):
    with endpoints(cand="status:500") as (one, two, words):
        assert evalkit(*words).code == 5  # the candidate's server is lost
        two.part = right
        ended = evalkit(*words)
    assert (ended.code, told(ended)["how"]) == (0, "own")
    assert one.asked.total() == ROWS


def test_the_same_command_on_the_same_servers_asks_a_few_again_and_then_nothing(folder):
    with endpoints() as (one, two, words):
        evalkit(*words)
        ended = evalkit(*words)
    assert (one.asked.total(), two.asked.total()) == (ROWS + 8, ROWS + 8)
    assert told(ended) == {"how": "compared", "revision": "", "asked": 8, "same": 8}
    assert "came back the same" in (next((folder / "runs").glob("*/report.md"))).read_text()
    assert len(list((folder / "runs").glob("*/results.json"))) == 1


def test_another_model_behind_the_same_label_is_noticed_and_everything_is_asked_again(folder):
    with endpoints() as (_, two, words):
        assert scores(evalkit(*words))["cand"]["score"] == 1.0
        two.part = other
        ended = evalkit(*words)
        assert scores(ended)["cand"]["score"] < 1.0
        assert told(ended, "cand")["how"] == "afresh"
        assert told(ended, "base")["how"] == "compared"
        assert "it may be another model or server than before" in ended.err
        again = evalkit(*words)
    assert (told(again, "cand")["how"], scores(again)["cand"]) == ("compared", scores(ended)["cand"])
    assert len(list((folder / "runs").glob("*/results.json"))) == 2


def test_who_vouches_has_answers_used_again_without_a_question_and_only_for_the_same_revision(folder):
    vouched = ("--endpoint-is", "base=abc", "--endpoint-is", "cand=d")
    with endpoints() as (one, two, words):
        evalkit(*words, *vouched)
        two.part = other  # the user says that it is not
        ended = evalkit(*words, *vouched)
        assert (one.asked.total(), two.asked.total()) == (ROWS, ROWS)
        assert told(ended) == {"how": "vouched", "revision": "abc", "asked": 0, "same": 0}
        evalkit(*words, "--endpoint-is", "base=abc", "--endpoint-is", "cand=e")
        assert (one.asked.total(), two.asked.total()) == (ROWS, 2 * ROWS)
    card = next((folder / "runs").glob("*/model_card.md")).read_text()
    assert "--endpoint-is base=abc" in card


def test_answers_that_were_drawn_by_chance_vouch_for_nothing(folder):
    file = folder / "tasks/pages.toml"
    file.write_text(file.read_text() + "temperature = 0.7\n")
    with endpoints() as (one, _, words):
        evalkit(*words)
        ended = evalkit(*words)
    assert one.asked.total() == 2 * ROWS
    assert told(ended) == {"how": "afresh", "revision": "", "asked": 0, "same": 0}


def test_a_server_that_is_gone_costs_no_stored_answer(folder):
    with endpoints() as (one, _, words):
        evalkit(*words)
        one.part = lambda _: error(500, "the engine is dead")
        ended = evalkit(*words)
        assert (ended.code, "none of 8 stored answers could be asked again" in ended.err) == (5, True)
        one.part = right
        assert told(evalkit(*words))["how"] == "compared"


@pytest.mark.parametrize(
    ("option", "fault"),
    [
        (("--endpoint-is", "bse=1"), "did you mean 'base'?"),
        (("--endpoint-is", "base="), "is empty"),
        (("--served-as", "base"), "MODEL=NAME"),
    ],
)
def test_a_mistake_in_what_is_vouched_for_is_one_line(folder, option, fault):
    with endpoints() as (_, _, words):
        ended = evalkit(*words, *option)
    assert (ended.code, fault in ended.err) == (2, True)


def test_only_a_server_that_runs_already_can_be_vouched_for(folder):
    ended = evalkit("run", "--baseline", "base", "--endpoint-is", "base=1")
    assert (ended.code, "has no endpoint" in ended.err) == (2, True)


# --- the model's names ---


class Named(ModelServer):
    """A server that lists several names."""

    def __init__(self, part, *listed):
        super().__init__("base", part)
        self.listed = [{"id": name, "root": root, "max_model_len": 4096} for name, root in listed]

    async def other(self, path, body):
        return as_json({"data": self.listed}) if path == "/v1/models" else await super().other(path, body)


def run_of_one(server, *more):
    words = ["run", "--baseline", "base", "--tasks-dir", "tasks", "--task", "pages", "--json"]
    return evalkit(*words, "--endpoint", f"base={server.url}", "--config", "quick.toml", *more)


def dated(asked):
    return right(asked, model="first")


def test_names_with_one_root_are_one_model(folder):
    with Named(dated, ("first", "/m/x"), ("base", "/m/x")) as server:
        ended = run_of_one(server)
    assert (ended.code, scores(ended)["base"]["score"]) == (0, 1.0)


@pytest.mark.parametrize("roots", [("/m/x", "/m/y"), (None, None), (["/m/x"], ["/m/x"])])
def test_another_name_is_told_before_the_first_sample_and_can_be_accepted(folder, roots):
    with Named(dated, ("first", roots[0]), ("base", roots[1])) as server:
        ended = run_of_one(server)
        assert ended.code == 5
        assert "asked base, but first answered" in ended.err
        assert "--served-as base=NAME" in ended.err
        assert server.asked.total() == 1
        ended = run_of_one(server, "--served-as", "base=first")
    assert (ended.code, scores(ended)["base"]["score"]) == (0, 1.0)


# --- what failed is asked once more ---


@pytest.mark.parametrize("trouble", ["status:500", "empty", "half-body"])
def test_what_failed_on_every_try_is_asked_once_more_when_the_others_have_answered(folder, trouble):
    wrong = part_named(trouble)

    def part(asked):
        return wrong(asked) if question(asked) in {3, 4} and asked.earlier < 2 else right(asked)

    with endpoints(part) as (one, _, words):
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["failed"]) == (0, 0)
    assert "once more" in ended.err
    assert one.asked.total() == ROWS + 2 * 2  # two tries each, and the last


def test_what_fails_again_is_a_failure_once(folder):
    def part(asked):
        return error(500, "no") if question(asked) == 3 else right(asked)

    with endpoints(part) as (one, _, words):
        ended = evalkit(*words)
    assert (ended.code, scores(ended)["base"]["failures"]) == (4, {"server_error": 1})
    assert one.asked.total() == ROWS - 1 + 3


def test_many_that_fail_again_are_failures_and_no_lost_server_also_when_the_same_command_asks_them(folder):
    (folder / "quick.toml").write_text("[client]\ntries = 1\nwindow = 1\n")

    def part(asked):
        return error(500, "no") if question(asked) % 3 == 0 else right(asked)

    with endpoints(part) as (_, _, words):
        for _ in range(2):
            ended = evalkit(*words)
            assert (ended.code, scores(ended)["base"]["failures"]) == (4, {"server_error": 14})


def test_a_refusal_is_not_asked_once_more(folder):
    def part(asked):
        return error(400, "too long") if question(asked) == 3 else right(asked)

    with endpoints(part) as (one, _, words):
        ended = evalkit(*words)
    assert scores(ended)["base"]["failures"] == {"refused": 1}
    assert one.asked.total() == ROWS
