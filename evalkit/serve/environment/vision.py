"""Whether a model can see: what its files say of a vision tower."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from evalkit.serve.environment.weights import model_folder, object_in

if TYPE_CHECKING:
    from evalkit.base.types import Json, Model

_OF_PICTURES: Final = re.compile(r"vision|visual|image|img|pixel|multi_?modal|mm_|vit|siglip|clip", re.IGNORECASE)
"""A part of the keys with which configs describe a vision tower, its processor, or the place of an image in a text."""
_TEXT_ALONE: Final = re.compile(r"\w+(ForCausalLM|LMHeadModel)")
_PROCESSORS: Final = ("preprocessor_config.json", "processor_config.json", "params.json")
"""Files that describe a processor of pictures elsewhere; beside one of them ``config.json`` is not the judge."""


def sees(model: Model) -> bool | None:
    """False for a model whose files describe a language model alone; None where that cannot be told.

    It says False only where every sign is missing: a class of language models, no key of ``config.json`` that speaks
    of pictures, and no file of a processor beside it.
    """
    folder = model_folder(model)
    if folder is None:
        return None
    config = object_in(folder / "config.json")
    classes = config.get("architectures")
    if any(map(_OF_PICTURES.search, _keys(config))):
        return True
    plain = isinstance(classes, list) and classes and all(_TEXT_ALONE.fullmatch(str(one)) for one in classes)
    return False if plain and not any((folder / name).exists() for name in _PROCESSORS) else None


def _keys(config: Json) -> list[str]:
    if not isinstance(config, dict):
        return []
    return [*config, *(key for value in config.values() for key in _keys(value))]
