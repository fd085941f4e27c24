"""What cannot work is refused before a GPU is paid for: flags that vLLM lacks, pictures for a model that cannot see."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit import harnesses, serve
from evalkit.base.errors import UsageError
from evalkit.base.events import Stage
from evalkit.runs import needs
from evalkit.serve import environment
from evalkit.tasks import registry

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from evalkit.base.events import Say
    from evalkit.base.types import Task
    from evalkit.config.run_config import Config, Serving
    from evalkit.records.plan import Contender


def refuse(serving: Callable[[str], Serving], contenders: Sequence[Contender], tasks: Sequence[Task], say: Say) -> None:
    """Look at the serving flags and the models' files; a model on a server that already runs is not looked at.

    Args:
        serving: How the model of a label is served.
        contenders: The models.
        tasks: What they are asked.
        say: Hears what could not be checked.

    Raises:
        UsageError: vLLM has no such flag, a model without a vision tower is to answer a vision task, seeds are stated
            where they end the server, or a model's context is shorter than a task needs.
    """
    _refuse_seeds(contenders, tasks)
    needs.refuse_short(contenders, tasks)
    ours = [one.model for one in contenders if not one.model.endpoint]
    unsure = [text for text in dict.fromkeys(_unsure(serving(model.label)) for model in ours) if text]
    for text in unsure:
        say(Stage(f"warning: the serving flags were not checked: {text}"))
    seeing = [task.name for task in tasks if harnesses.harness(task).pictures(task)]
    for model in ours if seeing else ():
        if environment.sees(model) is False:
            raise UsageError(
                f"{model.label}: its config.json has no vision tower, and {', '.join(seeing)} asks about pictures",
                fix=f"choose tasks of text with --task, such as {' or '.join(_texts()[:2])}",
            )


def refuse_early(config: Config) -> None:
    """See that asking can be stopped early in this run, if it is to be.

    Raises:
        UsageError: It cannot, with what stands in the way.
    """
    one = config.policy
    if not one.stop_early:
        return
    thresholds = [one.min_recovery, *(rule.min_recovery for rule in [*one.tasks.values(), *one.averages.values()])]
    found = [
        (len(config.candidates) == 0, "there is no candidate to decide about", "name one with --candidate"),
        (
            len(config.candidates) > 1,
            "it decides about one candidate",
            "run them one after another: the baseline's answers are used again",
        ),
        (
            all(least is None for least in thresholds),
            "there is no threshold to decide at",
            "add --min-recovery PERCENT",
        ),
        (config.limit is not None, "it draws by itself what is asked first", "leave out --limit"),
        (config.noise_floor > 0, "a noise floor is of tasks that are asked whole", "leave out --noise-floor"),
    ]
    for stands, why, fix in found:
        if stands:
            raise UsageError(f"--stop-early: {why}", fix=fix)


def _refuse_seeds(contenders: Sequence[Contender], tasks: Sequence[Task]) -> None:
    """VLLM 0.32 on a processor dies of the first seeded request that draws (``CPU Generator does not use offset``)."""
    seeded = [task.name for task in tasks if task.decoding.seed is not None and task.decoding.temperature > 0]
    for one in contenders if seeded else ():
        if not one.model.endpoint and one.engine.name in serve.DISTRIBUTIONS and one.engine.accelerator == "cpu":
            raise UsageError(
                f"{one.model.label}: {', '.join(seeded)} states a seed, and vLLM without a GPU dies of seeded draws",
                fix="leave the seed out: attempts are kept apart without one; or serve on a GPU",
            )


def _texts() -> list[str]:
    """The tasks that evalkit brings along and that ask about no pictures."""
    return [task.name for task in registry.tasks().values() if not harnesses.harness(task).pictures(task)]


def _unsure(serving: Serving) -> str:
    """Why a model's flags cannot be checked; empty where they are vLLM's, or there are none."""
    if not serving.args:
        return ""
    if serving.command:
        return "another program than vLLM serves"
    checked = serve.refuse_unknown(serving.python, dict(serving.args))
    return "" if checked else "its source does not list them"
