"""Run the task from one end to the other without a model: two stand-ins, of which the second is the worse one."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import evalkit
from evalkit.testing import ModelServer, chat

if TYPE_CHECKING:
    from evalkit.testing import Asked, Part, Reply


def says(right: int) -> Part:
    """What a model would say that reads every gauge as 45, but gives up on all but ``right`` of 100 requests."""

    def part(asked: Asked) -> Reply:
        # An equal request has an equal digest: the same question gets the same answer every time.
        return chat(asked, "45" if int(asked.digest, 16) % 100 < right else "I cannot tell.")

    return part


with ModelServer("base", says(95)) as base, ModelServer("cand", says(60)) as cand:
    run = evalkit.run(
        baseline="base",
        candidates=["cand"],
        endpoints={"base": base.url, "cand": cand.url},
        tasks_dir=[str(Path(__file__).parent)],
        tasks=["gauges"],
        allow_task_code=True,
        policy={"min_recovery": 95},
    )
print(run.outcome)
print(run.flips()[["id", "flip", "baseline_answer", "candidate_answer"]].to_string(index=False))
print(run.folder / "report.html")
