"""The browser of the tests is found where people have it, and installed where it can be."""

import subprocess

import pytest

from support import browsers


def program(path, text="#!/bin/sh\necho Chromium 1.0\n"):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(0o755)
    return str(path)


@pytest.fixture
def bare(monkeypatch, tmp_path):
    """A machine without a browser: nothing on PATH but a shell, and folders of its own for all the rest."""
    program(tmp_path / "bin" / "sh", "#!/bin/sh\n")
    monkeypatch.setenv("PATH", str(tmp_path / "bin"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setattr(browsers, "ROOT", tmp_path / "root")
    for name in ("PLAYWRIGHT_BROWSERS_PATH", browsers.WITHOUT, "EVALKIT_REQUIRE"):
        monkeypatch.delenv(name, raising=False)
    browsers.found.cache_clear()
    yield tmp_path
    browsers.found.cache_clear()


@pytest.mark.parametrize(
    "place",
    [
        "bin/chromium",
        "bin/google-chrome",
        "bin/microsoft-edge",
        "root/opt/google/chrome/chrome",
        "root/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
        "home/Applications/Chromium.app/Contents/MacOS/Chromium",
        "home/.cache/ms-playwright/chromium-1255/chrome-linux64/chrome",
        "home/.cache/ms-playwright/chromium-1155/chrome-linux/chrome",
        "home/Library/Caches/ms-playwright/chromium-1/chrome-mac/Chromium.app/Contents/MacOS/Chromium",
    ],
)
def test_it_is_found_where_people_have_it(bare, place):
    path = program(bare / place)
    assert browsers.found() == path


def test_one_that_cannot_start_is_passed_over(bare):
    program(bare / "bin" / "chromium", "#!/bin/sh\nexit 127\n")
    (bare / "bin" / "google-chrome").write_text("no program")
    path = program(bare / "bin" / "chrome")
    assert browsers.found() == path


def test_a_folder_that_playwright_was_told_of_is_looked_into(bare, monkeypatch):
    monkeypatch.setenv("PLAYWRIGHT_BROWSERS_PATH", str(bare / "elsewhere"))
    path = program(bare / "elsewhere" / "chromium-1" / "chrome-linux" / "chrome")
    assert browsers.found() == path


def test_without_one_the_test_is_left_out_or_fails(bare, monkeypatch):
    with pytest.raises(pytest.skip.Exception, match="for want of a browser"):
        browsers.found()
    monkeypatch.setenv("EVALKIT_REQUIRE", "browser")
    with pytest.raises(pytest.fail.Exception, match="EVALKIT_REQUIRE wants it"):
        browsers.found()


def test_one_that_is_not_wanted_is_not_used(bare, monkeypatch):
    program(bare / "bin" / "chromium")
    monkeypatch.setenv(browsers.WITHOUT, "1")
    with pytest.raises(pytest.skip.Exception, match="EVALKIT_NO_BROWSER=1"):
        browsers.found()


@pytest.fixture
def asked(bare, monkeypatch):
    """Installers that note how they are called; ``asked.works`` is the one that leaves a browser behind."""

    class Installers(list):
        works = ""

    calls = Installers()

    def run(words, **_):
        if words[-1] == "--version":
            return real(words, **_)
        calls.append(words[words.index("-m") + 1 :] if "-m" in words else words)
        if calls[-1][0] == calls.works:
            program(bare / "bin" / "chromium")
        failed = calls[-1][0] != calls.works
        return subprocess.CompletedProcess(words, failed, "", "Reading...\nE: no such host\n" if failed else "")

    real = subprocess.run
    monkeypatch.setattr(browsers.subprocess, "run", run)
    program(bare / "bin" / "apt-get")
    return calls


def test_root_on_debian_gets_the_systems_own(asked, monkeypatch, capsys):
    monkeypatch.setattr(browsers.os, "geteuid", lambda: 0)
    asked.works = "apt-get"
    browsers.main()
    assert asked[-1] == ["apt-get", "install", "-y", "-qq", "chromium"]
    assert capsys.readouterr().out == "no Chromium here: installing one for the tests\n"
    browsers.main()  # it is there now
    assert len(asked) == 2


def test_others_get_playwrights(asked, monkeypatch, capsys):
    monkeypatch.setattr(browsers.os, "geteuid", lambda: 1000)
    asked.works = "playwright"
    browsers.main()
    assert asked == [["playwright", "install", "chromium"]]


def test_where_none_can_be_had_one_line_says_why(asked, monkeypatch, capsys):
    monkeypatch.setattr(browsers.os, "geteuid", lambda: 0)
    browsers.main()
    assert [words[0] for words in asked] == ["apt-get", "apt-get", "playwright"]
    (_, line) = capsys.readouterr().out.splitlines()
    assert line.startswith("no Chromium, and none can be installed: the browser tests are left out (apt-get install")
    assert line.count("E: no such host") == 2
