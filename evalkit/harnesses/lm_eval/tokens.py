"""Token lists as lm-eval's API models make them, each context tokenized once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Final, TypeAlias

import requests

from evalkit.control import LONGEST_BYTES, insist, server_root, session
from evalkit.errors import DataError, InfrastructureError

if TYPE_CHECKING:
    from evalkit.harnesses.harness import Served
    from evalkit.types import Model

Ids: TypeAlias = list[int]
Encode: TypeAlias = Callable[[Sequence[str]], list[Ids]]
"""Texts to token ids, with the special tokens that the task wants."""

_THREADS: Final = 8
_DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """One question in tokens."""

    context: Ids
    continuations: tuple[Ids, ...]

    @property
    def single(self) -> tuple[int, ...] | None:
        """The continuations' ids when each is one token; None otherwise."""
        if any(len(ids) != 1 for ids in self.continuations):
            return None
        return tuple(ids[0] for ids in self.continuations)

    @property
    def longest(self) -> int:
        """Tokens of the context with the longest continuation."""
        return len(self.context) + max(map(len, self.continuations))


class Tokenizer:
    """Makes the token lists of ``TemplateLM._encode_pair`` (lm-eval 0.4.13) with a fraction of its work.

    There, a continuation's tokens are what ``context + continuation`` has after as many tokens as ``context`` has:
    five passes over each question. Tokenizers work locally, so the last line of the context gives the same tokens;
    that is proven with the whole text for one question of every batch and every last line, and where it does not
    hold, every question is done the long way.
    """

    def __init__(self, encode: Encode, *, origin: str, bos: int | None = None) -> None:
        """Wrap what tokenizes.

        Args:
            encode: Texts to ids.
            origin: Where it comes from, for the report.
            bos: Id of the token that may stand first; None when it is not known.
        """
        self.origin = origin
        self._encode = encode
        self._bos = bos
        self._local = True
        self._after: dict[tuple[str, str], Ids | None] = {}

    def starts_with_bos(self) -> bool | None:
        """Whether a prompt begins with the beginning-of-sequence token; None when nobody here knows that token."""
        if self._bos is None:
            return None
        (ids,) = self._encode(["x"])
        return bool(ids) and ids[0] == self._bos

    def tokens(self, questions: Sequence[tuple[str, Sequence[str]]]) -> list[Tokens]:
        """The token lists of some questions, each a context with its continuations.

        Raises:
            DataError: The tokenizer makes nothing, or the same, of two continuations.
        """
        moved = [_moved(context, choices) for context, choices in questions]
        contexts = self._encode([context for context, _ in moved])
        proven: set[tuple[str, tuple[str, ...]]] = set()
        found = []
        for (context, choices), ids in zip(moved, contexts, strict=True):
            tail = (_last_line(context), choices)
            quick = self._quickly(*tail) if self._local else None
            if quick is None or tail not in proven:
                whole = [ids_of[len(ids) :] for ids_of in self._encode([context + choice for choice in choices])]
                self._local = self._local and quick in (None, whole)
                proven.add(tail)
                quick = whole
            _tell_apart(quick, choices)
            found.append(Tokens(ids, tuple(quick)))
        return found

    def _quickly(self, line: str, choices: Sequence[str]) -> list[Ids] | None:
        """The continuations' tokens after one line alone; None when that line's tokens change with what follows."""
        for choice in choices:
            if (line, choice) not in self._after:
                before, whole = self._encode([line, line + choice])
                same = whole[: len(before)] == before
                self._after[line, choice] = whole[len(before) :] if same else None
        found = [self._after[line, choice] for choice in choices]
        return None if None in found else [ids for ids in found if ids is not None]


def _moved(context: str, choices: Sequence[str]) -> tuple[str, tuple[str, ...]]:
    """Spaces at the end of the context belong to the continuations, as in lm-eval."""
    kept = context.rstrip()
    return kept, tuple(context[len(kept) :] + choice for choice in choices)


def _last_line(context: str) -> str:
    """The last line with the line break before it."""
    return context[max(context.rfind("\n"), 0) :]


def _tell_apart(ids: Sequence[Ids], choices: Sequence[str]) -> None:
    if not all(ids) or len({tuple(each) for each in ids}) < len(ids):
        raise DataError(
            f"the tokenizer does not tell the choices {', '.join(map(repr, choices))} apart",
            fix="try settings.add_bos = false: a tokenizer that ends every text with a token hides what comes last",
        )


# --- where the ids come from ---------------------------------------------------------------------


def tokenizer_for(served: Served, tell: Callable[[str], None], *, add_bos: bool) -> Tokenizer:
    """The tokenizer of a served model: from its files where they are at hand, otherwise the server's own.

    A server is first asked when something is tokenized, and that raises InfrastructureError where it cannot.
    """
    model = served.model
    if model.endpoint is not None and not Path(model.source).is_dir():
        return _remote(served, add_bos=add_bos)
    try:
        return _local(model, add_bos=add_bos)
    except Exception as error:  # noqa: BLE001 - transformers raises anything over files that it does not know
        reason = (str(error).splitlines() or [type(error).__name__])[0]
        tell(f"its tokenizer cannot be read here ({reason}), so the server tokenizes")
        return _remote(served, add_bos=add_bos)


def _local(model: Model, *, add_bos: bool) -> Tokenizer:
    from transformers import AutoTokenizer  # noqa: PLC0415 - heavy, and only for runs that ask MMLU

    folder = Path(model.source).is_dir()
    loaded = AutoTokenizer.from_pretrained(model.source, **({} if folder else {"revision": model.digest}))

    def encode(texts: Sequence[str]) -> list[Ids]:
        ids: list[Ids] = loaded(list(texts), add_special_tokens=add_bos, return_attention_mask=False).input_ids
        return ids

    return Tokenizer(encode, origin="the model's files", bos=loaded.bos_token_id)


def _remote(served: Served, *, add_bos: bool) -> Tokenizer:
    """The server's ``/tokenize``, a text a request."""
    place, own = server_root(served.url) + "/tokenize", threading.local()

    def encode_one(text: str) -> Ids:
        if not hasattr(own, "session"):
            own.session = session(served.url)
        body = {"model": served.name, "prompt": text, "add_special_tokens": add_bos}
        try:
            said = insist(
                own.session,
                place,
                body=body,
                deadline_s=_DEADLINE_S,
                most=LONGEST_BYTES,
                patience_s=served.patience_s,
            )
            ids = said.json()["tokens"] if said.status == requests.codes.ok else None
        except (requests.RequestException, ValueError, KeyError, TypeError) as error:
            raise _unusable(place, str(error) or type(error).__name__) from error
        if not isinstance(ids, list) or not all(type(one) is int for one in ids):
            raise _unusable(place, f"HTTP {said.status}")
        return ids

    # Idle threads of a pool nobody holds any more end by themselves.
    pool = ThreadPoolExecutor(_THREADS)

    def encode(texts: Sequence[str]) -> list[Ids]:
        return list(pool.map(encode_one, texts))

    return Tokenizer(encode, origin="the server's /tokenize")


def _unusable(place: str, reason: str) -> InfrastructureError:
    return InfrastructureError(
        f"{place}: no token ids ({reason})",
        fix="name the model's folder as its source, so that its tokenizer can be read here",
    )
