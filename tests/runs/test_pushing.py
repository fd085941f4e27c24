"""A card in a repository: what of a README stays, and one commit to a stand-in of the Hub's API."""

import base64
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import yaml

from evalkit import report
from evalkit.base.errors import DataError, InfrastructureError, UsageError
from evalkit.report.card_in_readme import BEGIN, END, merged
from evalkit.runs import pushing
from support.reports import HOSTILE, MIXED, RIGHT, built, task

SHA = "0123456789abcdef0123456789abcdef01234567"
COMMIT = f"{{}}/owner/name/commit/{SHA}"
README = """---
# what people wrote
license: apache-2.0
base_model: owner/other
model-index:
- name: theirs
  results:
  - task: {type: text-generation}
    dataset: {name: Leaderboard, type: open/board}
    metrics: [{type: acc, value: 61.5, name: accuracy}]
  - task: {type: image-text-to-text}
    dataset: {name: DocVQA, type: lmms-lab/DocVQA, config: DocVQA, split: validation}
    metrics: [{type: anls, value: 1.0, name: old}]
---
# A model

Its own words.
"""


@pytest.fixture(scope="module")
def card():
    found = built({"base": [RIGHT], "cand": [MIXED]}, tasks=[task()])
    return report.model_card(found, "cand")


def metadata(text):
    return yaml.safe_load(text.split("---\n")[1])


def test_a_readme_keeps_its_words_and_the_results_of_others(card):
    once = merged(README, card)
    said = metadata(once)
    assert (said["license"], said["base_model"]) == ("apache-2.0", "owner/other")
    (index,) = said["model-index"]
    assert index["name"] == "theirs"
    values = {one["type"]: one["value"] for result in index["results"] for one in result["metrics"]}
    assert values == {"acc": 61.5, "anls": 75.0, "anls@official": 75.0}
    assert "\n# A model\n\nIts own words.\n" in once
    assert once.count("## Evaluation") == once.count(BEGIN) == once.count(END) == 1


def test_a_card_that_is_pushed_again_changes_nothing_else(card):
    once = merged(README, card)
    assert merged(once, card) == once
    edited = once.replace("Its own words.", "Its other words.") + "\nA last word.\n"
    again = merged(edited, card.replace("## Evaluation", "## Evaluation again"))
    assert again == edited.replace("## Evaluation", "## Evaluation again")
    assert merged(merged("", card), card) == merged("", card)


def test_metadata_that_already_say_it_stay_to_the_letter(card):
    plain = (
        card.partition("## Evaluation")[0].replace("model-index:", "license: mit # mine\nmodel-index:") + "\nText.\n"
    )
    assert "license: mit # mine" in merged(plain, card)


@pytest.mark.parametrize(
    "broken", ["---\n[\n---\n", "---\n- a\n---\n", f"x\n{BEGIN}\n", f"{END}\n{BEGIN}\n", f"{BEGIN}{END}" * 2]
)
def test_a_readme_that_cannot_be_read_is_refused(card, broken):
    with pytest.raises(ValueError, match=r"metadata|marks"):
        merged(broken, card)


@dataclass
class Hub:
    files: dict = field(default_factory=lambda: {"README.md": README.encode()})
    status: int = 200
    asked: list = field(default_factory=list)
    committed: dict = field(default_factory=dict)


def said(hub, path, body):
    """The answer to what is posted."""
    if path.endswith("/validate-yaml"):
        return {"errors": [], "warnings": []}
    if "/preupload/" in path:
        names = [one["path"] for one in json.loads(body)["files"]]
        return {"files": [{"path": one, "uploadMode": "regular", "shouldIgnore": False} for one in names]}
    assert path.startswith("/api/models/owner/name/commit/")
    for line in map(json.loads, body.splitlines()):
        hub.committed.setdefault(line["key"], []).append(line["value"])
    return {"commitUrl": COMMIT.format(os.environ["HF_ENDPOINT"]), "commitOid": SHA, "success": True}


@contextmanager
def standing_in(hub, monkeypatch):
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_HEAD(self):
            self.do_GET()

        def do_GET(self):
            hub.asked.append((self.command, self.path, self.headers.get("authorization")))
            name = self.path.partition(f"/resolve/{SHA}/")[2]
            if self.path == "/api/models/owner/name":
                self.reply(hub.status, json.dumps({"id": "owner/name", "sha": SHA}).encode())
            elif name in hub.files:
                data = hub.files[name]
                self.reply(200, data, {"X-Repo-Commit": SHA, "ETag": f'"{sha256(data).hexdigest()}"'})
            else:
                self.reply(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": SHA})

        def do_POST(self):
            hub.asked.append((self.command, self.path, self.headers.get("authorization")))
            body = self.rfile.read(int(self.headers["content-length"]))
            self.reply(hub.status, json.dumps(said(hub, self.path, body)).encode())

        def reply(self, status, body, head=None):
            self.send_response(status)
            for key, value in {
                "content-type": "application/json",
                "content-length": str(len(body)),
                **(head or {}),
            }.items():
                self.send_header(key, value)
            self.end_headers()
            if self.command != "HEAD":
                self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    monkeypatch.setenv("HF_ENDPOINT", f"http://127.0.0.1:{server.server_port}")
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def test_nothing_is_sent_before_somebody_is_sure_and_then_one_commit(card, monkeypatch):
    hub, results = Hub(), {"docvqa": '[{"value": 75.0}]\n'}
    monkeypatch.delenv("HF_TOKEN", raising=False)
    with standing_in(hub, monkeypatch):
        push = pushing.prepared("owner/name", card, results)
        diff = list(push.diff)
        assert "+## Evaluation" in diff
        assert '+[{"value": 75.0}]' in diff
        assert "-Its own words." not in diff
        assert {method for method, _, _ in hub.asked} <= {"GET", "HEAD"}
        assert {token for _, _, token in hub.asked} == {None}
        with pytest.raises(UsageError, match="HF_TOKEN is not set"):
            pushing.send(push)
        monkeypatch.setenv("HF_TOKEN", "hf_secret")
        assert pushing.send(push) == COMMIT.format(os.environ["HF_ENDPOINT"])
    assert {token for method, _, token in hub.asked if method == "POST"} == {"Bearer hf_secret"}
    (head,) = hub.committed["header"]
    assert head["parentCommit"] == SHA
    written = {one["path"]: base64.b64decode(one["content"]).decode() for one in hub.committed["file"]}
    assert written == {"README.md": merged(README, card), ".eval_results/docvqa.yaml": results["docvqa"]}
    hub.files = {name: text.encode() for name, text in written.items()}
    with standing_in(hub, monkeypatch):
        assert pushing.prepared("owner/name", card, results).changes == ()


def test_what_the_hub_refuses_is_one_line(card, monkeypatch):
    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    for status, kind in ((404, UsageError), (401, UsageError), (412, InfrastructureError)):
        with standing_in(Hub(status=status), monkeypatch), pytest.raises(kind, match="owner/name") as caught:
            pushing.prepared("owner/name", card, {})
        assert "hf_secret" not in str(caught.value)
    with standing_in(Hub({"README.md": b"---\n[\n---\n"}), monkeypatch), pytest.raises(DataError, match=r"README\.md"):
        pushing.prepared("owner/name", card, {})
    with pytest.raises(UsageError, match="no name of a repository"):
        pushing.prepared("a b/c d/e", card, {})
    monkeypatch.setenv("HF_ENDPOINT", "http://127.0.0.1:9")
    with pytest.raises(InfrastructureError, match="owner/name"):
        pushing.prepared("owner/name", card, {})


def test_a_hostile_readme_is_only_text(card):
    text = merged(f"{HOSTILE}\n", card)
    assert text.count(BEGIN) == 1
