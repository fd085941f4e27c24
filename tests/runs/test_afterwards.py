"""A webhook that hears of a run's end: what it is told, and that nothing goes wrong with a run because of it."""

import socket

import pytest

from evalkit.base.errors import ConfigError, InfrastructureError
from evalkit.config import run_config
from evalkit.config.after import After
from evalkit.runs import afterwards
from support.webhooks import KEY, webhook


@pytest.fixture(autouse=True)
def no_job(monkeypatch):
    """The machine that tests may run on is a job itself."""
    for name in (afterwards.VARIABLE, "GITHUB_RUN_ID", "CI_JOB_URL", "BUILDKITE_BUILD_URL", "BUILD_URL"):
        monkeypatch.delenv(name, raising=False)


def told(url, folder, lines=("cand: recovered",)):
    """What a display is told when a run with these lines has ended."""
    said = []
    afterwards.finished(After(notify=url), folder, lines, said.append)
    return [one.text for one in said]


def test_it_is_told_the_outcome_and_where_the_report_is(tmp_path, monkeypatch):
    with webhook() as hook:
        assert told(hook.url, tmp_path, ["a: recovered", "<!channel> & b: degraded"]) == []
        monkeypatch.setenv(afterwards.VARIABLE, hook.url)
        monkeypatch.setenv("CI_JOB_URL", "https://ci.example/jobs/7")
        assert told("", tmp_path) == []
        said = []
        afterwards.failed(After(), InfrastructureError("the server died"), said.append)
    assert hook.messages == [
        f"a: recovered\n&lt;!channel&gt; &amp; b: degraded\n{tmp_path}/report.html",
        "cand: recovered\nhttps://ci.example/jobs/7",
        "evalkit ended without a report: the server died\nhttps://ci.example/jobs/7",
    ]
    assert said == []


def test_a_page_of_github_is_where_to_look(tmp_path, monkeypatch):
    for name, value in {"SERVER_URL": "https://github.example", "REPOSITORY": "a/b", "RUN_ID": "9"}.items():
        monkeypatch.setenv(f"GITHUB_{name}", value)
    with webhook() as hook:
        told(hook.url, tmp_path)
    assert hook.messages[0].splitlines()[1] == "https://github.example/a/b/actions/runs/9"


def test_a_redirect_is_not_followed(tmp_path):
    with webhook() as elsewhere, webhook(307, location=elsewhere.url) as hook:
        assert told(hook.url, tmp_path) == ["warning: the webhook was not told: HTTP 307"]
    assert (len(hook.messages), elsewhere.messages) == (1, [])


def test_what_goes_wrong_is_a_line_without_the_address(tmp_path, monkeypatch):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        gone = f"http://127.0.0.1:{closed.getsockname()[1]}/{KEY}"
        assert told(gone, tmp_path) == ["warning: the webhook was not told: ConnectionError"]
    with webhook(404) as hook:
        assert told(hook.url, tmp_path) == ["warning: the webhook was not told: HTTP 404"]
    monkeypatch.setattr(afterwards, "_PATIENCE_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        (line,) = told(f"http://127.0.0.1:{silent.getsockname()[1]}/{KEY}", tmp_path)
    assert line.startswith("warning: the webhook was not told: no answer within")


def test_an_address_that_is_none_is_refused_without_being_shown():
    for wrong in (f"ftp://host/{KEY}", f"//{KEY}", f"https://{KEY}\x07"):
        with pytest.raises(ConfigError) as caught:
            run_config.resolved({"baseline": "b", "after": {"notify": wrong}}, "file.toml", {})
        assert "after.notify" in str(caught.value)
        assert "unspeakable" not in str(caught.value)
    config = run_config.resolved({"baseline": "b"}, "f", {"notify": f"https://host/{KEY}"})
    assert config.after.notify.endswith(KEY)
    assert "unspeakable" not in repr(config)


def test_a_tracker_that_does_not_exist_is_told_with_its_near_miss():
    with pytest.raises(ConfigError, match="did you mean 'mlflow'"):
        run_config.resolved({"baseline": "b", "after": {"track": ["mlfow"]}}, "file.toml", {})
