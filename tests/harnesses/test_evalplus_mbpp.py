"""MBPP+: arguments in the types that evalplus restores, its special comparisons, and pass@1 to the last digit."""

import contextlib
import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest

from evalkit.base.types import Dataset, Decoding
from evalkit.harnesses.evalplus.harness import EvalPlus
from evalkit.harnesses.evalplus.samples import attempts
from evalkit.tasks import registry
from support.evalplus_tasks import task, write


def row(number, name, body, base, plus=(), atol=0):
    prompt = f'"""\nWrite {name}.\nassert True\n"""\n'
    return {
        "task_id": f"Mbpp/{number}", "prompt": prompt, "entry_point": name, "canonical_solution": body,
        "base_input": base, "plus_input": list(plus), "contract": "", "assertion": "", "atol": atol,
    }  # fmt: skip


ROWS = [
    # Lists that become tuples, and are compared as sets.
    row(2, "similar_elements", "def similar_elements(a, b):\n    return tuple(set(a) & set(b))\n",
        [[[3, 4, 5], [5, 4]]], [[[1], [2]], [[1, 1], [1]]]),
    # Sets, and complex numbers written as text.
    row(115, "empty_dit", "def empty_dit(xs):\n    return all(not x for x in xs)\n", [[[[1], []]], [[[]]]]),
    row(124, "angle", "import cmath\ndef angle(a, b):\n    return cmath.phase(complex(a, 0) + b * 1j)\n",
        [["0", "1j"]], [["2.5", "3j"]]),
    row(580, "even", "def even(t):\n    return tuple(x for x in t if isinstance(x, tuple) or x % 2 == 0)\n",
        [[[4, 5, [7, 6], 2]]]),
    # Only whether something comes back is compared.
    row(434, "text_match_three", "import re\ndef text_match_three(s):\n    return re.search('ab{3}', s)\n",
        [["abbb"], ["ac"]]),
    row(295, "sum_div", "def sum_div(n):\n    return sum(d for d in range(1, n) if n % d == 0)\n", [[8], [12]]),
    row(581, "surface_Area", "def surface_Area(b, s):\n    return 2 * b * s + b * b\n", [[3, 4]], [[1, 2]]),
    row(558, "digit_distance_nums", "def digit_distance_nums(a, b):\n    return sum(map(int, str(abs(a - b))))\n",
        [[1, 2]], [[123, 256]]),
    row(164, "are_equivalent", "def are_equivalent(a, b):\n    return a == b\n", [[1, 2]]),
    row(600, "half", "def half(x):\n    return x / 3\n", [[1]], [[10]], atol=1e-4),
]  # fmt: skip
OTHERS = [
    ("Mbpp/2", "def similar_elements(a, b):\n    return [x for x in a if x in b]"),
    ("Mbpp/2", "def similar_elements(a, b):\n    return a if type(a) is tuple else []"),
    ("Mbpp/115", "def empty_dit(xs):\n    return all(type(x) in (set, dict) for x in xs) and not any(xs)"),
    ("Mbpp/115", "def empty_dit(xs):\n    return all(type(x) is list for x in xs)"),
    ("Mbpp/124", "def angle(a, b):\n    assert type(a) is float and type(b) is complex\n    return 1.5707963"),
    ("Mbpp/580", "def even(t):\n    return [x for x in t if isinstance(x, list) or x % 2 == 0]"),
    ("Mbpp/434", "def text_match_three(s):\n    return 'Found' if 'abbb' in s else None"),
    ("Mbpp/434", "def text_match_three(s):\n    return 'abbb' in s"),
    ("Mbpp/434", "def text_match_three(s):\n    return 'yes'"),
    ("Mbpp/295", "def sum_div(n):\n    return 0"),
    ("Mbpp/295", "def sum_div(n):\n    return 1"),
    ("Mbpp/581", "def surface_Area(b, h):\n    s = ((b / 2) ** 2 + h * h) ** .5\n    return round(2 * b * s + b * b)"),
    ("Mbpp/581", "def surface_Area(b, h):\n    return 'x'"),
    (
        "Mbpp/558",
        "def digit_distance_nums(a, b):\n    return sum(abs(int(x) - int(y)) for x, y in zip(str(a), str(b)))",
    ),
    ("Mbpp/164", "def are_equivalent(a, b):\n    return 'whatever'"),
    ("Mbpp/600", "def half(x):\n    return x * 0.33334"),
    ("Mbpp/600", "def half(x):\n    return x * 0.34"),
]
PROGRAM = """
import sys, json, evalplus.evaluate
kept, real = {}, evalplus.evaluate.estimate_pass_at_k
def keep(total, correct, k):
    found = real(total, correct, k)
    kept.setdefault(f"pass@{k}", []).append(float(found.mean()))
    return found
evalplus.evaluate.estimate_pass_at_k = keep
evalplus.evaluate.evaluate("mbpp", sys.argv[1], parallel=2, min_time_limit=1.0)
json.dump(kept, open(sys.argv[2], "w"))
import os; os._exit(0)  # a thread of evalplus's would wait for up to 20 seconds
"""


@pytest.fixture(scope="module")
def compared(tmp_path_factory):
    """The same programs judged by ``evalplus.evaluate`` and here."""
    folder = tmp_path_factory.mktemp("mbpp")
    data = write(folder / "problems.jsonl", ROWS)
    own = [(one["task_id"], one["prompt"] + one["canonical_solution"]) for one in ROWS]
    lines = [{"task_id": name, "solution": text} for name, text in [*own, *OTHERS]]
    samples = write(folder / "samples.jsonl", lines)
    env = {**os.environ, "MBPP_OVERRIDE_PATH": str(data), "XDG_CACHE_HOME": str(folder), "HF_HUB_OFFLINE": "1"}
    words = [sys.executable, "-c", PROGRAM, str(samples), str(folder / "kept.json")]
    done = subprocess.run(words, env=env, cwd=folder, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    theirs = json.loads((folder / "samples_eval_results.json").read_text())["eval"]
    chosen = replace(task(2, workers=2), name="mbpp", benchmark="mbpp", metrics=("pass@1", "pass@1+"))
    asked = EvalPlus().questions(chosen, data, lambda _: None)
    checker = EvalPlus().checker(chosen, asked, unsafe=False)
    with contextlib.closing(checker):
        read = list(attempts(samples, asked))
        for sample, text in read:
            checker.submit(sample.id, sample, text)
        found = {}
        while len(found) < len(read):
            found.update(checker.ready(60.0))
    return theirs, json.loads((folder / "kept.json").read_text()), found


def test_every_judgement_is_evalplus_s(compared):
    theirs, _, found = compared
    assert sum(map(len, theirs.values())) == len(found) == len(ROWS) + len(OTHERS)
    differing = [
        (task_id, number, kind, attempt["solution"], found[f"{task_id}#{number}"])
        for task_id, tries in theirs.items()
        for number, attempt in enumerate(tries)
        for kind in ("base", "plus")
        if (attempt[f"{kind}_status"] == "pass") != (found[f"{task_id}#{number}"][kind] == "pass")
    ]
    assert differing == []
    words = [judgement["base"] for judgement in found.values()]
    assert {"pass", "fail"} <= set(words)


def test_pass_at_1_is_evalplus_s_to_the_last_digit(compared):
    theirs, kept, found = compared
    for column, kinds in enumerate([("base",), ("base", "plus")]):
        shares = [
            np.mean([all(found[f"{name}#{at}"][kind] == "pass" for kind in kinds) for at in range(len(tries))])
            for name, tries in theirs.items()
        ]
        assert float(np.mean(shares)) == pytest.approx(kept["pass@1"][column], abs=1e-15)


@pytest.mark.parametrize(
    ("name", "headline"),
    [
        ("humaneval-greedy", "pass@1"),
        ("humaneval-plus-greedy", "pass@1+"),
        ("mbpp-greedy", "pass@1"),
        ("mbpp-plus-greedy", "pass@1+"),
    ],
)
def test_the_greedy_tasks_ask_once_and_without_chance(name, headline):
    (found,) = registry.find([name])
    assert found.headline == headline
    assert (found.decoding.n, found.decoding.temperature, found.decoding.top_p) == (1, 0.0, None)
    assert found.metrics == ("pass@1", "pass@1+")


def test_a_file_without_the_further_tests_says_what_to_set(tmp_path):
    short = {key: value for key, value in ROWS[0].items() if key != "plus_input"}
    data = write(tmp_path / "x.jsonl", [short])
    chosen = replace(task(), benchmark="mbpp", dataset=Dataset(id="", split="test"), decoding=Decoding(max_tokens=1))
    with pytest.raises(Exception, match="no plus_input"):
        EvalPlus().questions(chosen, data, lambda _: None)
