"""Token lists as lm-eval's API models make them, each context tokenized once."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import requests

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.base.identity import decoded
from evalkit.client.control import LONGEST_BYTES, insist, server_root, session
from evalkit.serve import environment

if TYPE_CHECKING:
    from evalkit.base.types import Model
    from evalkit.harnesses.harness import Served

Ids: TypeAlias = list[int]
Encode: TypeAlias = Callable[[Sequence[str]], list[Ids]]
"""Texts to token ids, with the special tokens that the task wants."""

_THREADS: Final = 8
_DEADLINE_S: Final = 60.0


@dataclass(frozen=True, slots=True)
class Tokens:
    """One question in tokens."""

    context: Ids
    """The first one, where each continuation has its own."""
    continuations: tuple[Ids, ...]
    contexts: tuple[Ids, ...] = ()
    """Of each continuation; empty where all follow the one context."""

    @property
    def pairs(self) -> list[tuple[Ids, Ids]]:
        """Each continuation behind its context."""
        contexts = self.contexts or (self.context,) * len(self.continuations)
        return list(zip(contexts, self.continuations, strict=True))

    @property
    def single(self) -> tuple[int, ...] | None:
        """The continuations' ids when each is one token behind the one context; None otherwise."""
        if self.contexts or any(len(ids) != 1 for ids in self.continuations):
            return None
        return tuple(ids[0] for ids in self.continuations)

    @property
    def longest(self) -> int:
        """Tokens of the longest context and continuation together."""
        return max(len(context) + len(ids) for context, ids in self.pairs)


class Tokenizer:
    """Makes the token lists of ``TemplateLM._encode_pair`` (lm-eval 0.4.13) with a fraction of its work.

    There, a continuation's tokens are what ``context + continuation`` has after as many tokens as ``context`` has:
    five passes over each question. Tokenizers work locally, so the last line of the context gives the same tokens;
    that is proven with the whole text for one question of every batch and every last line, and where it does not
    hold, every question is done the long way.
    """

    def __init__(self, encode: Encode, *, origin: str, bos: int | None = None, beginning: str = "") -> None:
        """Wrap what tokenizes.

        Args:
            encode: Texts to ids.
            origin: Where it comes from, for the report.
            bos: Id of the token that may stand first; None when it is not known.
            beginning: Who puts it there, for the report.
        """
        self.beginning = beginning
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

    def encode(self, texts: Sequence[str]) -> list[Ids]:
        """Texts as prompts, with the beginning that the task wants."""
        return self._encode(texts)

    def asked(self, questions: Sequence[tuple[Sequence[str], Sequence[str]]]) -> list[Tokens]:
        """The token lists of some questions, each of one context with its choices, or of a context for each choice."""
        flat = [
            pair
            for contexts, choices in questions
            for pair in ([(contexts[0], choices)] if len(contexts) == 1 else _each(contexts, choices))
        ]
        made = iter(self.tokens(flat))
        return [_joined([next(made) for _ in contexts]) for contexts, _ in questions]

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


def _each(contexts: Sequence[str], choices: Sequence[str]) -> list[tuple[str, Sequence[str]]]:
    """Each context with the one choice that stands behind it."""
    return [(context, [choice]) for context, choice in zip(contexts, choices, strict=True)]


def _joined(parts: Sequence[Tokens]) -> Tokens:
    """The parts of one question, each with one choice, as one."""
    if len(parts) == 1:
        return parts[0]
    contexts = tuple(part.context for part in parts)
    return Tokens(contexts[0], tuple(part.continuations[0] for part in parts), contexts)


def _tell_apart(ids: Sequence[Ids], choices: Sequence[str]) -> None:
    if not all(ids) or len({tuple(each) for each in ids}) < len(set(choices)):
        raise DataError(
            f"the tokenizer does not tell the choices {', '.join(map(repr, choices))} apart",
            fix="try settings.add_bos = false: a tokenizer that ends every text with a token hides what comes last",
        )


# --- where the ids come from ---------------------------------------------------------------------


def tokenizer_for(served: Served, tell: Callable[[str], None], *, add_bos: bool, forced: bool = True) -> Tokenizer:
    """The tokenizer of a served model: from its files where they are at hand, otherwise the server's own.

    With ``add_bos`` prompts begin with the beginning-of-sequence token where there is one: by the tokenizer's own rule
    or, ``forced``, whatever that rule is. A server is first asked when something is tokenized, and that raises
    InfrastructureError where it cannot.
    """
    try:
        return _local(served.model, add_bos=add_bos, forced=forced)
    except Exception as error:  # noqa: BLE001 - transformers raises anything over files that it does not know
        sure = served.model.endpoint is None or Path(_source(served.model)).is_dir()
        if sure or isinstance(error, InfrastructureError):
            reason = (str(error).splitlines() or [type(error).__name__])[0]
            tell(f"its tokenizer cannot be read here ({reason}), so the server tokenizes")
        return _remote(served, add_bos=add_bos, forced=forced)


def begins_by_itself(source: str) -> bool:
    """Whether forcing the beginning-of-sequence token changes no prompt of this model; False where nobody can say."""
    try:
        loaded = _loaded(source, None)
    except Exception:  # noqa: BLE001 - as above
        return False
    bos = loaded.bos_token_id
    return bos is None or loaded("x").input_ids[:1] == [bos]


def _source(model: Model) -> str:
    """Where the model's files are: what the user named, also where a server has a name of its own for it."""
    return model.named or model.source


def _loaded(source: str, revision: str | None, **words: bool) -> Any:
    from transformers import AutoTokenizer  # noqa: PLC0415 - heavy, and only for runs that ask MMLU

    if Path(source).is_dir():
        return AutoTokenizer.from_pretrained(source, **words)
    version = {} if revision is None else {"revision": revision}
    try:
        return AutoTokenizer.from_pretrained(source, **version, **words, local_files_only=True)
    except (OSError, ValueError):
        if environment.offline():
            raise
        if fault := environment.hub_fault():
            said = f"{fault}, and its cache does not have {source}"
            raise InfrastructureError(said, fix=f"hf download {source}, while online") from None
    return AutoTokenizer.from_pretrained(source, **version, **words)


def _local(model: Model, *, add_bos: bool, forced: bool) -> Tokenizer:
    """As lm-eval's ``VLLM`` loads and calls it, or, where nothing is forced, as its ``LocalCompletionsAPI`` does."""
    revision = None if model.endpoint else model.digest
    loaded = _loaded(_source(model), revision, **({"add_bos_token": add_bos} if forced else {}))
    bos = loaded.bos_token_id

    def plain(texts: Sequence[str], *, special: bool) -> list[Ids]:
        ids: list[Ids] = loaded(list(texts), add_special_tokens=special, return_attention_mask=False).input_ids
        return ids

    def encode(texts: Sequence[str]) -> list[Ids]:
        found = plain(texts, special=add_bos)
        if not (add_bos and forced) or bos is None:
            return found
        # A text that spells the token begins with it already. A class that knows no such option is given it here.
        spelled = loaded.decode(bos)
        return [
            plain([text], special=False)[0] if text.startswith(spelled) else ids if ids[:1] == [bos] else [bos, *ids]
            for text, ids in zip(texts, found, strict=True)
        ]

    return Tokenizer(
        encode, origin="the model's files", bos=bos, beginning=_beginning(bos, add_bos=add_bos, forced=forced)
    )


def _beginning(bos: int | None, *, add_bos: bool, forced: bool) -> str:
    """What becomes of the beginning-of-sequence token, in words."""
    if bos is None:
        return "the tokenizer has none"
    if not add_bos:
        return "left out"
    return "forced, as lm-eval's --model vllm" if forced else "left to the tokenizer, as lm-eval's local-completions"


def _remote(served: Served, *, add_bos: bool, forced: bool) -> Tokenizer:
    """The server's ``/tokenize``, a text a request."""
    place, own = server_root(served.url) + "/tokenize", threading.local()
    bos = _stated_bos(served.model) if add_bos and forced else None

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
        return ids if bos is None or ids[:1] == [bos] else [bos, *ids]

    # Idle threads of a pool nobody holds any more end by themselves.
    pool = ThreadPoolExecutor(_THREADS)

    def encode(texts: Sequence[str]) -> list[Ids]:
        return list(pool.map(encode_one, texts))

    beginning = "left to the server" if add_bos else "left out"
    if bos is not None:
        beginning = "forced, as lm-eval's --model vllm"
    return Tokenizer(encode, origin="the server's /tokenize", bos=bos, beginning=beginning)


def _stated_bos(model: Model) -> int | None:
    """The token that the model's ``config.json`` names, for tokenizers that cannot be read here."""
    try:
        stated = decoded(Path(_source(model), "config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    for config in (stated, stated.get("text_config")) if isinstance(stated, dict) else ():
        bos = config.get("bos_token_id") if isinstance(config, dict) else None
        if type(bos) is int:
            return bos
    return None


def _unusable(place: str, reason: str) -> InfrastructureError:
    return InfrastructureError(
        f"{place}: no token ids ({reason})",
        fix="name the model's folder as its source, so that its tokenizer can be read here",
    )
