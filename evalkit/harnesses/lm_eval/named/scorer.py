"""A process that has lm-eval score answers: ``process_results`` of a task, over what each of its filters reads.

``python -m evalkit.harnesses.lm_eval.named.scorer`` takes one JSON object a line on standard input and answers each
with one on standard output.

========  =============================================================  =============================================
order     with                                                           answer
========  =============================================================  =============================================
load      ``folder`` of task files, ``leaves`` (names)                   ``{"ready": true}`` or ``{"failed": why}``
score     ``leaf``, ``doc_id``, ``doc_hash``, ``responses``              ``{"metrics": {...}, "read": {...}}``,
                                                                         or ``{"error": why}``
========  =============================================================  =============================================
"""

from __future__ import annotations

import json
import math
import os
import resource
import sys
from contextlib import suppress
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import psutil

from evalkit.base.errors import EvalkitError
from evalkit.harnesses.lm_eval.named.loading import LoadedLeaf, doc_hash, seeded
from evalkit.tasks.lm_eval import named

if TYPE_CHECKING:
    from evalkit.base.types import Json

_ROOM_BYTES: Final = 2 * 2**30
_SHOWN: Final = 500
"""Characters that are kept of what a filter has read."""


class Scorer:
    """The tasks that are loaded."""

    def __init__(self) -> None:
        self._leaves: dict[str, LoadedLeaf] = {}

    def answer(self, order: dict[str, Json]) -> dict[str, Json]:
        """What is said to one order."""
        if order["do"] == "load":
            try:
                self._leaves = {name: LoadedLeaf(Path(order["folder"]), name) for name in order["leaves"]}
            except EvalkitError as error:
                return {"failed": error.message, "fix": error.fix}
            return {"ready": True}
        try:
            return self._score(order)
        except Exception as error:  # noqa: BLE001 - a task's own code raises anything
            return {"error": f"{type(error).__name__}: {error}"[:_SHOWN]}

    def _score(self, order: dict[str, Json]) -> dict[str, Json]:
        from lm_eval.api.instance import Instance  # noqa: PLC0415 - heavy

        leaf = self._leaves[order["leaf"]]
        doc = leaf.docs[order["doc_id"]]
        if doc_hash(doc) != order["doc_hash"]:
            raise ValueError("the row is another each time it is read")
        kind, task = leaf.task.OUTPUT_TYPE, leaf.task
        group = [
            Instance(kind, doc, ("", {}), at, (leaf.name, order["doc_id"], 1), resps=[_response(response)])
            for at, response in enumerate(order["responses"])
        ]
        task._instances = group  # noqa: SLF001 - what lm-eval's evaluator fills before it has a task filter
        metrics: dict[str, Json] = {}
        # Some tasks draw where an answer cannot be read (MMMU guesses an option): by the sample, so that an answer
        # scores alike whenever and beside whatever it is scored.
        with seeded(int.from_bytes(sha256(f"{leaf.name} {order['doc_hash']}".encode()).digest()[:4], "big")):
            task.apply_filters()
            for reading in group[0].filtered_resps:
                found = task.process_results(doc, [one.filtered_resps[reading] for one in group])
                metrics |= {named.metric_name(name, reading): _number(value) for name, value in found.items()}
        read = {name: str(value)[:_SHOWN] for name, value in group[0].filtered_resps.items()}
        return {"metrics": {name: value for name, value in metrics.items() if value is not None}, "read": read}


def _response(response: Json) -> Any:
    return tuple(response) if isinstance(response, list) else response


def _number(value: Any) -> Json:
    """A metric's value as JSON: a number, a list of numbers, or None for anything else."""
    if isinstance(value, list | tuple):
        found = [_number(one) for one in value]
        return found if found and all(isinstance(one, float) for one in found) else None
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _bound_memory() -> None:
    """Let this process take so much more than now; beyond, an answer cannot be scored."""
    size = psutil.Process().memory_info().vms + _ROOM_BYTES
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    # macOS refuses it: there the time limit alone ends what grows.
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_AS, (size if hard == resource.RLIM_INFINITY else min(size, hard), hard))


def main() -> None:
    """Answer until standard input ends."""
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)  # what a library prints is not an answer
    scorer = Scorer()
    for line in sys.stdin:
        order = json.loads(line)
        answers.write(json.dumps(scorer.answer(order)) + "\n")
        answers.flush()
        if order["do"] == "load":
            _bound_memory()


if __name__ == "__main__":
    main()
