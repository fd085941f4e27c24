"""A HumanEval-like data set of the project's own, answers to it, and a checker over them."""

import gzip
import itertools
import json
import random

from evalkit.base.types import Dataset, Decoding, Task
from evalkit.demo.questions import heldout, programs
from evalkit.harnesses.evalplus.harness import EvalPlus


def task(n=1, **settings):
    return Task(
        name="humaneval",
        benchmark="humaneval",
        dataset=Dataset(id="", split="test", files=("x",)),
        decoding=Decoding(max_tokens=768, temperature=0.2, top_p=0.95, n=n),
        metrics=("pass@1",),
        headline="pass@1",
        category="Text",
        title="HumanEval",
        settings=settings,
    )


def rows(count):
    rng = random.Random(5)
    return [programs.row(rng, made, number) for number, made in enumerate(itertools.islice(heldout.problems(), count))]


def row(number, prompt, name, body, base, *, plus=(), atol=0):
    """A problem written by hand."""
    return {
        "task_id": f"HumanEval/{number}", "prompt": prompt, "entry_point": name, "canonical_solution": body,
        "contract": "", "base_input": [list(call) for call in base], "plus_input": [list(call) for call in plus],
        "atol": atol,
    }  # fmt: skip


def write(path, found):
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wt", encoding="utf-8") as file:
        file.writelines(json.dumps(row) + "\n" for row in found)
    return path


def questions(path, found, **settings):
    write(path, found)
    chosen = task(**settings)
    return chosen, EvalPlus().questions(chosen, path, lambda _: None)


def judgements(chosen, asked, answers):
    """Verdicts of (task_id, text) in order, and what the checker says of its work."""
    samples = {sample.cluster: sample for sample, _ in asked.samples(None)}
    checker = EvalPlus().checker(chosen, asked, unsafe=False)
    try:
        for number, (task_id, text) in enumerate(answers):
            checker.submit(str(number), samples[task_id], text)
        found = {}
        while len(found) < len(answers):
            found.update(checker.ready(60.0))
        return [found[str(number)] for number in range(len(answers))], checker.facts(0).stored()
    finally:
        checker.close()
