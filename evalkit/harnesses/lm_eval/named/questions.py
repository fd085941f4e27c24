"""Rows of lm-eval's tasks as samples: conversations that are gone on with, or contexts with choices to weigh."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Final

from evalkit.base.identity import digest
from evalkit.base.types import Image, Sample, Text, Turn
from evalkit.client import chat
from evalkit.harnesses import attempts
from evalkit.harnesses.lm_eval.named.loading import LoadedLeaf, PromptStyle, UnaskedRow, png
from evalkit.harnesses.lm_eval.wire import PATH
from evalkit.tasks import draw
from evalkit.tasks.lm_eval import named

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from evalkit.base.types import Json, Task
    from evalkit.files.scratch import Scratch
    from evalkit.harnesses.lm_eval.named.loading import Prompt
    from evalkit.tasks.lm_eval.settings import NamedTaskSettings

_PICTURES: Final = "visual"


class NamedQuestions:
    """The rows of a task, or of all tasks of a group, as samples. A `harness.Questions`."""

    def __init__(
        self,
        task: Task,
        chosen: NamedTaskSettings,
        leaves: Sequence[LoadedLeaf],
        found: tuple[Scratch, str, str],
        *,
        forced: bool = False,
    ) -> None:
        """Take tasks that are loaded; nothing is rendered yet.

        Args:
            task: As it is asked.
            chosen: Its settings.
            leaves: lm-eval's tasks, in their order.
            found: The folder of their files, which is kept as long as this; the data's revision; what scores them.
            forced: Whether a model may get a beginning-of-sequence token that its tokenizer would not add.
        """
        self._task, self._settings, self._forced = task, chosen, forced
        self.leaves = leaves
        self.folder, self.revision, self.checker = found
        config = leaves[0].task.config.to_dict()
        self.generates = named.generates(config)
        self._style = PromptStyle(named.as_chat(chosen, config), chosen.shots_as_turns, chosen.system)
        self._rendered: tuple[int | None, list[tuple[Sample, str]]] | None = None
        self._pictures = bool(leaves[0].task.config.doc_to_image)

    @property
    def available(self) -> int:
        """Rows of all tasks, each as often as it is asked."""
        return sum(leaf.rows for leaf in self.leaves) * self._task.decoding.n

    def planned(self, limit: int | None) -> int:
        """Attempts at the rows that a run with ``--limit`` asks."""
        times = self._task.decoding.n
        return self.available if limit is None else min(limit * times, self.available)

    def drawn(self, limit: int | None) -> bool:
        """Whether rows are drawn: always where there is a limit, of every task of a group its share."""
        return limit is not None

    def rows(self, limit: int | None) -> None:
        """None: pictures are found through the samples alone."""

    def samples(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        """Every planned sample with its request digest; kept, unless there are pictures, once it was rendered."""
        if self._pictures:
            yield from self._render(limit)
            return
        rendered = self._rendered
        if rendered is None or rendered[0] != limit:
            # Another model's thread may do the same, and comes to the same.
            rendered = self._rendered = (limit, list(self._render(limit)))
        yield from rendered[1]

    def _render(self, limit: int | None) -> Iterator[tuple[Sample, str]]:
        chosen = self._chosen(limit)
        for leaf in self.leaves:
            for prompt in leaf.prompts(chosen[leaf.name], self._style):
                group = leaf.name if len(self.leaves) > 1 else None
                name = f"{group}/{prompt.doc_id}" if group else str(prompt.doc_id)
                if isinstance(prompt, UnaskedRow) or (reason := _unfit(prompt)):
                    text = prompt.reason if isinstance(prompt, UnaskedRow) else f"{name}: {reason}"
                    # Its place is kept: it is a failure of every model, not a smaller denominator.
                    bad = Sample(name, (Text(text),), None, group)
                    yield from ((one, "") for one, _ in attempts.listed(bad, self._task, lambda *_: ""))
                else:
                    yield from attempts.listed(self._sample(prompt, name, group), self._task, self._digest)

    def _chosen(self, limit: int | None) -> Mapping[str, Sequence[int]]:
        if limit is None:
            return {leaf.name: range(leaf.rows) for leaf in self.leaves}
        ids = {leaf.name: [f"{leaf.name}/{place}" for place in range(leaf.rows)] for leaf in self.leaves}
        if len(ids) == 1:
            ((name, listed),) = ids.items()
            return {name: draw.whole_units(listed, limit)}
        return draw.shares(ids, limit)

    def _sample(self, prompt: Prompt, name: str, group: str | None) -> Sample:
        told = {"task": prompt.leaf, "doc_id": prompt.doc_id, "doc_hash": prompt.doc_hash, "target": prompt.target}
        if not self.generates:
            return _weighed(prompt, name, group, told)
        context, more = str(prompt.arguments[0][0]), prompt.arguments[0][2:]
        pictures = tuple(Image.of(png(one)) for one in (more[0].get(_PICTURES) or () if more else ()))
        if not self._style.chat:
            return Sample(name, (*pictures, Text(context)), told, group)
        return _conversation(json.loads(context), pictures, Sample(name, (), told, group))

    def _digest(self, sample: Sample, task: Task) -> str:
        """Identity of what is asked, whichever model it is asked of."""
        if self._style.chat:
            return chat.request_digest(sample, task)
        bos = "forced" if self._forced else self._settings.add_bos
        if self.generates:
            return digest({"path": PATH, "prompt": sample.text, "add_bos": bos, **chat.sampling(task.decoding)})
        contexts = sample.references.get("contexts")
        return digest(
            {
                "path": PATH,
                "context": sample.text,
                **({"contexts": contexts} if contexts else {}),
                "continuations": sample.references["choices"],
                "add_bos": bos,
                "max_length": self._settings.max_length,
                "method": self._settings.method,
            }
        )


def _weighed(prompt: Prompt, name: str, group: str | None, told: dict[str, Json]) -> Sample:
    """Choices behind one context, or each behind one of its own."""
    contexts, choices = ([str(pair[at]) for pair in prompt.arguments] for at in range(2))
    if len(set(contexts)) == 1:
        return Sample(name, (Text(contexts[0]),), told | {"choices": choices}, group)
    return Sample(name, tuple(map(Text, contexts)), told | {"choices": choices, "contexts": contexts}, group)


def _unfit(prompt: Prompt) -> str:
    """Why a row cannot be asked; empty when it can."""
    if any(one[0] == "" for one in prompt.arguments):
        return "there is no text before what is weighed or gone on with"
    return ""


def _conversation(messages: list[dict[str, str]], pictures: tuple[Image, ...], bare: Sample) -> Sample:
    """lm-eval's messages: the last one of the user is the question, and one behind it begins the answer."""
    prefix = messages.pop()["content"] if messages[-1]["role"] == "assistant" else ""
    *before, question = messages
    turns = tuple(Turn(one["role"], (Text(one["content"]),)) for one in before)  # type: ignore[arg-type]
    return Sample(bare.id, (*pictures, Text(question["content"])), bare.references, bare.cluster, turns, prefix)
