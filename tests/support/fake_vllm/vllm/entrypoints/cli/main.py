"""Stands where ``vllm serve MODEL`` would stand: the same server, its model named without a flag."""

import sys

word, model, *rest = sys.argv[1:]
assert word == "serve", sys.argv
sys.argv[1:] = ["--model", model, *rest]

from vllm.entrypoints.openai import api_server  # noqa: E402, F401 - it serves when it is imported
