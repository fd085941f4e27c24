"""Has answers scored while others are generated: a thread that waits for the process in which lm-eval scores."""

from __future__ import annotations

import threading
from collections import deque
from typing import TYPE_CHECKING, Final

from evalkit.base.errors import InfrastructureError
from evalkit.harnesses.judge_process import JudgeDiedError, JudgeProcess
from evalkit.harnesses.lm_eval import wire
from evalkit.harnesses.lm_eval.named.facts import ScoringFacts
from evalkit.tasks.lm_eval import files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from evalkit.base.types import Json, Sample

LIMIT_S: Final = 60.0
"""For one answer. lm-eval's own codes need milliseconds; formulas may make them need for ever."""
_LAST_WORDS_S: Final = 5.0
_SCORER: Final = "evalkit.harnesses.lm_eval.named.scorer"


class ScoringChecker:
    """A `harness.Checker` whose judgements are lm-eval's metrics."""

    def __init__(self, folder: Path, leaves: list[str], *, generates: bool) -> None:
        """Prepare; the first answer starts the process."""
        self._folder, self._leaves, self._generates = folder, leaves, generates
        self._changed = threading.Condition()
        self._waiting: deque[tuple[str, Sample, str]] = deque()
        self._done: deque[tuple[str, Mapping[str, Json]]] = deque()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._error: BaseException | None = None
        self._counts = {"answers": 0, "raised": 0}

    def submit(self, key: str, sample: Sample, text: str) -> None:
        """Take an answer to be scored."""
        with self._changed:
            self._waiting.append((key, sample, text))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="evalkit-lm-eval-scorer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def ready(self, wait_s: float = 0.0) -> list[tuple[str, Mapping[str, Json]]]:
        """Judgements that have come since.

        Raises:
            InfrastructureError: lm-eval cannot score here.
        """
        with self._changed:
            self._changed.wait_for(lambda: self._done or self._error, wait_s)
            if self._error is not None:
                raise self._error
            found = list(self._done)
            self._done.clear()
            return found

    def facts(self, timeouts: int) -> ScoringFacts:
        """lm-eval's release, and how many answers it scored."""
        with self._changed:
            counts = dict(self._counts)
        return ScoringFacts(
            release=files.release(),
            answers=counts["answers"],
            raised=counts["raised"],
            timeouts=timeouts,
            limit_s=LIMIT_S,
        )

    def close(self) -> None:
        """End the thread and its process."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join(_LAST_WORDS_S)

    def _work(self) -> None:
        process = JudgeProcess(_SCORER)
        try:
            while (taken := self._take()) is not None:
                key, sample, text = taken
                judgement = self._judged(process, sample, text)
                with self._changed:
                    self._counts["answers"] += 1
                    self._counts["raised"] += "error" in judgement
                    self._done.append((key, judgement))
                    self._changed.notify_all()
        except BaseException as error:  # noqa: BLE001 - raised again where judgements are awaited
            with self._changed:
                self._error = error
                self._changed.notify_all()
        finally:
            process.close()

    def _take(self) -> tuple[str, Sample, str] | None:
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            return None if self._closed else self._waiting.popleft()

    def _judged(self, process: JudgeProcess, sample: Sample, text: str) -> Mapping[str, Json]:
        order = scoring_order(sample, text, generates=self._generates)
        for last in (False, True):
            if process.is_fresh:
                self._load(process)
            try:
                return process.ask(order, LIMIT_S)
            except JudgeDiedError as died:
                if died.late:
                    return {"timeout": True, "error": f"no score within {LIMIT_S:g} s"}
                # A process may die of what came before; of the same answer twice is the answer's.
                if last:
                    return {"error": f"the scoring process ended: {died}"}
        raise AssertionError

    def _load(self, process: JudgeProcess) -> None:
        try:
            said = process.ask({"do": "load", "folder": str(self._folder), "leaves": self._leaves})
        except JudgeDiedError as died:
            raise InfrastructureError(f"lm-eval cannot score here: {died}", fix="free some memory") from died
        if "failed" in said:
            raise InfrastructureError(str(said["failed"]), fix=str(said["fix"]))


def scoring_order(sample: Sample, text: str, *, generates: bool) -> dict[str, Json]:
    """What the scoring process is told of an answer: which row, and the text or the likelihoods."""
    told = sample.references
    order = {"do": "score", "leaf": told["task"], "doc_id": told["doc_id"], "doc_hash": told["doc_hash"]}
    return {**order, "responses": [text] if generates else _pairs(text)}


def _pairs(text: str) -> list[list[Json]]:
    found = wire.parsed(text)
    return [[value, greedy] for value, greedy in zip(found.values, found.greedy, strict=True)]
