"""The tokenizer: byte-level pairs learned from the tasks' own text, single digits, single `` A`` to `` D``."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalkit.demo.questions.draw import SIDE

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from tokenizers import Tokenizer

    from evalkit.demo.questions.scenes import Part

SPECIAL = ("<pad>", "<s>", "</s>", "[INST]", "[/INST]", "[IMG]", "[IMG_BREAK]", "[IMG_END]")
PAD, BOS, EOS, INST, END_INST, IMG, IMG_BREAK, IMG_END = range(8)
VOCABULARY = 2048
PATCH = 16
PATCHES = (SIDE // PATCH) ** 2
"""Patches of one picture."""


def learn(texts: Iterable[str]) -> Tokenizer:
    """Learn a tokenizer from the tasks' text; its file is what transformers loads."""
    from tokenizers import (  # noqa: PLC0415 - only training needs the package
        Tokenizer,
        decoders,
        models,
        pre_tokenizers,
        processors,
        trainers,
    )

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
    )
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY,
        special_tokens=list(SPECIAL),
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        show_progress=False,
    )
    tokenizer.train_from_iterator(texts, trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single="<s> $A", pair="<s> $A $B", special_tokens=[("<s>", BOS)]
    )
    return tokenizer


@dataclass(frozen=True, slots=True)
class Coder:
    """Turns questions into token ids as the chat template and the image processor do."""

    tokenizer: Tokenizer

    @classmethod
    def read(cls, file: Path) -> Coder:
        """The coder of a ``tokenizer.json``."""
        from tokenizers import Tokenizer  # noqa: PLC0415 - only training needs the package

        return cls(Tokenizer.from_file(str(file)))

    def ids(self, text: str) -> list[int]:
        """Ids of plain text, nothing added."""
        return self.tokenizer.encode(text, add_special_tokens=False).ids

    def text(self, ids: list[int]) -> str:
        """Text of ids, special tokens left out."""
        return str(self.tokenizer.decode(ids, skip_special_tokens=True))

    def user(self, parts: tuple[Part, ...]) -> list[int]:
        """One user turn, pictures expanded."""
        ids = [INST]
        for part in parts:
            ids += picture() if isinstance(part, int) else self.ids(part)
        return [*ids, END_INST]


def picture() -> list[int]:
    """The tokens that stand for one picture: a row of patches ends with a break, the last with an end."""
    line = [IMG] * (SIDE // PATCH)
    ids = [*line, IMG_BREAK] * (SIDE // PATCH)
    ids[-1] = IMG_END
    return ids
