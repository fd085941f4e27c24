"""What the words of a log mean: signs of known faults, each with a reason and a way out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from evalkit.serve.installed import MAKES_VLLM


@dataclass(frozen=True, slots=True)
class CauseRule:
    """A sign, and what it means. Braces in the texts take the pattern's named groups.

    ``{words}`` is the exception or the line. A sign is looked for in an exception (its name and message, below them the
    source line that raised it and its place), and in what stands in the log outside of tracebacks.
    """

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
KILLED_FIX = "stop what else uses the memory, or serve a smaller model; on a CPU lower VLLM_CPU_KVCACHE_SPACE"
_DAMAGED = "copy or download the model again; its files are incomplete"
_BELONGS = "check that config.json belongs to these weights, and that the copy of the model is whole"
_OTHER_LIBRARIES = (
    "install the versions that this vLLM wants into the serving interpreter, or serve with another (--vllm-python)"
)
_PICTURES = (
    "make patch_size and spatial_merge_size in processor_config.json (preprocessor_config.json) those of vision_config "
    "in config.json, for baseline and candidate alike"
)

# The first rule that matches counts: causes stand before what they bring about, and exact signs before vague ones.
# Texts are those of vLLM 0.32, torch 2.13, transformers 5.19 and huggingface_hub 2.4; older wordings beside them.
RULES: Final = (
    CauseRule(
        r"(?:expects? \w+ to be (?:bfloat16|half|float16)|\"\w+\" not implemented for 'Float')",
        "a kernel of the model does not take float32 on this processor ({words})",
        "serve both models in a dtype that it takes: --serve-arg dtype=bfloat16",
    ),
    CauseRule(
        r"Attempted to assign (?:[\d +]+= )?(?P<made>\d+) multimodal tokens to (?P<places>\d+) placeholders",
        "the image processor and the vision tower disagree: processor_config.json leaves {places} places in the prompt "
        "for a picture of which vision_config makes {made} embeddings",
        _PICTURES,
    ),
    CauseRule(
        r"shape mismatch: value tensor of shape \[(?P<made>\d+), .*?indexing result of shape \[(?P<places>\d+), "
        r".*?(?:_merge_multimodal_embeddings|embed_input_ids|multimodal)",
        "the image processor and the vision tower disagree: processor_config.json leaves {places} places in the prompt "
        "for a picture of which vision_config makes {made} embeddings",
        _PICTURES,
    ),
    CauseRule(
        r"org_vocab_size",
        "the checkpoint's vocabulary size disagrees with vocab_size in config.json (the weight loader's `assert "
        "loaded_weight.shape[output_dim] == self.org_vocab_size`)",
        _BELONGS,
    ),
    CauseRule(
        r"Attempted to load weight \((?P<has>[^)]*\]\)?)\) into parameter \((?P<wants>[^)]*\]\)?)\)",
        "a tensor of the checkpoint has another shape ({has}) than config.json says ({wants})",
        _BELONGS,
    ),
    CauseRule(
        r"\A[^\n]*\n(?:assert [^\n]*(?:loaded_weight|weight_data)[^\n]*\n|[^\n]*\n[^\n]*weight_loader\w* in |"
        r"[^\n]*\n[^\n]*\bload_\w+_weight in )",
        "a tensor of the checkpoint does not fit the model that config.json describes ({words})",
        _BELONGS,
    ),
    CauseRule(
        r"^KeyError: (?P<name>[^\n]*)\n[^\n]*\n[^\n]*load_weights? in ",
        "the checkpoint has a tensor that the model of config.json has no place for: {name}",
        "check that config.json (architectures, quantization_config) belongs to these weights, or serve with another "
        "vLLM (--vllm-python)",
    ),
    CauseRule(
        r"No module named '?vllm(?![\w-])",
        "vLLM is not installed in the serving interpreter",
        f"{MAKES_VLLM}, or point --vllm-python at a Python that has it",
    ),
    CauseRule(
        r"operator torchvision::\w+ does not exist|torchvision\W.{0,80}undefined symbol"
        r"|(?:PyTorch|torch) and torchvision (?:were compiled|have been compiled|have different)",
        "torch and torchvision in the serving interpreter do not belong together",
        f"install the pair that this vLLM pins, or {MAKES_VLLM}",
    ),
    CauseRule(
        r"error: unrecognized arguments: (?P<flags>.+)",
        "this vLLM does not know the flag {flags}",
        "correct or remove it in serve.args (--serve-arg); the command below with --help=all lists all",
    ),
    CauseRule(
        r"error: (?P<what>argument .+)",
        "vLLM does not accept a flag's value: {what}",
        "correct it in serve.args (--serve-arg)",
    ),
    CauseRule(
        r"No space left on device|\[Errno 28\]",
        "the disk is full",
        "make room, or move the caches: HF_HOME for models, VLLM_CACHE_ROOT for what vLLM compiles",
    ),
    CauseRule(
        r"contains custom code which must be executed|consider setting\s+`trust_remote_code=True`"
        r"|requires you to execute the \w+ file",
        "the model's repository brings its own Python code, which is not executed unless you allow it",
        "read that code, then allow it with --trust-remote-code",
    ),
    CauseRule(
        r"You are trying to access a gated repo|GatedRepoError|Cannot access gated repo"
        r"|Access to model (?P<name>\S+) is restricted",
        "the model is gated: its owner has not let this account in, or no token is set",
        "accept the terms on the model's page, then set HF_TOKEN or run `hf auth login`",
    ),
    CauseRule(
        r"401 Client Error|403 Client Error|Invalid user token|401 Unauthorized",
        "the hub refuses access to the model",
        "check the name, and set a token that may read it (HF_TOKEN or `hf auth login`)",
    ),
    CauseRule(
        r"outgoing traffic has been disabled|LocalEntryNotFoundError|OfflineModeIsEnabled"
        r"|couldn't connect to '?https?://\S+ to load",
        "the model is not in the local cache, and the hub cannot be reached",
        "download it while online (hf download NAME), unset HF_HUB_OFFLINE, or name a local folder",
    ),
    CauseRule(
        r"RepositoryNotFoundError|is not a local folder and is not a valid model identifier|Repo id must be in the form"
        r"|404 Client Error|Repository Not Found",
        "there is no such model, neither as a folder nor on the hub",
        "check the spelling; a local model is named by its folder",
    ),
    CauseRule(
        r"the config file at '(?P<file>[^']+)' is not a valid JSON file",
        "{file} is not valid JSON",
        _DAMAGED,
    ),
    CauseRule(
        r"Model architectures? (?P<names>\[[^\]]*\]|\w+) (?:are not supported for now|(?:was|is) .{0,60}not supported)",
        "this vLLM does not support the model's architecture {names}",
        "serve with a vLLM that does (--vllm RELEASE), or correct `architectures` in the model's config.json",
    ),
    CauseRule(
        r"model type `(?P<name>[^`]+)` but Transformers does not recognize",
        "transformers in the serving interpreter does not know the model type {name}",
        "install a newer transformers there, or correct `model_type` in the model's config.json",
    ),
    CauseRule(
        r"max_model_len \((?P<asked>\d+)\) is greater than the derived max_model_len \([^=)]*=(?P<context>\d+)",
        "max-model-len {asked} is more than the model's context of {context} tokens",
        "lower it: --serve-arg max-model-len={context}",
    ),
    CauseRule(
        r"Unknown quantization method: (?P<name>[\w-]+)",
        "this vLLM does not know the quantization method {name}",
        "remove `quantization` from serve.args (vLLM reads it from the model's config.json), or serve with a vLLM "
        "that has it",
    ),
    CauseRule(
        r"(?P<name>[\w-]+) quantization is currently not supported in (?P<device>[\w -]+)",
        "the quantization {name} is not supported on this device ({device})",
        "serve on a device that supports it, or compare another scheme",
    ),
    CauseRule(
        r"quantization method (?P<name>\S+)\s+is not supported for the current GPU"
        r"|Quantization scheme is not supported for\W+the current GPU",
        "the model's quantization is not supported on this GPU",
        "serve on a newer GPU, or compare another scheme: FP8 wants compute capability 8.9, INT8 7.5, FP4 10.0",
    ),
    CauseRule(
        r"(?P<dtype>torch\.\w+) is not supported for quantization method (?P<name>[\w-]+)",
        "the quantization {name} does not work with dtype {dtype}",
        "set another dtype for all models: --serve-arg dtype=bfloat16",
    ),
    CauseRule(
        r"Bfloat16 is only supported on GPUs",
        "this GPU cannot compute in bfloat16",
        "set --serve-arg dtype=float16 for all models",
    ),
    CauseRule(
        r"Free memory on device \S* ?\((?P<free>[\d.]+)/(?P<total>[\d.]+) GiB\) on startup\s+is less than desired",
        "the GPU has {free} of {total} GiB free, less than gpu-memory-utilization asks for",
        "see with nvidia-smi who holds the rest and end it, or lower --serve-arg gpu-memory-utilization",
    ),
    CauseRule(
        r"is less than desired CPU memory utilization|is less than requested memory for kv",
        "there is too little free memory for the KV cache",
        _CPU_MEMORY,
    ),
    CauseRule(
        r"model's max seq len \((?P<asked>\d+)\).{0,300}?estimated maximum model length is (?P<possible>\d+)",
        "the KV cache is too small for max-model-len {asked}; {possible} would fit",
        "lower it for all models (--serve-arg max-model-len={possible}), or give the cache more: a higher "
        "gpu-memory-utilization, more GPUs; on a CPU a larger VLLM_CPU_KVCACHE_SPACE",
    ),
    CauseRule(
        r"No available memory for the cache blocks|model's max seq len \(\d+\)"
        r"|larger than the maximum number of tokens that can be stored in KV cache",
        "no memory is left for the KV cache beside the model",
        "lower --serve-arg max-model-len, or give the cache more: a higher gpu-memory-utilization, more GPUs; on a CPU "
        "a larger VLLM_CPU_KVCACHE_SPACE",
    ),
    CauseRule(
        r"CUDA out of memory|torch\.(?:cuda\.)?OutOfMemoryError|CUDA error: out of memory|CUBLAS_STATUS_ALLOC_FAILED"
        r"|cudaErrorMemoryAllocation",
        "the GPU ran out of memory",
        _LESS_MEMORY,
    ),
    CauseRule(
        r"Failed to infer device type|No CUDA GPUs are available|Found no NVIDIA driver|libcuda\.so\.1: cannot open",
        "this build of vLLM found no GPU",
        f"serve on a machine with one, or with the CPU build: {MAKES_VLLM}",
    ),
    CauseRule(
        r"no kernel image is available for execution|CUDA driver version is insufficient",
        "this build of vLLM does not fit the GPU or its driver",
        "update the driver, or serve with a vLLM built for this GPU (--vllm RELEASE, --vllm-python)",
    ),
    CauseRule(
        r"must be divisible by tensor parallel size \((?P<degree>\d+)\)",
        "the model's attention heads cannot be split over {degree} GPUs",
        "choose a tensor-parallel-size that divides them",
    ),
    CauseRule(
        r"\[Errno (?:98|48)\]",
        "another process took the port before the server could",
        "run the same command again: a free port is looked for each time",
    ),
    CauseRule(
        r"Cannot find any model weights with `(?P<place>[^`]+)`",
        "{place} has no weights that vLLM can read",
        "name a folder with *.safetensors files; " + _DAMAGED,
    ),
    CauseRule(
        r"SafetensorError|Error while deserializing header|PytorchStreamReader failed|incomplete metadata",
        "a weights file of the model is damaged",
        _DAMAGED,
    ),
    CauseRule(
        r"There is no module or parameter named '|Following weights were not initialized from checkpoint",
        "the model's weights do not have the names that its architecture wants",
        "check that config.json belongs to these weights, or serve with another vLLM (--vllm RELEASE)",
    ),
    CauseRule(
        r"Couldn't instantiate the backend tokenizer|Can't load tokenizer for|Failed to load the tokenizer",
        "the model's tokenizer cannot be loaded",
        "check that tokenizer.json and tokenizer_config.json lie in the model's folder",
    ),
    CauseRule(
        r"Can't load (?:image|feature) processor|processor_config\.json.{0,80}(?:not found|does not|missing)",
        "the model's image processor cannot be loaded",
        "save the processor beside the model (processor.save_pretrained)",
    ),
    CauseRule(
        r"\[Errno 24\]|Too many open files(?!`)",
        "the server may not open enough files",
        "raise the limit: ulimit -n 65536",
    ),
    CauseRule(
        r"\[Errno 12\]|Cannot allocate memory|^MemoryError|std::bad_alloc|can't allocate memory",
        "the system gave a process of the server no memory",
        KILLED_FIX,
    ),
    CauseRule(
        r"Out of memory: Killed process|[Mm]emory cgroup out of memory|oom-kill|oom_reaper",
        "the system killed a process of the server for want of memory",
        KILLED_FIX,
    ),
    CauseRule(
        r"insufficient shared memory|/dev/shm\b.{0,80}(?:full|space|size)|\bSIGBUS\b|Bus error",
        "there is too little shared memory (/dev/shm)",
        "give the container more: --shm-size=8g, or --ipc=host",
    ),
    CauseRule(
        r"(?:No working C\+\+ compiler|InvalidCxxCompiler|CppCompileError|C\+\+ compile error|Failed to find C compiler"
        r"|No such file or directory: '?[\w/.-]*(?:g\+\+|gcc|clang\+\+?|cc)\b|Python\.h: No such file)",
        "torch.compile could not compile: the machine has no C++ compiler, or not the headers of this Python",
        "install them (Debian: g++ and python3-dev), or serve without compiling: --serve-arg enforce-eager=true",
    ),
    CauseRule(
        r"Could not find nvcc|nvcc: not found|nvcc fatal|Ninja is required|No such file or directory: 'ninja'"
        r"|CUDA_HOME environment variable is not set",
        "a kernel has to be compiled, and the tools for it are missing (nvcc, ninja)",
        "install the CUDA toolkit of the torch build and ninja, and set CUDA_HOME; or choose another kernel with "
        "VLLM_ATTENTION_BACKEND or its flag",
    ),
    CauseRule(
        r"NCCL error|ncclUnhandledCudaError|ncclSystemError|ncclInternalError|ncclRemoteError|ncclInvalidUsage"
        r"|DistBackendError",
        "the GPUs of the server cannot talk to each other (NCCL)",
        "see why with --serve-env NCCL_DEBUG=INFO; often /dev/shm is too small, or NCCL_P2P_DISABLE=1 helps; or serve "
        "on one GPU",
    ),
    CauseRule(
        r"device-side assert triggered",
        "a GPU kernel refused its input (a device-side assertion): mostly an index beyond a table, as a token or "
        "position that the model does not have",
        "serve with --serve-env CUDA_LAUNCH_BLOCKING=1 to see which; check vocab_size and max_position_embeddings",
    ),
    CauseRule(
        r"CUDA error: (?P<what>(?:an )?illegal memory access|misaligned address|illegal instruction|unspecified launch"
        r" failure|uncorrectable ECC error|an illegal instruction)[^\n]*",
        "a GPU kernel failed: {what}",
        "try --serve-arg enforce-eager=true, another vLLM (--vllm-python) or another GPU; look for Xid lines in dmesg",
    ),
    CauseRule(
        r"version `(?P<what>GLIBC\w*_[\d.]+)' not found",
        "this build wants a newer system library ({what})",
        "serve on a newer system, or with a vLLM built for this one (--vllm-python)",
    ),
    CauseRule(
        r"(?P<what>lib[\w+.-]+\.so[\w.]*): cannot open shared object file",
        "a library that the serving interpreter needs is not installed: {what}",
        _OTHER_LIBRARIES,
    ),
    CauseRule(
        r"^(?P<what>(?:ImportError|ModuleNotFoundError): [^\n]*|\w+: [^\n]*undefined symbol[^\n]*)",
        "the libraries of the serving interpreter do not fit each other: {what}",
        _OTHER_LIBRARIES,
    ),
    CauseRule(
        r"untagged enum|tokenizer\.json[^\n]*(?:not valid|expected)|(?:expected|EOF)[^\n]*at line \d+ column \d+"
        r"|sentencepiece[^\n]*(?:parse|not installed|required)",
        "the model's tokenizer cannot be read: it is damaged, or made for newer libraries",
        "copy the tokenizer's files again, or install newer `tokenizers` and `transformers` there",
    ),
)
