"""What `evalkit run` prints: no figure is cut where a terminal is narrow, no line is broken where there is none."""

import io
from contextlib import ExitStack

import pytest
from rich.console import Console

from evalkit.cli import tables
from evalkit.testing import ModelServer, chat
from support.commands import evalkit, write_lines

TASK = """
name = "words"
title = "Words"
category = "Text"
benchmark = "words"
metrics = ["exact_match"]
headline = "exact_match"
prompt = "Answer."
[dataset]
id = ""
split = "test"
files = ["words.jsonl"]
[decoding]
max_tokens = 8
"""
BENCHMARK = """
from evalkit.base.types import Sample, Text
from evalkit.tasks.benchmarks import Benchmark

def sample(cells, prompt, position):
    return Sample(str(position), (Text(f"{position}: {prompt}"),), references=["yes"])

BENCHMARKS = {"words": Benchmark(columns=("number",), image_columns=(), sample=sample)}
"""
CANDIDATES = ("cand-fp8", "cand-int8", "cand-int4")


def answers(share):
    def part(asked):
        return chat(asked, "yes" if int(asked.digest[:4], 16) < 0x10000 * share else "no")

    return part


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Ask three candidates once; what the command prints when called again, as wide as is said."""
    folder = tmp_path_factory.mktemp("printed")
    (folder / "words.toml").write_text(TASK)
    (folder / "words.py").write_text(BENCHMARK)
    write_lines(folder / "words.jsonl", [{"number": number} for number in range(40)])
    with ExitStack() as stack, pytest.MonkeyPatch.context() as patched:
        words = ["run", "--baseline", "base", "--task", "words", "--tasks-dir", folder, "--allow-task-code"]
        words += ["--min-recovery", "95", "-o", folder / "runs"]
        for label, share in zip(("base", *CANDIDATES), (0.9, 0.85, 0.8, 0.3), strict=True):
            server = stack.enter_context(ModelServer(label, answers(share)))
            words += ["--endpoint", f"{label}={server.url}", "--endpoint-is", f"{label}=1"]
        words += [word for label in CANDIDATES for word in ("--candidate", label)]

        def printed(columns):
            patched.delenv("COLUMNS", raising=False)
            if columns:
                patched.setenv("COLUMNS", str(columns))
            return evalkit(*words).out.splitlines()

        yield printed


def test_a_log_has_every_sentence_in_one_line_and_tables_of_120_columns(run):
    lines = run(None)
    outcomes = [line for line in lines if "(exit " in line]
    assert [line.partition(":")[0] for line in outcomes] == ["cand-int4", "cand-fp8", "cand-int8"]
    assert all(line.endswith(".") for line in outcomes)
    rows = [line for line in lines if line.startswith("Text ")]
    assert [row.count("% [") for row in rows] == [1, 1, 1]
    assert max(map(len, rows)) <= 120


def test_a_narrow_terminal_has_a_table_for_each_candidate_and_cuts_no_figure(run):
    lines = run(80)
    assert max(len(line) for line in lines if not line.startswith(("report: ", "next: "))) <= 80
    rows = [line for line in lines if line.startswith("Text ")]
    assert [line.count("% [") for line in rows] == [1, 1, 1]
    heads = [line for line in lines if line.startswith("Category ")]
    assert [head.split()[3] for head in heads] == list(CANDIDATES)
    assert "…" not in "\n".join(lines)
    # The wide row's figures, all of them.
    (wide,) = [line for line in run(200) if line.startswith("Text ")]
    assert {word for line in rows for word in line.split()} == set(wide.split())


def test_a_wide_terminal_has_the_candidates_beside_each_other(run):
    assert len([line for line in run(200) if line.startswith("Category ")]) == 1


@pytest.mark.parametrize("room", [80, 120])
def test_a_row_that_has_no_room_is_a_block_in_which_no_word_is_cut(room):
    label = "organization/a-model-with-a-long-name.w4a16"
    head = ["Category", "Metric", f"{label} before", label, "Recovery (%)", "Verdict", "On all answered"]
    row = ["Vision", "MMMU (val, CoT) explicit_prompt_relaxed_correctness", "52.250", "52.000", "99.52% [97.3, 101.4]"]
    row += ["undecided", "organization/a-model 52.250 (400 answers)"]
    console = Console(file=io.StringIO(), width=room)
    with console.capture() as caught:
        console.print(tables.fitting(head, [row], console, room))
    lines = caught.get().splitlines()
    assert max(map(len, lines)) <= room
    assert lines[0] == "Vision  MMMU (val, CoT) explicit_prompt_relaxed_correctness"
    for name, cell in zip(head[2:], row[2:], strict=True):
        assert any(f"{name} {cell}" in line for line in lines)
