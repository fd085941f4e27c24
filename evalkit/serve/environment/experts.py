"""Whether a model is a mixture of experts, as its ``config.json`` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.serve.environment.recommendation import fetched
from evalkit.serve.environment.weights import model_folder, object_in

if TYPE_CHECKING:
    from evalkit.base.types import Model

_FILE: Final = "config.json"
_EXPERTS: Final = ("num_experts", "moe_num_experts", "n_routed_experts", "num_local_experts")
"""What vLLM looks for: ``ModelConfig.get_num_experts`` in ``vllm/config/model.py``."""


def is_dense(model: Model) -> bool:
    """Whether it plainly states itself, and no experts.

    Raises:
        InfrastructureError: The hub does not give the file.
    """
    folder = Path(model.source) if Path(model.source).is_dir() else model_folder(model)
    found = object_in(fetched(model, _FILE) if folder is None else folder / _FILE)
    parts = [found, *(part for part in found.values() if isinstance(part, dict))]
    return bool(found) and not any(part.get(name) for part in parts for name in _EXPERTS)
