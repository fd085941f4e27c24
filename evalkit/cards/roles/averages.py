"""Whether a row's name makes it an average: "Average Score" does, "MMLU-ProX (avg over langs)" does not."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Literal, TypeAlias

from evalkit.cards.roles import languages
from evalkit.cards.sizes import is_benchmark

Sureness: TypeAlias = Literal["no", "perhaps", "yes"]

_AVERAGE = re.compile(rf"\b(?:averages?|averaged|avg)\b\.?|{languages.AVERAGE}", re.IGNORECASE)
_MEAN = re.compile(
    r"(?:the |overall |arithmetic |macro |simple )?mean(?: score| accuracy| of all| overall)?"
    r"|mean (?:over|across|of) (?:(?:the|all|\d{1,3}) )?(?:languages|tasks|benchmarks|datasets|subjects|categories)",
    re.IGNORECASE,
)
_OVERALL = re.compile(
    r"(?:overall|total|all|aggregate|combined|summary|sum|median)(?: (?:score|accuracy|performance|result)s?)?"
    r"(?: \(.*\))?",
    re.IGNORECASE,
)
_BRACKETS = re.compile(r"\([^()]{0,200}\)|\[[^\[\]]{0,200}\]")
_RUNS = re.compile(
    r"\b(?:avg|average|mean)\s?@\s?\d|\b(?:runs?|seeds?|trials?|times|repeats?|attempts?|samplings?|epochs?|rollouts?|langs?)\b",
    re.IGNORECASE,
)
"""A mean over repetitions is the score of one task."""
_OVER = re.compile(r"\b(?:over|of) \d{1,3}$", re.IGNORECASE)
_METRIC = re.compile(r"/\s?(?:avg|average|f1|acc|em)\b|\b(?:avg|average)\s?/|_avg\b|\bavg_", re.IGNORECASE)
_NEUTRAL = re.compile(
    r"\b(?:scores?|accuracy|acc|overall|total|macro|micro|simple|arithmetic|weighted|unweighted|performance|all|the|of|for"
    r"|across|over|and|on|both|tasks?|benchmarks?|datasets?|evals?|evaluations?|metrics?|recovery|recovered|grand|final"
    r"|results?|value|rate|normali[sz]ed|percentage|points?|\d{1,3})\b|[^\w]",
    re.IGNORECASE,
)
_SUITES = re.compile(
    r"\b(?:openllm|open llm|leaderboard|v[12]|vision|text|coding|code|math|reasoning|multilingual|knowledge|general"
    r"|long|context|instruction|following|language|agentic|tool|use|safety|science|english|multimodal|audio|video"
    r"|category|group|suite|commonsense|common|sense|understanding|zero-?shot|few-?shot|shot|hugging ?face|hf|lm|eval"
    r"|harness|nlp|section|subtotal|chat|generation|generative)\b|[^\w]",
    re.IGNORECASE,
)
_WITHOUT = re.compile(r"(?:\bw/o|\b(?:without|excl|excluding|except)\b\.?)\s*([^()\[\]]{2,80})", re.IGNORECASE)


@lru_cache(maxsize=16384)
def average_in(label: str, section: str = "") -> Sureness:
    """Whether a label names an average of other rows.

    "perhaps" where a name is left that is neither neutral nor that of a section: the figures have to say.
    """
    if _MEAN.fullmatch(label.strip()):
        return "yes"
    if is_overall(label):
        return "perhaps"
    outside = _BRACKETS.sub(" ", label).strip()
    if not _AVERAGE.search(outside) or _METRIC.search(outside) or _RUNS.search(outside):
        return "no"
    rest = _NEUTRAL.sub(" ", _AVERAGE.sub(" ", outside)).strip()
    if not rest or _OVER.search(outside):
        return "no" if rest else "yes"
    words = set(re.findall(r"\w+", section.lower()))
    if not _SUITES.sub(" ", rest).strip() or (words and set(re.findall(r"\w+", rest.lower())) <= words):
        return "perhaps" if is_benchmark(rest) else "yes"
    return "perhaps"


def of_a_suite(label: str) -> bool:
    """Whether a label says of which tasks it is the average, as "OpenLLM v1 average" and "Math avg" do."""
    return bool(_NEUTRAL.sub(" ", _AVERAGE.sub(" ", _BRACKETS.sub(" ", label))).strip())


def without(label: str) -> str:
    """What an average leaves out, by its name: "AIME" of "Average (w/o AIME)"; empty where it says nothing of that."""
    found = _WITHOUT.search(label)
    return found[1].strip() if found else ""


def is_overall(label: str) -> bool:
    """Whether a label says "overall" or "total" and nothing else: an average, a sum or a score of its own."""
    return bool(_OVERALL.fullmatch(label.strip()))


def weight_in(label: str) -> int | None:
    """How many tasks a column stands for, where its name says so: "Retrieval (15)", "Avg (56 datasets)"."""
    found = re.search(r"\((\d{1,3})(?: (?:tasks|datasets))?\)\s*$", label)
    return int(found[1]) if found else None
