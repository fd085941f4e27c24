"""What is asked of a chat model and of a base model, and where an answer ends.

The texts are evalplus's own: they are read from the package that is installed and compared by digest with those of the
published commands. A chat model continues an answer whose code block is already open.
"""

from __future__ import annotations

import ast
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import PromptError
from evalkit.base.identity import digest
from evalkit.harnesses.evalplus import installed

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

TEXTS_SHA256: Final = {
    "humaneval": "e5fb550bdf79dcf18cbf732fa7c7d73ebaca3315bb92591e536aecbef99f7dab",
    "mbpp": "119b54a9c563b8c5b52d7294e2c9a9e75de7e1c546470bd79211bbb0f8d7ddea",
}
"""By data set, the digest of instruction, response, splitter and stop strings, as evalplus 0.3.1 has them."""
_FENCE: Final = "\n```\n"
_FORK_STOPS: Final = ("<|end_of_text|>", "<|eot_id|>")
"""What the published commands' copy of evalplus has among its stop strings, and evalplus 0.3.1 has not."""
MOST_STOPS: Final = 4
"""Stop strings that vLLM 0.32 takes in a request (``VLLM_MAX_STOP_STRINGS``)."""
_LIKELY: Final = {
    "chat": (_FENCE, "\nif __name__", "\nprint(", "\ndef main("),
    "base": ("\ndef ", "\nclass ", '\n"""', "\nassert", "\nif __name__", "\nprint("),
}
"""Stop strings that end most answers: sent, so that the server does not go on generating what is cut off."""


@dataclass(frozen=True, slots=True)
class Texts:
    """evalplus's texts for one of its data sets."""

    instruction: str
    response: str
    splitter: str
    """Stands where the model's own words begin."""
    stops: Mapping[str, tuple[str, ...]]
    """By ``chat`` and ``base``."""

    @property
    def sha256(self) -> str:
        """Digest of all of it."""
        return digest([self.instruction, self.response, self.splitter, {k: list(v) for k, v in self.stops.items()}])


def texts(dataset: str = "humaneval") -> Texts:
    """The texts of the installed evalplus for one of its data sets.

    Raises:
        InfrastructureError: evalplus is not installed.
        PromptError: They are not those of the published commands.
    """
    try:
        from evalplus.provider import utility  # noqa: PLC0415 - a run without HumanEval does not need evalplus
    except ImportError as error:
        raise installed.unusable(error) from error
    instruction, response = _prefixes()
    eos = (*utility.EOS, *_FORK_STOPS)
    stops = {"chat": (*eos, _FENCE), "base": (*eos, *utility.extra_eos_for_direct_completion(dataset), _FENCE)}
    found = Texts(instruction, response, utility._MAGIC_SPLITTER_, stops)
    if found.sha256 != TEXTS_SHA256[dataset]:
        raise PromptError(
            "the installed evalplus has other prompts or stop strings than the published commands",
            fix=installed.INSTALL,
            evidence=f"sha256 {found.sha256}, not {TEXTS_SHA256[dataset]}",
        )
    return found


def _prefixes() -> tuple[str, str]:
    """Instruction and response, as ``evalplus.codegen.run_codegen`` first assigns them.

    Read from the file: importing it would import every provider that evalplus knows.
    """
    found: dict[str, str] = {}
    for node in ast.walk(ast.parse(installed.source("codegen.py"))):
        if isinstance(node, ast.FunctionDef) and node.name == "run_codegen":
            # Only the body itself: further down, the texts are replaced for another benchmark.
            for line in node.body:
                if isinstance(line, ast.Assign) and isinstance(line.value, ast.Constant):
                    found |= {
                        target.id: str(line.value.value) for target in line.targets if isinstance(target, ast.Name)
                    }
    try:
        return found["instruction_prefix"], found["response_prefix"]
    except KeyError as error:
        raise PromptError(f"evalplus/codegen.py: no text {error}", fix=installed.INSTALL) from error


class _Listener:
    """Stands in for a tokenizer where evalplus builds its messages, and keeps them."""

    chat_template = "any"

    def __init__(self) -> None:
        self.messages: list[dict[str, str]] = []

    def apply_chat_template(self, messages: list[dict[str, str]], *, tokenize: bool) -> str:
        """Keep the messages."""
        self.messages = messages
        return "" if tokenize else messages[-1]["content"]


def messages(prompt: str, words: Texts) -> tuple[str, str]:
    """What the user says, and what the assistant says around the splitter, as evalplus itself puts them together."""
    from evalplus.provider.utility import make_raw_chat_prompt  # noqa: PLC0415 - as in ``texts``

    listener = _Listener()
    make_raw_chat_prompt(prompt, words.instruction, words.response, listener)
    user, assistant = (message["content"] for message in listener.messages)
    return user, assistant


def sent_stops(kind: str, stops: Sequence[str]) -> list[str]:
    """The stop strings that go with a request."""
    return [stop for stop in _LIKELY[kind] if stop in stops][:MOST_STOPS]


def cut(text: str, stops: Sequence[str]) -> tuple[str, bool]:
    """The text before the stop string that is complete first, and whether there is one.

    A server that knows all ``stops`` returns the same: it looks after every token, and of several the one that is
    complete first ends the text (of those complete at once, the first in the list).
    """
    ends = [(text.find(stop) + len(stop), number) for number, stop in enumerate(stops) if stop in text]
    if not ends:
        return text, False
    end, number = min(ends)
    return text[: end - len(stops[number])], True


def solution(kind: str, prompt: str, completion: str) -> str:
    """What evalplus keeps of a completion: for a base model with the prompt in front, always with tabs as 4 spaces."""
    completion = completion.replace("\t", "    ")
    return prompt.strip() + completion if kind == "base" else completion
