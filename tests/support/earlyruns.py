"""Runs that stop early: a made-up task large enough for looks, and servers of which one may know less."""

import re
from hashlib import sha256

from evalkit.testing import replies
from support.commands import evalkit, write_lines

ROWS = 1200
"""Looks come after 75, 150, 300, 600 and 900 of them."""
TASK = """
name = "{name}"
title = "{name}"
category = "{category}"
benchmark = "qa"
metrics = ["exact_match"]
headline = "exact_match"
prompt = "One word."
[dataset]
id = ""
split = "test"
files = ["{name}.jsonl"]
[columns]
question = "q"
answer = "a"
id = "id"
[decoding]
max_tokens = 8
"""


def chance(*of):
    """A number from 0 to 1 that is always the same for these words."""
    return int.from_bytes(sha256(repr(of).encode()).digest()[:8], "big") / 2**64


def knowing(lost=0.0, changed=0.0):
    """Right in eight of ten questions; of all it has lost a share, and changed one, as many for better as for worse."""

    def part(asked):
        name, number = re.search(r"(\w+) number (\d+)", asked.body.decode()).groups()
        right = chance("right", name, number) < 0.8
        if chance("lost", name, number) < lost:
            right = False
        elif chance("changed", name, number) < changed / 2 / (0.8 if right else 0.2):
            right = not right
        return replies.chat(asked, f"word{number}" if right else "none")

    return part


def task(folder, name, rows, category="Text"):
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.toml").write_text(TASK.format(name=name, category=category))
    write_lines(
        folder / f"{name}.jsonl",
        [{"id": f"r{n}", "q": f"What is {name} number {n}?", "a": f"word{n}"} for n in range(rows)],
    )


class Bench:
    """A folder with tasks, a baseline that is asked once, and candidates beside it."""

    def __init__(self, folder, server):
        self.folder, self.server = folder, server

    def words(self, candidate, *, tasks=("alpha",), least=90, early=True):
        words = ["run", "--baseline", "base", "--candidate", candidate.model, "--tasks-dir", self.folder / "tasks"]
        for one in (self.server, candidate):
            words += ["--endpoint", f"{one.model}={one.url}", "--endpoint-is", f"{one.model}=1"]
        for name in tasks:
            words += ["--task", name]
        words += ["--min-recovery", least, *(["--stop-early"] if early else []), "--json", "-o", self.folder / "runs"]
        return words

    def run(self, candidate, *, code=0, **chosen):
        done = evalkit(*self.words(candidate, **chosen))
        told = [line for line in done.err.splitlines() if '"Progress"' not in line]
        assert code in (None, done.code), (told, done.out[:1000])
        return done

    def folder_of(self, done):
        (line,) = set(re.findall(r"run (\d{8}-\d{6}-[0-9a-f]{6})", done.err))
        return self.folder / "runs" / line


def only(done):
    """The one task of the results, and how the candidate stands in it."""
    (row,) = done.json["tasks"]
    (found,) = row["recovery"].values()
    return row, found
