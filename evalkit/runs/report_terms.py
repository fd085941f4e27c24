"""What a run's report is judged by, and what the models' files say against the comparison before it begins."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import serve
from evalkit.comparison import comparability, pairs
from evalkit.comparison.pairs import Side
from evalkit.records import checkpoint
from evalkit.records.terms import KeptTerms
from evalkit.runs import prepare
from evalkit.serve import environment
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.config.run_config import Config
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.imported import ImportedTask
    from evalkit.records.plan import Contender, Plan


def terms(config: Config, plan: Plan, missing: Mapping[str, str], imported: tuple[ImportedTask, ...] = ()) -> KeptTerms:
    """What the report of a run is judged by.

    Args:
        config: Its policy, accepted differences and suite.
        plan: Its models; their files are read as far as they are on this machine.
        missing: Model label to why it did not answer everything.
        imported: What the models answered elsewhere.
    """
    return KeptTerms(
        policy=config.policy,
        accepted=config.accept_differences,
        averaged=prepare.averaged(config),
        normalised=prepare.normalised(config),
        published=tuple(registry.published(config.published, config.baseline.source)),
        checkpoints=checkpoints(plan),
        missing=missing,
        imported=imported,
    )


def checkpoints(plan: Plan) -> dict[str, Checkpoint]:
    """What the models' files say, by label; models whose files are not on this machine are left out."""
    found = {one.model.label: environment.checkpoint(one.model) for one in plan.contenders}
    return {label: one for label, one in found.items() if one is not None}


def forewarnings(plan: Plan, accepted: Sequence[str], python: str) -> list[str]:
    """What a look at the models' files says against the comparison, before hours are spent on it.

    Args:
        plan: The run's.
        accepted: Items that may differ.
        python: The serving interpreter; empty for this one.
    """
    files = checkpoints(plan)
    base, *labels = [one.model.label for one in plan.contenders]
    found = list(checkpoint.warnings(base, labels, files))
    own = Side(base, {}, settings=comparability.of_model(plan.baseline, files.get(base)))
    for one in plan.candidates:
        other = Side(one.model.label, {}, settings=comparability.of_model(one, files.get(one.model.label)))
        found += [
            f"{other.label} is not comparable: {unlike.what}; if that is intended, add --accept-difference {unlike.key}"
            for unlike in pairs.differences(own, other)
            if unlike.key not in accepted
        ]
    return found + [text for one in plan.contenders for text in _misfit(one, files.get(one.model.label), python)]


def _misfit(one: Contender, files: Checkpoint | None, python: str) -> Iterator[str]:
    """What the kernels of this processor do not take of a model that is served on it."""
    dtype = str(one.engine.numerics.get("dtype", "auto"))
    ours = one.engine.name in serve.DISTRIBUTIONS and one.engine.accelerator == "cpu"
    if ours and files is not None and files.scheme.startswith("W8A8 int"):
        found = serve.processor(python)
        if {"float": "float32", "half": "float16"}.get(dtype, dtype) not in {*found.int8_dtypes, "auto"}:
            fix = f"serve all models with --serve-arg dtype={found.dtype}"
            yield f"{one.model.label}: the int8 kernel of this processor ({found.kind}) does not take {dtype}; {fix}"
