"""evalkit perf from one end to the other, with stand-ins for the servers and the engine, both real processes."""

import json

import psutil
import pytest

from evalkit import cards
from evalkit.testing import ModelServer
from support.perfruns import FAKE_GUIDELLM


def running(word):
    """Processes with a word in their command line."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and any(word in part for part in process.cmdline()):
                found.append(process)
        except psutil.Error:
            continue
    return found


def test_two_models_in_turn_and_the_cards_tables(place):
    """Starts in the order B, C, B, C; fresh queries for every cell, the same for both models."""
    play = {"latency_s": {"base": 0.517, "cand": 0.2585}, "drift": 1.01}
    ended = place.perf("--price", 3.29, "--price-source", "<b>me</b>, 2026-11-27", **play)
    sent = [(one["model"], one["target"]) for one in place.sent]
    assert [model for model, _ in sent] == ["base"] * 2 + ["cand"] * 2 + ["base"] * 2 + ["cand"] * 2
    seeds = [one["seed"] for one in place.sent]
    assert seeds[:4] == [*seeds[:2], *seeds[:2]]
    assert seeds[4:6] == seeds[6:8]
    assert len(set(seeds)) == 4
    row = place.row("cand")
    assert row["figure"]["value"] == pytest.approx(0.26, rel=0.02)
    assert row["per_dollar"] == pytest.approx(3600 / (3.29 * row["figure"]["value"]))
    assert row["beside"]["ratio"] == pytest.approx(2.0, rel=0.01)
    assert row["beside"]["spread"] == pytest.approx(1.01, rel=0.001)
    assert row["resolved"]
    assert "50 % cheaper" in ended.stdout
    assert place.row("cand", "multi-stream")["figure"]["value"] == pytest.approx(4 / 0.26, rel=0.05)

    page = (place.runs[-1] / "perf.html").read_text()
    assert "<b>me</b>" not in page
    assert "&lt;b&gt;me&lt;/b&gt;" in page
    assert "Glance 64W x 48H 4/16 Latency (s)" in page
    audited = place.workplace.here("audit", place.runs[-1] / "perf.md", check=0)
    assert "6 figures checked, 6 follow" in audited.stdout

    # Without a price there are ratios alone, and nothing is measured for that.
    ended = place.perf(**play)
    assert "nothing to do" in ended.stdout
    assert len(place.sent) == 8
    text = (place.runs[-1] / "perf.md").read_text()
    assert "ratio to base" in text
    assert "Queries per dollar" not in text
    assert place.workplace.here("audit", place.runs[-1] / "perf.md").returncode in {0, 2, 4}
    assert not cards.audit(cards.card(text)).findings


def test_time_left_knows_of_servers_to_come(place):
    """Of a run whose second starts were lost, and whose first ones are said to have taken an hour."""
    place.perf()
    (folder,) = place.runs
    facts = json.loads((folder / "plan.json").read_text())
    (folder / "plan.json").write_text(json.dumps({**facts, "start_s": [3600.0]}))
    for cell in folder.glob("cells/*.2.json"):
        cell.unlink()
    ended = place.perf("--json")
    events = [json.loads(line) for line in ended.stderr.splitlines()]
    left = {(one["model"], one["start"]): one["left_s"] for one in events if one["event"] == "Measuring"}
    # The candidate's server is still to be started while the baseline is measured, and nothing is afterwards.
    assert left["base", 2] > 1000
    assert left["cand", 2] < 1000


def test_one_start_resolves_nothing_and_caches_are_off(place):
    place.perf("--starts", 1, latency_s={"base": 0.5, "cand": 0.1})
    assert place.row("cand")["beside"]["spread"] is None
    assert place.row("cand")["resolved"] is False
    command = place.result["provenance"]["commands"]["base"]
    assert "--no-enable-prefix-caching" in command
    assert "--mm-processor-cache-gb 0" in command
    flags = place.result["plan"]["models"][0]["flags"]
    assert flags["enable-prefix-caching"] is False
    assert "limit-mm-per-prompt" in flags


def test_a_row_that_does_not_count_has_a_reason_and_no_number(place):
    """The engine itself exits with 0."""
    ended = place.perf("--starts", 1, "--price", 1, "--price-source", "x, today", check=4, fail=6)
    for stream, queries in (("single-stream", 6), ("multi-stream", 8)):
        for model in ("base", "cand"):
            row = place.row(model, stream)
            assert (row["figure"], row["per_dollar"], row["beside"]) == (None, None, None)
            assert row["reasons"] == [f"start 1: 6 of {queries} queries failed: Client error '400 Bad Request'"]
    assert place.result["savings"] == []
    said = " ".join(ended.stdout.split())
    assert "base, Glance, single-stream: no number; start 1: 6 of 6 queries failed" in said
    place.perf("--starts", 1, check=4, exit=1)
    assert len(place.runs) == 1
    assert len(place.sent) == 8, "what did not count is measured again"


def test_an_engine_that_hangs_is_ended_and_so_is_what_it_leaves(place):
    place.perf("--starts", 1, "--deadline", 2, check=4, leaves=True, hang_on=["cand"])
    assert "guidellm took too long and was ended" in place.row("cand")["reasons"][0]
    assert place.row("base")["figure"]["value"] == pytest.approx(0.5, rel=0.01)
    assert not running(str(FAKE_GUIDELLM))
    assert not running("signal.SIG_IGN")


def test_a_run_that_goes_on_keeps_what_another_evalkit_kept_and_passes_over_folders_that_it_cannot_read(place):
    place.perf("--starts", 1)
    (folder,) = place.runs
    plan = folder / "plan.json"
    facts = json.loads(plan.read_text())
    plan.write_text(json.dumps({**facts, "finished": False, "of_tomorrow": ["kept"]}))
    odd = folder.with_name("99991231-000000-000000")
    odd.mkdir()
    (odd / "plan.json").write_text('{"plan": "of another time"}')
    place.perf("--starts", 1)
    assert len(place.sent) == 4, "what was measured counts"
    facts = json.loads(plan.read_text())
    assert (facts["finished"], facts["of_tomorrow"]) == (True, ["kept"])


def ahead(place, *more):
    return json.loads(place.workplace.here(*place.words("--plan", "--json", *more), check=0).stdout)


def test_a_finished_cell_is_not_measured_again_and_one_without_a_number_is(place):
    found = ahead(place)
    assert (found["starts"], found["cells"], found["owed"], found["seconds"]) == (4, 8, 8, None)
    assert not place.runs
    place.perf("--starts", 1, check=4, tokens=15)
    place.perf("--starts", 1)
    assert len(place.sent) == 8
    assert len(place.runs) == 1
    assert place.row("base")["figure"] is not None
    found = ahead(place, "--starts", 1)
    assert (found["starts"], found["owed"], found["seconds"]) == (0, 0, 0.0)
    assert ahead(place, "--starts", 1, "--fresh")["owed"] == 4
    found = ahead(place, "--starts", 3)
    assert (found["starts"], found["owed"]) == (6, 12)
    assert found["seconds"] > 0


def test_a_model_that_cannot_be_served_never_costs_the_others_their_figures(place):
    (place.folder / "cand/unservable.txt").write_text("CUDA out of memory")
    ended = place.perf("--starts", 1, check=5)
    assert place.row("base")["figure"] is not None
    assert "did not start" in place.row("cand")["reasons"][0]
    assert "missing: cand" in ended.stderr


def test_a_server_that_runs_is_measured_and_neither_started_nor_compared(place):
    """It has one start, so nothing tells how far two of its starts differ."""
    with ModelServer("cand") as server:
        ended = place.perf("--endpoint", f"cand={server.url}", latency_s={"base": 0.5, "cand": 0.1})
    assert [(one["model"], one["target"] == server.url) for one in place.sent] == [("base", False)] * 2 + [
        ("cand", True)
    ] * 2
    assert place.row("cand")["figure"]["value"] == pytest.approx(0.1, rel=0.01)
    assert (place.row("cand")["beside"]["spread"], place.row("cand")["resolved"]) == (None, False)
    assert "cand runs at an endpoint" in " ".join(place.result["notices"])
    assert server.url not in place.result["provenance"]["command"]
    assert f"next: evalkit run --baseline base --candidate cand --endpoint cand={server.url}" in ended.stdout


def test_the_second_engine_is_that_of_the_serving_interpreter(place):
    place.perf("--starts", 1, engine=("--engine", "vllm-bench"))
    plan = place.result["plan"]
    assert (plan["engine"], plan["engine_release"]) == ("vllm-bench", "vllm 0.0.1+cpu")
    assert len(place.runs) == 1
    assert place.row("base")["figure"]["value"] == pytest.approx(0.25)
    assert place.row("base")["ttft_s"] == pytest.approx(0.05)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--use", "caption"), "unknown use 'caption'"),
        (("--price", "3.29"), "price_source: is missing"),
        (("--use", "summarization", "--serve-arg", "max-model-len=4096"), "takes 4608 tokens and more"),
        (("--most-idle", "2"), "perf.most_idle: is 2; must be a share"),
        (("--config", "wrong.toml"), "wrong.toml: perf.quries: unknown key; did you mean 'queries'?"),
        (("--candidate", "other/cand"), "there is no such folder"),
        (("--prices", "none.toml"), "none.toml"),
        (("--prices", "prices.toml"), "no price of 'cpu' (it has H100)"),
    ],
)
def test_what_cannot_be_is_told_before_anything_is_started(place, words, said):
    price = '[[price]]\ngpu="H100"\nprice=3.29\ncurrency="USD"\nsource="a list"\ndate="2026-11-27"\n'
    (place.folder / "prices.toml").write_text(price)
    (place.folder / "wrong.toml").write_text("[perf]\nquries = 3\n")
    ended = place.perf(*words, check=2)
    assert said in ended.stderr
    assert not place.sent
