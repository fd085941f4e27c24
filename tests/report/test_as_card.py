"""The section for a model card: its metadata as the Hub reads it, its text as Markdown shows it."""

import re
from dataclasses import replace

import pytest
import yaml
from huggingface_hub import EvalResult, ModelCard, ModelCardData
from huggingface_hub.repocard_data import eval_results_to_model_index, model_index_to_eval_results
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit import report
from evalkit.base import codec
from evalkit.base.types import Dataset, Engine
from evalkit.records.provenance import Provenance
from support.reports import COMMIT, HOSTILE, MIXED, RIGHT, built, judged, task, whole

TWO = (task(), task("chartqa", "ChartQA (test, CoT)", dataset=Dataset("lmms-lab/ChartQA", "test")))


def card(one, label="cand"):
    return ModelCard(report.model_card(one, label))


def test_the_hub_reads_every_measured_score():
    one = built({"org/base": [RIGHT, RIGHT], "org/cand-w8a8": [MIXED, RIGHT]}, tasks=TWO)
    found = card(one, "org/cand-w8a8").data
    assert found.base_model == "org/base"
    assert found["base_model_relation"] == "quantized"
    assert found.model_name == "cand-w8a8"
    expected = [
        EvalResult(
            task_type="image-text-to-text",
            dataset_type=data,
            dataset_name=title,
            dataset_config=config,
            dataset_split=split,
            dataset_revision=COMMIT,
            metric_type=metric,
            metric_name=f"{title} {metric} (%)",
            metric_value=value,
        )
        for title, data, config, split, value in (
            ("DocVQA (val)", "lmms-lab/DocVQA", "DocVQA", "validation", 75.0),
            ("ChartQA (test, CoT)", "lmms-lab/ChartQA", None, "test", 100.0),
        )
        for metric in ("anls", "anls@official")
    ]
    assert found.eval_results == expected


def test_a_server_that_ran_already_is_not_said_to_have_been_served():
    told = codec.kept(Provenance, {"config": {"endpoints": {"cand": "http://a"}}})
    one = built({"base": [RIGHT], "cand": [MIXED]}, provenance=told)
    assert "same questions, served by vllm 0.32.0 on NVIDIA H100 80GB HBM3 x1, and their answers" in str(card(one))
    elsewhere = [replace(one, engine=Engine("endpoint", "0.32.0", "unknown", {})) for one in one.plan.contenders]
    mixed = replace(one.plan, candidates=tuple(elsewhere[1:]))
    here_and_there = str(card(replace(one, plan=mixed)))
    assert (
        "base served by vllm 0.32.0 on NVIDIA H100 80GB HBM3 x1, cand on a server that evalkit did not"
        in here_and_there
    )
    assert "One command asks both models and makes this section" in here_and_there
    asked = str(card(replace(one, plan=replace(mixed, baseline=elsewhere[0]))))
    assert "same questions, on a server that evalkit did not start, and their answers were paired" in asked
    assert "One command asks both models and makes this section" in asked
    assert "served" not in asked


def test_the_metadata_survives_the_hubs_own_writer():
    one = built({"org/base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=TWO)
    first = card(one).data
    written = yaml.safe_load(first.to_yaml())
    again = ModelCardData(**written)
    assert again.eval_results == first.eval_results
    assert again.model_name == first.model_name
    index = yaml.safe_load(report.model_card(one, "cand").split("---\n")[1])["model-index"]
    name, results = model_index_to_eval_results(index)
    assert model_index_to_eval_results(eval_results_to_model_index(name, results)) == (name, results)
    assert ModelCard(str(card(one))).data.to_dict() == first.to_dict()


def test_two_tasks_on_the_same_data_stay_apart_in_the_hubs_own_writer():
    alike = (task(), task("again", "DocVQA, asked otherwise"))
    found = card(built({"base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=alike)).data
    written = yaml.safe_load(found.to_yaml())["model-index"][0]["results"]
    values = {metric["name"]: metric["value"] for result in written for metric in result["metrics"]}
    assert values["DocVQA (val) anls (%)"] == 75.0
    assert values["DocVQA, asked otherwise anls (%)"] == 100.0


def test_a_text_task_and_data_of_ones_own():
    one = built({"base": [RIGHT], "cand": [MIXED]}, tasks=(task(benchmark="mmlu", dataset=Dataset("", "test")),))
    (first, _) = card(one).data.eval_results
    assert (first.task_type, first.dataset_type, first.dataset_revision) == (
        "text-generation",
        "own files (docvqa)",
        None,
    )


def test_a_score_of_a_part_says_of_how_much():
    one = built({"base": [RIGHT], "cand": [MIXED]}, smoke=True)
    assert card(one).data.eval_results[0].dataset_args == {"samples": 4, "available": 8}
    assert "not for publication" in card(one).text
    lost = built({"base": [RIGHT], "cand": [[True, True, True, None]]})
    assert card(lost).data.eval_results[0].dataset_args == {"samples": 3, "available": 4}


def test_without_a_score_there_is_no_index():
    one = built({"base": [RIGHT], "cand": [[None] * 4]})
    assert card(one).data.eval_results is None
    assert "4 of 4 samples have no answer" in card(one).text


def test_a_base_that_is_not_on_the_hub_is_not_named_as_one():
    assert "base_model" not in report.model_card(built({"base": [RIGHT], "cand": [MIXED]}), "cand")


def test_the_section_has_the_shape_of_a_published_card():
    one = built({"base": [RIGHT, RIGHT], "cand": [MIXED, RIGHT]}, tasks=TWO, terms=judged())
    text = card(one).text
    headings = re.findall(r"^#+ .*$", text, re.MULTILINE)
    assert headings == ["## Evaluation", "### Accuracy", "### What is not known"]
    assert "| Category | Metric | base | cand | Recovery (%) | Verdict |" in text
    assert re.search(r"\| Vision \| DocVQA \(val\) anls \| 100\.00 \| 75\.00 \| 75\.00% \[[\d., ]+\] \|", text)
    assert "| Vision | Average Score | 100.00 | 87.50 | 87.50%" in text
    assert "95 % interval" in text
    assert "was not measured" in text


def test_every_candidate_has_a_card_of_its_own():
    one = whole()
    first, second = report.model_card(one, "org/a"), report.model_card(one, "b")
    assert "| org/base | org/a | Recovery (%) |" in first
    assert "| org/base | b | Recovery (%) |" in second
    assert "org/a" not in second.split("## Evaluation")[1].replace("--candidate org/a", "")
    assert "### Published before" in first
    assert "### Published before" not in second
    assert "1 of 40 samples has no answer" in second
    assert "1 of 40 samples has no answer" not in first


def test_the_commands_are_told_without_the_folders_of_the_machine():
    text = report.model_card(whole(), "b")
    assert (
        "evalkit run --baseline org/base --candidate org/a --candidate b=b-w4 --task docvqa --task chartqa "
        "--data docvqa=pages.parquet --profile published --serve-arg max-model-len=4096 --min-recovery 99 "
        "--max-failed 0.5 --accept-difference chat_template --noise-floor 2"
    ) in text
    assert "python -m vllm.entrypoints.openai.api_server --model b-w4" in text
    assert "somebody" not in text


def test_hostile_names_do_nothing_in_markdown():
    hostile = task(title=HOSTILE + "\n\n# heading\n---\n", category=HOSTILE)
    one = built({"base": [RIGHT], HOSTILE: [MIXED]}, tasks=(hostile,), notices=(f"- {HOSTILE}\n```\n# x",))
    body = report.model_card(one, HOSTILE).split("\n---\n", 1)[1]
    assert not re.search(r"(?<!\\)<(?!/?details>|/?summary>)", body)
    assert not re.search(r"(?<!\\)\]\(", body)
    assert not [character for character in "\u202e\x00\x1b\ud800" if character in body]
    lines = body.splitlines()
    assert [line for line in lines if line.startswith("#")] == [
        "## Evaluation",
        "### Accuracy",
        "### What is not known",
    ]
    (row,) = [line for line in lines if line.startswith("| ") and "75.00" in line]
    assert re.sub(r"\\\|", "", row).count("|") == 7


@settings(max_examples=150)
@given(st.text(st.characters(codec=None), min_size=1, max_size=20))
def test_yaml_gives_back_every_title_and_keeps_it_apart(title):
    one = built({"base": [RIGHT], "cand": [MIXED]}, tasks=(task(title=title),))
    text = report.model_card(one, "cand")
    found = yaml.safe_load(text.split("\n---\n", 1)[0].removeprefix("---\n"))
    shown = re.sub("[\ud800-\udfff]", "\N{REPLACEMENT CHARACTER}", title)
    assert found["model-index"][0]["results"][0]["dataset"]["name"] == shown
    assert set(found) == {"model-index"}


@pytest.mark.parametrize("name", ["a", "org/b", "c: d", "- e", "#f", "null", "1.5", "'", '"', "{x}"])
def test_a_models_name_is_always_text(name):
    found = card(built({"base": [RIGHT], name: [MIXED]}), name).data
    assert found.model_name == name.rsplit("/", 1)[-1]
