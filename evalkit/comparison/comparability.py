"""What has to be equal on both sides of a task for the difference to be the quantization's, and how it is known.

Inside one run most of it is equal by construction: the samples, the prompt, the decoding and the metric are those of
the task, and every server is started with the same flags. What can differ is what each model brings along (chat
template, tokenizer, generation config, the type it computes in, its context length) and a server that evalkit did not
start.

Every serving argument and variable that may move an answer counts, `BY_SCHEME` excepted: these are how a candidate is
quantized, so what they do is what is measured. The type of the activations (``float16`` or ``bfloat16``) does count: it
moves scores by itself, and the candidate would be charged or credited for it.
"""

from __future__ import annotations

from hashlib import sha256
from typing import TYPE_CHECKING

from evalkit import __version__
from evalkit.base.errors import UsageError, near_miss
from evalkit.base.identity import digest
from evalkit.base.task_parts import PublishedPrompt
from evalkit.client.chat import sampling
from evalkit.comparison.pairs import SAMPLES

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from evalkit.base.types import Json, Task
    from evalkit.comparison.pairs import Side
    from evalkit.records.checkpoint import Checkpoint
    from evalkit.records.plan import Contender, PlannedTask

CONTENT = ("content", "question", "prompt", "references", "reference")
"""Parts of a sample that both sides may tell, and tell differently."""
GROUPS = ("cluster", "stratum")
"""The same of what it hangs together with."""
BY_SCHEME = frozenset(
    {"quantization", "load-format", "kv-cache-dtype", "calculate-kv-scales", "kv-cache-dtype-skip-layers"}
)
"""Serving flags that say how weights and the cache are stored: part of what is compared, not a flaw in comparing."""

_PINNED = "generation-config"
"""The same for every server that evalkit starts; what the model's own file says still counts, as ``generation_config``:
vLLM takes the tokens that end an answer from it whatever this flag says."""
_OF_TASK = ("task", "prompt", "images", "decoding", "metric", "dialect", "metric_version", "revision", "checker")
_OF_MODEL = ("dtype", "vllm", "accelerator", "packages", "engine", "max-model-len")
_FROM_FILES = ("chat_template", "tokenizer", "generation_config")
_NAMED_FILES = {"file:chat-template": "chat_template", "file:tokenizer": "tokenizer"}
"""Flags that put a file of the user's own in the place of the model's."""


def settings(part: PlannedTask, one: Contender, files: Checkpoint | None) -> dict[str, Json]:
    """Item to what it was for one model on one task, by the name that ``--accept-difference`` knows it by.

    Items that are not known are left out: a server that evalkit did not start tells its version and context length at
    most, and a model whose files are not on this machine tells nothing of its tokenizer.
    """
    return {**of_task(part), **of_model(one, files)}


def of_task(part: PlannedTask) -> dict[str, Json]:
    """What the task fixes for every model alike."""
    task = part.task
    found: dict[str, Json] = {
        SAMPLES: part.listing,
        "task": task.name,
        "prompt": _prompt(task),
        "images": task.images,
        "decoding": digest([sampling(task.decoding), dict(task.settings)]),
        "metric": task.headline,
        "dialect": task.dialect,
        # Metrics have no versions of their own: they change with evalkit.
        "metric_version": f"evalkit {__version__}",
        "revision": part.revision,
    }
    return found | ({"checker": part.checker} if part.checker else {})


def of_model(one: Contender, files: Checkpoint | None) -> dict[str, Json]:
    """What a model and its server bring along."""
    engine = one.engine
    found: dict[str, Json] = dict(files.files) if files is not None else {}
    for flag, value in engine.numerics.items():
        name = flag.replace("_", "-") if not flag.startswith(("env:", "file:")) else flag
        if name not in BY_SCHEME and name != _PINNED:
            found[_NAMED_FILES.get(name, name)] = value
    # Without a flag vLLM computes in the type that each model's own config names.
    if found.get("dtype", "auto") == "auto":
        found.pop("dtype", None)
        if files is not None and files.dtype is not None:
            found["dtype"] = files.dtype
    found |= {"vllm": engine.version, "accelerator": engine.accelerator}
    if isinstance(found.get("packages"), dict):
        # vLLM's own release is an item by itself: whoever accepts that it differs has accepted this, too.
        found["packages"] = {name: release for name, release in found["packages"].items() if name != engine.name}
    if engine.name not in {"endpoint", "command"}:
        found["engine"] = engine.name
    # A model's files may well say "nothing": then there is no chat template, which the other side may have.
    return {name: value for name, value in found.items() if name in _FROM_FILES or value not in (None, "unknown")}


def run_keys(numerics: Iterable[str]) -> set[str]:
    """Every key of a difference that a run could have.

    Args:
        numerics: Names of the flags and variables that its servers may be started with.
    """
    flags = {name if name.startswith(("env:", "file:")) else name.replace("_", "-") for name in numerics}
    return {*_OF_TASK, *_OF_MODEL, *_FROM_FILES, *(flags - BY_SCHEME - {_PINNED} - _NAMED_FILES.keys())}


def keys(baseline: Side, candidate: Side) -> set[str]:
    """Every key of a difference that two sides could have and somebody could accept."""
    return {*baseline.settings, *candidate.settings, *CONTENT, *GROUPS} - {SAMPLES}


def refuse_unknown(accepted: Iterable[str], known: Collection[str]) -> None:
    """Refuse accepted differences that cannot be there: what was meant would stay unaccepted, or unnoticed.

    Raises:
        UsageError: With the near miss and every valid key.
    """
    for key in accepted:
        if key not in known:
            close = near_miss(key, known)
            valid = f"valid: {', '.join(sorted(known))}"
            fix = f"{close} {valid}" if close.startswith("did you mean") else valid
            raise UsageError(f"--accept-difference {key}: no such difference can be", fix=fix)


def _prompt(task: Task) -> str:
    if isinstance(task.prompt, PublishedPrompt):
        return task.prompt.sha256
    return sha256(task.prompt.encode("utf-8", "surrogatepass")).hexdigest()
