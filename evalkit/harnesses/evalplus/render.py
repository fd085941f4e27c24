"""Prompts as token ids, made by the server that will answer them: no tokenizer is needed on this side."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import requests

from evalkit.base.errors import InfrastructureError
from evalkit.client.control import LONGEST_BYTES, Said, insist, server_root, session
from evalkit.harnesses.evalplus import prompts

if TYPE_CHECKING:
    from evalkit.base.types import Json
    from evalkit.harnesses.evalplus.prompts import Texts
    from evalkit.harnesses.harness import Served

_TIMEOUT_S: Final = 60.0
_NEED = "this task is asked of vLLM's server, which renders and tokenizes prompts itself"


class UnreachableError(Exception):
    """The server did not answer a question about a prompt; it may answer later."""


@dataclass(frozen=True, slots=True)
class Rendered:
    """A prompt as it is sent."""

    kind: str
    """``chat`` or ``base``."""
    ids: tuple[int, ...]


class Renderer:
    """Makes one model's prompts. Not for several threads at once."""

    def __init__(self, served: Served, words: Texts, bos: str) -> None:
        """Prepare; the first prompt asks the server what kind of model it has."""
        self._root = server_root(served.url)
        self._model = served.name
        self._patience_s = self._left_s = served.patience_s
        self._words = words
        self._bos = bos
        self._session = session(served.url)
        self._added: list[int] | None = None
        self.kind = ""
        """``chat`` or ``base``; empty before the first prompt."""
        self.way = ""
        """How prompts are rendered: ``continued``, or ``split`` where the chat template trims what it continues."""

    def render(self, prompt: str) -> Rendered:
        """The prompt of one problem.

        Raises:
            UnreachableError: The server does not answer.
            InfrastructureError: It cannot tokenize, or its chat template does not keep what the answer begins with.
        """
        if self._added is None:
            self._added = self._adds()
        ids = None if self.kind == "base" else self._chat(prompt)
        if ids is None:
            self.kind = "base"
            return Rendered("base", tuple(self._tokens({"prompt": prompt.strip(), "add_special_tokens": True})))
        self.kind = "chat"
        begins = ids[: len(self._added)] == self._added
        if self._added and (self._bos == "published" or not begins):
            ids = [*self._added, *ids]
        return Rendered("chat", tuple(ids))

    def _adds(self) -> list[int]:
        """What the tokenizer puts in front of any text, usually one BOS."""
        whole, bare = (self._tokens({"prompt": "x", "add_special_tokens": adds}) for adds in (True, False))
        return whole[: whole.index(bare[0])] if bare and bare[0] in whole else []

    def _chat(self, prompt: str) -> list[int] | None:
        """A chat model's prompt without anything in front; None for a model without a chat template."""
        user, assistant = prompts.messages(prompt, self._words)
        start = assistant.split(self._words.splitter)[0]
        if self.way != "split":
            ids = self._talk(user, start, continued=True)
            if ids is None:
                return None
            if self._keeps(ids, user, start):
                self.way = "continued"
                return ids
        self.way = "split"
        return self._split(user, assistant, start)

    def _talk(self, user: str, assistant: str, *, continued: bool) -> list[int] | None:
        said = [{"role": "user", "content": user}, {"role": "assistant", "content": assistant}]
        body = {"messages": said, "add_generation_prompt": False, "continue_final_message": continued}
        return self._asked("/tokenize", body, "tokens", may_lack_template=True)  # type: ignore[no-any-return]

    def _keeps(self, ids: list[int], user: str, start: str) -> bool:
        """Whether a rendered prompt has both messages and ends inside the code block that was opened."""
        text = self._text(ids)
        words, wanted = "".join(text.split()), ["".join(part.split()) for part in (user, start)]
        return text.endswith(start[-len("```python\n") :]) and words.endswith(wanted[1]) and wanted[0] in words

    def _split(self, user: str, assistant: str, start: str) -> list[int]:
        """The whole conversation rendered, and what stands before the splitter tokenized again, as published."""
        whole = self._talk(user, assistant, continued=False)
        text = self._text(whole or [])
        before = text.split(self._words.splitter)
        if len(before) == 2 and self._tokens({"prompt": text, "add_special_tokens": False}) == whole:
            ids = self._tokens({"prompt": before[0], "add_special_tokens": False})
            if self._keeps(ids, user, start):
                return ids
        raise InfrastructureError(
            f"{self._model}: the chat template does not keep the start of an answer",
            fix="give the server a chat template that renders an assistant message as it is (--chat-template)",
            evidence=text[-500:],
        )

    def _tokens(self, body: dict[str, Json]) -> list[int]:
        return self._asked("/tokenize", body, "tokens")  # type: ignore[no-any-return]

    def _text(self, ids: list[int]) -> str:
        return self._asked("/detokenize", {"tokens": ids}, "prompt")  # type: ignore[no-any-return]

    def _asked(self, path: str, body: dict[str, Json], key: str, *, may_lack_template: bool = False) -> Json:
        """A field of the server's answer; None where it has no chat template."""
        response = self._post(path, {"model": self._model, **body})
        if may_lack_template and response.status == 400 and b"chat template" in response.body.lower():
            return None
        try:
            said = response.json()
        except ValueError:
            said = None
        found = said.get(key) if isinstance(said, dict) else None
        fits = _are_ids(found) if key == "tokens" else isinstance(found, str)
        if response.status != 200 or not fits:
            raise InfrastructureError(
                f"{self._root}{path}: HTTP {response.status} where tokens were asked for",
                fix=_NEED,
                evidence=response.body[:500].decode("utf-8", "replace"),
            )
        return found

    def _post(self, path: str, body: dict[str, Json]) -> Said:
        """The response to a question, asked again while the server cannot answer it."""
        place, patience_s = self._root + path, self._left_s
        # Prompts are made one after the other: patience that was in vain is not had again before an answer comes.
        self._left_s = 0.0
        try:
            said = insist(
                self._session, place, body=body, deadline_s=_TIMEOUT_S, most=LONGEST_BYTES, patience_s=patience_s
            )
        except requests.RequestException as error:
            raise UnreachableError(f"{place}: {type(error).__name__}") from error
        if said.status >= 500 or said.status == 429:
            raise UnreachableError(f"{place}: HTTP {said.status}")
        self._left_s = self._patience_s
        return said


def _are_ids(found: Json) -> bool:
    return isinstance(found, list) and all(type(one) is int for one in found)
