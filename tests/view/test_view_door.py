"""Who may come in, over a real socket."""

import http.client
import socket

import pytest
import requests

from support.pastruns import sample, write_run
from support.viewers import within

RUN = "/runs/20260101-000000-aaaaaa"


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    output = tmp_path_factory.mktemp("door") / "runs"
    line = sample(0, "one", 1.0)
    write_run(output, lines={"base": {"pages": [line]}, "cand": {"pages": [line]}})
    return output


@pytest.fixture(scope="module")
def visit(place):
    with within(place, place.parent / "cache") as found:
        yield found.enter()


def asked(viewer, method="GET", path="/", **headers):
    """Status and body of one request with exactly these headers."""
    address = viewer.base.removeprefix("http://")
    connection = http.client.HTTPConnection(address, timeout=60)
    connection.putrequest(method, path, skip_host=True)
    for name, value in {"host": address, **headers}.items():
        if value is not None:
            connection.putheader(name, value)
    connection.endheaders()
    reply = connection.getresponse()
    body = reply.read().decode()
    connection.close()
    return reply.status, body


def test_the_link_opens_once_and_the_cookie_goes_on(viewer, place):
    visit = viewer(place)
    assert requests.get(f"{visit.base}/", timeout=60).status_code == 403
    first = visit.session.get(visit.address)
    cookie = first.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "token" not in first.text
    assert visit.get("/").status_code == 200
    assert requests.get(visit.address, timeout=60).status_code == 403
    # Whoever is in already may follow the link again.
    assert visit.session.get(visit.address).status_code == 200


def test_a_look_at_the_link_does_not_use_it_up(viewer, place):
    visit = viewer(place)
    assert requests.head(visit.address, timeout=60).status_code == 403
    visit.enter()


@pytest.mark.parametrize("query", ["", "?token=", "?token=wrong", "?token=%C3%A9", "?x=1"])
def test_without_the_token_nothing_is_shown(visit, query):
    for path in ("/", "/history", "/style.css", RUN):
        status, body = asked(visit, path=path + query)
        assert status == 403
        assert "evalkit view" in body
        assert "cand" not in body


def test_another_name_for_this_machine_is_refused(visit):
    cookie = "; ".join(f"{one.name}={one.value}" for one in visit.session.cookies)
    port = visit.base.rpartition(":")[2]
    assert asked(visit, cookie=cookie)[0] == 200
    assert asked(visit, cookie=cookie, host=f"localhost:{port}")[0] == 200
    for host in ("evil.example", f"evil.example:{port}", "127.0.0.1", f"127.0.0.1.evil.example:{port}", ""):
        assert asked(visit, cookie=cookie, host=host)[0] == 421, host
    assert asked(visit, cookie=cookie, host=None)[0] in {400, 421}


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE"])
def test_nothing_but_looking_is_possible(visit, method):
    for path in ("/", RUN, "/history"):
        assert visit.session.request(method, visit.base + path).status_code == 405


def test_every_reply_forbids_scripts_frames_and_guessing(visit):
    for path in ("/", "/history", RUN, f"{RUN}/samples", f"{RUN}/samples/0", f"{RUN}/samples/0/answers/0", "/nothing"):
        headers = visit.get(path).headers
        policy = headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
        assert "script-src" not in policy
        assert headers["x-content-type-options"] == "nosniff"
        assert headers["x-frame-options"] == "DENY"
        assert headers["referrer-policy"] == "no-referrer"


def test_only_this_machine_can_reach_it(visit):
    port = int(visit.base.rpartition(":")[2])
    others = {one[4][0] for one in socket.getaddrinfo(socket.gethostname(), None, socket.AF_INET)} - {"127.0.0.1"}
    for other in [*others, "127.0.0.2"]:
        with socket.socket() as knock:
            knock.settimeout(5)
            assert knock.connect_ex((other, port)) != 0
