"""What ran, and how to run it again."""

from __future__ import annotations

import shlex
from dataclasses import asdict
from typing import TYPE_CHECKING

from evalkit import serve
from evalkit.base import codec
from evalkit.records.provenance import Provenance
from evalkit.serve import environment, tools

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from evalkit.base.types import Json, Task
    from evalkit.config.run_config import Config
    from evalkit.records.plan import Contender, Plan
    from evalkit.records.results import StoredAnswers


def told(config: Config, plan: Plan, tasks: Sequence[Task], standings: Mapping[str, StoredAnswers]) -> Provenance:
    """What a run remembers of its surroundings; ``standings`` tell what stored answers of servers are worth."""
    served = [one for one in plan.contenders if not one.model.endpoint]
    own = dict.fromkeys(one for task in tasks for one in task.extensions)
    said = {
        **environment.provenance(config.serving(served[0].model.label) if served else None),
        "endpoints": codec.written(standings),
        **({"extensions": [asdict(one) for one in own]} if own else {}),
        **({"making": made} if (made := _making(served)) else {}),
        "environments": {one.model.label: tools.provenance(config.serving(one.model.label)) for one in served},
        "config": {name: one for name, one in serve.shown_config(config).items() if name != "perf"},
        "commands": {
            one.model.label: shlex.join(serve.command(config.serving(one.model.label), one.model, 8000))
            for one in served
        },
    }
    found: Provenance = codec.kept(Provenance, said)
    return found


def _making(contenders: Iterable[Contender]) -> dict[str, Json]:
    """How models were made, by label, as far as files beside their weights tell."""
    found = {one.model.label: environment.making(one.model) for one in contenders}
    return {label: made for label, made in found.items() if made}
