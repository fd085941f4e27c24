"""A model on a server that evalkit did not start: known as far as the server tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from evalkit.base.errors import InfrastructureError
from evalkit.base.events import Stage
from evalkit.base.identity import digest
from evalkit.base.types import Engine, Model
from evalkit.client import control

if TYPE_CHECKING:
    from evalkit.base.events import Say
    from evalkit.config.model_choice import ModelChoice
    from evalkit.config.run_config import Config


def running(choice: ModelChoice, config: Config, say: Say, patience_s: float) -> tuple[Model, Engine]:
    """A model that has an endpoint, with what its server says of itself; its weights are known only by its name.

    Raises:
        InfrastructureError: The server does not answer within ``patience_s``, or serves another model.
    """
    url = config.endpoints[choice.label]
    served = control.patiently(url, patience_s, lambda text: say(Stage(f"{choice.label}: {text}")))
    alias, revision = config.served_as.get(choice.label), config.endpoint_is.get(choice.label)
    names = [choice.source, choice.label, *([alias] if alias else [])]
    fitting = (one for key in ("id", "root") for name in names for one in served if one.get(key) == name)
    entry = next(fitting, None)
    if entry is None:
        raise InfrastructureError(
            f"{url} serves {', '.join(one['id'] for one in served) or 'no model'}, not {choice.source}",
            fix=f"check --endpoint, name the model as the server does, or add --served-as {choice.label}=NAME",
        )
    root = entry.get("root")
    # vLLM lists every name of one model, and its responses give the first of them.
    same = [one["id"] for one in served if isinstance(root, str) and one.get("root") == root]
    also = dict.fromkeys(name for name in [*same, *([alias] if alias else [])] if name != entry["id"])
    identity = digest([choice.label, entry["id"], root, *([revision] if revision else [])])
    model = Model(choice.label, entry["id"], f"name:{identity}", url, tuple(also), named=choice.source)
    stated = control.version(url) or "unknown"
    return model, Engine("endpoint", stated, "unknown", {"max_model_len": entry.get("max_model_len")})
