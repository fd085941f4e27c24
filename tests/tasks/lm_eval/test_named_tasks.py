"""lm-eval's task files as tasks of evalkit's: what they fill in, what is refused by name, and how names are found."""

import tomllib

import pytest
import yaml

from evalkit.base.errors import ConfigError, DataError, UsageError
from evalkit.harnesses import harness
from evalkit.tasks import extensions, registry, task_file
from evalkit.tasks.lm_eval import files, index, members
from support.commands import evalkit


def task(text, folder=None):
    return task_file.task(tomllib.loads(f'benchmark = "lm-eval"\n{text}'), "x.toml", folder)


def named(**settings):
    return task_file.task({"benchmark": "lm-eval", "settings": settings}, "x.toml")


def own(folder, **files_of):
    """A folder of lm-eval task files."""
    folder.mkdir(parents=True, exist_ok=True)
    for name, said in files_of.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump({"task": name} | said))
    return folder


PLAIN = {"dataset_path": "a/b", "test_split": "test", "output_type": "generate_until", "doc_to_text": "q"}


def test_a_name_alone_is_a_whole_task():
    (found,) = registry.find(["lm-eval:gsm8k"])
    assert (found.name, found.title, found.benchmark) == ("lm-eval.gsm8k", "gsm8k (5-shot)", "lm-eval")
    assert found.metrics == ("exact_match,strict-match", "exact_match,flexible-extract")
    assert found.headline == "exact_match,strict-match"
    assert (found.dataset.id, found.dataset.config, found.dataset.split) == ("openai/gsm8k", "main", "test")
    assert found.decoding.stop == ("Question:", "</s>", "<|im_end|>")
    assert (found.decoding.temperature, found.decoding.max_tokens, found.decoding.n) == (0.0, 256, 1)


@pytest.mark.parametrize(
    ("name", "metrics", "headline"),
    [
        ("arc_challenge", ("acc", "acc_norm"), "acc_norm"),
        ("winogrande", ("acc",), "acc"),
        ("mmlu_pro_biology", ("exact_match,custom-extract",), "exact_match,custom-extract"),
        ("leaderboard_musr_murder_mysteries", ("acc_norm",), "acc_norm"),
    ],
)
def test_metrics_are_those_of_the_task_by_its_filters(name, metrics, headline):
    (found,) = registry.find([f"lm-eval:{name}"])
    assert (found.metrics, found.headline) == (metrics, headline)


def test_settings_stand_over_the_task():
    kwargs = {"temperature": 0.6, "top_k": 20, "max_gen_toks": 900, "until": ["Z"], "seed": 3}
    found = named(task="gsm8k", shots=2, gen_kwargs=kwargs, repeats=3, metric="exact_match,flexible-extract")
    assert (found.title, found.headline) == ("gsm8k (2-shot)", "exact_match,flexible-extract")
    chosen = found.decoding
    assert (chosen.temperature, chosen.top_k, chosen.max_tokens, chosen.seed) == (0.6, 20, 900, 3)
    assert (chosen.stop, chosen.n) == (("Z",), 3)


def test_a_task_that_says_no_shots_keeps_it_as_in_lm_eval():
    assert named(task="gpqa_main_zeroshot", shots=5).title == "gpqa_main_zeroshot"


def test_a_chat_sends_as_many_stop_texts_as_lm_eval(tmp_path):
    place = own(tmp_path / "own", many=PLAIN | {"generation_kwargs": {"until": list("abcdef")}})
    with extensions.allowing():
        text = f'[settings]\ntask = "many"\ninclude_path = "{place.name}"\n'
        assert task(text, tmp_path).decoding.stop == tuple("abcd")
        assert task(text + "chat = false", tmp_path).decoding.stop == tuple("abcdef")


def test_a_group_is_all_its_tasks():
    (found,) = registry.find(["lm-eval:mmlu_pro"])
    assert (found.headline, found.groups, found.dataset.config) == ("exact_match,custom-extract", "fixed", None)


def test_a_group_of_tasks_with_different_metrics_is_a_row_for_each_metric_that_tasks_share():
    found = registry.find(["lm-eval:leaderboard"])
    assert [(one.name, one.headline) for one in found] == [
        ("lm-eval.leaderboard.acc_norm", "acc_norm"),
        ("lm-eval.leaderboard.exact_match", "exact_match"),
        ("lm-eval.leaderboard.acc", "acc"),
        ("lm-eval.leaderboard.prompt_level_strict_acc", "prompt_level_strict_acc"),
    ]
    # No average of them: lm-eval has none.
    assert len({one.category for one in found}) == len(found)
    (told,) = harness(found[2]).task_words(found[2])
    assert told.startswith("tasks of the group that are not in this row: leaderboard_bbh_boolean_expressions, ")
    assert "leaderboard_mmlu_pro" not in told
    assert len(told.split(", ")) == 38


def test_a_group_says_which_metrics_weigh_its_tasks_alike():
    (found,) = registry.find(["lm-eval:metabench"])
    assert found.settings == {"task": "metabench", "leaves_out": ["metabench_gsm8k"], "unweighted": ["acc"]}
    assert "each counts alike" in harness(found).task_words(found)[0]
    plain = named(task="metabench", unweighted=[])
    assert (plain.settings["unweighted"], harness(plain).parts_alike(plain)) == ([], False)


@pytest.mark.parametrize(
    ("entry", "said"),
    [
        ({"task": "gen", "include": "other.yaml"}, "includes a file within its list, which lm-eval cannot build"),
        ({"task": "nowhere", "include": "x.yaml"}, "includes a file within its list, which lm-eval cannot build"),
        ({"task": "nowhere"}, "names 'nowhere', which no file has"),
        ({"num_fewshot": 3}, "has an entry without a task, which lm-eval cannot build"),
    ],
)
def test_what_a_group_cannot_change_within_its_list_is_refused_by_name(tmp_path, entry, said):
    place = own(tmp_path / "own", gen=PLAIN)
    (place / "g.yaml").write_text(yaml.safe_dump({"group": "g", "task": [entry]}))
    with extensions.allowing(), pytest.raises(UsageError, match=f"lm-eval's group 'g' {said}"):
        task('[settings]\ntask = "g"\ninclude_path = "own"', tmp_path)


@pytest.mark.parametrize("entry", [{"task": "gen", "include": "x.yaml"}, {"num_fewshot": 3}])
def test_what_is_refused_of_a_groups_list_lm_eval_cannot_build_either(tmp_path, entry):
    from lm_eval.tasks import TaskManager

    place = own(tmp_path / "own", gen=PLAIN)
    (place / "g.yaml").write_text(yaml.safe_dump({"group": "g", "task": [entry]}))
    with pytest.raises((TypeError, ValueError), match=r"include|must have 'task' or 'group'"):
        TaskManager(include_path=str(place), include_defaults=False).load(["g"])


def test_a_task_in_two_groups_of_a_group_is_refused_by_name(tmp_path):
    place = own(tmp_path / "own", gen=PLAIN)
    inner = [{"group": name, "task": ["gen"]} for name in ("one", "two")]
    (place / "g.yaml").write_text(yaml.safe_dump({"group": "g", "task": inner}))
    with extensions.allowing(), pytest.raises(UsageError, match="has the task 'gen' in two of its groups"):
        task('[settings]\ntask = "g"\ninclude_path = "own"', tmp_path)


def test_functions_of_a_group_that_includes_a_file_of_another_folder_are_refused(tmp_path):
    place = own(tmp_path / "own", gen=PLAIN)
    (tmp_path / "base").write_text("doc_to_text: !function utils.text\n")
    (place / "g.yaml").write_text("group: g\ninclude: ../base\ntask: [gen]\n")
    with extensions.allowing(), pytest.raises(UsageError, match="by functions, and includes a file of another folder"):
        task('[settings]\ntask = "g"\ninclude_path = "own"', tmp_path)


def test_a_group_that_mixes_kinds_in_one_metric_is_refused(tmp_path):
    metrics = {"metric_list": [{"metric": "acc", "aggregation": "mean"}]}
    place = own(tmp_path / "own", gen=PLAIN | metrics, weigh=PLAIN | metrics | {"output_type": "multiple_choice"})
    (place / "both.yaml").write_text(yaml.safe_dump({"group": "both", "task": ["gen", "weigh"]}))
    with extensions.allowing():
        with pytest.raises(UsageError, match="tasks that generate and tasks that weigh choices"):
            task('[settings]\ntask = "both"\ninclude_path = "own"', tmp_path)
        alone = task('[settings]\ntask = "both"\ninclude_path = "own"\nleaves_out = ["gen"]', tmp_path)
        assert alone.decoding.max_tokens == 1
        with pytest.raises(UsageError, match="has no other tasks"):
            task('[settings]\ntask = "both"\ninclude_path = "own"\nleaves_out = ["gen", "weigh"]', tmp_path)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("humaneval", "it executes the programs that models write"),
        ("wikitext", "loglikelihood_rolling"),
        ("squadv2", "it is a Python class"),
        ("gsm9k", "lm-eval has no task 'gsm9k'"),
        ("longbench", "whose answers are drawn or ended otherwise"),
    ],
)
def test_what_cannot_be_asked_is_refused_by_name(name, said):
    with pytest.raises(UsageError, match=said) as caught:
        registry.find([f"lm-eval:{name}"])
    assert caught.value.fix


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"task": "arc_challenge", "chat": True}, "settings.chat: is true"),
        ({"task": "arc_challenge", "gen_kwargs": {"temperature": 1}}, "settings.gen_kwargs: is set"),
        ({"task": "arc_challenge", "repeats": 2}, "settings.repeats: is set"),
        (
            {"task": "gsm8k", "gen_kwargs": {"temprature": 1}},
            "settings.gen_kwargs.temprature: is no field of a request",
        ),
        ({"task": "gsm8k", "chat": False, "system": "Be short."}, "settings.system: is set"),
        ({"task": "gsm8k", "shot": 2}, "settings: shot: unknown key; did you mean 'shots'"),
        ({"task": "gsm8k", "repeats": 0}, "settings: repeats"),
        ({"task": "gsm8k", "include_path": "own"}, "settings.include_path: lm-eval task files of your own run code"),
        ({}, "settings: task: missing"),
    ],
)
def test_a_setting_that_does_not_fit_is_one_line(settings, said):
    with pytest.raises(ConfigError) as caught:
        named(**settings)
    assert said in caught.value.message


def test_a_metric_that_is_no_mean_over_answers_is_left_out_and_alone_refused(tmp_path):
    listed = [{"metric": "bleu", "aggregation": "bleu"}, {"metric": "exact_match", "aggregation": "mean"}]
    own(tmp_path / "own", both=PLAIN | {"metric_list": listed}, bleu=PLAIN | {"metric_list": listed[:1]})
    with extensions.allowing():
        assert task('[settings]\ntask = "both"\ninclude_path = "own"', tmp_path).metrics == ("exact_match",)
        with pytest.raises(UsageError, match="no metric that is a mean over answers"):
            task('[settings]\ntask = "bleu"\ninclude_path = "own"', tmp_path)


def test_a_metric_that_lm_eval_takes_over_a_whole_set_by_default_is_left_out(tmp_path):
    listed = [{"metric": "mcc"}, {"metric": "f1"}, {"metric": "acc"}, {"metric": "f1", "aggregation": "mean"}]
    own(tmp_path / "own", three=PLAIN | {"metric_list": listed[:3]}, mean=PLAIN | {"metric_list": listed[3:]})
    with extensions.allowing():
        found = [task(f'[settings]\ntask = "{name}"\ninclude_path = "own"', tmp_path) for name in ("three", "mean")]
    assert [one.metrics for one in found] == [("acc",), ("f1",)]
    # Among others, lm-eval's own: a group with one such task is asked.
    assert "lm-eval.galician_bench.mcc" not in [one.name for one in registry.find(["lm-eval:galician_bench"])]


def test_which_metrics_these_are_is_lm_evals_own_list(tmp_path):
    from lm_eval.api import metrics, registry

    names = sorted(registry.metric_registry)
    own(tmp_path / "own", every=PLAIN | {"metric_list": [{"metric": name} for name in names]})
    with extensions.allowing():
        found = task('[settings]\ntask = "every"\ninclude_path = "own"', tmp_path).metrics
    assert found == tuple(name for name in names if registry.get_metric_aggregation(name) is metrics.mean)
    assert 3 < len(found) < len(names)


def test_a_file_that_includes_itself_is_told(tmp_path):
    (tmp_path / "a.yaml").write_text("include: b.yaml\ntask: a\n")
    (tmp_path / "b.yaml").write_text("include: a.yaml\n")
    with pytest.raises(DataError, match="it includes itself"):
        files.load(tmp_path / "a.yaml")


def test_what_is_included_is_merged_as_lm_eval_merges_it(tmp_path):
    (tmp_path / "base").write_text("x: 1\ny: !function utils.f\n")
    (tmp_path / "a.yaml").write_text("include: base\ntask: a\nx: 2\n")
    config, read = files.load(tmp_path / "a.yaml")
    assert config == {"x": 2, "y": "!function utils.f", "task": "a"}
    assert [path.name for path in read] == ["a.yaml", "base"]


def test_names_are_read_from_files_with_their_tags_and_groups(tmp_path):
    (tmp_path / "a.yaml").write_text('"task": "one" # first\ntag:\n  - t1\n  - t2\n')
    (tmp_path / "b.yaml").write_text("group: both\ntask:\n  - one\n")
    (tmp_path / "_base.yaml").write_text("dataset_path: x\n")
    (tmp_path / "c.yaml").write_text("task: one\n")
    found = index.read([tmp_path])
    assert (found.files, found.groups) == ({"one": "a.yaml", "both": "b.yaml"}, ["both"])
    assert found.tags == {"t1": ["one"], "t2": ["one"]}
    assert index.search(found, "T") == [("t1", "tag"), ("t2", "tag"), ("both", "group")]


def test_tags_come_through_what_a_file_includes(tmp_path):
    (tmp_path / "deepest").write_text("tag:\n  - shared\n  - more\n")
    (tmp_path / "base").write_text("include: deepest\ndataset_path: x\n")
    (tmp_path / "a.yaml").write_text("task: one\ninclude: base\n")
    (tmp_path / "b.yaml").write_text("task: two\ninclude:\n  - base\n  - nowhere\ntag: own\n")
    (tmp_path / "c.yaml").write_text("group: both\ntask: three\nclass: !function a.B\n")
    (tmp_path / "d.yaml").write_text("task: four\ninclude: d.yaml\n")
    found = index.read([tmp_path])
    assert found.tags == {"shared": ["one"], "more": ["one"], "own": ["two"]}
    assert (list(found.files), found.groups) == (["one", "two", "three", "four"], [])


@pytest.fixture(scope="module")
def lm_evals_own():
    """lm-eval's index of its tasks, which takes ten seconds of the processor."""
    from lm_eval.tasks import TaskManager

    return TaskManager()


def test_all_names_are_lm_evals_own(lm_evals_own):
    found, theirs = index.read([files.folder()]), lm_evals_own.task_index
    assert sorted(found.groups) == lm_evals_own.all_groups
    assert sorted({*found.files} - {*found.groups}) == lm_evals_own.all_subtasks
    assert {tag: {*names} for tag, names in found.tags.items()} == {
        tag: theirs[tag].tags for tag in lm_evals_own.all_tags
    }
    assert all(files.folder() / place == theirs[name].yaml_path for name, place in found.files.items())
    assert len(found.files) > 13_000


@pytest.fixture
def lm_evals_tasks(lm_evals_own, monkeypatch):
    """A function: a group -> the names of its tasks, as lm-eval builds them."""
    from lm_eval.api.task import ConfigurableTask

    def unread(_, entry, overrides):
        """Its name, without its data."""
        made = ConfigurableTask.__new__(ConfigurableTask)
        made._config = {"task": (overrides or {}).get("task", entry.name)}
        return made

    monkeypatch.setattr(type(lm_evals_own._factory), "_build_task", unread)
    monkeypatch.setattr(ConfigurableTask, "task_name", property(lambda self: self._config["task"]))
    return lambda name: [one.task_name for one in lm_evals_own.load([name])["groups"][name].get_all_tasks()]


def of_group(name):
    """The names of a group's tasks, as evalkit asks them."""
    return [one.name for one in members.expanded(files.find(name), None)]


@pytest.mark.parametrize("name", ["adr", "basque_bench", "naijarc", "darija_sentiment", "longbench2"])
def test_groups_that_name_tags_have_lm_evals_own_tasks(lm_evals_tasks, name):
    theirs = lm_evals_tasks(name)
    assert of_group(name) == theirs
    assert len(theirs) > 2


def test_a_group_changed_within_a_list_is_asked_whole_where_lm_eval_keeps_one_task(lm_evals_tasks):
    """It gives all tasks of such a group the group's name; of MMLU the last one of each of four groups is left."""
    theirs = lm_evals_tasks("openllm")
    assert (len(theirs), theirs.count("mmlu"), theirs.count("truthfulqa")) == (9, 4, 1)
    asked = of_group("openllm")
    assert sum(name.startswith("mmlu_") for name in asked) == 57
    assert {"truthfulqa_gen", "truthfulqa_mc1", "truthfulqa_mc2"} < {*asked}
    assert len({*asked}) == 64


def test_a_group_that_lm_eval_cannot_build_is_asked(lm_evals_tasks):
    """One has the name of a task within the list of another: lm-eval takes its list for the name of that task."""
    with pytest.raises(TypeError):
        lm_evals_tasks("toksuite_abridged")
    named = {name for one in files.find("toksuite_abridged").members for name in one["task"]}
    assert named - {*of_group("toksuite_abridged")} == {"toksuite_stem_latex"}


def test_a_word_is_found_among_the_names(monkeypatch, tmp_path):
    found = evalkit("tasks", "search", "gsm8k", "--json")
    names = {one["name"]: one["kind"] for one in found.json["found"]}
    assert {"gsm8k", "gsm8k_platinum_cot_llama"} <= names.keys()
    assert names["gsm8k"] == "task"
    assert "gsm8k_cot" in evalkit("tasks", "search", "GSM8K").out
    assert "dataset_path: openai/gsm8k" in evalkit("tasks", "show", "lm-eval:gsm8k").out
    nothing = evalkit("tasks", "search", "no such thing")
    assert (nothing.code, "has no task with 'no such thing'" in nothing.err) == (2, True)
