"""How a model's makers recommend to draw its tokens: what its ``generation_config.json`` says."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError, UsageError
from evalkit.serve.environment.models import offline
from evalkit.serve.environment.weights import model_folder, object_in

if TYPE_CHECKING:
    from evalkit.base.types import Model

FILE: Final = "generation_config.json"
_FIELDS: Final = ("temperature", "top_p", "top_k", "min_p", "repetition_penalty")
"""What vLLM, too, takes from the file of a model that is served with ``--generation-config auto``."""


def recommended(model: Model) -> dict[str, float]:
    """The sampling fields that the file states.

    Raises:
        UsageError: The files of the model cannot be seen, or they state no temperature.
        InfrastructureError: The hub does not give the file.
    """
    if model.endpoint:
        raise UsageError(
            f"{model.label} is on a server that evalkit did not start, and its {FILE} is not seen",
            fix="state the sampling fields in the task's [decoding] table",
        )
    folder = model_folder(model)
    path = fetched(model, FILE) if folder is None else folder / FILE
    found = object_in(path)
    told = {name: found[name] for name in _FIELDS if isinstance(found.get(name), int | float)}
    if "temperature" not in told:
        raise UsageError(
            f"{model.label}: its {FILE} states no temperature", fix="state it in the task's [decoding] table"
        )
    return told


def fetched(model: Model, file: str) -> Path:
    """A file of a model on the hub, which need not exist.

    Raises:
        InfrastructureError: The hub does not give it.
    """
    from huggingface_hub import hf_hub_download  # noqa: PLC0415 - it takes longer to load than --help has
    from huggingface_hub.errors import EntryNotFoundError  # noqa: PLC0415

    try:
        return Path(hf_hub_download(model.source, file, revision=model.digest, local_files_only=offline()))
    except EntryNotFoundError:
        return Path(model.source) / file
    except Exception as error:
        reason = str(error).splitlines() or [type(error).__name__]
        raise InfrastructureError(f"{model.source}: {file} is not fetched: {reason[0]}", fix="run again") from error
