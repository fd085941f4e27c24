"""Verdicts are those of evalplus, and come while answers are still generated."""

import contextlib
import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from evalkit import stats
from evalkit.base.errors import SandboxError
from evalkit.harnesses.evalplus.harness import EvalPlus
from evalkit.harnesses.evalplus.samples import attempts
from support.evalplus_tasks import judgements, questions, row, rows, task, write

FIND_ZERO = row(
    90,
    'import math\n\ndef poly(xs, x):\n    return sum(c * math.pow(x, i) for i, c in enumerate(xs))\n\n'
    'def find_zero(xs):\n    """xs are coefficients; find x with poly(xs, x) = 0."""\n',
    "find_zero",
    "    low, high = -1.0, 1.0\n    while poly(xs, low) * poly(xs, high) > 0:\n        low, high = 2 * low, 2 * high\n"
    "    while high - low > 1e-10:\n        middle = (low + high) / 2\n"
    "        low, high = (middle, high) if poly(xs, middle) * poly(xs, low) > 0 else (low, middle)\n    return low\n",
    [([1, 2],), ([-6, 11, -6, 1],)],
    plus=[([-10, 5],)],
    atol=1e-4,
)  # fmt: skip
SHARE = row(
    91,
    'def share(xs, n):\n    """Give every x divided by n, and how many there are."""\n',
    "share",
    "    return [x / n for x in xs]\n",
    [([1, 2, 5], 3), ([], 1), ([0.1], 7)],
    plus=[([10**20], 3)],
)
KINDS = row(
    92,
    'def kinds(x):\n    """Give x in a tuple, a set and a dict."""\n',
    "kinds",
    "    return (x, {x}, {x: x})\n",
    [(1,), ("a",), (2.5,)],
    plus=[(True,), (None,)],
)
WRITTEN = {
    "HumanEval/90": [
        FIND_ZERO["prompt"] + FIND_ZERO["canonical_solution"],
        "def find_zero(xs):\n    return -0.5",
        "def find_zero(xs):\n    return 'x'",
    ],
    "HumanEval/91": [
        "def share(xs, n):\n    return [x * (1 / n) for x in xs]",
        "def share(xs, n):\n    return tuple(x / n for x in xs)",
        "def share(xs, n):\n    return [x // n for x in xs]",
        "import numpy as np\ndef share(xs, n):\n    return np.array(xs) / n",
        "import numpy as np\ndef share(xs, n):\n    return list(np.array(xs, dtype=float) / n)",
        "def share(xs, n):\n    return [float('nan') for x in xs]",
        "def share(xs, n):\n    return [x / n + 1e-9 for x in xs]",
        "def share(xs, n):\n    return [x / n for x in xs if x < 10**9]",
        "def share(xs, n):\n    xs.clear()\n    return [x / n for x in xs]",
    ],
    "HumanEval/92": [
        "def kinds(x):\n    return (x, {x}, {x: x})",
        "def kinds(x):\n    return [x, {x}, {x: x}]",
        "def kinds(x):\n    return (x, frozenset([x]), {x: x})",
        "from collections import namedtuple\nT = namedtuple('T', 'a b c')\ndef kinds(x):\n    return T(x, {x}, {x: x})",
        "def kinds(x):\n    print(x)\n    return (x, {x}, {x: x})",
        "def kinds(x):\n    open('/etc/hostname')\n    return (x, {x}, {x: x})",
        "def kinds(x):\n    input()\n    return (x, {x}, {x: x})",
        "def kinds(x):\n    raise SystemExit",
        "def kinds(x)\n    return 1",
        "def other(x):\n    return 1",
        "",
        "def kinds(x):\n    while x == 2.5:\n        pass\n    return (x, {x}, {x: x})",
        "kinds = lambda x: (x, {x}, {x: x})",
        "import resource\ndef kinds(x):\n    return (x, {x}, {x: x})",
        "import sys\nsys.setrecursionlimit(50)\ndef kinds(x):\n    return (x, {x}, {x: x})",
    ],
}


# What a program finds: modules that evalplus has loaded before its guard, a folder for temporary files, time zones.
FOUND = [
    "import tempfile\nwith tempfile.NamedTemporaryFile() as file:\n    file.write(b'1')",
    "import tempfile\nwith tempfile.TemporaryFile() as file:\n    file.write(b'1')",
    "import tempfile\nwith tempfile.TemporaryDirectory():\n    pass",
    "import tempfile, pathlib\npathlib.Path(tempfile.gettempdir(), 'x').write_text('1')",
    "import pathlib\npathlib.Path('x').write_text('1')\npathlib.Path('x').unlink()",
    "from tqdm import tqdm\nlist(tqdm([1]))",
    "from tqdm.auto import tqdm\nlist(tqdm([1]))",
    "import zoneinfo\nzoneinfo.ZoneInfo('UTC')",
    "import zoneinfo\nassert zoneinfo.ZoneInfo('Europe/Berlin').key == 'Europe/Berlin'",
    "import pandas\nassert pandas.DataFrame({'a': [1]}).a.sum() == 1",
    "numpy = __import__('numpy')\nassert numpy.sum([1]) == 1",
    "import scipy",
    "import multiprocessing\nmultiprocessing.Value('i', 1)",
    "import multiprocessing.pool\nmultiprocessing.pool.ThreadPool(1).map(int, ['1'])",
    "import concurrent.futures\nconcurrent.futures.ThreadPoolExecutor(1).submit(int, '1').result()",
    "import concurrent.futures\nconcurrent.futures.ProcessPoolExecutor(1).submit(int, '1').result()",
    "import datetime\ndatetime.datetime.strptime('2024', '%Y')",
    "import sqlite3\nsqlite3.connect(':memory:').execute('SELECT 1')",
    "import asyncio\nasync def one():\n    return 1\nasyncio.run(one())",
    "import subprocess\nsubprocess.run(['true'])",
    "import subprocess\nsubprocess.Popen",
    "import shutil\nshutil.rmtree('x')",
    "import shutil\nshutil.copy('x', 'y')",
    "import os\nos.getcwd()",
    "import os\nos.remove",
    "import os\nos.listdir('.')",
    "import psutil",
    "import resource",
    "import joblib",
    "import tkinter",
    "import turtle",
    "import sklearn",
    "import pickle, io, random, secrets, uuid, hashlib, statistics, fractions, decimal\nuuid.uuid4()",
    "import logging.handlers, xml.dom.minidom, email.mime.text, http.client, unittest.mock, ctypes.util",
    "import os.path, json, csv, sched, this",
    "exit()",
    "help(int)",
    "from os import *\nfork()",
    "import locale\nlocale.localeconv()",
    "import time\ntime.localtime()",
]
WRITTEN["HumanEval/92"] += [f"{text}\ndef kinds(x):\n    return (x, {{x}}, {{x: x}})" for text in FOUND]


def generated(made):
    """A solution, a near miss, a wrong one and a broken one for each made problem."""
    for problem in made:
        good = problem["prompt"] + problem["canonical_solution"]
        name = problem["entry_point"]
        yield from [(problem["task_id"], good)] * 8
        yield problem["task_id"], f"def {name}(xs):\n    return 0 if len(xs) < 6 else sorted(xs)"
        yield problem["task_id"], f"{good}    return undefined\n"


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The same sample file judged by ``evalplus.evaluate`` and here."""
    folder = tmp_path_factory.mktemp("evaluate")
    made = rows(6)
    chosen, asked = questions(folder / "problems.jsonl", [*made, FIND_ZERO, SHARE, KINDS], workers=2)
    written = [(task_id, text) for task_id, texts in WRITTEN.items() for text in (texts * 4)[: max(10, len(texts))]]
    lines = [*generated(made), *written]
    least = min(sum(one == task_id for one, _ in lines) for task_id in asked.problems)
    samples = write(folder / "samples.jsonl", [{"task_id": one, "solution": text} for one, text in lines])
    theirs = evaluated(folder, samples)
    checker = EvalPlus().checker(chosen, asked, unsafe=False)
    with contextlib.closing(checker):
        read = list(attempts(samples, asked))
        for sample, text in read:
            checker.submit(sample.id, sample, text)
        found = {}
        while len(found) < len(read):
            found.update(checker.ready(60.0))
        return theirs, found, checker.facts(0).stored(), least


def evaluated(folder, samples):
    """What ``evalplus.evaluate`` writes and prints."""
    env = {
        **os.environ, "HUMANEVAL_OVERRIDE_PATH": str(folder / "problems.jsonl"), "XDG_CACHE_HOME": str(folder),
        "HF_HUB_OFFLINE": "1",
    }  # fmt: skip
    program = textwrap.dedent(
        """
        import sys
        from evalplus.evaluate import evaluate
        import evalplus.evaluate, json
        kept = {}
        real = evalplus.evaluate.estimate_pass_at_k
        def keep(total, correct, k):
            found = real(total, correct, k)
            kept.setdefault(f"pass@{k}", []).append(float(found.mean()))
            return found
        evalplus.evaluate.estimate_pass_at_k = keep
        evaluate("humaneval", sys.argv[1], parallel=2, min_time_limit=1.0)
        json.dump(kept, open(sys.argv[2], "w"))
        import os; os._exit(0)  # a thread of evalplus's would wait for up to 20 seconds
        """
    )
    words = [sys.executable, "-c", program, str(samples), str(folder / "kept.json")]
    done = subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    results = json.loads((folder / "samples_eval_results.json").read_text())
    return results["eval"], json.loads((folder / "kept.json").read_text())


def test_every_judgement_is_evalplus_s(compared):
    (theirs, _), found, _, _ = compared
    assert sum(map(len, theirs.values())) == len(found)
    differing = [
        f"{task_id}#{number} {kind}: {attempt[f'{kind}_status']} there: {attempt['solution']} {judgement['note']}"
        for task_id, tries in theirs.items()
        for number, attempt in enumerate(tries)
        for judgement in [found[f"{task_id}#{number}"]]
        for kind in ("base", "plus")
        if (attempt[f"{kind}_status"] == "pass") != (judgement[kind] == "pass")
    ]
    assert differing == []


def test_pass_at_k_is_evalplus_s_to_the_last_digit(compared):
    (theirs, kept), found, _, least = compared
    assert least >= 10  # or evalplus gives no pass@10
    for k in (1, 10):
        for column, kinds in enumerate([("base",), ("base", "plus")]):
            values = []
            for task_id, tries in theirs.items():
                passed = sum(
                    all(found[f"{task_id}#{number}"][kind] == "pass" for kind in kinds) for number in range(len(tries))
                )
                values.append(stats.pass_at_k(len(tries), passed, k))
            assert float(np.mean(values)) == pytest.approx(kept[f"pass@{k}"][column], abs=1e-15)
    assert 0 < kept["pass@1"][1] < kept["pass@1"][0] < 1


def test_same_programs_are_judged_once(compared):
    _, found, facts, _ = compared
    assert facts["answers"] == len(found)
    assert facts["programs"] < facts["answers"]


def test_a_timeout_is_tried_again_and_counted(compared):
    _, found, facts, _ = compared
    assert facts["retried"] == 1
    assert [judgement["base"] for judgement in found.values()].count("timeout") == 1
    assert sum(map(EvalPlus().timed_out, found.values())) == 1


def test_the_problem_that_evalplus_fails_for_everyone_can_be_judged_as_meant(tmp_path):
    texts = WRITTEN["HumanEval/90"]
    for find_zero, wanted in [("published", ["fail"] * 3), ("mended", ["pass", "fail", "fail"])]:
        chosen, asked = questions(tmp_path / "problems.jsonl", [FIND_ZERO], workers=1, find_zero=find_zero)
        found, facts = judgements(chosen, asked, [("HumanEval/90", text) for text in texts])
        assert [judgement["plus"] for judgement in found] == wanted
        assert facts["find_zero"] == find_zero


@pytest.mark.parametrize("n", [1, 2, 7, 50, 200])
def test_the_estimator_is_evalplus_s(n):
    from evalplus.eval import estimate_pass_at_k

    for k in {1, min(n, 10), n}:
        ours = [stats.pass_at_k(n, c, k) for c in range(n + 1)]
        assert ours == pytest.approx(estimate_pass_at_k(n, list(range(n + 1)), k), rel=1e-14, abs=1e-15)


def test_answers_are_sanitized_before_they_run(tmp_path):
    chosen, asked = questions(tmp_path / "problems.jsonl", [SHARE], workers=1)
    good = "def share(xs, n):\n    return [x / n for x in xs]"
    texts = [good, f"{good}\n```\nThis divides: each x by n.\n", f"Sure!\n{good}", f"{good}\0", f"{good}\ud800"]
    texts.append("\n".join(["Here is the answer:"] * 700))
    found, facts = judgements(chosen, asked, [("HumanEval/91", text) for text in texts])
    assert [judgement["base"] for judgement in found] == ["pass", "pass", "pass", "fail", "fail", "fail"]
    assert "null byte" in found[3]["note"]
    assert "surrogate" in found[4]["note"]
    assert facts["programs"] == 2  # the three good ones are one program


def test_a_data_set_whose_own_solution_fails_is_not_scored_with(tmp_path):
    wrong = {**SHARE, "canonical_solution": "    import random\n    return random.random()\n"}
    chosen, asked = questions(tmp_path / "problems.jsonl", [KINDS, wrong], workers=1)
    with pytest.raises(SandboxError, match="HumanEval/91: the data set's own solution does not pass"):
        judgements(chosen, asked, [("HumanEval/92", "def kinds(x):\n    return 1")])


def test_without_plus_only_the_base_tests_are_run(tmp_path):
    plain = {key: value for key, value in SHARE.items() if key not in {"plus_input", "contract", "atol"}}
    chosen, asked = questions(tmp_path / "problems.jsonl.gz", [plain], plus=False, workers=1)
    good = "def share(xs, n):\n    return [x / n for x in xs]"
    found, _ = judgements(chosen, asked, [("HumanEval/91", good), ("HumanEval/91", "def share(xs, n):\n    return 1")])
    assert [dict(judgement) for judgement in found] == [
        {"base": "pass", "note": ""},
        {"base": "fail", "note": "base: wrong output"},
    ]


def test_only_the_solutions_of_problems_that_are_asked_are_tried(tmp_path):
    wrong = {**KINDS, "canonical_solution": "    return missing\n"}
    write(tmp_path / "problems.jsonl", [wrong, SHARE])
    chosen = task(workers=1)
    asked = EvalPlus().questions(chosen, tmp_path / "problems.jsonl", lambda _: None)
    ((sample, _),) = asked.samples(1)
    assert sample.references["task_id"] == "HumanEval/91"
    checker = EvalPlus().checker(chosen, asked, unsafe=False)
    with contextlib.closing(checker):
        checker.submit("one", sample, "def share(xs, n):\n    return [x / n for x in xs]")
        assert checker.ready(60.0) == [("one", {"base": "pass", "plus": "pass", "note": ""})]
