"""The words by which a table says what its columns and rows are."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING

from evalkit.cards.roles import languages
from evalkit.cards.sizes import is_benchmark, size_of

if TYPE_CHECKING:
    from evalkit.cards.nouns import Better

QUANTIZED = re.compile(
    r"(?<!un)(?<!non-)quanti[sz]ed|(?<![a-z])w\d{1,2}a\d{1,2}|(?<![a-z])int-?[2348]\b|(?<![a-z])(?:mx|nv)?fp-?[468](?![\d.])|gptq|awq|gguf|exl[23]|\bnf4\b|bnb"
    r"|bitsandbytes|-dynamic|this model|\bq[2-8]_|\biq\d|\b[2-8][- ]?bits?\b|smoothquant|spinquant|quarot|autoround"
    rf"|{languages.QUANTIZED}"
    r"|auto-round|\bhqq\b|aqlm|quip|\bqat\b|\bptq\b|\brtn\b|\be[45]m[23]|mxint|pruned|sparse|2of4|2:4|compressed|(?<![a-z])w[2-8]g\d",
    re.IGNORECASE,
)
"""What the name of a compressed model has in it."""
RECOVERY = re.compile(
    rf"{languages.RECOVERY}|"
    r"\brecover(?:y|ies)\b|\brecovered (?:accuracy|score|performance|\(?%)|% recovered"
    r"|\bretention\b|\bretain|\bpreserv|% of (?:the )?(?:base|bf16|fp16|original|full)"
    r"|\brelative (?:to|accuracy|performance|score)|\brec\.?(?: ?\(?%\)?)?$"
    rf"|(?:\bq(?:uant\w*)?|{QUANTIZED.pattern})\)?\s?/\s?(?:\w{{1,12}}\s?\()?(?:base\w*|b?f(?:p|loat)?-?(?:16|32)|orig\w*)",
    re.IGNORECASE,
)
DIFFERENCE = re.compile(
    r"(?:Δ|∆)(?!p\b)|\b(?:delta|diff\w*|change|degradation|drop|gap|increase|decrease|improvement|reduction|savings?|saved"
    r"|regression)\b|\b(?:accuracy|score|performance|quality) (?:loss|gain)\b"
    rf"|(?:^|(?:{QUANTIZED.pattern})\)? )(?:loss|gain)(?: \(.{{1,10}}\))?$|\bvs\.? |{languages.DIFFERENCE}",
    re.IGNORECASE,
)
RATIO = re.compile(
    r"(?:ratio|relative|rel\.?|factor|(?:ppl|perplexity) ?/ ?(?:base|(?:b?f|fp)-?(?:16|32)))(?: ?\(?[x×%]\)?)?",
    re.IGNORECASE,
)
"""The whole heading of a column of ratios, of which the figures have to say what is over what."""
SPEEDUP = re.compile(
    r"\bspeed-?\s?ups?\b|\bacceleration\b|\b(?:times|x) faster\b|\b(?:throughput|speed|[fqrt]ps) (?:gain|ratio)\b"
    rf"|{languages.SPEEDUP}",
    re.IGNORECASE,
)
COMPRESSION = re.compile(
    r"\bcompression\b|\bcompress(?:ed)? ratio\b|\b(?:times|x) smaller\b"
    r"|\b(?:size|memory|vram|disk|storage|footprint) (?:reduction|savings?|saved|decrease|ratio|factor|vs\.?)"
    r"|\b(?:reduction|savings?|saved) (?:in|of) (?:\w+ )?(?:size|memory|vram|disk|storage|footprint)\b"
    rf"|\b(?:relative|rel\.?) (?:size|memory|vram|disk)\b|{languages.COMPRESSION}",
    re.IGNORECASE,
)
"""What a column is called that says how much smaller a model is than its baseline."""
SIZE = re.compile(
    r"\b(?:size|memory|mem|vram|g?pu ram|ram|disk|storage|footprint|weights)\b|\([KMGT]i?B\)|\b[KMGT]i?B$",
    re.IGNORECASE,
)
"""What a column of sizes is called."""
PRICE = re.compile(r"\bcosts?\b|\bprice\b|\$ ?/|\(\$\)|\busd\b|[€$] ?per\b", re.IGNORECASE)
"""What a column of prices is called."""
SCORE = re.compile(
    r"\b(?:acc(?:uracy)?|scores?|quality|performance|ppl|perplexity|recovery|points?|pp)\b", re.IGNORECASE
)
UNCERTAINTY = re.compile(
    r"±|\+/-|\b(?:std\w*|standard (?:error|deviation)|s\.?e\.?m?|c\.?i\.?|confidence|interval|margin|variance"
    r"|std\.? ?err\w*)\b",
    re.IGNORECASE,
)
COUNT = re.compile(
    r"#|#?\s?n|count|support|#?\s?(?:number of )?(?:samples|questions|pairs|problems|items)", re.IGNORECASE
)
"""What a column is called that says how many samples the scores of a row come from."""
NOT_A_SCORE = re.compile(
    r"^#|^(?:no\.?|rank|version|filter|n-?shots?|shots?|few-?shots?|num_fewshot|size|questions|samples|verdict|year|date"
    r"|seeds?|runs?|epochs?|steps?|temperature|top[_-]?[pk]|limit|max\w*"
    r"|weights?|p[- ]?values?|items|notes?|status|winner|wins?|(?:gpu[- ])?hours|votes|id|index"
    r"|total|remarks?|comments?|human|random(?: baseline)?|chance)\b(?! score| accuracy| rate)",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:latency|rtf|ttft|itl|tpot|e2e|seconds|milliseconds|time to|time per|(?:inference|generation|prefill|decode|"
    r"run|wall)[- ]?time|runtime|duration)\b|\(\s?(?:m?s|sec|min)\s?\)|\bms\b"
    rf"|{languages.TIME}",
    re.IGNORECASE,
)
_RATE = re.compile(
    r"\b(?:throughput|rtfx|qps|rps|tps|fps|queries per (?:second|dollar)|qpd|requests per second|samples per second"
    r"|tokens per second)\b|\b(?:tok(?:en)?s?|docs?|requests?|req|queries|samples|images|img|items|it|frames|t)\s?/\s?"
    rf"(?:s|sec|second|min)\b|{languages.RATE}",
    re.IGNORECASE,
)
_SPEED = re.compile(r"\bspeed\b(?!-?\s?up)", re.IGNORECASE)
_QUANTITY = re.compile(
    rf"{languages.SIZE}|"
    r"\b(?:unparsed|unreadable|truncated|cut short|empty|another field|tokens|memory|vram|gpu mem|parameters|#?params"
    r"|calib\w*(?: \w+)?|damp\w*|act[- ]?order|gs"
    r"|active params|failed|failures|cost|price|disk|bpw|bits|bits per weight|bit ?width|group ?size|batch ?size|flops"
    r"|embedding|dim|dims|dimensions?|vocab\w*|layers|downloads|likes|file ?size|model ?size|sequence length"
    r"|context (?:length|window|size)|max (?:tokens|length)|compression(?: ratio)?|energy|power|watts|speed)\b"
    r"|\((?:[GMKT]i?B|[BM]|bits?)\)|^(?:size|context|length|date|year|rank|time|seq\w*|release\w*)\b",
    re.IGNORECASE,
)
_RECIPE = re.compile(
    r"\b(?:calib\w*|damp\w*|act[- ]?order|gs|bits|group ?size|embeddings?|layers|low[- ]memory)\b", re.IGNORECASE
)
"""What the name of a compressed model may say of how it was compressed."""
_ROW_QUANTITY = re.compile(
    r"\b(?:unparsed|unreadable|truncated|cut short|empty|another field|tokens|memory|vram|parameters|params|seconds)\b"
    r"|\((?:[GMKT]i?B|m?s)\)|\b(?:gpus?|ram)\b|^(?:number of |mean |total |max |file |disk |model )?"
    r"(?:size|disk|samples|questions|failed|failures|cost|price)\b|^(?:ranks?|std|standard|#|no\.?|elo|votes|wins?)\b|^#",
    re.IGNORECASE,
)
"""What a row is called that stands beside scores and is none: a share of answers, a length, a size."""
_LOWER = re.compile(
    r"↓|\blower\b|\bless is better\b|\bperplexity\b|\bppl\b|\b[wcd]er\b|\berror\b|\bloss\b|\bfid\b|\bnll\b|\bbpb\b"
    r"|\bbits per byte\b|\brmse\b|\bmae\b|\bkld?\b|\bkl[- ]div\w*|\btoxicity\b|\bhallucination rate\b"
    rf"|{languages.LOWER}",
    re.IGNORECASE,
)
_LOWER_HEADING = re.compile(
    r"\blower(?: \w+){0,3} better\b|\bperplexity\b|\bppl\b|\b[wcd]er\b|\berror rate", re.IGNORECASE
)
"""What a heading over a table says; "error" and "loss" are said there of other things as well."""

MODELS = re.compile(
    r"(?:base |quantized )?(?:models?|methods?|checkpoints?|variants?|precisions?|quanti[sz]ations?|quants?|schemes?"
    r"|formats?|config\w*|d?types?|bits|recipe|version|setup|weights|names?|algorithm|approach|data ?type|file ?name"
    rf"|quant\w*[ -]\w+)\b|{languages.MODELS}",
    re.IGNORECASE,
)
TASKS = re.compile(
    r"(?:benchmarks?|tasks?|metrics?|datasets?|categor\w+|evals?|evaluations?|tests?|subjects?|languages?|capabilit\w+"
    rf"|suites?|domain|area|skill|leaderboard)\b|{languages.TASKS}",
    re.IGNORECASE,
)
METRIC = re.compile(r"(?:metrics?|measure|filter|score type)\b", re.IGNORECASE)
WHOLE = re.compile(
    r"\b(?:b?f(?:p|loat)?-?16|b?f(?:p|loat)?-?32|baseline|original|unquanti[sz]ed|full[- ]precision|uncompressed|dense"
    rf"|reference|teacher)\b|\bbase\b(?!line)|{languages.WHOLE}",
    re.IGNORECASE,
)
"""What the name of an uncompressed model may have in it."""


@lru_cache(maxsize=16384)
def is_recovery(label: str) -> bool:
    """Whether a label speaks of a recovery."""
    return bool(RECOVERY.search(label))


@lru_cache(maxsize=16384)
def is_difference(label: str) -> bool:
    """Whether a label speaks of a difference."""
    return bool(DIFFERENCE.search(label))


@lru_cache(maxsize=16384)
def better(label: str, category: str = "", caption: str = "") -> Better:
    """What is better in a row, by its label, its category or the heading over the table."""
    for words in (label, category):
        if _LOWER.search(words):
            return "lower"
    size = size_of(label, category)
    if size is not None and not size.higher_is_better:
        return "lower"
    if size is None and not is_benchmark(label) and _LOWER_HEADING.search(caption):
        return "lower"
    return "higher" if is_benchmark(label) or is_benchmark(category) else ""


@lru_cache(maxsize=16384)
def speed(label: str) -> Better:
    """What is better of a time or a rate; empty where the label names neither."""
    if _RATE.search(label):
        return "higher"
    if _TIME.search(label):
        return "lower"
    return "higher" if _SPEED.search(label) else ""


@lru_cache(maxsize=16384)
def is_quantity(label: str, *, heading: bool) -> bool:
    """Whether a label names something that is measured of models and is no score."""
    if size_of(label) is not None:
        return False
    pattern = _QUANTITY if heading else _ROW_QUANTITY
    label = _RECIPE.sub(" ", label) if heading and QUANTIZED.search(label) else label
    return bool(pattern.search(label)) or is_gain(label) or bool(speed(label))


@lru_cache(maxsize=16384)
def is_gain(label: str) -> bool:
    """Whether a label says how many times faster or smaller something is."""
    return bool(COMPRESSION.search(label) or SPEEDUP.search(label))
