"""Scores of lm-eval's tasks are lm-eval's own, to the last digit: both ask one server, over the same made-up rows.

lm-eval asks with its stock clients, ``local-chat-completions`` and ``local-completions``; its prompts, filters, scores
and aggregations are the reference.
"""

import asyncio
import sys
from contextlib import aclosing
from dataclasses import replace

import datasets
import pytest
import yaml
from PIL import Image

from evalkit.base.errors import InfrastructureError
from evalkit.base.types import Failure, Model
from evalkit.client import Client, SendingPolicy
from evalkit.comparison.score import Tally
from evalkit.harnesses import Served, harness
from evalkit.harnesses.lm_eval.named.checker import scoring_order
from evalkit.harnesses.lm_eval.named.loading import PromptStyle
from evalkit.harnesses.lm_eval.named.scorer import Scorer
from evalkit.tasks import extensions, task_file
from support import lm_eval_rows
from support.answering import answering
from support.lm_eval_server import LONGEST, MODEL, TOKENIZER, answer, evaluated, stock

CHAT = ("gsm8k", "ifeval", "mmlu_pro_biology", "bbh_cot_fewshot_boolean_expressions", "hendrycks_math500")
CHOICES = ("arc_challenge", "hellaswag", "winogrande", "truthfulqa_mc2", "gpqa_main_zeroshot", "leaderboard_bbh_snarks")


@pytest.fixture(scope="module")
def server():
    with answering(answer) as url:
        yield url


def named(name, **settings):
    """A task as a task file of two lines has it; what it begins prompts with is left to the tokenizer, as there."""
    return task_file.task({"benchmark": "lm-eval", "settings": {"task": name, "forced_bos": False, **settings}}, name)


def ours(task, data, url):
    """The task's metrics as evalkit gets them: asked by its client, scored in its process, added up by its tally."""
    held = harness(task)
    questions = held.questions(task, data, lambda _: None)
    model = Model(MODEL, MODEL, "stand-in", named=str(TOKENIZER))
    session = held.session(task, Served(url, MODEL, model, LONGEST), lambda _: None)
    listed = list(questions.samples(None))
    outcomes = asyncio.run(_asked(url, session, {request: sample for sample, request in listed}))
    # In this process: that it works in one of its own is shown by a whole run (tests/runs/test_run_lm_eval_tasks.py).
    scorer = Scorer()
    names = [leaf.name for leaf in questions.leaves]
    assert scorer.answer({"do": "load", "folder": questions.folder.name, "leaves": names}) == {"ready": True}
    tally = Tally(task, MODEL, held)
    for sample, request in listed:
        order = scoring_order(sample, outcomes[request].text, generates=questions.generates)
        tally.add(sample, replace(outcomes[request], judgement=scorer.answer(order)))
    return tally


async def _asked(url, session, pending):
    found = {}
    async with Client(url, MODEL, SendingPolicy(tries=1)) as client:
        await session.rehearse(client, list(pending.values()))
        for ask in (session.requests, session.alone):
            owed = [(key, sample) for key, sample in pending.items() if key not in found]
            async with aclosing(client.ask(list(ask(owed)))) as outcomes:
                async for request, outcome in outcomes:
                    assert not isinstance(outcome, Failure), outcome
                    found[request.key] = outcome
    return found


def splits(folder):
    return {path.stem: path for path in folder.iterdir() if path.is_file()}


def held_equal(tally, reference):
    score = tally.task_score()
    assert (score.failed, score.left_out) == (0, {})
    assert dict(score.metrics) == {name: reference[name] for name in score.metrics}
    # Neither all wrong nor all right: equality of nothing would show nothing.
    assert any(0 < value < 1 for value in score.metrics.values())


@pytest.mark.parametrize("name", CHAT)
def test_answers_to_a_chat_score_as_in_lm_eval(name, server, tmp_path):
    rows = lm_eval_rows.TASKS[name](tmp_path / "rows")
    held_equal(ours(named(name), rows, server), stock(tmp_path / "stock", name, splits(rows), server, chat=True))


@pytest.mark.parametrize("name", CHOICES)
def test_choices_that_are_weighed_score_as_in_lm_eval(name, server, tmp_path):
    rows = lm_eval_rows.TASKS[name](tmp_path / "rows")
    held_equal(ours(named(name), rows, server), stock(tmp_path / "stock", name, splits(rows), server, chat=False))


def test_shots_that_are_drawn_are_those_of_lm_eval(server, tmp_path):
    rows = lm_eval_rows.TASKS["arc_challenge"](tmp_path / "rows")
    found = ours(named("arc_challenge", shots=3), rows, server)
    reference = stock(tmp_path / "stock", "arc_challenge", splits(rows), server, chat=False, num_fewshot=3)
    held_equal(found, reference)


def test_models_that_read_the_rows_at_the_same_time_find_the_same_shots(tmp_path):
    rows = lm_eval_rows.TASKS["arc_challenge"](tmp_path / "rows")
    task = named("arc_challenge", shots=3)
    (leaf,) = harness(task).questions(task, rows, lambda _: None).leaves
    style = PromptStyle(chat=False, turns=False, system="")
    alone = list(leaf.prompts(range(leaf.rows), style))
    together = list(zip(*(leaf.prompts(range(leaf.rows), style) for _ in range(2)), strict=True))
    assert len({one.arguments for one in alone}) == len(alone)
    assert together == [(one, one) for one in alone]


def test_a_plain_prompt_that_is_gone_on_with_scores_as_in_lm_eval(server, tmp_path):
    rows = lm_eval_rows.TASKS["gsm8k"](tmp_path / "rows")
    found = ours(named("gsm8k", chat=False), rows, server)
    held_equal(found, stock(tmp_path / "stock", "gsm8k", splits(rows), server, chat=False))


def group(folder, listed=("g_a", "g_b", "g_c"), **said):
    """A group of lm-eval's whose tasks differ in size and metrics; ``acc`` weighs them alike, ``acc_norm`` does not."""
    for name, (rows, metrics) in {"g_a": (5, 2), "g_b": (8, 2), "g_c": (3, 1)}.items():
        data = lm_eval_rows.write(folder / f"rows_{name}", test=lm_eval_rows.arc(rows)) / "test.jsonl"
        leaf = {
            "task": name,
            "dataset_path": "json",
            "dataset_kwargs": {"data_files": {"test": [str(data)]}},
            "test_split": "test",
            "output_type": "multiple_choice",
            "doc_to_text": f"{name}: {{{{question}}}}\nAnswer:",
            "doc_to_choice": "{{choices.text}}",
            "doc_to_target": "{{choices.label.index(answerKey)}}",
            "metric_list": [{"metric": one, "aggregation": "mean"} for one in ("acc", "acc_norm")[:metrics]],
        }
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(leaf))
    weights = [
        {"metric": "acc", "aggregation": "mean", "weight_by_size": False},
        {"metric": "acc_norm", "aggregation": "mean", "weight_by_size": True},
    ]
    said |= {"group": "g", "task": list(listed), "aggregate_metric_list": weights}
    (folder / "g.yaml").write_text(yaml.safe_dump(said))


@pytest.mark.parametrize(("metric", "out"), [("acc", []), ("acc_norm", ["g_c"])])
def test_a_groups_score_is_lm_evals_own_whatever_its_tasks_weigh(metric, out, server, tmp_path):
    (tmp_path / "own").mkdir()
    group(tmp_path / "own")
    said = {"task": "g", "include_path": "own", "metric": metric, "forced_bos": False}
    with extensions.allowing():
        task = task_file.task({"benchmark": "lm-eval", "settings": said}, str(tmp_path / "g.toml"), tmp_path)
    assert (task.headline, task.settings.get("leaves_out", [])) == (metric, out)
    assert task.settings["unweighted"] == ["acc"]
    tally, reference = ours(task, None, server), evaluated(tmp_path / "own", "g", server)
    score = tally.task_score()
    assert (score.score, score.planned) == (reference["g"][f"{metric},none"], 16 - 3 * len(out))
    means = {name: reference[name][f"{metric},none"] for name in ("g_a", "g_b", "g_c") if name not in out}
    sizes = {"g_a": 5, "g_b": 8, "g_c": 3}
    # That the weights matter: the mean over all rows is another one where tasks count alike.
    pooled = sum(mean * sizes[name] for name, mean in means.items()) / sum(sizes[name] for name in means)
    assert (score.score == pytest.approx(pooled)) == (metric == "acc_norm")
    assert score.bounds == (pytest.approx(score.score), pytest.approx(score.score))


CHANGING = [
    {"task": "g_a", "doc_to_text": "Changed: {{question}}\nAnswer:", "task_alias": "first"},
    {"group": "inner", "task": ["g_b"], "description": "unused"},
    {"task": "g_c", "description": "Look up. "},
]
"""A list that changes tasks, also what the group's own file says of all, and has a group that stands nowhere else."""


def test_a_group_that_changes_tasks_within_its_list_is_asked_and_scored_as_in_lm_eval(server, tmp_path):
    (tmp_path / "own").mkdir()
    group(tmp_path / "own", CHANGING, description="Of all. ")
    said = {"task": "g", "include_path": "own", "metric": "acc", "forced_bos": False}
    with extensions.allowing():
        task = task_file.task({"benchmark": "lm-eval", "settings": said}, str(tmp_path / "g.toml"), tmp_path)
        questions = harness(task).questions(task, None, lambda _: None)
    begins = {sample.cluster: sample.content[0].text.partition(":")[0] for sample, _ in questions.samples(None)}
    # What a group around says wins over what an inner one does, and an entry of the list over both.
    assert begins == {"g_a": "Of all. Changed", "g_b": "Of all. g_b", "g_c": "Look up. g_c"}
    tally, reference = ours(task, None, server), evaluated(tmp_path / "own", "g", server)
    assert tally.task_score().score == reference["g"]["acc,none"]
    for name in ("g_a", "g_b", "g_c"):
        mine = [one.value for key, one in tally.paired.items() if tally.made_of[key] == name]
        assert sum(mine) / len(mine) == reference[name]["acc,none"]


BY_CODE = """
group: g
task:
  - task: g_a
    doc_to_text: !function texts.changed
  - g_b
  - task: whole
    dataset_path: json
    dataset_kwargs: {data_files: {test: [PLACE]}}
    test_split: test
    output_type: multiple_choice
    doc_to_text: !function texts.changed
    doc_to_choice: "{{choices.text}}"
    doc_to_target: "{{choices.label.index(answerKey)}}"
    metric_list: [{metric: acc, aggregation: mean}]
  - task: g_a
    doc_to_text: !function texts.other
aggregate_metric_list: [{metric: acc, aggregation: mean}]
"""
"""A list that changes a task by a function, describes one that no file has, and names one twice."""


def test_a_group_of_functions_and_of_tasks_within_its_list_is_asked_and_scored_as_in_lm_eval(server, tmp_path):
    own = tmp_path / "own"
    own.mkdir()
    group(own)
    (own / "g.yaml").write_text(BY_CODE.replace("PLACE", str(own / "rows_g_b" / "test.jsonl")))
    (own / "texts.py").write_text(
        "def changed(doc):\n    return 'Changed: ' + doc['question']\n\n\n"
        "def other(doc):\n    return 'Other: ' + doc['question']\n"
    )
    said = {"task": "g", "include_path": "own", "metric": "acc", "forced_bos": False}
    with extensions.allowing():
        task = task_file.task({"benchmark": "lm-eval", "settings": said}, str(tmp_path / "g.toml"), tmp_path)
        questions = harness(task).questions(task, None, lambda _: None)
    begins = {sample.cluster: sample.content[0].text.partition(":")[0] for sample, _ in questions.samples(None)}
    # Of a task that is named twice, lm-eval asks what is said last, where it is named first.
    assert list(begins.items()) == [("g_a", "Other"), ("g_b", "g_b"), ("g::whole", "Changed")]
    tally, reference = ours(task, None, server), evaluated(own, "g", server)
    assert tally.task_score().score == reference["g"]["acc,none"]


def test_questions_about_pictures_score_as_in_lm_eval(server, tmp_path):
    rows = tmp_path / "rows"
    rows.mkdir()
    pictures(rows / "validation.parquet", 8)
    name = "mmmu_val_accounting"
    found = ours(named(name), rows, server)
    held_equal(found, stock(tmp_path / "stock", name, splits(rows), server, chat=True, images=True))


def test_a_package_that_a_task_needs_is_named_with_the_command_that_installs_it(tmp_path, monkeypatch):
    rows = lm_eval_rows.TASKS["ifeval"](tmp_path / "rows")
    for name in [one for one in sys.modules if "ifeval" in one]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "langdetect", None)
    task = named("ifeval")
    with pytest.raises(InfrastructureError, match="langdetect") as caught:
        harness(task).questions(task, rows, lambda _: None)
    assert "pip install 'lm-eval[ifeval]'" in caught.value.fix


def test_an_answer_that_cannot_be_read_scores_alike_whenever_it_is_scored(tmp_path):
    """lm-eval guesses an option there, and draws it from what the process draws from."""
    rows = tmp_path / "rows"
    rows.mkdir()
    pictures(rows / "validation.parquet", 8)
    task = named("mmmu_val_accounting")
    questions = harness(task).questions(task, rows, lambda _: None)
    samples = [sample for sample, _ in questions.samples(None)]
    scorer = Scorer()
    names = [leaf.name for leaf in questions.leaves]
    assert scorer.answer({"do": "load", "folder": questions.folder.name, "leaves": names}) == {"ready": True}

    def scored(sample):
        return scorer.answer(scoring_order(sample, "no option", generates=True))["metrics"]["acc"]

    first = [scored(sample) for sample in samples]
    assert first == [*reversed([scored(sample) for sample in reversed(samples)])]
    assert set(first) == {0.0, 1.0}, "by the sample, and not one option for all"


def pictures(path, count):
    """Rows in MMMU's columns, some with two pictures."""
    rows = []
    for at in range(count):
        both = at % 2 == 1
        rows.append(
            {
                "id": f"validation_Accounting_{at}",
                "question": f"What is in <image 1>{' and <image 2>' if both else ''}, number {at}?",
                "options": "['a circle', 'a square']",
                "explanation": "",
                "image_1": Image.new("RGB", (8, 8), (at, 0, 0)),
                **{
                    f"image_{n}": Image.new("RGB", (8, 8), (0, at, n)) if both and n == 2 else None for n in range(2, 8)
                },
                "img_type": "['Plots and Charts']",
                "answer": "AB"[at % 2],
                "topic_difficulty": "Easy",
                "question_type": "multiple-choice",
                "subfield": "Accounting",
            }
        )
    kinds = {name: datasets.Image() if name.startswith("image_") else datasets.Value("string") for name in rows[0]}
    datasets.Dataset.from_list(rows, features=datasets.Features(kinds)).to_parquet(str(path))
