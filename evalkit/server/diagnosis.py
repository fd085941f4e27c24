"""Why a server did not start, or died: from the text of its log and its exit status to a reason and a way out."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """What a log says about the end of a server."""

    reason: str
    fix: str
    quote: str = ""
    """The line of the log that says so; empty when none does."""


@dataclass(frozen=True, slots=True)
class _Rule:
    """A sign in the log, and what it means. Braces in the texts take the pattern's named groups."""

    pattern: str
    reason: str
    fix: str


_LESS_MEMORY = (
    "serve with less at once (--serve-arg max-num-seqs=8), a shorter max-model-len, a higher gpu-memory-utilization "
    "when nothing else needs the GPU, or more GPUs (--serve-arg tensor-parallel-size=2)"
)
_CPU_MEMORY = (
    "set VLLM_CPU_KVCACHE_SPACE (GiB, in serve.env) to less than the free memory, or stop what else uses the memory"
)
_KILLED_FIX = "stop what else uses the memory, or serve a smaller model; on a CPU lower VLLM_CPU_KVCACHE_SPACE"
_DAMAGED = "copy or download the model again; its files are incomplete"

# The first rule that matches counts: causes stand before what they bring about, and exact signs before vague ones.
# Texts are those of vLLM 0.32, torch 2.13, transformers 5.19 and huggingface_hub 2.4; older wordings beside them.
_RULES: Final = (
    _Rule(
        r"No module named '?vllm(?![\w-])",
        "vLLM is not installed in the serving interpreter",
        "install it there (uv pip install -e '.[vllm]' with a GPU, '.[cpu]' without), or point --vllm-python at a "
        "Python that has it",
    ),
    _Rule(
        r"operator torchvision::\w+ does not exist|torchvision\W.{0,80}undefined symbol"
        r"|(?:PyTorch|torch) and torchvision (?:were compiled|have been compiled|have different)",
        "torch and torchvision in the serving interpreter do not belong together",
        "install the pair that evalkit's extras name: uv pip install -e '.[cpu]' (or '.[vllm]')",
    ),
    _Rule(
        r"error: unrecognized arguments: (?P<flags>.+)",
        "this vLLM does not know the flag {flags}",
        "correct or remove it in serve.args (--serve-arg); `python -m vllm.entrypoints.openai.api_server --help=all` "
        "lists all",
    ),
    _Rule(
        r"error: (?P<what>argument .+)",
        "vLLM does not accept a flag's value: {what}",
        "correct it in serve.args (--serve-arg)",
    ),
    _Rule(
        r"No space left on device|\[Errno 28\]",
        "the disk is full",
        "make room, or move the caches: HF_HOME for models, VLLM_CACHE_ROOT for what vLLM compiles",
    ),
    _Rule(
        r"contains custom code which must be executed|consider setting\s+`trust_remote_code=True`"
        r"|requires you to execute the \w+ file",
        "the model's repository brings its own Python code, which is not executed unless you allow it",
        "read that code, then allow it with --trust-remote-code",
    ),
    _Rule(
        r"You are trying to access a gated repo|GatedRepoError|Cannot access gated repo"
        r"|Access to model (?P<name>\S+) is restricted",
        "the model is gated: its owner has not let this account in, or no token is set",
        "accept the terms on the model's page, then set HF_TOKEN or run `hf auth login`",
    ),
    _Rule(
        r"401 Client Error|403 Client Error|Invalid user token|401 Unauthorized",
        "the hub refuses access to the model",
        "check the name, and set a token that may read it (HF_TOKEN or `hf auth login`)",
    ),
    _Rule(
        r"outgoing traffic has been disabled|LocalEntryNotFoundError|OfflineModeIsEnabled"
        r"|couldn't connect to '?https?://\S+ to load",
        "the model is not in the local cache, and the hub cannot be reached",
        "download it while online (hf download NAME), unset HF_HUB_OFFLINE, or name a local folder",
    ),
    _Rule(
        r"RepositoryNotFoundError|is not a local folder and is not a valid model identifier|Repo id must be in the form"
        r"|404 Client Error|Repository Not Found",
        "there is no such model, neither as a folder nor on the hub",
        "check the spelling; a local model is named by its folder",
    ),
    _Rule(
        r"the config file at '(?P<file>[^']+)' is not a valid JSON file",
        "{file} is not valid JSON",
        _DAMAGED,
    ),
    _Rule(
        r"Model architectures? (?P<names>\[[^\]]*\]|\w+) (?:are not supported for now|(?:was|is) .{0,60}not supported)",
        "this vLLM does not support the model's architecture {names}",
        "serve with a vLLM that does (--vllm-python), or correct `architectures` in the model's config.json",
    ),
    _Rule(
        r"model type `(?P<name>[^`]+)` but Transformers does not recognize",
        "transformers in the serving interpreter does not know the model type {name}",
        "install a newer transformers there, or correct `model_type` in the model's config.json",
    ),
    _Rule(
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \([^=)]*=(?P<context>\d+)",
        "max-model-len {asked} is more than the model's context of {context} tokens",
        "lower it: --serve-arg max-model-len={context}",
    ),
    _Rule(
        r"Unknown quantization method: (?P<name>[\w-]+)",
        "this vLLM does not know the quantization method {name}",
        "remove `quantization` from serve.args (vLLM reads it from the model's config.json), or serve with a vLLM "
        "that has it",
    ),
    _Rule(
        r"(?P<name>[\w-]+) quantization is currently not supported in (?P<device>[\w -]+)",
        "the quantization {name} is not supported on this device ({device})",
        "serve on a device that supports it, or compare another scheme",
    ),
    _Rule(
        r"quantization method (?P<name>\S+)\s+is not supported for the current GPU"
        r"|Quantization scheme is not supported for\W+the current GPU",
        "the model's quantization is not supported on this GPU",
        "serve on a newer GPU, or compare another scheme: FP8 wants compute capability 8.9, INT8 7.5, FP4 10.0",
    ),
    _Rule(
        r"(?P<dtype>torch\.\w+) is not supported for quantization method (?P<name>[\w-]+)",
        "the quantization {name} does not work with dtype {dtype}",
        "set another dtype for all models: --serve-arg dtype=bfloat16",
    ),
    _Rule(
        r"Bfloat16 is only supported on GPUs",
        "this GPU cannot compute in bfloat16",
        "set --serve-arg dtype=float16 for all models",
    ),
    _Rule(
        r"Free memory on device \S* ?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup\s+is less than desired",
        "the GPU has {free} of {total} GiB free, less than gpu-memory-utilization asks for",
        "see with nvidia-smi who holds the rest and end it, or lower --serve-arg gpu-memory-utilization",
    ),
    _Rule(
        r"is less than desired CPU memory utilization|is less than requested memory for kv",
        "there is too little free memory for the KV cache",
        _CPU_MEMORY,
    ),
    _Rule(
        r"model's max seq len \((?P<asked>\d+)\).{0,300}?estimated maximum model length is (?P<possible>\d+)",
        "the KV cache is too small for max-model-len {asked}; {possible} would fit",
        "lower it for all models (--serve-arg max-model-len={possible}), or give the cache more: a higher "
        "gpu-memory-utilization, more GPUs; on a CPU a larger VLLM_CPU_KVCACHE_SPACE",
    ),
    _Rule(
        r"No available memory for the cache blocks|model's max seq len \(\d+\)"
        r"|larger than the maximum number of tokens that can be stored in KV cache",
        "no memory is left for the KV cache beside the model",
        "lower --serve-arg max-model-len, or give the cache more: a higher gpu-memory-utilization, more GPUs; on a CPU "
        "a larger VLLM_CPU_KVCACHE_SPACE",
    ),
    _Rule(
        r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|cudaErrorMemoryAllocation",
        "the GPU ran out of memory",
        _LESS_MEMORY,
    ),
    _Rule(
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver|libcuda\.so\.1: cannot open",
        "this build of vLLM found no GPU",
        "serve on a machine with one, or without a GPU install the CPU build: uv pip install -e '.[cpu]'",
    ),
    _Rule(
        r"no kernel image is available for execution|CUDA driver version is insufficient",
        "this build of vLLM does not fit the GPU or its driver",
        "update the driver, or install a vLLM built for this GPU (--vllm-python)",
    ),
    _Rule(
        r"must be divisible by tensor parallel size \((?P<degree>\d+)\)",
        "the model's attention heads cannot be split over {degree} GPUs",
        "choose a tensor-parallel-size that divides them",
    ),
    _Rule(
        r"\[Errno (?:98|48)\]",
        "another process took the port before the server could",
        "run the same command again: a free port is looked for each time",
    ),
    _Rule(
        r"Cannot find any model weights with `(?P<place>[^`]+)`",
        "{place} has no weights that vLLM can read",
        "name a folder with *.safetensors files; " + _DAMAGED,
    ),
    _Rule(
        r"SafetensorError|Error while deserializing header|PytorchStreamReader failed|incomplete metadata",
        "a weights file of the model is damaged",
        _DAMAGED,
    ),
    _Rule(
        r"There is no module or parameter named '|Following weights were not initialized from checkpoint",
        "the model's weights do not have the names that its architecture wants",
        "check that config.json belongs to these weights, or serve with another vLLM (--vllm-python)",
    ),
    _Rule(
        r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Failed to load the tokenizer",
        "the model's tokenizer cannot be loaded",
        "check that tokenizer.json and tokenizer_config.json lie in the model's folder",
    ),
    _Rule(
        r"Can't load (?:image|feature) processor|processor_config\.json.{0,80}(?:not found|does not|missing)",
        "the model's image processor cannot be loaded",
        "save the processor beside the model (processor.save_pretrained)",
    ),
    _Rule(
        r"\[Errno 24\]|Too many open files(?!`)",
        "the server may not open enough files",
        "raise the limit: ulimit -n 65536",
    ),
    _Rule(
        r"Failed core proc\(s\): \{[^}]*: -9|died unexpectedly \(exit code: -9\)|MemoryError|\[Errno 12\]",
        "the system killed a process of the server or gave it no memory: the machine ran out of memory",
        _KILLED_FIX,
    ),
)
_COMPILED: Final = tuple((re.compile(rule.pattern, re.DOTALL if "{0," in rule.pattern else 0), rule) for rule in _RULES)

# Harmless lines that mention an error only to warn of it.
_NOISE: Final = re.compile(r"^.*Found ulimit of .*$", re.MULTILINE)
# vLLM puts the process and the place in front of every line, also inside a message that has several.
_PREFIX: Final = re.compile(r"^\([^()\n]* pid=\d+\) (?:(?:ERROR|WARNING|INFO) [\d :-]+\[[^\]\n]*\] ?)?", re.MULTILINE)
# A traceback quotes source lines, which hold the messages of errors that did not happen.
_SOURCE: Final = re.compile(r"^(?: {4,}|  File \").*$", re.MULTILINE)
_LAST_ERROR: Final = re.compile(r"^(?:[\w.]+\.)?(?P<error>\w*(?:Error|Exception)): (?P<text>.+)$", re.MULTILINE)
_LONGEST_QUOTE: Final = 1000
# The parent's complaint says nothing about the cause.
_HOLLOW: Final = re.compile(r"root cause|initialization failed|encountered an issue")
_VANISHED: Final = re.compile(r"Engine core initialization failed|EngineDeadError|died unexpectedly")


def classify(log: str, returncode: int | None) -> Diagnosis:
    """The reason for a server's end.

    Args:
        log: What it wrote since its start, or the end of it.
        returncode: As ``subprocess`` gives it, negative for a signal; None while it still runs.
    """
    text = _SOURCE.sub("", _NOISE.sub("", _PREFIX.sub("", log)))
    for pattern, rule in _COMPILED:
        match = pattern.search(text)
        if match:
            groups = {name: (value or "").strip() for name, value in match.groupdict().items()}
            return Diagnosis(rule.reason.format(**groups), rule.fix.format(**groups), _line(text, match))
    return _by_status(text, returncode)


def _line(text: str, match: re.Match[str]) -> str:
    """The first line that a match stands in."""
    start = text.rfind("\n", 0, match.start()) + 1
    return text[start : start + _LONGEST_QUOTE].partition("\n")[0].strip()


def _by_status(text: str, returncode: int | None) -> Diagnosis:
    """What is left when the log has no known sign: the signal, or the last error in its own words."""
    if returncode == -signal.SIGKILL:
        return Diagnosis("it was killed (signal 9), as a system does that runs out of memory", _KILLED_FIX)
    if returncode is not None and returncode < 0:
        name = signal.Signals(-returncode).name if -returncode in set(signal.Signals) else f"signal {-returncode}"
        return Diagnosis(f"it was ended by {name}", "the last lines of its log may say why")
    if "shutdown triggered" in text:
        return Diagnosis("it was asked to stop by somebody else (SIGTERM or SIGINT)", "run the same command again")
    errors = [match for match in _LAST_ERROR.finditer(text) if not _HOLLOW.search(match["text"])]
    if errors:
        words = f"{errors[-1]['error']}: {errors[-1]['text'][:300]}"
        return Diagnosis(words, "read the log around this error", _line(text, errors[-1]))
    if _VANISHED.search(text):
        return Diagnosis(
            "one of its processes vanished without a word, as one that the system kills for memory", _KILLED_FIX
        )
    how = "it stopped" if returncode is None else f"it ended with exit status {returncode}"
    return Diagnosis(f"{how} for an unknown reason", "read the log, or run the command below by hand")
