"""Every module of Python's own library, and what evalplus loads beside it, is for a program what it is in evalplus."""

import json
import subprocess
import sys
import textwrap
from pathlib import Path

from evalkit.harnesses.evalplus import child, runs

# The same in both: a fork for each module, in which the guard is put on before the program.
FORKS = textwrap.dedent(
    """
    import json, os, sys

    def outcomes(names, attempt):
        found = {}
        for name in names:
            reading, writing = os.pipe()
            leave, write = os._exit, os.write
            if not os.fork():
                try:
                    os.dup2(os.open(os.devnull, os.O_RDWR), 1)
                    said = attempt(f"import {name}\\ndef f():\\n    return 1")
                except BaseException as error:
                    said = type(error).__name__
                write(writing, said.encode())
                leave(0)
            os.close(writing)
            with os.fdopen(reading) as pipe:
                found[name] = pipe.read()
            os.wait()
        return found

    names, out = json.load(sys.stdin), os.dup(1)
    """
)
THERE = FORKS + textwrap.dedent(
    """
    import evalplus.evaluate
    from evalplus.eval.utils import create_tempdir, reliability_guard, swallow_io

    def attempt(program):
        create_tempdir().__enter__()
        reliability_guard(None)
        with swallow_io():
            exec(program, {})
        return "end"

    loaded = sorted({name.partition(".")[0] for name in sys.modules})
    found = outcomes(names, attempt)
    os.write(out, json.dumps([found, loaded]).encode())
    """
)
HERE = FORKS + textwrap.dedent(
    """
    import runpy
    own = runpy.run_path(sys.argv[1], run_name="child")
    guard = open(sys.argv[1] + ".guard").read()

    def attempt(program):
        said = []
        order = {"guard": guard, "program": program, "entry_point": "f", "inputs": [], "limits_s": [], "wall_factor": 1}
        order["loading_s"] = [20, 60]
        own["perform"](order, said.append)
        return said[-1][-1]

    os.write(out, json.dumps(outcomes(names, attempt)).encode())
    """
)
# They open windows or browsers, write into the home, or are tests.
LEFT_OUT = {"antigravity", "idlelib", "test", "turtledemo", "lib2to3", "this"}


def carried_out(program, names, folder, *words):
    done = subprocess.run(
        [sys.executable, "-c", program, *map(str, words)],
        input=json.dumps(names),
        capture_output=True,
        text=True,
        cwd=folder,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_what_can_be_imported_there_can_be_imported_here_and_nothing_else(tmp_path):
    names = sorted(name for name in sys.stdlib_module_names if name not in LEFT_OUT)
    names += sorted(child._LIBRARIES - {"datasets"})  # seconds to load; its parts are here
    (tmp_path / "child.py").write_text(Path(child.__file__).read_text())
    (tmp_path / "child.py.guard").write_text(runs.guard())
    there, loaded = carried_out(THERE, names, tmp_path)
    here = carried_out(HERE, names, tmp_path, tmp_path / "child.py")
    assert {name: here[name] for name in names} == {name: there[name] for name in names}
    assert sum(said == "end" for said in here.values()) > 200
    # What is named as evalplus's is loaded by it.
    assert set(loaded) >= child._LIBRARIES
