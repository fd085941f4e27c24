"""What our own server inherits of the variables that evalkit runs with: all but those that contradict what is assumed.

vLLM reads its variables from wherever it is started: a key, a port or a log level that was set for another server would
make evalkit's own refuse to be asked, listen for strangers, or fall silent. Such variables are left out, and that is
said. A user who wants one for evalkit's servers names it under ``serve.env``: there it is passed on, or refused with a
reason. Names are those of ``vllm/envs.py`` of 0.26 to 0.32.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping

_KEY: Final = "servers listen on this machine alone, or have a key of the run's own in a Ray cluster"
_ALONE: Final = "a server of evalkit's is one instance on this machine"
_LOG: Final = "the log tells how far a start has come, and why a server died"
_WEIGHTS: Final = "what was resolved and recorded is served"

DROPPED: Final[Mapping[str, str]] = {
    "VLLM_API_KEY": _KEY,
    "VLLM_MODEL_REDIRECT_PATH": _WEIGHTS,
    "VLLM_USE_MODELSCOPE": _WEIGHTS,
    "VLLM_PORT": "free ports are found",
    "VLLM_HOST_IP": _ALONE,
    "VLLM_DP_SIZE": _ALONE,
    "VLLM_DP_RANK": _ALONE,
    "VLLM_DP_RANK_LOCAL": _ALONE,
    "VLLM_DP_MASTER_IP": _ALONE,
    "VLLM_DP_MASTER_PORT": _ALONE,
    "VLLM_TARGET_DEVICE": "a server computes on what its build is for",
    "VLLM_USE_RUST_FRONTEND": "requests go to the front end that was tried with evalkit",
    "VLLM_RUST_FRONTEND_PATH": "requests go to the front end that was tried with evalkit",
    "VLLM_SERVER_DEV_MODE": "nothing but evalkit's questions is to be answered",
    "VLLM_ALLOW_RUNTIME_LORA_UPDATING": "nothing but evalkit's questions is to be answered",
    "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH": "a server that cannot answer any more has to end",
    "VLLM_HTTP_TIMEOUT_KEEP_ALIVE": "connections are kept for 5 s",
    "VLLM_CONFIGURE_LOGGING": _LOG,
    "VLLM_LOGGING_CONFIG_PATH": _LOG,
    "VLLM_LOGGING_LEVEL": _LOG,
    "VLLM_LOGGING_STREAM": _LOG,
    "VLLM_LOGGING_PREFIX": _LOG,
    "VLLM_LOGGING_COLOR": _LOG,
    "VLLM_DEBUG_LOG_API_SERVER_RESPONSE": "answers belong into the store, not into the log",
}
"""Variables that are not inherited, and what they contradict."""

_REFUSED: Final = frozenset(
    {
        *("VLLM_API_KEY", "VLLM_MODEL_REDIRECT_PATH", "VLLM_USE_MODELSCOPE"),
        *(name for name in DROPPED if name.startswith("VLLM_DP_")),
        "VLLM_KEEP_ALIVE_ON_ENGINE_DEATH",
    }
)
"""Those of them that no setting can reconcile with what evalkit does."""


def inherited() -> dict[str, str]:
    """The variables that evalkit runs with, without those that contradict what it assumes of its own servers."""
    return {name: value for name, value in os.environ.items() if name not in DROPPED}


def dropped(own: Mapping[str, str]) -> list[str]:
    """Names of variables that are set here and not passed on; those of ``own`` (``serve.env``) are no loss."""
    return sorted(name for name in os.environ if name in DROPPED and name not in own)


def refusal(name: str) -> str | None:
    """Why a variable cannot even be set for a server; None when it can."""
    return DROPPED[name] if name in _REFUSED else None


def sentence(names: list[str]) -> str:
    """What a run says once of the variables that it does not pass on."""
    reasons: dict[str, list[str]] = {}
    for name in names:
        reasons.setdefault(DROPPED[name], []).append(name)
    told = "; ".join(f"{', '.join(found)} ({reason})" for reason, found in reasons.items())
    return f"set here and not passed on to evalkit's own servers: {told}; what they are to have stands under serve.env"
