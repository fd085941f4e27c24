"""The pages, over a real socket and in a real browser, on data that mean harm."""

import json
import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest

from evalkit.files import resources
from support import browsers
from support.colours import contrast, palettes
from support.nights import IDS, RIGHT, TWICE, losing, night
from support.pastruns import failed, recovery, sample, write_run
from support.reports import kept
from support.viewers import indexed, within
from support.workplaces import pages, picture, write_parquet

RUN = "/runs/20260101-000000-aaaaaa"
LABEL = "<b>cand</b>\"'\u202eevil"
RUNS = "document.title='owned'"
HARM = f'<script>{RUNS}</script><img src=x onerror="{RUNS}"><svg onload="{RUNS}">'


def harmful(canary):
    """Answers that would run, fetch or turn the page around if they could."""
    fetch = f'<img src="{canary}/img"><link rel=stylesheet href="{canary}/css"><iframe src="{canary}/frame"></iframe>'
    return [
        HARM,
        fetch + f'<meta http-equiv="refresh" content="0;url={canary}/refresh">',
        f"</pre></article></main><script src={canary}/script></script><base href={canary}/>",
        "\u202egnp.exe\u2066 bidi \0 nul \x1b[2J",
        "long " * 200_000,
        f"[link](javascript:alert(1)) ![x]({canary}/markdown) {{{{ 7 * 7 }}}} {{% raw %}}",
        "half \ud83d of a sign",
    ]


def hostile(output, canary="http://127.0.0.1:9"):
    texts = harmful(canary)
    base = [sample(n, text, 1.0, references=[text], id=f"{text[:40]}#{n}/..") for n, text in enumerate(texts)]
    cand = [{**line, "answer": f"other {line['answer']}", "score": 0.0} for line in base]
    for line in [*base, *cand]:
        line["content"] = [{"text": line["references"][0]}, {"image_sha256": "0" * 64}]
        line["scores"] = {HARM: {"value": 0.5, "parsed": line["answer"], "note": HARM}}
    cand[1] = {**failed(1, "server_error", HARM), "id": base[1]["id"], "content": base[1]["content"]}
    found = recovery(98.0, [97.0, 99.0], verdict="<i>recovered</i>", reasons=[HARM])
    return write_run(output, lines={"base": {"pages": base}, LABEL: {"pages": cand}}, recoveries={"pages": found})


@pytest.fixture(scope="module")
def visit(tmp_path_factory):
    place = tmp_path_factory.mktemp("hostile")
    hostile(place / "runs")
    with within(place / "runs", place / "cache") as found:
        yield found.enter()


ADDRESSES = ["/", "/history", RUN, f"{RUN}/samples", *[f"{RUN}/samples/{n}" for n in range(7)]]


@pytest.mark.parametrize("path", [*ADDRESSES, f"{RUN}/samples?text=%3Cscript%3E&page=99999"])
def test_nothing_from_outside_becomes_part_of_the_page(visit, path):
    reply = visit.get(path)
    assert reply.status_code == 200
    assert reply.headers["content-type"] == "text/html; charset=utf-8"
    tags = set(re.findall(r"<(\w+)", reply.text))
    assert not tags & {"script", "iframe", "base", "b", "i", "object"}, tags
    assert not re.search(r"<[^>]*\son\w+\s*=", reply.text)
    assert not re.search(r'(?:src|href|action)="(?!/(?!/))[^#]', reply.text)
    assert not re.search("[\0\x1b\u202a-\u202e\u2066-\u2069]", reply.text)
    assert len(reply.content) < 400_000


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("samples?task=%3Cb%3E", "There is no task &#39;&lt;b&gt;&#39; here: known: pages"),
        ("samples?flip=regresed", "There is no flip &#39;regresed&#39; here: did you mean &#39;regressed&#39;?"),
        ("samples?outcome=rihgt", "did you mean &#39;right&#39;?"),
        ("samples?failure=deadline", "There is no failure &#39;deadline&#39; here: known: server_error"),
        ("samples?model=nobody", "There is no model &#39;nobody&#39; here"),
        ("samples/0?task=page", "did you mean &#39;pages&#39;?"),
    ],
)
def test_a_filter_that_is_set_to_nothing_there_is_says_so(visit, query, said):
    reply = visit.get(f"{RUN}/{query}")
    assert reply.status_code == 400
    assert said in reply.text
    assert "<b>" not in reply.text


def test_a_history_of_a_task_that_no_run_has_says_so(visit):
    reply = visit.get("/history?task=page")
    assert (reply.status_code, "did you mean &#39;pages&#39;?" in reply.text) == (400, True)


def test_what_was_hidden_is_seen(visit):
    assert "⟨U+202E⟩gnp.exe⟨U+2066⟩" in visit.get(f"{RUN}/samples/3").text


def test_the_whole_of_a_long_answer_is_plain_text(visit):
    page = visit.get(f"{RUN}/samples/4").text
    assert "980,000 more characters" in page
    reply = visit.get(f"{RUN}/samples/4/answers/0")
    assert reply.headers["content-type"] == "text/plain; charset=utf-8"
    assert "sandbox" in reply.headers["content-security-policy"]
    assert reply.text == "long " * 200_000


def test_a_missing_image_is_said(visit):
    page = visit.get(f"{RUN}/samples/0").text
    assert "The image is missing." in page
    assert "run.json does not say where the data of pages are" in page
    assert visit.get(f"{RUN}/samples/0/images/{'0' * 64}").status_code == 404


@pytest.mark.parametrize(
    "path",
    [
        "/runs/nothing",
        "/runs/..%2F..%2Fetc",
        "/runs/%2e%2e/samples",
        f"{RUN}/samples/700",
        f"{RUN}/samples/0/images/..%2F..%2Fx",
        f"{RUN}/samples/0/answers/9",
        f"{RUN}/sample?task=pages&id=nobody",
        "/robots.txt",
    ],
)
def test_what_is_not_there_is_not_found(visit, path):
    assert visit.get(path).status_code == 404


def test_a_sample_is_found_by_its_id(visit):
    reply = visit.get(f"{RUN}/sample", params={"task": "pages", "id": f"{HARM[:40]}#0/.."}, allow_redirects=False)
    assert (reply.status_code, reply.headers["location"]) == (303, f"{RUN}/samples/0")


@pytest.mark.browser
def test_in_a_browser_nothing_runs_and_nothing_leaves(tmp_path):
    asked = []

    class Canary(BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            self.send_response(200)
            self.end_headers()

        def log_message(self, *words):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Canary)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    try:
        canary = f"http://127.0.0.1:{server.server_port}"
        # The samples are read before, so that the browser has not to wait for them.
        indexed(hostile(tmp_path / "runs", canary))
        viewer = within(tmp_path / "runs", tmp_path / "cache")
        with viewer as found, browsers.launched() as chromium, browsers.windows(chromium) as window:
            page = window().page
            page.goto(found.address)
            page.wait_for_url(f"{found.base}/")
            for path, shown in (("samples/0", "other"), ("samples/1", "Failed"), ("samples", "</table>")):
                seen = settled(page, f"{found.base}{RUN}/{path}")
                assert "<title>" in seen
                assert "owned</title>" not in seen
                assert shown in seen
            assert asked == []
            assert "owned</title>" in settled(page, f"data:text/html,{HARM}"), "the bait itself is dead"
    finally:
        server.shutdown()
        server.server_close()


def settled(page, address):
    """The page as a browser has it after everything that wanted to run has run."""
    page.goto(address, wait_until="networkidle")
    return page.content()


def ordinary(output, count=120):
    """A run with images, every third sample regressed."""
    (output.parent / "tasks").mkdir(parents=True)
    write_parquet(output.parent / "tasks" / "p.parquet", pages(count))
    from hashlib import sha256

    def line(n, answer, score):
        digest = sha256(picture(n // 2)).hexdigest()
        return sample(n, answer, score, content=[{"image_sha256": digest}, {"text": f"Question {n}?"}])

    base = [line(n, f"the answer is {n}", 1.0) for n in range(count)]
    cand = [line(n, f"the answer is {n + 1 if n % 3 == 0 else n}", float(n % 3 != 0)) for n in range(count)]
    dataset = {"id": "", "split": "validation", "config": None, "files": ["p.parquet"]}
    task = {**kept("pages", source="tasks/pages.toml"), "dataset": dataset}
    lines = {"base": {"pages": base}, "cand": {"pages": cand}}
    return write_run(output, lines=lines, plan_tasks=[{"task": task, "revision": "x"}])


def test_from_the_list_to_one_sample_with_its_image(viewer, tmp_path):
    ordinary(tmp_path / "runs")
    visit = viewer(tmp_path / "runs").enter()
    assert RUN in visit.get("/").text
    assert "98.75" in visit.get(RUN).text
    listed = visit.get(f"{RUN}/samples?flip=regressed&page=1").text
    assert "<strong>40</strong>" in listed
    everything = [visit.get(f"{RUN}/samples?page={page}").text for page in (1, 2, 3)]
    assert [text.count('<th scope="row">') for text in everything] == [50, 50, 20]
    page = visit.get(f"{RUN}/samples/3?flip=regressed").text
    assert "the answer is <mark>3</mark>" in page
    assert "the answer is <mark>4</mark>" in page
    assert f"{RUN}/samples/0?flip=regressed" in page
    assert f"{RUN}/samples/6?flip=regressed" in page
    (address,) = set(re.findall(r'<img src="([^"]+)"', page))
    reply = visit.get(address)
    assert reply.headers["content-type"] == "image/jpeg"
    assert reply.content == picture(1)


GROUNDS = {
    "ink": ("paper", "panel"),
    "soft": ("paper", "panel"),
    "accent": ("paper", "panel"),
    "good": ("good-bg",),
    "bad": ("bad-bg",),
    "warn": ("paper", "warn-bg"),
    "mark-ink": ("mark",),
    "paper": ("accent",),
}


@pytest.mark.parametrize("at", [0, 1], ids=["light", "dark"])
def test_every_text_has_a_contrast_of_at_least_4_5(at):
    colours = palettes((resources.reports() / "view" / "view.css").read_text(encoding="utf-8"))[at]
    for ink, grounds in GROUNDS.items():
        for ground in grounds:
            assert contrast(colours[ink], colours[ground]) >= 4.5, (ink, ground)


def test_the_history_of_one_task_says_what_changed_since_the_run_before(viewer, tmp_path):
    night(tmp_path, IDS[0], [RIGHT, RIGHT], again=RIGHT[:TWICE])
    night(tmp_path, IDS[1], [losing(60), losing(120)], versions=("2", "2"))
    visit = viewer(tmp_path).enter()
    told = visit.get("/history?task=pages").text
    assert f"CHANGED since {IDS[0]}: recovery 100.00 → 75.00 %" in told
    assert f"BASELINE DRIFTED from {IDS[0]}, beyond noise" in told
    assert "cand: 120 worse, 0 better; base: 60 worse, 0 better" in told
    assert "CHANGED" not in visit.get("/history").text


def test_the_history_draws_every_run(viewer, tmp_path):
    for number in range(1, 5):
        versions = {"vllm": f"0.3{number // 3}.0", "transformers": "5.0"}
        found = recovery(97.0 + number, [96.0 + number, 98.0 + number])
        write_run(tmp_path, f"2026010{number}-000000-aaaaaa", versions=versions, recoveries={"pages": found})
    drawn = viewer(tmp_path).enter().get("/history").text
    assert drawn.count('class="dot"') == drawn.count('class="ends"') == 4
    assert drawn.count('class="mark"') == 1
    assert "vLLM 0.30.0 → 0.31.0" in drawn


def test_why_an_answer_scored_stands_beside_it(viewer, tmp_path):
    base, cand = [sample(0, "word0", 1.0)], [sample(0, "wor<b>", 0.5)]
    write_run(tmp_path, lines={"base": {"pages": base}, "cand": {"pages": cand}})
    said = re.findall(r'<p class="why"><bdi>(.*?)</bdi></p>', viewer(tmp_path).enter().get(f"{RUN}/samples/0").text)
    assert said == [
        "anls: &#39;word0&#39; beside &#39;word0&#39; is 1.00 by edit distance",
        "anls: &#39;wor&lt;b&gt;&#39; beside &#39;word0&#39; is 0.50 by edit distance",
    ]


def test_an_unfinished_run_says_that_it_is(viewer, tmp_path):
    write_run(tmp_path, finished=False, with_results=False)
    visit = viewer(tmp_path).enter()
    assert "not finished" in visit.get("/").text
    assert visit.get(RUN).status_code == 200
    assert visit.get(f"{RUN}/samples").status_code == 404


def test_a_baseline_alone_is_beside_nothing(viewer, tmp_path):
    write_run(tmp_path, lines={"base": {"pages": []}})
    visit = viewer(tmp_path).enter()
    listed = visit.get("/").text
    assert "<bdi>base</bdi>" in listed
    assert "beside" not in listed
    assert "no finished run with a candidate" in visit.get("/history").text


def test_a_damaged_table_hides_no_other_run(viewer, tmp_path):
    write_run(tmp_path, "20260102-000000-bbbbbb")
    (write_run(tmp_path) / "results.json").write_text('{"tasks": [1], "baseline": 5}')
    visit = viewer(tmp_path).enter()
    assert "20260102-000000-bbbbbb" in visit.get("/").text
    assert "cannot be read" in visit.get(RUN).text
    assert visit.get("/history?all=1").status_code == 200


def test_a_page_tells_of_damaged_samples(viewer, tmp_path):
    folder = write_run(tmp_path, lines={"base": {"pages": [sample(0, "x", 1.0)]}, "cand": {}})
    (folder / "samples" / "base" / "pages.jsonl").write_text("{\n")
    reply = viewer(tmp_path).enter().get(f"{RUN}/samples")
    assert reply.status_code == 500
    assert "not a line that a run writes" in reply.text


def test_scores_over_the_pairs_divide_to_the_recovery_and_own_means_stand_beside_them(viewer, tmp_path):
    found = recovery(100 * 201 / 203, baseline=203 / 390, candidate=201 / 390, paired=390, planned=400)
    average = {"category": "Vision", "baseline": 0.8, "recovery": {"cand": found}}
    write_run(tmp_path, IDS[0], recoveries={"pages": found}, averages=[average])
    visit = viewer(tmp_path).enter()
    for path in (f"/runs/{IDS[0]}", "/history?task=pages"):
        page = visit.get(path).text
        for text in ("52.051", "51.538", "99.01", "on all answered:"):
            assert text in page, (path, text)
    page = visit.get(f"/runs/{IDS[0]}").text
    assert "base 80.000, cand 80.000" in page
    assert ">80.00<" not in page
    assert page.count("on all answered:") == 2


def test_candidates_with_other_pairs_have_the_baselines_score_of_their_own(viewer, tmp_path):
    rows = {"one": recovery(50.0, baseline=0.8, candidate=0.4), "two": recovery(100.0, baseline=0.7, candidate=0.7)}
    folder = write_run(tmp_path, IDS[0], lines={label: {"pages": []} for label in ("base", *rows)})
    results = json.loads((folder / "results.json").read_text())
    results["tasks"][0]["recovery"] = rows
    (folder / "results.json").write_text(json.dumps(results))
    page = viewer(tmp_path).enter().get(f"/runs/{IDS[0]}").text
    assert "beside 80.00" in page
    assert "beside 70.00" in page


def test_rows_of_a_run_are_sorted_by_recovery_with_a_link(viewer, tmp_path):
    lines = {label: {name: [] for name in ("middle", "best", "worst")} for label in ("base", "cand", "other")}
    recoveries = {name: recovery(percent) for name, percent in (("middle", 98.0), ("best", 101.0), ("worst", 90.0))}
    write_run(tmp_path, lines=lines, recoveries=recoveries)
    visit = viewer(tmp_path).enter()

    def shown(path):
        page = visit.get(path).text
        (way,) = re.findall(r'aria-sort="(\w+)"', page)
        (onward,) = re.findall(r'<a href="([^"]+)" title="Sort by', page)
        rows = re.findall(r'task=(\w+)"><bdi>', page)
        return way, onward, rows

    way, onward, rows = shown(RUN)
    assert (way, rows) == ("none", ["middle", "best", "worst"])
    way, onward, rows = shown(onward)
    assert (way, rows) == ("ascending", ["worst", "middle", "best"])
    way, onward, rows = shown(onward)
    assert (way, rows) == ("descending", ["best", "middle", "worst"])
    assert onward == RUN
    # Several candidates stand under each other in each task.
    assert visit.get(RUN).text.count('data-label="Candidate"') == 6


def test_the_history_draws_what_noise_does_and_leads_to_flips(viewer, tmp_path):
    noisy = {"interval": [97.0, 99.0], "interval_method": "noise floor", "reason": None}
    write_run(tmp_path, IDS[0], recoveries={"pages": recovery(98.0, [96.0, 100.0], if_repeated=noisy)})
    write_run(tmp_path, IDS[1], recoveries={"pages": recovery(98.5, [96.0, 100.0])})
    visit = viewer(tmp_path).enter()
    page = visit.get("/history").text
    assert page.count('class="noise"') == 1
    assert "what noise alone does" in page
    link = f"/runs/{IDS[0]}/samples?task=pages&amp;model=cand&amp;flip=regressed"
    assert link in page
    assert visit.get(link.replace("&amp;", "&")).status_code == 200
