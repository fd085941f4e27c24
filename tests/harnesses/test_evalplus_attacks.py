"""Programs that try to be counted as correct without being so: none is."""

import pytest

from evalkit.harnesses.evalplus import runs
from evalkit.harnesses.evalplus.harness import EvalPlus
from support.evalplus_tasks import judgements, questions, row

PROMPT = 'def add_up(xs):\n    """Return the sum of xs, as HumanEval would ask for it."""\n'
SOLUTION = "    return sum(xs)\n"
CALLS = [([1, 2, 3],), ([],), ([10, -4],)]

ATTACKS = {
    "leaves with 0": "import os\ndef add_up(xs):\n    os._exit(0)\n    return 0",
    "leaves when defined": "import os\nos._exit(0)\ndef add_up(xs):\n    return 0",
    "leaves through sys.exit": "import sys\ndef add_up(xs):\n    sys.exit(0)\n    return 0",
    "equals everything": """
class Same:
    def __eq__(self, other):
        return True
    __ne__ = None
    def __hash__(self):
        return 0
def add_up(xs):
    return Same()
""",
    "is a number that equals everything": """
class Same(int):
    def __eq__(self, other):
        return True
    __hash__ = int.__hash__
def add_up(xs):
    return Same(-1)
""",
    "is a list of objects that equal everything": """
class Same:
    def __eq__(self, other):
        return True
def add_up(xs):
    return [Same()]
""",
    "changes what its callers know": """
import sys
def add_up(xs):
    frame = sys._getframe(1)
    while frame is not None:
        for name, value in list(frame.f_locals.items()):
            if name in ("stat", "progress"):
                value.value = 0
            if name == "details":
                for place in range(len(value)):
                    value[place] = True
            if name in ("inputs", "expected") and isinstance(value, list):
                value.clear()
            if name == "order":
                value["inputs"].clear()
        frame = frame.f_back
    return None
""",
    "writes the end itself": """
import os
def add_up(xs):
    for number in range(3, 64):
        try:
            os.write(number, b'["ok", 6, 0.0]\\n["ok", 0, 0.0]\\n["ok", 0, 0.0]\\n["end"]\\n')
        except OSError:
            pass
    os._exit(0)
    return 0
""",
    "writes a judgement": """
import os
def add_up(xs):
    for number in range(1, 64):
        try:
            os.write(number, b'{"judgement": "pass"}\\npass\\n["pass"]\\n')
        except OSError:
            pass
    os._exit(0)
    return 0
""",
    "looks for expected outputs": """
import gc, sys
def add_up(xs):
    for thing in gc.get_objects():
        if isinstance(thing, dict):
            for name in ("expected", "outputs", "expected_output"):
                found = thing.get(name)
                if found:
                    return found[0]
    return None
""",
    "looks for expected outputs in files": """
import io, glob
def add_up(xs):
    for name in glob.glob("/tmp/**", recursive=True) + glob.glob("/proc/*/environ") + glob.glob("/home/**"):
        try:
            text = io.open(name).read()
        except Exception:
            continue
        if "expected" in text:
            return 6
    return None
""",
    "replaces the writer": """
import sys
main = sys.modules["__main__"]
def encode(self, value, depth=0):
    return ["sub", ["?", "anything"]]
if hasattr(main, "Writer"):
    main.Writer.encode = encode
def add_up(xs):
    return None
""",
    "makes a comparison that ends the reader": """
def add_up(xs):
    value = []
    for _ in range(140):
        value = [value]
    return value
""",
    "gives a list that contains itself": """
def add_up(xs):
    value = []
    value.append(value)
    return value
""",
    "gives back very much": """
def add_up(xs):
    return [0] * 5_000_000
""",
    "never comes back": """
def add_up(xs):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass
    return 0
""",
    "takes the alarm away": """
import signal
def add_up(xs):
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    while True:
        pass
    return 0
""",
    "not a number": "def add_up(xs):\n    return float('nan')",
    "prints the sum": "def add_up(xs):\n    print(sum(xs))\n    return None",
}


@pytest.fixture(scope="module")
def judged(tmp_path_factory):
    """The judgements of all attacks, judged side by side with an honest program before and after them."""
    path = tmp_path_factory.mktemp("attacks") / "problems.jsonl"
    problem = row(0, PROMPT, "add_up", SOLUTION, CALLS, plus=CALLS)
    # What never ends takes its whole time, four times over.
    chosen, asked = questions(path, [problem], workers=2, min_time_limit_s=0.25)
    honest = [
        PROMPT + SOLUTION,
        "def add_up(xs):\n    total = 0\n    for x in xs:\n        total += x\n    return total",
    ]
    texts = [honest[0], *ATTACKS.values(), honest[1]]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(runs, "_START_S", 1.0)
        found, facts = judgements(chosen, asked, [("HumanEval/0", text) for text in texts])
    return dict(zip(["honest", *ATTACKS, "honest too"], found, strict=True)), facts


@pytest.mark.parametrize("name", ATTACKS)
def test_an_attack_is_not_correct(judged, name):
    found, _ = judged
    assert found[name]["base"] != "pass"
    assert found[name]["plus"] != "pass"


def test_honest_programs_beside_attacks_are_correct(judged):
    found, _ = judged
    for name in ("honest", "honest too"):
        assert (found[name]["base"], found[name]["plus"]) == ("pass", "pass")


def test_only_what_never_ends_is_a_timeout(judged):
    found, facts = judged
    late = {name for name, judgement in found.items() if EvalPlus().timed_out(judgement)}
    assert late == {"never comes back", "takes the alarm away"}
    assert facts["retried"] == 2


def test_the_report_can_say_where_evalplus_is_fooled(judged):
    _, facts = judged
    assert any("equals everything" in sentence for sentence in facts["differs"])
    assert facts["sandbox"] in {"bubblewrap", "namespaces"}
