from hypothesis import given
from hypothesis import strategies as st

from evalkit.serve.stages import stage

LINES = [
    ("(APIServer pid=7) INFO 11-23 10:40:58 [model.py:733] Resolved architecture: Llava", ("starting", "")),
    ("Fetching 5 files:  20%|##        | 1/5 [00:04<00:16]", ("downloading", "20 %")),
    (
        "(Worker pid=9) INFO 11-23 10:41:58 [cpu_model_runner.py:68] Starting to load model m...",
        ("loading weights", ""),
    ),
    ("\rLoading safetensors checkpoint shards:   0% Completed | 0/3 [00:00<?, ?it/s]", ("loading weights", "0 %")),
    ("\rLoading safetensors checkpoint shards:  67% Completed | 2/3 [00:01<00:00]", ("loading weights", "67 %")),
    (
        "(Worker pid=9) INFO 11-23 10:41:58 [default_loader.py:501] Loading weights took 0.01 seconds",
        ("warming up", ""),
    ),
    (
        "(Worker pid=9) INFO 11-23 10:41:59 [cpu_model_runner.py:87] Warming up model for the compilation...",
        ("warming up", ""),
    ),
    ("\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):  33%|###  | 17/51", ("capturing graphs", "33 %")),
    (
        "(EngineCore pid=8) INFO [core.py:402] init engine (profile, create kv cache, warmup model) took 33.03 s",
        ("opening the port", ""),
    ),
]


def test_a_start_goes_through_its_stages():
    log = ""
    for line, reached in LINES:
        log += line + "\n"
        assert stage(log) == reached


@given(st.text())
def test_any_text_is_some_stage(text):
    state, _ = stage(text)
    assert state
