"""A stand-in that answers chats, plain prompts and echo requests by a digest of what it reads; stock lm-eval beside it.

What it says depends on the text of the messages (or the ids of the prompt) alone, so that lm-eval's own client and
evalkit get the same answers to the same questions, however else their requests differ.
"""

import json
import re
from hashlib import sha256
from pathlib import Path

import yaml
from lm_eval import simple_evaluate
from lm_eval.api.registry import get_model
from lm_eval.tasks import TaskManager
from transformers import AutoTokenizer

import evalkit
from evalkit.tasks.lm_eval import files as known

TOKENIZER = Path(evalkit.__file__).parent / "demo/models/baseline"
MODEL = "tiny"
LONGEST = 4096
_TOKENIZER = AutoTokenizer.from_pretrained(str(TOKENIZER))


def number(*words):
    return int.from_bytes(sha256(json.dumps(words).encode()).digest()[:4], "big")


def text_for(prompt):
    """An answer in the form that the task's filters look for: right, or not, by a digest of the prompt."""
    seen, last = number(prompt), prompt[-400:]
    right = seen % 2
    count = int((re.findall(r"number (\d+)", last) or ["0"])[-1])
    if "letter" in last:
        letters = "AB" if "a circle" in last else "ABCD"
        return f"Step by step. The answer is ({letters[(count + 1 - right) % len(letters)]})."
    if "not (" in last:
        return f"So the answer is {('not ( True )' in last) != bool(right)}."
    if "Write about" in last:
        return ["all lower case, because", "no comma at all", "because i say so", "Short"][seen % 4]
    if "<image>" in last:
        return "AB"[(count + 1 - right) % 2]
    added = [int(one) for one in re.findall(r"What is (\d+) \+", last)][-1]
    if "+ 1?" in last:
        return f"It is ${added + right}$."
    return f"Let me see.\n#### {2 * added + 1 - right}" if seen % 3 else f"I say {2 * added + 1 - right}"


def likelihood(ids, token):
    return -1 - number(ids, token) / 2**30


def answer(path, said):
    """What the server sends."""
    if path == "/v1/chat/completions":
        written = text_for(_words(said["messages"]))
        choices = [{"index": 0, "message": {"role": "assistant", "content": written}, "finish_reason": "stop"}]
    else:
        prompts = said["prompt"] if isinstance(said["prompt"][0], list) else [said["prompt"]]
        make = _echoed if said.get("echo") else _gone_on
        choices = [{"index": at, "finish_reason": "stop", **make(ids)} for at, ids in enumerate(prompts)]
    usage = {"prompt_tokens": 5, "completion_tokens": 7}
    return 200, json.dumps({"model": said["model"], "choices": choices, "usage": usage}).encode()


def _words(messages):
    found = []
    for message in messages:
        parts = message["content"]
        found += map(_word, [{"text": parts}] if isinstance(parts, str) else parts)
    return "\n".join(found)


def _word(part):
    return part["text"] if "text" in part else sha256(part["image_url"]["url"].encode()).hexdigest()


def _gone_on(ids):
    return {"text": text_for(_TOKENIZER.decode(ids))}


def _echoed(ids):
    values = [None, *(likelihood(ids[:at], ids[at]) for at in range(1, len(ids))), -0.5]
    # A token in three is the likeliest in its place.
    top = [
        value and {"own": value, "other": value + (-1 if number(at, value) % 3 == 0 else 0.5)}
        for at, value in enumerate(values)
    ]
    return {"logprobs": {"token_logprobs": values, "top_logprobs": top}}


def stock_task(folder, name, splits):
    """Write the file by which lm-eval reads a task's rows from the files of ``splits``."""
    files = {split: [str(path)] for split, path in splits.items()}
    kind = "parquet" if next(iter(splits.values())).suffix == ".parquet" else "json"
    said = {
        "include": str(known.find(name).path),
        "task": name,
        "dataset_path": kind,
        "dataset_name": None,
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "arrow")},
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "task.yaml").write_text(yaml.safe_dump(said))


def stock_model(url, model, tokenizer, longest, *, chat, images=False, at_once=2):
    """lm-eval's own client for a server."""
    args = {"model": model, "num_concurrent": at_once, "max_retries": 1}
    if chat:
        kind = "local-chat-completions"
        args |= {"base_url": f"{url}/v1/chat/completions", **({"max_images": 9} if images else {})}
    else:
        kind = "local-completions"
        tokens = {"tokenizer": str(tokenizer), "tokenizer_backend": "huggingface", "add_bos_token": True}
        args |= {"base_url": f"{url}/v1/completions", "max_length": longest, **tokens}
    return get_model(kind)(**args)


def stock(folder, name, splits, url, *, chat, images=False, **more):
    """What lm-eval itself makes of a task over the files of ``splits``: its metrics by name."""
    stock_task(folder, name, splits)
    found = evaluated(folder, name, url, chat=chat, images=images, **more)[name]
    return {key.removesuffix(",none"): value for key, value in found.items() if "stderr" not in key and "," in key}


def evaluated(folder, name, url, *, chat=False, images=False, **more):
    """What lm-eval itself makes of a task or group of a folder's files: of it and of all its tasks."""
    return simple_evaluate(
        model=stock_model(url, MODEL, TOKENIZER, LONGEST, chat=chat, images=images),
        tasks=[name],
        task_manager=TaskManager(include_path=str(folder), include_defaults=False),
        apply_chat_template=chat,
        fewshot_as_multiturn=chat,
        bootstrap_iters=0,
        log_samples=False,
        **more,
    )["results"]
