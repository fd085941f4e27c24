"""A harness whose questions are made, not read: additions of numbers with as many digits as the task file says."""

from __future__ import annotations

import random
from dataclasses import dataclass

from evalkit.base.types import Sample, Task, Text
from evalkit.client import chat
from evalkit.harnesses.chat import Chat

COUNT = 400


@dataclass(frozen=True)
class Additions:
    """The task's questions: the same ones, in the same order, every time they are asked for."""

    task: Task
    checker: str = ""  # nobody: the metrics judge

    @property
    def available(self):
        return COUNT

    @property
    def revision(self):
        return f"made by sums.py, {self.task.settings['digits']} digits"

    def planned(self, limit):
        return min(COUNT, limit or COUNT)

    def drawn(self, limit):
        # Every question is drawn by itself: the first of them are as random as any.
        return limit is not None

    def rows(self, limit):
        return None  # no picture has to be found again

    def samples(self, limit):
        """Each question with the digest of its request, which is the name of its answer in the store."""
        top = 10 ** self.task.settings["digits"]
        for number in range(self.planned(limit)):
            draw = random.Random(f"{number} of {top}")
            one, other = draw.randrange(top), draw.randrange(top)
            content = (Text(f"What is {one} + {other}? {self.task.prompt}"),)
            sample = Sample(f"{number:03d}: {one}+{other}", content, references=[str(one + other)])
            yield sample, chat.request_digest(sample, self.task)


class Sums(Chat):
    """Asked as every chat task is; only its questions are its own."""

    def questions(self, task, data, tell, models=()):
        return Additions(task)

    def fetch(self, task, tell, *, rows):
        return "nothing to fetch: the questions are made"


HARNESSES = {"sums": Sums()}
