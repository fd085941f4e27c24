"""A stand-in for vLLM that answers MMLU and HumanEval requests, as a program; see ``servers``.

It speaks ``/v1/completions`` with token ids (log-probabilities of chosen ids, echo, several attempts), ``/tokenize``
and ``/detokenize`` with the tokenizer in the model's folder. What it says depends on the model's name and the prompt
alone:

- the likelihood of a token is made from a digest of the name and of the tokens before it;
- a program is the problem's own solution where ``is_right`` says so, and otherwise a wrong one. With ``--mixed``, every
  third attempt of a request is the other kind.

The journal has a line for each completion request as it comes in (``fast``, or ``salted`` where such a one keeps the
prefix cache out, ``echo`` or ``program``, then what is asked: digests of the prompts, or the function's name and the
attempts), and ``MET`` where requests with chosen ids and with echo were here at once.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import signal
import sys
from collections import Counter
from hashlib import sha256
from pathlib import Path
from typing import Any

import jinja2
from tokenizers import Tokenizer

from evalkit import testing
from support import servers


def likelihood(name: str, ids: list[int], token: int) -> float:
    """What the model thinks of ``token`` after ``ids``: a natural logarithm from -5 to -1."""
    return -1 - int.from_bytes(sha256(f"{name} {ids} {token}".encode()).digest()[:4], "big") / 2**30


def is_right(name: str, function: str) -> bool:
    """Whether the model solves the problem of that function."""
    return sha256(f"{name} does {function}".encode()).digest()[0] % 3 > 0


def prompt_digest(ids: list[int]) -> str:
    return sha256(json.dumps(ids).encode()).hexdigest()[:12]


def is_one_in(count: int, ids: list[int]) -> bool:
    """Whether a prompt is one of those that trouble is made for; 0 for none."""
    return count > 0 and int(prompt_digest(ids), 16) % count == 0


class TextServer(testing.ModelServer):
    """The server; ``options`` are those of ``arguments``."""

    options: argparse.Namespace

    def __init__(self, *words: Any, **more: Any) -> None:
        super().__init__(*words, **more)
        folder = Path(self.options.model)
        self.tokenizer = Tokenizer.from_file(str(folder / self.options.tokens))
        self.template = jinja2.Environment(trim_blocks=True, lstrip_blocks=True, autoescape=False).from_string(
            (folder / "chat_template.jinja").read_text(encoding="utf-8")
        )
        lines = Path(self.options.problems).read_text(encoding="utf-8").splitlines()
        self.problems = [json.loads(line) for line in lines]
        self.under_way: Counter[str] = Counter()
        self.count = 0
        self.batches = 0
        """Requests for chosen ids so far that may read the prefix cache: the first is the rehearsal's."""

    async def other(self, path: str, body: bytes) -> testing.Reply:
        answer = {"/tokenize": self._tokenize, "/detokenize": self._detokenize}.get(path)
        if answer:
            return answer(json.loads(body))
        if path == "/v1/completions":
            return await self._complete(json.loads(body))
        return await super().other(path, body)

    def _tokenize(self, said: dict[str, Any]) -> testing.Reply:
        if "messages" not in said:
            ids = self.tokenizer.encode(said["prompt"], add_special_tokens=said["add_special_tokens"]).ids
            return testing.as_json({"tokens": ids})
        text = self.template.render(messages=said["messages"], bos_token="<s>", eos_token="</s>")
        if said["continue_final_message"]:
            last = said["messages"][-1]["content"]
            text = text[: text.rindex(last) + len(last)]
        return testing.as_json({"tokens": self.tokenizer.encode(text, add_special_tokens=False).ids})

    def _detokenize(self, said: dict[str, Any]) -> testing.Reply:
        return testing.as_json({"prompt": self._text(said["tokens"])})

    def _text(self, ids: list[int]) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=False)

    async def _complete(self, said: dict[str, Any]) -> testing.Reply:
        kind = "fast" if "logprob_token_ids" in said else "echo" if said.get("echo") else "program"
        answer = {"fast": self._fast, "echo": self._echo, "program": self._program}[kind]
        salted = "cache_salt" in said
        self.batches += kind == "fast" and not salted
        self.under_way[kind] += 1
        if self.under_way["fast"] and self.under_way["echo"]:
            self._write("MET")
        try:
            self._write("salted" if salted else kind, *self._asked(kind, said))
            self._perhaps_die()
            await asyncio.sleep(self.delay_s)
            if self.options.mute:
                await asyncio.Event().wait()
            if self.batches > 1 and any(is_one_in(self.options.refuse, ids) for ids in self._contexts(kind, said)):
                return testing.error(400, "this prompt cannot be taken")
            return testing.as_json({"model": self.model, "choices": answer(said), "usage": {"prompt_tokens": 9}})
        finally:
            self.under_way[kind] -= 1

    def _asked(self, kind: str, said: dict[str, Any]) -> list[str]:
        if kind == "program":
            return [self._problem(said)["entry_point"], str(said.get("n", 1))]
        return [prompt_digest(ids) for ids in self._contexts(kind, said)]

    def _contexts(self, kind: str, said: dict[str, Any]) -> list[list[int]]:
        """The prompts, without the choices."""
        if kind == "program":
            return [said["prompt"]]
        return [said["prompt"][0][:-1]] if kind == "echo" else said["prompt"]

    def _write(self, *words: str) -> None:
        with Path(self.options.journal).open("a", encoding="utf-8") as journal:
            journal.write(" ".join(words) + "\n")

    def _perhaps_die(self) -> None:
        self.count += 1
        if self.count == self.options.die_after:
            os.kill(os.getpid(), signal.SIGKILL)

    def _fast(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        return [{"index": at, "logprobs": self._chosen(said, ids)} for at, ids in enumerate(said["prompt"])]

    def _chosen(self, said: dict[str, Any], ids: list[int]) -> dict[str, Any]:
        if self.options.ignore_ids:
            # An older vLLM does not know the field: it says what it wrote, and nothing of the choices.
            return {"token_logprobs": [-0.5], "top_logprobs": [{"token_id:7": -0.5}]}
        top = {f"token_id:{one}": likelihood(self.model, ids, one) for one in said["logprob_token_ids"]}
        if self.batches > 1 and is_one_in(self.options.overwrite, ids):
            top[f"token_id:{said['logprob_token_ids'][2]}"] = -9999.0
        return {"token_logprobs": [-0.9], "top_logprobs": [top]}

    def _echo(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        found = []
        for at, ids in enumerate(said["prompt"]):
            # Only the last token is a continuation's: nobody reads what the others have.
            values = [None, *[-1.0] * (len(ids) - 2), likelihood(self.model, ids[:-1], ids[-1])]
            top = [value and {"a": value, "b": -0.9} for value in values]
            logprobs = {"token_logprobs": [*values, -0.5], "top_logprobs": [*top, {"x": -0.5}]}
            found.append({"index": at, "logprobs": logprobs})
        return found

    def _problem(self, said: dict[str, Any]) -> dict[str, Any]:
        text = self._text(said["prompt"])
        (found,) = [one for one in self.problems if f"def {one['entry_point']}(" in text]
        return found

    def _program(self, said: dict[str, Any]) -> list[dict[str, Any]]:
        problem = self._problem(said)
        right = is_right(self.model, problem["entry_point"])
        choices = []
        for at in range(said.get("n", 1)):
            solves = right != (self.options.mixed and at % 3 == 0)
            body = problem["canonical_solution"] if solves else "    return 'wrong'\n"
            text = f"{problem['prompt']}{body}\n```\n"
            choices.append({"index": at, "text": text, "finish_reason": "stop", "token_ids": [1] * 20})
        return choices


def arguments(words: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--problems", required=True, help="HumanEval's problems, with their solutions")
    parser.add_argument("--tokens", default="tokenizer.json", help="file of the tokenizer in the model's folder")
    parser.add_argument("--mute", action="store_true", help="take completion requests and never answer one")
    parser.add_argument("--mixed", action="store_true", help="attempts at one problem differ")
    parser.add_argument("--ignore-ids", action="store_true", help="do not know logprob_token_ids")
    parser.add_argument("--overwrite", type=int, default=0, help="one prompt in so many has -9999 for a choice")
    parser.add_argument("--refuse", type=int, default=0, help="400 for one prompt in so many, after the rehearsal")
    own, rest = parser.parse_known_args(words)
    return argparse.Namespace(**{**vars(servers.arguments(rest)), **vars(own)})


def main(words: list[str]) -> int:
    TextServer.options = options = arguments(words)
    # A program's journal is written by the server itself, and it dies by its own count.
    common = argparse.Namespace(**{**vars(options), "journal": None, "die_after": 0})
    asyncio.run(servers.serve(common, TextServer))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
