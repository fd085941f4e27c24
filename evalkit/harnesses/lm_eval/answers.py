"""MMLU answered elsewhere: lm-eval's own ``samples_mmlu_*.jsonl`` as samples with their answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from evalkit.answers.folders import lm_eval_name
from evalkit.base.errors import DataError
from evalkit.base.types import Answer, Sample, Text
from evalkit.files.textfile import objects
from evalkit.harnesses.lm_eval.data import categories
from evalkit.harnesses.lm_eval.wire import Likelihoods, text

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from evalkit.base.types import Json

_METHOD: Final = "elsewhere"


def recorded(path: Path) -> Iterator[tuple[Sample, Answer]]:
    """The samples of a file, or of every lm-eval samples file in a folder, with their answers.

    Samples have the ids and references that a run of evalkit gives them, so that both can be compared.

    Raises:
        DataError: With ``FILE:LINE``: not MMLU as lm-eval 0.4.13 writes it, or a question occurs twice.
    """
    files = sorted(path.glob("**/samples_mmlu_*.jsonl")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: no samples_mmlu_*.jsonl in this folder", fix="run lm_eval with --log_samples")
    seen: set[str] = set()
    for file in files:
        named = lm_eval_name(file)
        for place, line in objects(file):
            try:
                sample, answer = _read(line, named[0] if named else "")
            except (AttributeError, KeyError, TypeError, ValueError, LookupError) as error:
                raise DataError(
                    f"{place}: not a sample of MMLU as lm-eval writes it ({type(error).__name__}: {error})",
                    fix="name a samples_mmlu_*.jsonl of `lm_eval --tasks mmlu --log_samples`",
                ) from error
            if sample.id in seen:
                raise DataError(f"{place}: {sample.id} occurs again", fix="name the files of one run of one model")
            seen.add(sample.id)
            yield sample, answer


def _read(line: dict[str, Json], task: str) -> tuple[Sample, Answer]:
    subject = task.removeprefix("mmlu_") or str(line["doc"]["subject"])
    category = categories()[subject]
    arguments = [line["arguments"][f"gen_args_{at}"] for at in range(len(line["arguments"]))]
    # Written as text, whatever they were.
    pairs = [(float(value), str(greedy) == "True") for value, greedy in line["filtered_resps"]]
    gold = int(line["target"])
    if len(pairs) != len(arguments) or not 0 <= gold < len(pairs):
        raise ValueError(f"{len(pairs)} log-likelihoods for {len(arguments)} choices, the right one is {gold}")
    references = {
        "gold": gold,
        "choices": [one["arg_1"] for one in arguments],
        "subject": subject,
        "category": category,
        "doc_hash": line["doc_hash"],
        "prompt_hash": line["prompt_hash"],
    }
    content = (Text(arguments[0]["arg_0"]),)
    found = Likelihoods(tuple(value for value, _ in pairs), tuple(greedy for _, greedy in pairs))
    sample = Sample(f"{subject}/{line['doc_id']}", content, references, cluster=subject)
    return sample, Answer(text(found, _METHOD), "stop", None, None, latency_s=0.0)
