"""The cause of a death, not the last line: excerpts of real logs of vLLM 0.32, as servers wrote them."""

from pathlib import Path

import pytest

from evalkit.serve import classify

LOGS = Path(__file__).with_name("logs")
HEALTHY = Path(__file__).with_name("healthy_log.txt").read_text()
MEMORY = ("out of memory", "no memory", "signal 9")

# Name of the log -> words of the reason, and of the way out.
DEATHS = {
    "amx_int8_float32": (["expect A to be bfloat16 or half", "float32"], "--serve-arg dtype=bfloat16"),
    "engine_died_on_first_picture": (["processor_config.json", "vision_config", "1200", "154"], "patch_size"),
    "import_error": (["ImportError: cannot import name 'PixtralRotaryEmbedding'"], "--vllm-python"),
    "hidden_size": (["does not fit", "(288) must match the size of tensor b (256)"], "config.json"),
    "head_dim": (["does not fit", "exceeds dimension size (128)"], "config.json"),
    "unknown_tensor": (["do not have the names"], "config.json"),
    "missing_program": (["lscpu", "status 127"], "read the log"),
    "weight_loader_assertion": (["vocabulary size disagrees", "config.json", "org_vocab_size"], "config.json"),
}


@pytest.mark.parametrize("name", DEATHS)
@pytest.mark.parametrize("code", [1, None])
def test_a_real_log_ends_in_its_cause_and_in_the_way_out(name, code):
    words, fix = DEATHS[name]
    log = (LOGS / f"{name}.log").read_text()
    for text in (log, HEALTHY + log, log.replace("\n", "\r\n")):
        found = classify(text, code)
        assert all(word in found.reason for word in words), found.reason
        assert fix in found.fix
        assert found.quote in log
        assert found.quote
        assert not any(word in found.reason for word in MEMORY)
        assert found.reason.isprintable()


def died(*lines, process="EngineCore", level="ERROR"):
    """Lines as vLLM's logger writes them."""
    front = f"({process} pid=77) " + (f"{level} 11-26 18:30:10 [core.py:1330] " if level else "")
    return "".join(f"{front}{line}\n" for line in lines)


TRACE = ("Traceback (most recent call last):", '  File "site-packages/vllm/x.py", line 7, in go', "    jam(it)")
HOLLOW = died(
    *TRACE[:2],
    "RuntimeError: Engine core initialization failed. See root cause above. Failed core proc(s): {}",
    process="APIServer",
    level="",
)


def test_the_process_that_failed_first_is_asked_not_the_one_that_complains():
    log = died(*TRACE, "RuntimeError: the frobnicator jammed", process="Worker_TP0")
    log += died(*TRACE, "ValueError: a worker is gone", process="EngineCore") + HOLLOW
    assert classify(log, 1).reason == "RuntimeError: the frobnicator jammed"


def test_the_root_of_a_chain_is_the_cause():
    log = died(
        *TRACE, "FooError: at the root", "", "The above exception was the direct cause of the following exception:"
    )
    log += died("", *TRACE, "BarError: at the top") + HOLLOW
    assert classify(log, 1).reason == "FooError: at the root"


def test_an_exception_without_words_is_told_with_the_code_that_raised_it():
    log = died(*TRACE[:2], "    assert left == right", "           ^^^^^^^^^^^^^", "AssertionError") + HOLLOW
    assert classify(log, 1).reason == "AssertionError at `assert left == right` (go in x.py, line 7)"


@pytest.mark.parametrize(
    "name", ["KeyError: 'q'", "foo.exc.BackendCompilerFailed: backend='inductor' raised", "jammed"]
)
def test_whatever_ends_a_traceback_is_an_exception(name):
    found = classify(died(*TRACE, name) + HOLLOW, 1).reason
    assert found.startswith(name.rpartition(".")[2] if "." in name else name)


def test_what_was_only_warned_of_is_no_cause():
    log = died(*TRACE, "ImportError: an optional kernel is missing", level="WARNING")
    log += died(*TRACE, "RuntimeError: the frobnicator jammed") + HOLLOW
    assert classify(log, 1).reason == "RuntimeError: the frobnicator jammed"


def test_an_error_of_one_request_is_not_the_cause_of_a_later_death():
    asked = died(*TRACE, "ValueError: a prompt that is too long", process="APIServer")
    page = died(
        "ERROR:    Exception in ASGI application", *TRACE, "TypeError: odd request", process="APIServer", level=""
    )
    alive = died("INFO:     Application startup complete.", process="APIServer", level="")
    log = alive + asked + page + died(*TRACE, "RuntimeError: the frobnicator jammed") + HOLLOW
    assert classify(log, 1).reason == "RuntimeError: the frobnicator jammed"
    assert "signal 9" in classify(alive + asked + page, -9).reason


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        ("torch.OutOfMemoryError: CUDA out of memory. Tried to allocate 2 GiB.", "GPU ran out of memory"),
        ("MemoryError", "no memory"),
        ("OSError: [Errno 12] Cannot allocate memory", "no memory"),
    ],
)
def test_memory_is_blamed_where_the_system_or_cuda_says_so(words, reason):
    assert reason in classify(died(*TRACE, words) + HOLLOW, 1).reason


@pytest.mark.parametrize("gone", [HOLLOW, "\nprocess 7 died unexpectedly\n"])
def test_memory_is_not_blamed_for_a_silent_end(gone):
    found = classify(HEALTHY + gone, 1)
    assert not any(word in found.reason for word in MEMORY)


@pytest.mark.parametrize(
    ("words", "reason", "fix"),
    [
        ("torch._inductor.exc.InductorError: InvalidCxxCompiler: No working C++ compiler found", "compiler", "g++"),
        ("torch.distributed.DistBackendError: NCCL error in: ProcessGroupNCCL.cpp:1, unhandled", "NCCL", "NCCL_DEBUG"),
        (
            "torch.AcceleratorError: CUDA error: device-side assert triggered",
            "device-side assert",
            "CUDA_LAUNCH_BLOCKING",
        ),
        (
            "RuntimeError: CUDA error: an illegal memory access was encountered",
            "illegal memory access",
            "enforce-eager",
        ),
        (
            "ImportError: libcudart.so.13: cannot open shared object file: No such file",
            "libcudart.so.13",
            "--vllm-python",
        ),
        ("ImportError: /x/y.so: undefined symbol: _ZN3c10", "undefined symbol: _ZN3c10", "--vllm-python"),
        ("ModuleNotFoundError: No module named 'timm'", "No module named 'timm'", "--vllm-python"),
    ],
)
def test_faults_of_a_machine_and_its_libraries_have_names(words, reason, fix):
    found = classify(HEALTHY.replace("startup complete", "starting") + died(*TRACE, words) + HOLLOW, 1)
    assert reason in found.reason
    assert fix in found.fix
    assert not any(word in found.reason for word in MEMORY)


def test_a_tensor_without_a_place_is_named():
    lines = (
        '  File "site-packages/vllm/mistral.py", line 7, in load_weights',
        "    param = params[name]",
        "KeyError: 'layers.9.w'",
    )
    found = classify(died(TRACE[0], *lines) + HOLLOW, 1)
    assert "no place for: 'layers.9.w'" in found.reason


def test_what_only_a_terminal_understands_is_not_shown():
    log = died(*TRACE, "FooError: 86%\r100% \x1b[31mred\x1b[0m \x1b]0;title\x07and \x08more") + HOLLOW
    found = classify(log, 1)
    assert found.reason == "FooError: 86%"
    log = died(*TRACE, "FooError: \x1b[31mred\x1b[0m \x1b]0;title\x07and \x08more") + HOLLOW
    assert classify(log, 1).reason == "FooError: red and \N{REPLACEMENT CHARACTER}more"


def test_a_worker_that_was_killed_from_outside_is_not_blamed_on_memory():
    found = classify((LOGS / "killed_worker.log").read_text(), 0)
    assert "left no reason in the log" in found.reason


def test_what_follows_from_something_else_is_the_cause_where_nothing_else_is():
    weak = died(*TRACE, "subprocess.CalledProcessError: Command 'x' returned non-zero exit status 127.")
    assert classify(weak + HOLLOW, 1).reason.startswith("CalledProcessError: Command 'x'")
    assert classify(weak + died(*TRACE, "FooError: jammed") + HOLLOW, 1).reason == "FooError: jammed"
    inspected = "ValidationError: 1 validation error for ModelConfig"
    lines = (*TRACE, inspected, "  Value error, Model architectures ['X'] failed to be inspected. [type=value_error]")
    found = classify(died(*lines, process="APIServer", level=""), 1)
    assert found.reason == "ValidationError: Model architectures ['X'] failed to be inspected."
