"""HumanEval-like: small functions composed of a selection, a change and a conclusion, with their tests."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import random

    from evalkit.base.types import Json

INSTRUCTION = "Write this function."
RESPONSE = "Here is the function:"
FENCE = "\n```\n"

VERBS = ("pick", "scan", "sift", "fold", "make", "take", "read", "work")
NOUNS = ("list", "row", "bag", "line", "heap", "tray", "box", "page")
SELECT = {
    "greater than {k}": "x > {k}",
    "less than {k}": "x < {k}",
    "even": "x % 2 == 0",
    "divisible by {k}": "x % {k} == 0",
    "not equal to {k}": "x != {k}",
    "odd": "x % 2 == 1",
    "at least {k}": "x >= {k}",
    "at most {k}": "x <= {k}",
    "below zero": "x < 0",
    "not divisible by {k}": "x % {k} != 0",
    "between {k} and 20": "{k} <= x <= 20",
    "with last digit {k}": "abs(x) % 10 == {k}",
}
CHANGE = {
    "add {k} to each": "x + {k}",
    "multiply each by {k}": "x * {k}",
    "subtract {k} from each": "x - {k}",
    "square each": "x * x",
    "negate each": "-x",
    "take each modulo {k}": "x % {k}",
    "take each from {k}": "{k} - x",
    "divide each by {k} rounding down": "x // {k}",
    "double each and add {k}": "2 * x + {k}",
    "cap each at {k}": "min(x, {k})",
    "raise each to at least {k}": "max(x, {k})",
    "take the absolute value of each": "abs(x)",
}
CONCLUDE = {
    "the sum": "sum({v})",
    "the largest": "max({v}, default=0)",
    "how many there are": "len({v})",
    "them sorted": "sorted({v})",
    "the smallest": "min({v}, default=0)",
    "them reversed": "{v}[::-1]",
    "the first {k}": "{v}[:{k}]",
    "them without repeats": "sorted(set({v}))",
    "the last {k}": "{v}[-{k}:]",
    "the sum plus {k}": "sum({v}) + {k}",
    "every other one": "{v}[::2]",
    "them sorted downwards": "sorted({v}, reverse=True)",
    "whether {k} is among them": "{k} in {v}",
    "how often {k} occurs": "{v}.count({k})",
    "all but the first {k}": "{v}[{k}:]",
    "the largest minus the smallest": "max({v}, default=0) - min({v}, default=0)",
}
TAIL = {"s": 0.6, "c": 0.6, "r": 0.7}
"""How much more rarely training shows each operation than the one before it; held-out problems use all alike."""


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


def program(rng: random.Random, level: int, *, even: bool = False) -> Program:
    """A function of one to four steps (``level`` 0 to 3).

    Args:
        rng: Source of the choices.
        level: How many steps come before the conclusion, at most.
        even: Draw all operations alike rather than the first ones more often.
    """
    kinds = [rng.choice("sc") for _ in range(rng.randint(max(0, level - 1), level))]
    steps, lines, value = [], [], "xs"
    for fresh, kind in zip("abc", kinds, strict=False):
        wording, code = _operation(rng, kind, even=even)
        steps.append(f"keep the items {wording}" if kind == "s" else wording)
        lines.append(
            f"    {fresh} = [x for x in {value} if {code}]\n"
            if kind == "s"
            else f"    {fresh} = [{code} for x in {value}]\n"
        )
        value = fresh
    wording, code = _operation(rng, "r", even=even)
    steps.append(f"return {wording}")
    lines.append(f"    return {code.format(v=value)}\n")
    return Program(f"{rng.choice(VERBS)}_{rng.choice(NOUNS)}", tuple(steps), "".join(lines))


def _operation(rng: random.Random, kind: str, *, even: bool) -> tuple[str, str]:
    """Wording and code of an operation with its number filled in (the value's name excepted)."""
    known = list({"s": SELECT, "c": CHANGE, "r": CONCLUDE}[kind].items())
    weights = [1.0 if even else TAIL[kind] ** rank for rank in range(len(known))]
    ((wording, code),) = rng.choices(known, weights)
    k = rng.randint(2, 9)
    return wording.format(k=k), code.format(k=k, v="{v}")


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
