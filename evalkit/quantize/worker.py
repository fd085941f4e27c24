# /// script
# requires-python = ">=3.11,<3.15"
# dependencies = ["llmcompressor==0.14.*", "torchvision"]
# ///
"""Quantizes one checkpoint with llm-compressor: ``python worker.py JOB.json``, in an environment of its own.

It stands alone, because llm-compressor and vLLM pin different releases of compressed-tensors: it imports nothing of
evalkit, which need not be installed beside it. The job is a JSON object:

======== =============================================================================================
source   Folder of the model.
target   Folder to write; made here.
scheme   ``W8A8`` or ``W4A16`` (both GPTQ), or ``FP8_DYNAMIC`` (needs no data).
loader   Class of transformers that loads the model, such as ``AutoModelForImageTextToText``.
must     Patterns of what stays as it is, each of which has to match a module.
may      Further patterns, which may match none.
chats    JSON lines of calibration: ``{"messages": [...], "images": [path, ...]}`` or ``{"text": "..."}``; null.
longest  Tokens of a chat: text is cut there, a chat with pictures is left out.
seed     Of torch, and of the order of the chats.
events   File that gets a JSON line for each thing worth telling; the last is ``done`` or ``refused``.
======== =============================================================================================
"""

from __future__ import annotations

import json
import random
import re
import resource
import shutil
import sys
import time
from importlib import import_module, metadata
from pathlib import Path
from typing import Any

_PACKAGES = ("llmcompressor", "compressed-tensors", "transformers", "torch", "torchvision", "tokenizers")
_NOT_COPIED = re.compile(
    r"config\.json|generation_config\.json|.*\.(safetensors|bin|pt|pth|gguf|onnx|md|jsonl)|.*\.index\.json|params\.json"
    r"|recipe\.yaml|evalkit-quantize\.json|training_args.*|\..*",
    re.IGNORECASE,
)
"""What is not the source's own word any more: weights and what describes them, and texts about the source."""
_EVERY_S = 2.0


class RefusedError(Exception):
    """The job cannot be done as it was given; the message says why, in one sentence."""


class Teller:
    """Writes what is worth telling."""

    def __init__(self, path: Path) -> None:
        self._path, self._last = path, 0.0

    def __call__(self, event: str, **facts: Any) -> None:
        """Write one event."""
        self._last = time.monotonic()
        with self._path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps({"event": event, **facts}) + "\n")

    def now_and_then(self, event: str, **facts: Any) -> None:
        """Write it unless another was written just before."""
        if time.monotonic() - self._last >= _EVERY_S:
            self(event, **facts)


# --- the model --------------------------------------------------------------------------------------------------------


def load(job: dict[str, Any]) -> Any:
    """The model in the type that its weights have, on the CPU: layers go to a GPU one after the other."""
    transformers = import_module("transformers")
    return getattr(transformers, job["loader"]).from_pretrained(job["source"], dtype="auto", local_files_only=True)


def decoder_layers(model: Any) -> dict[str, Any]:
    """Name to module of the language model's layers."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else None
    layers = list(getattr(decoder, "layers", None) or ())
    if not layers:
        raise RefusedError(f"{type(model).__name__} has no list of decoder layers (get_decoder().layers)")
    return {name: module for name, module in model.named_modules() if any(module is layer for layer in layers)}


def targets(model: Any, layers: dict[str, Any], job: dict[str, Any]) -> list[str]:
    """Names of the modules that will be quantized, once it is sure that they are those that should be.

    Raises:
        RefusedError: A pattern of what stays matches nothing, something beside the decoder's layers would be
            quantized, or nothing at all.
    """
    linear = import_module("torch").nn.Linear
    named = dict(model.named_modules())
    for pattern in job["must"]:
        if not any(_fits(pattern, name) for name in named):
            raise RefusedError(f"no module of {type(model).__name__} fits {pattern}: what it left out has another name")
    found = [
        name
        for name, module in named.items()
        if isinstance(module, linear) and not any(_fits(pattern, name) for pattern in [*job["must"], *job["may"]])
    ]
    outside = [name for name in found if not any(name.startswith(f"{layer}.") for layer in layers)]
    if outside:
        raise RefusedError(f"{', '.join(outside[:3])} would be quantized, which is no part of a decoder layer")
    if not found:
        raise RefusedError("every linear layer is left out, so nothing would be quantized")
    return found


def _fits(pattern: str, name: str) -> bool:
    """Whether a name is what llm-compressor matches with a pattern: from its start on, or as a whole."""
    kind, _, expression = pattern.partition(":")
    return re.match(expression, name) is not None if kind == "re" else pattern == name


# --- calibration ------------------------------------------------------------------------------------------------------


class Chats:
    """Calibration chats as model inputs, made when they are asked for."""

    def __init__(self, file: Path, source: str, longest: int) -> None:
        transformers = import_module("transformers")
        self._folder, self._longest = file.parent, longest
        self._lines = [json.loads(line) for line in file.read_text(encoding="utf-8").splitlines()]
        self._pictures = any(line.get("images") for line in self._lines)
        kind = transformers.AutoProcessor if self._pictures else transformers.AutoTokenizer
        self.processor = kind.from_pretrained(source, local_files_only=True)
        self._templated = bool(getattr(self.processor, "chat_template", None))
        if self._pictures and not self._templated:
            raise RefusedError("the model has no chat template, without which a picture has no place in a prompt")

    def inputs(self, seed: int) -> tuple[list[dict[str, Any]], int]:
        """Every chat that is not too long, in a drawn order; and how many were left out."""
        made = [self._inputs(line) for line in self._lines]
        kept = [one for one in made if one["input_ids"].shape[1] <= self._longest]
        if not kept:
            raise RefusedError(f"every calibration chat is longer than {self._longest} tokens")
        random.Random(seed).shuffle(kept)  # noqa: S311 - an order, not a secret
        return kept, len(made) - len(kept)

    def _inputs(self, line: dict[str, Any]) -> dict[str, Any]:
        if not self._pictures:
            cut = {"truncation": True, "max_length": self._longest}
            text, is_plain = self._text(line)
            return dict(self.processor(text, return_tensors="pt", add_special_tokens=is_plain, **cut))
        image = import_module("PIL.Image")
        shown = [image.open(self._folder / name).convert("RGB") for name in line["images"]]
        text, _ = self._text(line)
        return dict(self.processor(text=text, images=shown, return_tensors="pt", add_special_tokens=False))

    def _text(self, line: dict[str, Any]) -> tuple[str, bool]:
        """The prompt, and whether it is plain text that no template has given its special tokens."""
        if "text" in line:
            return line["text"], True
        if self._templated:
            return self.processor.apply_chat_template(line["messages"], tokenize=False), False
        return "\n\n".join(message["content"] for message in line["messages"]), True


def loader(inputs: list[dict[str, Any]], dtype: Any) -> Any:
    """The inputs one by one, pictures in the model's own type: processors give 32 bits."""
    data = import_module("torch").utils.data

    def one(batch: list[dict[str, Any]]) -> dict[str, Any]:
        (only,) = batch
        return {name: value.to(dtype) if value.is_floating_point() else value for name, value in only.items()}

    return data.DataLoader(inputs, batch_size=1, collate_fn=one)


# --- quantization -----------------------------------------------------------------------------------------------------


def follow(layers: dict[str, Any], samples: int, tell: Teller) -> None:
    """Tell of each decoder layer as chats go through it: once to measure it, once with its new weights."""
    for number, module in enumerate(layers.values(), 1):
        seen = [0]

        def told(*_: Any, number: int = number, seen: list[int] = seen) -> None:
            seen[0] += 1
            measuring = seen[0] <= samples
            facts = {"layer": number, "layers": len(layers), "of": samples, "measuring": measuring}
            done = seen[0] if measuring else seen[0] - samples
            if done == 1:
                tell("layer", done=done, **facts)
            else:
                tell.now_and_then("layer", done=done, **facts)

        module.register_forward_hook(told)


def follow_data_free(layers: dict[str, Any], names: list[str], tell: Teller) -> Any:
    """Tell of each decoder layer as its weights are measured, which no chat goes through; returns the hook's handle."""
    observer = import_module("llmcompressor.observers").Observer
    places = {name: number for number, name in enumerate(layers, 1)}
    number_of = [next(places[layer] for layer in layers if name.startswith(f"{layer}.")) for name in names]
    seen = [0]

    def told(module: Any, *_: Any) -> None:
        if isinstance(module, observer) and seen[0] < len(number_of):
            number = number_of[seen[0]]
            if seen[0] == 0 or number != number_of[seen[0] - 1]:
                tell("layer", layer=number, layers=len(layers), done=0, of=0, measuring=True)
            seen[0] += 1

    return import_module("torch.nn.modules.module").register_module_forward_hook(told)


def quantize(job: dict[str, Any], tell: Teller) -> dict[str, Any]:
    """Do the job; returns what is worth recording of it."""
    torch, target = import_module("torch"), Path(job["target"])
    random.seed(job["seed"])
    torch.manual_seed(job["seed"])
    model = load(job)
    layers = decoder_layers(model)
    names = targets(model, layers, job)
    kind = type(next(iter(layers.values()))).__name__
    facts = {"layers": len(layers), "sequential_targets": [kind], "modules": len(names), "samples": 0, "left_out": 0}
    tell("loaded", **facts)
    ignore = [*job["must"], *job["may"]]
    oneshot = import_module("llmcompressor").oneshot
    if job["chats"]:
        chats = Chats(Path(job["chats"]), job["source"], job["longest"])
        inputs, facts["left_out"] = chats.inputs(job["seed"])
        facts["samples"] = len(inputs)
        tell("calibration", samples=len(inputs), left_out=facts["left_out"])
        follow(layers, len(inputs), tell)
        gptq = import_module("llmcompressor.modifiers.gptq").GPTQModifier
        recipe = gptq(targets="Linear", scheme=job["scheme"], ignore=ignore)
        shown = {"dataset": loader(inputs, model.dtype), "num_calibration_samples": len(inputs)}
        # Without one it would look for a processor of its own, which a model of text alone may not have.
        shown["processor"] = chats.processor
        oneshot(model=model, recipe=[recipe], pipeline="sequential", sequential_targets=[kind], **shown)
    else:
        plain = import_module("llmcompressor.modifiers.quantization").QuantizationModifier
        handle = follow_data_free(layers, names, tell)
        oneshot(model=model, recipe=[plain(targets="Linear", scheme=job["scheme"], ignore=ignore)], pipeline="datafree")
        handle.remove()
    tell("writing")
    model.save_pretrained(target, save_compressed=True)
    copy(Path(job["source"]), target)
    return facts


def copy(source: Path, target: Path) -> None:
    """Tokenizer, chat template and processor as they are: saving them anew would add words about this machine."""
    for path in sorted(source.iterdir()):
        if path.is_file() and not _NOT_COPIED.fullmatch(path.name):
            shutil.copyfile(path, target / path.name)
    if (source / "generation_config.json").is_file():
        shutil.copyfile(source / "generation_config.json", target / "generation_config.json")


def releases() -> dict[str, str]:
    """Releases of what did it."""
    found = {}
    for name in _PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def memory() -> dict[str, float | str]:
    """The most memory that was in use, in GiB: of this process, and of the GPU."""
    cuda = import_module("torch").cuda
    # Linux counts in KiB.
    found: dict[str, float | str] = {"memory_gib": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)}
    if cuda.is_available():
        found |= {"gpu": cuda.get_device_name(), "gpu_memory_gib": round(cuda.max_memory_allocated() / 2**30, 2)}
    return found


def main() -> int:
    """Do the job of the file that is named; 0 when it is done, 3 when it was refused."""
    job = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    tell, began = Teller(Path(job["events"])), time.monotonic()
    tell("started")
    try:
        facts = quantize(job, tell)
    except RefusedError as error:
        tell("refused", reason=str(error))
        return 3
    tell("done", seconds=round(time.monotonic() - began, 1), releases=releases(), **facts, **memory())
    return 0


if __name__ == "__main__":
    sys.exit(main())
