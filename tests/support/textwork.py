"""Small files of both text tasks and two models for ``text_servers``, and what its answers deserve."""

import itertools
import json
import shutil
from pathlib import Path
from statistics import fmean

from tokenizers import Tokenizer

import evalkit
from evalkit.demo.questions import heldout, programs
from evalkit.demo.questions.scenes import stream
from support import text_servers
from support.workplaces import write_parquet

TOKENIZER = Path(evalkit.__file__).parent / "demo/models/baseline"
FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja", "config.json")
SUBJECTS = ("astronomy", "sociology", "philosophy")
QUESTIONS = 24
PROBLEMS, ATTEMPTS = 3, 10


def problems():
    found = itertools.islice(heldout.problems(), PROBLEMS)
    return [programs.row(stream(4, "tests", number), made, number) for number, made in enumerate(found)]


def write(folder):
    """The models' tokenizers, MMLU's folder and HumanEval's problems."""
    for name in ("base", "cand"):
        for file in FILES:
            shutil.copy(TOKENIZER / file, folder / name / file)
    for subject in SUBJECTS:
        (folder / "mmlu" / subject).mkdir(parents=True)
        for split, some in zip(("dev", "test"), heldout.quizzes()[subject], strict=True):
            rows = [
                {"question": one.question, "subject": subject, "choices": list(one.choices), "answer": one.answer}
                for one in some
            ]
            write_parquet(folder / "mmlu" / subject / f"{split}-0.parquet", rows)
    (folder / "problems.jsonl").write_text("".join(json.dumps(row) + "\n" for row in problems()))


def words(*more, command="run", tasks=("mmlu", "humaneval"), serve=()):
    """The command line of a comparison; ``serve`` are flags of the stand-in."""
    data = {"mmlu": "mmlu", "humaneval": "problems.jsonl"}
    found = [command, "--baseline", "base", "--candidate", "cand", "--json"]
    for task in tasks:
        found += ["--task", f"demo-{task}", "--data", f"demo-{task}={data[task]}"]
    # As lists: a flag that names a file counts with the file's content, and the journal grows with every request.
    for flag in ('journal=["journal"]', 'problems=["problems.jsonl"]', *serve):
        found += ["--serve-arg", flag]
    return [*found, *more]


def journal(folder):
    """What the stand-in was asked, a list of words for each request."""
    path = folder / "journal"
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def samples(folder, model, task):
    """The samples that a finished run wrote."""
    (path,) = folder.glob(f"runs/*/samples/{model}/demo-{task}.jsonl")
    return [json.loads(line) for line in path.read_text().splitlines()]


def deserved_accuracy(model, asked):
    """MMLU's accuracy of the letters that the stand-in finds likeliest, over questions as a run writes them."""
    tokenizer = Tokenizer.from_file(str(TOKENIZER / "tokenizer.json"))
    right = []
    for one in asked:
        ids = prompt_ids(one)
        letters = [tokenizer.encode(f"{one['content'][0]['text']} {letter}").ids[-1] for letter in "ABCD"]
        values = [text_servers.likelihood(model, ids, letter) for letter in letters]
        right.append(values.index(max(values)) == one["references"]["gold"])
    return fmean(right)


def prompt_ids(one):
    """The tokens of a question, as a run writes it."""
    return Tokenizer.from_file(str(TOKENIZER / "tokenizer.json")).encode(one["content"][0]["text"]).ids


def deserved_pass(model):
    """HumanEval's pass@1 where all attempts at a problem are alike."""
    return fmean(text_servers.is_right(model, row["entry_point"]) for row in problems())
