"""Agreement: the recorded questions are made anew, and answers are compared one by one."""

from __future__ import annotations

import json
from itertools import islice

import pytest

from demo_model import agree
from evalkit.base.errors import DataError
from evalkit.base.types import Text
from evalkit.demo import rows
from evalkit.tasks import registry
from evalkit.tasks.benchmarks import BENCHMARKS
from support import wants

torch = wants.imported("torch")


def samples(name, count) -> list:
    prompt = registry.tasks()[f"demo-{name}"].prompt
    made = enumerate(islice(rows.rows(name), count))
    return [BENCHMARKS[name].sample(row, prompt, place) for place, row in made]


def record(folder, name, answers):
    file = folder / f"demo-{name}.jsonl"
    lines = []
    for sample, answer in zip(samples(name, len(answers)), answers, strict=True):
        content = [{"text": p.text} if isinstance(p, Text) else {"image_sha256": p.sha256} for p in sample.content]
        line = {"id": sample.id, "content": content}
        lines.append(line | ({"failure": "timed_out"} if answer is None else {"answer": answer}))
    file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    return file


@pytest.mark.parametrize("name", rows.TASKS)
def test_recorded_questions_come_back_with_their_pictures(tmp_path, name):
    file = record(tmp_path, name, ["one", None, "three"])
    found = agree.recorded(file, 10)
    first, _, third = samples(name, 3)
    assert found == [(first, "one"), (third, "three")]
    assert agree.recorded(file, 2) == [(first, "one")]


def test_another_question_is_refused(tmp_path):
    file = record(tmp_path, "docvqa", ["one"])
    file.write_text(file.read_text().replace("Answer with words", "Answer without words"))
    with pytest.raises(DataError, match=r"demo-docvqa\.jsonl: question 0"):
        agree.recorded(file, 10)


def test_gap_and_noise_are_paired():
    found = agree.Agreement("demo-x", (1.0, 1.0, 0.0, 0.0), (1.0, 0.0, 0.0, 0.0), 2)
    assert found.gap == -0.25
    assert found.noise == 0.25
    assert found.line.split() == ["demo-x", "4", "0.5000", "0.2500", "-0.2500", "0.2500", "2"]
    assert len(found.line.split()) == len(agree.HEADING.split())


@pytest.mark.usefixtures("one_thread")
def test_a_model_agrees_with_itself_and_not_with_others(tmp_path, tokenizer_file):
    from demo_model import export
    from demo_model.model import Network
    from demo_model.rows import WIDTH

    torch.manual_seed(0)
    export.save(Network(WIDTH).state_dict(), tokenizer_file, tmp_path / "checkpoint")
    speaker = agree.Speaker(tmp_path / "checkpoint")
    said = speaker.answers(samples("docvqa", 2), registry.tasks()["demo-docvqa"])
    assert agree.compared(speaker, record(tmp_path, "docvqa", said), 5).differing == 0
    other = record(tmp_path, "docvqa", [said[0], said[1] + "!"])
    assert agree.compared(speaker, other, 5).differing == 1
    page = samples("docvqa", 1)[0].references[0]
    right = agree.compared(speaker, record(tmp_path, "docvqa", [page]), 5)
    assert right.served == (1.0,)
