"""Plays ``vllm bench serve``: its arguments, and its detailed result of queries that nobody sends."""

import json
import os
import time
from pathlib import Path

TEXTS = (
    *("backend", "endpoint", "base-url", "model", "served-model-name", "dataset-name", "random-range-ratio"),
    *("random-mm-num-mm-items-range-ratio", "random-mm-limit-mm-per-prompt", "random-mm-bucket-config"),
    *("request-rate", "temperature", "result-filename"),
)
NUMBERS = (
    *("random-input-len", "random-prefix-len", "random-output-len", "random-mm-base-items-per-request"),
    *("num-prompts", "max-concurrency", "seed"),
)
SWITCHES = ("ignore-eos", "save-result", "save-detailed", "trust-remote-code")


def add_cli_args(parser):
    for name in TEXTS:
        parser.add_argument(f"--{name}")
    for name in NUMBERS:
        parser.add_argument(f"--{name}", type=int, default=0)
    for name in SWITCHES:
        parser.add_argument(f"--{name}", action="store_true")


def main(args):
    play = json.loads(os.environ.get("FAKE_VLLM_BENCH", "{}"))
    assert args.ignore_eos
    assert args.save_detailed
    assert args.request_rate == "inf"
    assert args.random_input_len + args.random_prefix_len > 0, "--random-input-len is too small"
    count, failed, many = args.num_prompts, play.get("fail", 0), args.max_concurrency
    print(f"\r 50%|#####     | {count // 2}/{count} [00:01<00:01,  2.0it/s]", flush=True)
    latency, began = play.get("latency_s", 0.25), time.perf_counter()
    alive = [at >= failed for at in range(count)]
    # Without this key it is a release before 0.32.
    latencies = {"latencies": [latency if one else 0.0 for one in alive]} if play.get("latencies", True) else {}
    result = {
        **latencies,
        "request_throughput": (count - failed) / (latency * max(1, count / many)),
        "start_times": [began + at // many * latency if one else 0.0 for at, one in enumerate(alive)],
        "input_lens": [args.random_input_len + 200] * count,
        "output_lens": [args.random_output_len if one else 0 for one in alive],
        "ttfts": [latency / 5 if one else 0.0 for one in alive],
        "itls": [[latency / 5] * 4 if one else [] for one in alive],
        "errors": ["" if one else "Traceback ...\nValueError: the server said no" for one in alive],
    }
    Path(args.result_filename).write_text(json.dumps(result))
