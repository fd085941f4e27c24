"""HumanEval-like: small functions composed of a selection, a change and a conclusion, with their tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from evalkit.types import Json

INSTRUCTION = "Write this function."
RESPONSE = "Here is the function:"
FENCE = "\n```\n"

VERBS = ("pick", "scan", "sift", "fold", "make", "take", "read", "work")
NOUNS = ("list", "row", "bag", "line", "heap", "tray", "box", "page")
SELECT = {
    "greater than {k}": "x > {k}",
    "less than {k}": "x < {k}",
    "divisible by {k}": "x % {k} == 0",
    "not equal to {k}": "x != {k}",
    "even": "x % 2 == 0",
    "odd": "x % 2 == 1",
    "at least {k}": "x >= {k}",
    "at most {k}": "x <= {k}",
}
CHANGE = {
    "add {k} to each": "x + {k}",
    "subtract {k} from each": "x - {k}",
    "multiply each by {k}": "x * {k}",
    "square each": "x * x",
    "negate each": "-x",
    "take each modulo {k}": "x % {k}",
}
CONCLUDE = {
    "the sum": "sum({v})",
    "the largest": "max({v}, default=0)",
    "the smallest": "min({v}, default=0)",
    "how many there are": "len({v})",
    "them sorted": "sorted({v})",
    "them reversed": "{v}[::-1]",
    "the first {k}": "{v}[:{k}]",
    "the last {k}": "{v}[-{k}:]",
    "them without repeats": "sorted(set({v}))",
    "the sum plus {k}": "sum({v}) + {k}",
}


@dataclass(frozen=True, slots=True)
class Program:
    """A function to write."""

    name: str
    steps: tuple[str, ...]
    """The docstring's sentences in order; they decide the split."""
    body: str

    @property
    def key(self) -> str:
        """The task without its name."""
        return "humaneval|" + "; ".join(self.steps)

    @property
    def prompt(self) -> str:
        """Signature and docstring, as the data set's ``prompt`` column."""
        said = ", then ".join(self.steps)
        return f'def {self.name}(xs):\n    """{said[0].upper()}{said[1:]}."""\n'


def program(rng: random.Random, level: int) -> Program:
    """A function of one to four steps (``level`` 0 to 2)."""
    name = f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}"
    kinds = rng.choice(((), ("s",), ("c",), ("s", "c"), ("c", "s")) if level < 2 else (("s", "c"), ("c", "s"), ("s", "c", "s"), ("c", "s", "c")))
    steps, lines, value = [], [], "xs"
    for place, kind in enumerate(kinds):
        wording, code = rng.choice(list((SELECT if kind == "s" else CHANGE).items()))
        k = rng.randint(2, 9)
        fresh = "abc"[place]
        if kind == "s":
            steps.append(f"keep the items {wording.format(k=k)}")
            lines.append(f"    {fresh} = [x for x in {value} if {code.format(k=k)}]\n")
        else:
            steps.append(wording.format(k=k))
            lines.append(f"    {fresh} = [{code.format(k=k)} for x in {value}]\n")
        value = fresh
    wording, code = rng.choice(list(CONCLUDE.items()))
    k = rng.randint(2, 9)
    steps.append(f"return {wording.format(k=k)}")
    lines.append(f"    return {code.format(k=k, v=value)}\n")
    return Program(name, tuple(steps), "".join(lines))


def row(rng: random.Random, made: Program, number: int) -> dict[str, Json]:
    """The problem with inputs and tests: HumanEval's columns and those that evalplus adds."""
    inputs = [[[]], *([[rng.randint(-20, 30) for _ in range(rng.randint(1, 9))]] for _ in range(19))]
    space: dict[str, Json] = {}
    exec(made.prompt + made.body, space)  # noqa: S102 - our own text, composed above
    run = space[made.name]
    checks = "".join(f"    assert candidate({arguments[0]!r}) == {run(*arguments)!r}\n" for arguments in inputs[:6])
    return {
        "task_id": f"HumanEval/{number}",
        "prompt": made.prompt,
        "entry_point": made.name,
        "canonical_solution": made.body,
        "test": f"def check(candidate):\n{checks}",
        "contract": "",
        "base_input": inputs[:6],
        "plus_input": inputs[6:],
        "atol": 0,
    }
