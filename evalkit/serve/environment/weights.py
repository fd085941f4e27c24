"""What a model's files say of it, read without torch: its config, the headers of its weights, its tokenizer.

A safetensors file begins with eight bytes (little-endian length of a JSON header) and the header, which names every
tensor with its type, shape and place: https://github.com/huggingface/safetensors#format.
"""

from __future__ import annotations

import re
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from evalkit.base.identity import decoded, digest
from evalkit.records import checkpoint as rules
from evalkit.records.checkpoint import Checkpoint

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from evalkit.base.types import Json, Model

RECORD: Final = "evalkit-quantize.json"
"""What `evalkit quantize` leaves beside a model that it made."""
_LONGEST_RECIPE: Final = 4096
_LONGEST_HEADER: Final = 100_000_000
"""The format's own limit, in bytes."""
_STORED: Final = frozenset({"I8", "U8", "F8_E4M3", "F8_E5M2", "F4", "I4", "U4"})
"""Types in which a layer's weight is only ever stored because it was quantized."""
_MARKS: Final = re.compile(
    r"(?P<module>.+?)[._](?:weight_scale(?:_inv)?|weight_packed|weight_zero_point|qweight|qzeros|blocks"
    r"|weight\.(?:absmax|quant_state\..+))"
)
"""Tensors that stand beside, or in the place of, a quantized weight. Scales of activations and caches are not such."""
_TOKENIZERS: Final = (("tokenizer.json",), ("tekken.json",), ("tokenizer.model",), ("vocab.json", "merges.txt"))
_SPECIAL: Final = ("bos_token_id", "eos_token_id", "pad_token_id")
_RECIPE_LIST: Final = re.compile(
    r"^\s*ignore:\s*\[(?P<inline>[^\]]*)\]|^\s*-\s*['\"]?(?P<item>re:[^'\"\s]+)", re.MULTILINE
)


def checkpoint(model: Model) -> Checkpoint | None:
    """What the files of ``model`` say; None when they are not on this machine, or a server serves unknown ones."""
    folder = None if model.endpoint else model_folder(model)
    if folder is None:
        return None
    config = object_in(folder / "config.json")
    text = _table(config, "text_config")
    scheme = _scheme_table(config) or _scheme_table(text)
    tensors = _tensors(folder)
    layers = _quantized(tensors) if tensors else set()
    sizes: Counter[str] = Counter()
    for kind, count in (tensors or {}).values():
        sizes[kind] += count
    return Checkpoint(
        scheme=_scheme(scheme),
        quantized=bool(scheme),
        weight_bytes=sum(sizes.values()) if tensors else None,
        dtypes=dict(sorted(sizes.items())),
        layers=dict(sorted(Counter(rules.part(module) for module in layers).items())),
        ignored=tuple(dict.fromkeys([*_ignored(scheme), *_recipe(folder)])),
        dtype=_dtype(config) or _dtype(text),
        files={
            "chat_template": _chat_template(folder),
            "tokenizer": _tokenizer(folder),
            "generation_config": _generation_config(folder, config, text),
        },
    )


def stored_as(folder: Path) -> dict[str, str]:
    """Module that is stored quantized to the type of its weight, such as ``I8``; ``-`` where it has none."""
    tensors = _tensors(folder) or {}
    names = {module: (f"{module}.weight", f"{module}.weight_packed") for module in _quantized(tensors)}
    return {
        module: next((tensors[name][0] for name in both if name in tensors), "-")
        for module, both in sorted(names.items())
    }


def unfinished(folder: Path) -> list[str]:
    """Names of weight files that are missing, or shorter than their header says."""
    found = []
    for path in _weight_files(folder):
        try:
            with path.open("rb") as stream:
                start = 8 + int.from_bytes(stream.read(8), "little")
            ends = [entry["data_offsets"][1] for name, entry in _entries(path).items() if name != "__metadata__"]
            whole = path.stat().st_size == start + max(ends, default=0)
        except (OSError, ValueError, LookupError, TypeError, AttributeError):
            whole = False
        if not whole:
            found.append(path.name)
    return found


def making(model: Model) -> dict[str, Json]:
    """How a model was made, as files beside its weights say: evalkit's record, and the recipe of whoever made it.

    Lists of digests in the record are left out: they are for comparing, not for reading.
    """
    folder = None if model.endpoint else model_folder(model)
    if folder is None:
        return {}
    found, recipe = object_in(folder / RECORD), _text(folder / "recipe.yaml")
    if isinstance(found.get("calibration"), dict):
        found["calibration"] = {name: one for name, one in found["calibration"].items() if not isinstance(one, list)}
    if recipe is not None:
        found["recipe"] = recipe[:_LONGEST_RECIPE]
        found["recipe_sha256"] = sha256(recipe.encode()).hexdigest()
    return found


def record(model: Model) -> dict[str, Json]:
    """Evalkit's record of how a model was made, whole; empty where another made it, or its files are not here."""
    folder = None if model.endpoint else model_folder(model)
    return object_in(folder / RECORD) if folder else {}


def model_folder(model: Model) -> Path | None:
    """The folder of a model's files: its own, or its snapshot in the hub's cache; None where it is not here."""
    if (Path(model.source) / "config.json").is_file():
        return Path(model.source)
    # Imported here: the hub's library takes longer to load than evalkit has for --help.
    from huggingface_hub import constants  # noqa: PLC0415

    place = Path(constants.HF_HUB_CACHE) / f"models--{model.source.replace('/', '--')}" / "snapshots" / model.digest
    return place if (place / "config.json").is_file() else None


# --- quantization ---


def _scheme_table(config: Mapping[str, Json]) -> dict[str, Json]:
    """``quantization_config``, or ``compression_config`` as older checkpoints call it."""
    for key in ("quantization_config", "compression_config"):
        if found := _table(config, key):
            return found
    return {}


def _scheme(table: Mapping[str, Json]) -> str:
    """``W8A8 int (int-quantized)``, ``W4A16 int (pack-quantized)``, ``gptq 4 bit``; ``not quantized`` for no table."""
    if not table:
        return "not quantized"
    named = [_group(group) for group in _table(table, "config_groups").values() if isinstance(group, dict)]
    if named:
        form = table.get("format")
        return ", ".join(dict.fromkeys(named)) + (f" ({form})" if isinstance(form, str) else "")
    method = str(table.get("quant_method") or "quantized, unknown method")
    bits = table.get("bits") or (4 if table.get("load_in_4bit") else 8 if table.get("load_in_8bit") else None)
    return f"{method} {bits} bit" if bits else method


def _group(group: Mapping[str, Any]) -> str:
    """Bits of weights and of activations; those that are not quantized have 16."""
    weights, inputs = _table(group, "weights"), _table(group, "input_activations")
    return f"W{weights.get('num_bits', 16)}A{inputs.get('num_bits', 16)} {weights.get('type', '')}".strip()


def _ignored(table: Mapping[str, Json]) -> Iterator[str]:
    for key in ("ignore", "modules_to_not_convert", "ignored_layers", "llm_int8_skip_modules"):
        if isinstance(table.get(key), list):
            yield from map(str, table[key])


def _recipe(folder: Path) -> Iterator[str]:
    """Patterns that the recipe left out: the config lists only the modules that they matched."""
    for fit in _RECIPE_LIST.finditer(_text(folder / "recipe.yaml") or ""):
        if fit["item"]:
            yield fit["item"]
        else:
            yield from (word for entry in (fit["inline"] or "").split(",") if (word := entry.strip(" '\"\n")))


def _dtype(config: Mapping[str, Json]) -> str | None:
    found = config.get("dtype") or config.get("torch_dtype")
    return str(found).removeprefix("torch.") if found else None


# --- weights ---


def _tensors(folder: Path) -> dict[str, tuple[str, int]] | None:
    """Tensor name to type and bytes, from the headers of all files; None when one is missing or no safetensors."""
    found: dict[str, tuple[str, int]] = {}
    files = _weight_files(folder)
    try:
        for path in files:
            found |= _header(path)
    except (OSError, ValueError, LookupError, TypeError, AttributeError):
        # Whatever stands there, it is no header of a safetensors file.
        return None
    return found or None


def _weight_files(folder: Path) -> list[Path]:
    """The shards that the index names, or the files that vLLM would load without one."""
    shards = _table(object_in(folder / "model.safetensors.index.json"), "weight_map")
    if shards:
        return [folder / str(name) for name in sorted({*shards.values()})]
    files = sorted(folder.glob("*.safetensors"))
    # Mistral's own files hold the same weights a second time.
    return [path for path in files if not path.name.startswith("consolidated")] or files


def _header(path: Path) -> dict[str, tuple[str, int]]:
    return {
        name: (str(entry["dtype"]), int(entry["data_offsets"][1]) - int(entry["data_offsets"][0]))
        for name, entry in _entries(path).items()
        if name != "__metadata__"
    }


def _entries(path: Path) -> dict[str, Json]:
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > _LONGEST_HEADER:
            raise ValueError(f"{path} is not a safetensors file")
        header: dict[str, Json] = decoded(stream.read(length))
    return header


def _quantized(tensors: Mapping[str, tuple[str, int]]) -> set[str]:
    """Names of the modules whose weight is stored quantized."""
    found = set()
    for name, (kind, _) in tensors.items():
        if name.endswith(".weight") and kind in _STORED:
            found.add(name.removesuffix(".weight"))
        elif (fit := _MARKS.fullmatch(name)) is not None:
            found.add(fit["module"])
    return found


# --- what a model brings along ---


def _chat_template(folder: Path) -> str | None:
    """Digest of the template's text, wherever the model keeps it."""
    found: Json = _text(folder / "chat_template.jinja")
    for name in ("chat_template.json", "processor_config.json", "tokenizer_config.json"):
        found = found or object_in(folder / name).get("chat_template")
    return digest(found) if found else None


def _tokenizer(folder: Path) -> str | None:
    """Digest of what turns text into tokens.

    ``tokenizer_config.json`` is left out: saving a model anew adds keys to it that change nothing. So are truncation
    and padding in ``tokenizer.json``, which calibration leaves behind and which every call sets for itself.
    """
    for names in _TOKENIZERS:
        files = [folder / name for name in names]
        if not all(path.is_file() for path in files):
            continue
        if names == ("tokenizer.json",) and (table := object_in(files[0])):
            return digest({key: value for key, value in table.items() if key not in {"truncation", "padding"}})
        return digest([sha256(path.read_bytes()).hexdigest() for path in files])
    return None


def _generation_config(folder: Path, config: Mapping[str, Json], text: Mapping[str, Json]) -> str | None:
    """Digest of what the generation config sets.

    A model without the file has what its config implies, which is what saving it anew writes down. Versions say who
    wrote the file.
    """
    found = object_in(folder / "generation_config.json")
    found = {key: value for key, value in found.items() if key not in {"transformers_version", "_from_model_config"}}
    found = found or {key: config.get(key, text.get(key)) for key in _SPECIAL}
    found = {key: value for key, value in found.items() if value is not None}
    return digest(found) if found else None


def _table(mapping: Mapping[str, Json], key: str) -> dict[str, Json]:
    found = mapping.get(key)
    return found if isinstance(found, dict) else {}


def object_in(path: Path) -> dict[str, Json]:
    """The JSON object in a file; empty where there is none to read."""
    try:
        found = decoded(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
