"""A report with everything in it: three models, seven tasks, averages, failures, drift, flips with drawn images.

``PYTHONPATH=tests python -m support.rich_report FOLDER`` writes it as ``report.html``, to be looked at.
"""

import io
import json
import random
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cache
from pathlib import Path

from PIL import Image as Pillow
from PIL import ImageDraw

from evalkit import report
from evalkit.base import codec
from evalkit.base.types import Answer, Engine, Failure, FailureKind, Image, Model, Record, Sample, Text
from evalkit.cards import PublishedTable
from evalkit.comparison import flips
from evalkit.comparison.score import Tally, scored
from evalkit.config import run_config
from evalkit.config.policy import Policy, Rule
from evalkit.files import resources as places
from evalkit.harnesses import harness
from evalkit.harnesses.evalplus.checker import DIFFERS
from evalkit.records.checkpoint import Checkpoint
from evalkit.records.plan import Contender, Plan, PlannedTask
from evalkit.records.provenance import Provenance
from evalkit.records.terms import Terms
from evalkit.report import Evidence
from evalkit.tasks import images, registry

LABELS = ("pixtral-12b", "pixtral-12b-w8a8", "pixtral-12b-w4a16")
SOURCES = ("mgoin/pixtral-12b", "neuralmagic/pixtral-12b-quantized.w8a8", "neuralmagic/pixtral-12b-quantized.w4a16")
QUALITY = {"mmmu": (0.5, 0.995, 0.88), "vqav2": (0.78, 0.998, 0.97), "docvqa": (0.9, 1.0, 0.99),
           "chartqa": (0.86, 0.998, 0.8), "mathvista": (0.58, 0.995, 0.93), "mmlu": (0.69, 0.998, 0.985),
           "humaneval": (0.7, 0.99, 0.9)}  # fmt: skip
RUN = "20261123-0100-f00d"
SUBJECTS = (("stem", "anatomy"), ("stem", "astronomy"), ("humanities", "philosophy"), ("humanities", "prehistory"),
            ("social_sciences", "econometrics"), ("social_sciences", "sociology"), ("other", "virology"),
            ("other", "nutrition"))  # fmt: skip
EXAM = {"method": "fast", "tokenizer": "of the server", "begins with BOS": True, "longest prompt allowed": 2048,
        "canary questions": 64, "largest difference of a log-probability": 0.0625,
        "largest difference with the prefix cache": 0.09375,
        "largest difference of the exact way from itself": 0.0, "accepted difference": 0.125,
        "answers that differ": 0, "answers of the exact way that differ from itself": 0,
        "asked the exact way": 0, "fast replies without an answer": 0, "truncations": 0}  # fmt: skip
CHECKS = {"sandbox": "bubblewrap", "find_zero": "published",
          "limits": {"gt_time_factor": 4.0, "min_time_limit_s": 1.0, "memory_mib": 4096},
          "answers": 1200, "programs": 2, "retried": 0, "timeouts": 0, "differs": list(DIFFERS)}  # fmt: skip


def provenance(labels=LABELS, sources=SOURCES):
    """What is known of the run beside its answers."""
    settled = {
        "baseline": sources[0],
        "candidates": list(sources[1 : len(labels)]),
        "suite": "pixtral-card",
        "policy": {"min_recovery": 98.0},
    }
    known = asdict(run_config.from_mapping(settled, "rich_report"))
    # Put in afterwards: a report also has to bear labels that no configuration would let in.
    for one, label in zip([known["baseline"], *known["candidates"]], labels, strict=True):
        one["label"] = label
    told = {
        "evalkit": "0.1.0",
        "python": "3.11.7",
        "platform": "Linux",
        "cpu": "AMD EPYC 9R14",
        "gpus": [{"name": "NVIDIA H100 80GB HBM3", "memory_mib": 81559, "driver": "570.86"}],
        "packages": {"aiohttp": "3.14.5", "pillow": "13.0.0"},
        "serving": {"python": "3.11.7", "packages": {"vllm": "0.32.0", "torch": "2.13.0", "transformers": "5.19.0"}},
        "config": known,
        "commands": {
            label: f"python -m vllm.entrypoints.openai.api_server --model {source} --served-model-name {label} "
            "--max-model-len 25000 --max-num-seqs 128 --limit-mm-per-prompt '{\"image\": 7}'"
            for label, source in zip(labels, sources, strict=False)
        },
    }
    return codec.kept(Provenance, told)


@cache
def drawing(seed):
    """A bar chart as PNG bytes."""
    draw = random.Random(seed)
    canvas = Pillow.new("RGB", (640, 420), (252, 252, 250))
    pen = ImageDraw.Draw(canvas)
    pen.text((24, 16), f"Production by region, {1990 + seed % 30}", fill=(30, 30, 30), font_size=22)
    pen.line((60, 360, 610, 360), fill=(60, 60, 60), width=2)
    for at in range(6):
        height = draw.randrange(40, 270)
        left = 80 + at * 88
        pen.rectangle((left, 360 - height, left + 52, 358), fill=(60 + at * 25, 110, 190 - at * 20))
        pen.text((left + 8, 334 - height), str(height // 10), fill=(30, 30, 30), font_size=18)
        pen.text((left + 4, 368), f"R{at + 1}", fill=(60, 60, 60), font_size=18)
    stream = io.BytesIO()
    canvas.save(stream, "PNG")
    return stream.getvalue()


REASONS = (
    "To find the value of R{a}, I look at the {a}. bar from the left.",
    "The label above the bar reads {x}.",
    "Beside it R{b} stands at {y}, so the difference is {z}.",
    "The chart's axis begins at zero, and no unit is given.",
    "Comparing the two bars, the first is clearly the taller one.",
)


def text_of(seed, value, *, moved):
    """An answer with its reasoning; a moved one parts from the other half-way."""
    one = random.Random(seed)
    facts = {
        "a": one.randrange(1, 6),
        "b": one.randrange(1, 6),
        "x": one.randrange(4, 27),
        "y": one.randrange(4, 27),
        "z": 3,
    }
    lines = [line.format(**facts) for line in one.sample(REASONS, 4)]
    if moved:
        lines[2:] = ["Reading the bar again, its top lies a little below the label.", *lines[3:]]
    return "\n".join([*lines, "", f"Final Answer: {value}"])


def pictured(at):
    """The image of a sample."""
    return Image.of(drawing(at % 60))


SHORTEST = "Answer with a number."
ASKED = {
    "mmmu": "<image 1> The chart gives production by region, {at} weeks after the harvest. By how many units does the "
    f"most productive region exceed the least productive one? {SHORTEST}",
    "vqav2": f"How many more than the shortest column does the tallest one of picture {{at}} show? {SHORTEST}",
    "docvqa": f"What is the largest number printed on page {{at}}, less the smallest one? {SHORTEST}",
    "chartqa": f"What is the difference between the tallest and the shortest bar of chart {{at}}? {SHORTEST}",
    "mathvista": "Hint: Please answer the question requiring an integer answer.\nQuestion: If the shortest bar of "
    f"figure {{at}} were as tall as the tallest one, by how much would it have grown? {SHORTEST}",
    "humaneval": 'def solve(values):\n    """Return the values in ascending order.\n\n    >>> solve([3, 1, 2])\n'
    '    [1, 2, 3]\n    """\n',
}
EXAM_QUESTIONS = (
    "How many livers does a human body have?",
    "How many moons does Mars have?",
    "How many Critiques did Immanuel Kant write?",
    "Into how many glacials did Penck and Brückner divide the ice ages of the Alps?",
    "How many regressors beside the constant does a simple linear regression have?",
    "Of how many people does a dyad consist?",
    "How many serotypes of poliovirus are there?",
    "How many kilocalories does a gram of carbohydrate give, to the nearest whole number?",
)
"""One for each of SUBJECTS, in their order; the right choice is the one that `references` has."""


def asked(task, at):
    """What a sample of a task asks, as the published benchmarks do."""
    if task.benchmark == "mmlu":
        return f"{EXAM_QUESTIONS[at % len(SUBJECTS)]}\nA. 1\nB. 2\nC. 3\nD. 4\nAnswer:"
    return ASKED[task.benchmark].replace("{at}", str(at))


def question(task, at, image):
    """One sample of a task, with an image where the task has images."""
    words = Text(asked(task, at))
    picture = (image(at),) if task.category == "Vision" else ()
    key = (
        f"{task.name}/{at // task.decoding.n}#{at % task.decoding.n}" if task.decoding.n > 1 else f"{task.name}-{at:04}"
    )
    cluster = f"page {at // 3}" if task.name == "docvqa" else None
    return Sample(key, (*picture, words), references(task, at), cluster, kinds=kinds(task, at))


def kinds(task, at):
    """Of a third of DocVQA's questions two, of the others and of ChartQA's one; the exams name their subjects."""
    if task.name == "docvqa":
        return (("form",), ("table/list",), ("form", "handwritten"))[at % 3]
    return (("human", "augmented")[at % 2],) if task.name == "chartqa" else ()


def references(task, at):
    """What an answer is compared with."""
    if task.benchmark == "mmlu":
        category, subject = SUBJECTS[at % len(SUBJECTS)]
        return {"gold": at % 4, "choices": ["1", "2", "3", "4"], "category": category, "subject": subject}
    if task.benchmark == "humaneval":
        return {"task_id": f"HumanEval/{at}"}
    return [str(at % 17)] * (10 if task.benchmark == "vqav2" else 1)


def answer(task, at, model):
    """What a model said: right as often as QUALITY says, and mostly what the other models said."""
    base, *kept = QUALITY[task.name]
    lucky = random.Random(f"{task.name} {at}").random() < base
    one = random.Random(f"{task.name} {at} {model}")
    moved = model > 0 and one.random() > kept[(model - 1) % len(kept)]
    right = lucky if not moved else (one.random() < 0.3 if lucky else one.random() < 0.7)
    if task.name == "mmmu" and model == 2 and at % 41 == 7:
        return Failure(FailureKind.DEADLINE, "no complete response within 600 s", 600.0, 4)
    latency = (2.1, 1.5, 1.2)[min(model, 2)] * one.uniform(0.6, 1.9)
    if task.benchmark == "mmlu":
        places = [-4.0, -4.2, -3.9, -4.1]
        places[at % 4 if right else (at + 1) % 4] = -0.4
        said = json.dumps({"loglikelihoods": places, "greedy": [False] * 4, "method": "fast"})
        return Answer(said, "stop", 700, 1, latency / 9)
    if task.benchmark == "humaneval":
        code = f"def solve(values):\n    return sorted(values)[{0 if right else 1}:]\n"
        passed = "pass" if right else "fail"
        return Answer(code, "stop", 180, 60, latency, judgement={"base": passed, "plus": passed})
    value = str(at % 17 if right else at % 17 + 23)
    said = text_of(f"{task.name} {at}", value, moved=moved)
    if task.name == "mathvista" and model == 2 and one.random() < 0.06:
        return Answer(said.partition("Final")[0] * 3, "length", 2100, 2048, latency * 6)
    short = task.benchmark in {"vqav2", "docvqa"}
    return Answer(value if short else said, "stop", 2100, 3 if short else 60 + one.randrange(40), latency)


def tasks():
    """The published seven, with metrics that need little."""
    found = []
    for task in registry.chosen([], "pixtral-card", []):
        several = {"metrics": ("pass@1", "pass@1+"), "decoding": replace(task.decoding, n=4)}
        found.append(replace(task, **several) if task.name == "humaneval" else task)
    return found


def contender(at, label, source):
    numerics = {"max-model-len": 25000, "max-num-seqs": 128, "dtype": "bfloat16"}
    model = Model(label, source, f"{at}f3c{'ab12' * 9}")
    return Contender(model, Engine("vllm", "0.32.0", "NVIDIA H100 80GB HBM3 x1", numerics))


def checkpoints(labels):
    sizes, schemes = (
        (25.37e9, 13.6e9, 8.1e9),
        ("not quantized", "W8A8 int (int-quantized)", "W4A16 int (pack-quantized)"),
    )
    kinds = ("BF16", "I8", "I32")
    stored = [{kind: int(size * 0.8), "BF16": int(size * (0.2 if at else 1.0))}
              for at, (kind, size) in enumerate(zip(kinds, sizes, strict=True))]  # fmt: skip
    return {
        label: Checkpoint(
            schemes[kind], at > 0, int(sizes[kind]), stored[kind],
            {"language_model": 280} if at else {}, dtype="bfloat16",
        )
        for at, label in enumerate(labels)
        for kind in [1 + (at - 1) % 2 if at else 0]
    }  # fmt: skip


@dataclass(frozen=True)
class Cast:
    """Who is compared, and with what."""

    labels: Sequence[str] = LABELS
    sources: Sequence[str] = SOURCES
    published: Sequence[PublishedTable] | None = None
    """None for the tables that evalkit ships."""
    image: Callable[[int], Image] = pictured
    """Of the sample of that number."""
    averaged: Sequence[str] | None = None
    """Categories with an average row; None for all with several tasks."""
    notices: Sequence[str] = ()


def rich(count=600, *, labels=LABELS, policy=None, change=None, pictured=True):
    """A report and its evidence; ``change(sample, outcome)`` may spoil either."""
    found, lists = played(Cast(labels), count, policy=policy, change=change)
    return found, Evidence(lists, pictures(lists) if pictured else {}, RUN)


def many(candidates, rows, count=60):
    """A report of as many candidates on as many rows; beyond the published seven, tasks stand again as parts."""
    labels = [
        LABELS[0],
        *(f"pixtral-12b-{'w8a8' if at % 2 == 0 else 'w4a16'}-v{at // 2 + 1}" for at in range(candidates)),
    ]
    cast = Cast(labels, [SOURCES[0], *(f"somebody/{label}" for label in labels[1:])])
    found, lists = played(cast, count)
    shown = [
        row if again == 0 else replace(row, part=replace(row.part, task=_again(row.part.task, again)))
        for again in range(-(-rows // len(found.rows)))
        for row in found.rows
    ][:rows]
    ordered = sorted(shown, key=lambda row: row.part.task.category != "Vision")
    return replace(found, rows=tuple(ordered)), Evidence(lists, {}, RUN)


def _again(task, number):
    return replace(task, name=f"{task.name}_{number}", title=f"{task.title}, part {number + 1}")


def played(cast, count, *, policy=None, change=None):
    """The report of a cast, and its flips."""
    labels, chosen = cast.labels, tasks()
    contenders = [contender(at, *names) for at, names in enumerate(zip(labels, cast.sources, strict=False))]
    parts = [PlannedTask(one, f"listing {one.name}", count, count, "f3d1" * 10) for one in chosen]
    plan = Plan(contenders[0], tuple(contenders[1:]), tuple(parts))
    records = {}
    for part in parts:
        samples = [question(part.task, at, cast.image) for at in range(count)]
        for at, label in enumerate(labels):
            found = [Record(one, answer(part.task, number, at)) for number, one in enumerate(samples)]
            records[label, part.task.name] = [change(one) for one in found] if change else found
    tallies = {}
    for (label, name), found in records.items():
        part = next(one for one in chosen if one.name == name)
        tallies[label, name] = Tally(part, label, harness(part))
        for one in found:
            tallies[label, name].add(one.sample, one.outcome)
    terms = Terms(
        policy or Policy(98.0, max_failed=0.05, tasks={"mathvista": Rule(90.0, "advisory")}),
        averaged=cast.averaged,
        published=tuple(registry.published() if cast.published is None else cast.published),
        checkpoints=checkpoints(labels),
        exams={label: {"mmlu": EXAM} for label in labels},
        checks={"humaneval": CHECKS},
    )
    lists = [
        chosen_flips(part.task, label, (records[labels[0], part.task.name], records[label, part.task.name]))
        for part in parts
        for label in labels[1:]
    ]
    known = provenance(labels, cast.sources)
    return report.build(plan, tallies, harness, terms, notices=cast.notices, provenance=known), lists


def chosen_flips(task, label, sides):
    choice = flips.FlipChoice(task, label)
    for both in zip(*sides, strict=True):
        choice.add(*(scored(task, one.sample, one.outcome, harness(task)) for one in both))
    return choice.list()


def pictures(lists):
    """Small pictures of most images: the budget of a real report ends somewhere too."""
    digests = {}
    for _, flip in flips.in_turn(lists):
        if any(isinstance(part, Image) for part in flip.sample.content):
            at = int(flip.sample.id.rpartition("-")[2])
            digests[flip.sample.content[0].sha256] = at % 60
    return {digest: images.small(drawing(at), 448) for digest, at in digests.items() if at % 8}


def templates():
    return {path.name: path.read_text(encoding="utf-8") for path in places.reports().iterdir() if path.is_file()}


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    found, evidence = rich()
    (folder / "report.html").write_text(report.html(found, templates(), evidence), encoding="utf-8")
