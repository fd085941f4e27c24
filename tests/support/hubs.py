"""A small hub on a real socket, and files to serve or to read."""

from __future__ import annotations

import json
import re
import threading
from dataclasses import dataclass, field
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import unquote

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.tasks.benchmarks import Benchmark

COMMIT = "0123456789abcdef0123456789abcdef01234567"
LATER = "fedcba9876543210fedcba9876543210fedcba98"

DOCS = Benchmark(
    columns=("image", "question", "answers"),
    image_columns=("image", "image_2"),
    more_columns=("questionId",),
    sample=lambda row, prompt, position: pytest.fail("rows are not made into samples here"),
)


def cells(count: int, start: int = 0, size: int = 9) -> list[dict]:
    """Rows in the shape of DocVQA's, with a column of bytes that nobody asks for."""
    return [
        {
            "questionId": str(number),
            "image": {"bytes": number.to_bytes(2, "big") * size, "path": None},
            "image_2": None if number % 2 else {"bytes": b"second", "path": "x.png"},
            "question": f"What is {number}?",
            "answers": [f"{number}", "none"],
            "thumbnail": b"t" * size,
        }
        for number in range(start, start + count)
    ]


def expected(count: int, start: int = 0) -> list[dict]:
    return [{key: value for key, value in row.items() if key != "thumbnail"} for row in cells(count, start)]


PICTURE = pa.struct([("bytes", pa.binary()), ("path", pa.string())])
SHAPE = pa.schema(
    [
        ("questionId", pa.string()),
        ("image", PICTURE),
        ("image_2", PICTURE),
        ("question", pa.string()),
        ("answers", pa.list_(pa.string())),
        ("thumbnail", pa.binary()),
    ]
)


def write(path, rows, group=4, shape=SHAPE):
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=shape), path, row_group_size=group)
    return path


@dataclass
class Hub:
    """What the server has, how it behaves, and what it was asked."""

    files: dict[str, bytes] = field(default_factory=dict)
    branches: dict[str, str] = field(default_factory=lambda: {"main": COMMIT})
    parts_of_files: bool = True
    gated: bool = False
    moved_from: str = ""
    breaks_off: str = ""
    """A file of which half is sent the first time, then nothing."""
    url: str = ""
    asked: list[str] = field(default_factory=list)

    def fetched(self) -> list[str]:
        """Files that were sent as a whole."""
        return [words.split(" ", 1)[1] for words in self.asked if words.startswith("GET ")]


class _Answers(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    hub: Hub

    def do_GET(self):
        self._answer(with_body=True)

    def do_HEAD(self):
        self._answer(with_body=False)

    def log_message(self, *_):
        pass

    def _answer(self, *, with_body):
        path = unquote(self.path.partition("?")[0])
        if self.hub.moved_from and f"/{self.hub.moved_from}/" in path:
            self._send(307, b"", {"Location": path.replace(self.hub.moved_from, "owner/docs")}, with_body=with_body)
        elif path.startswith("/api/datasets/owner/docs/revision/"):
            self._describe(path.rsplit("/", 1)[1])
        elif path.startswith("/datasets/owner/docs/resolve/"):
            _, _, _, _, _, commit, name = path.split("/", 6)
            self._file(commit, name, with_body=with_body)
        else:
            self._send(404, b"", {"X-Error-Code": "RepoNotFound"}, with_body=with_body)

    def _describe(self, revision):
        commit = self.hub.branches.get(revision, revision if revision in self.hub.branches.values() else None)
        if commit is None:
            self._send(404, b"", {"X-Error-Code": "RevisionNotFound"}, with_body=True)
            return
        siblings = [{"rfilename": name, "size": len(data)} for name, data in self.hub.files.items()]
        body = {"id": "owner/docs", "sha": commit, "siblings": siblings, "private": False, "tags": []}
        self._send(200, json.dumps(body).encode(), {"Content-Type": "application/json"}, with_body=True)

    def _file(self, commit, name, *, with_body):
        if self.hub.gated:
            self._send(403, b"", {"X-Error-Code": "GatedRepo"}, with_body=with_body)
            return
        data = self.hub.files[name]
        head = {"X-Repo-Commit": commit, "ETag": f'"{sha256(data).hexdigest()}"', "Accept-Ranges": "bytes"}
        asked = self.headers.get("Range")
        if asked and self.hub.parts_of_files:
            first, _, last = asked.removeprefix("bytes=").partition("-")
            part = data[int(first) : int(last or len(data)) + 1]
            self.hub.asked.append(f"PART {name}")
            span = f"bytes {first}-{int(first) + len(part) - 1}/{len(data)}"
            self._send(206, part, head | {"Content-Range": span}, with_body=with_body)
            return
        if with_body:
            self.hub.asked.append(f"GET {name}")
        if with_body and name == self.hub.breaks_off:
            self.hub.breaks_off = ""
            self._send(200, data[: len(data) // 2], head | {"Content-Length": str(len(data))}, with_body=True)
            self.close_connection = True
            return
        self._send(200, data, head, with_body=with_body)

    def _send(self, status, body, head, *, with_body):
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **head}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)


@pytest.fixture
def hub(tmp_path, monkeypatch):
    """A hub with three files of one split and some of others; the library is told its address and a cache."""
    from huggingface_hub import constants

    found = Hub()
    for number, (start, count) in enumerate([(0, 6), (6, 1), (7, 5)]):
        name = f"docs/validation-{number:05d}-of-00003.parquet"
        found.files[name] = write(tmp_path / "served" / name, cells(count, start)).read_bytes()
    found.files["docs/test-00000-of-00001.parquet"] = b"another split"
    found.files["docs/deeper/validation-00000-of-00001.parquet"] = b"another folder"
    found.files["docs.py"] = b"raise SystemExit('a loading script was run')"
    handler = type("Handler", (_Answers,), {"hub": found})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    found.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    # The library reads its settings when it is first imported, which another test may have done already.
    monkeypatch.setattr(constants, "ENDPOINT", found.url)
    template = found.url + "/{repo_id}/resolve/{revision}/{filename}"
    monkeypatch.setattr(constants, "HUGGINGFACE_CO_URL_TEMPLATE", template)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub-cache"))
    yield found
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def unplugged(monkeypatch):
    """A switch that leaves the library with an address where nobody listens."""
    from huggingface_hub import constants

    def pull():
        for name in ("ENDPOINT", "HUGGINGFACE_CO_URL_TEMPLATE"):
            monkeypatch.setattr(constants, name, re.sub(r":\d+", ":9", getattr(constants, name)))

    return pull
