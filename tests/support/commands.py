"""Run the evalkit command in this process, and write the files that it reads."""

import contextlib
import io
import json
import signal
import sys
from dataclasses import dataclass
from unittest import mock

from evalkit import serve
from evalkit.cli import main
from evalkit.serve.known_flags import known_flags


@dataclass
class Ended:
    """What a command left behind."""

    code: int
    out: str
    err: str

    @property
    def json(self):
        return json.loads(self.out)


def evalkit(*args):
    """The command's exit code and output, through the same ``main`` that the console script calls."""
    out, err = io.StringIO(), io.StringIO()
    code = 0
    typed = mock.patch.object(sys, "argv", ["evalkit", *map(str, args)])
    with typed, contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), knowing_nothing(), signals_kept():
        try:
            main()
        except SystemExit as end:
            code = end.code
    return Ended(code, out.getvalue(), err.getvalue())


@contextlib.contextmanager
def knowing_nothing():
    """A process of its own knows nothing yet of the interpreter that serves; what stands for vLLM may be another."""
    known = serve.installed, serve.processor, known_flags
    for one in known:
        one.cache_clear()
    try:
        yield
    finally:
        for one in known:
            one.cache_clear()


@contextlib.contextmanager
def signals_kept():
    """A command answers Ctrl-C and the like in its own way, to the end of its process; this process goes on."""
    kept = {one: signal.getsignal(one) for one in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
    try:
        yield
    finally:
        for one, answer in kept.items():
            signal.signal(one, answer)


def write_lines(path, lines):
    """A JSON lines file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return path


def write_json(path, value):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def scored(values, **more):
    """Lines with ids q0, q1, ... and these scores; None is left out."""
    return [{"id": f"q{at}", "score": value, **more} for at, value in enumerate(values) if value is not None]
