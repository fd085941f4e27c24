from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from evalkit.base.errors import ConfigError, DataError, UsageError
from evalkit.tasks import registry

TASK = """
name = "{name}"
title = "{title}"
category = "Vision"
benchmark = "docvqa"
metrics = ["anls"]
headline = "anls"
dialect = "neuralmagic"
prompt = "Answer."
[dataset]
id = ""
split = "validation"
files = ["rows.parquet"]
[decoding]
max_tokens = 10
"""
VISION = ["mmmu", "vqav2", "docvqa", "chartqa", "mathvista"]


@pytest.fixture
def mine(tmp_path):
    folder = tmp_path / "mine"
    (folder / "suites").mkdir(parents=True)
    add(folder, "letters")
    (folder / "suites" / "both.toml").write_text('name = "both"\ntitle = "Both"\ntasks = ["letters", "mmmu"]')
    return folder


def add(folder: Path, name: str, title: str = "Mine", file: str = "") -> Path:
    path = folder / f"{file or name}.toml"
    path.write_text(TASK.format(name=name, title=title))
    return path


def complaint(call, kind=UsageError) -> str:
    with pytest.raises(kind) as caught:
        call()
    return "; ".join(part for part in (str(caught.value), caught.value.fix) if part)


def test_the_built_in_tasks_say_what_was_published():
    found = registry.tasks()
    said = {
        name: (
            found[name].title,
            found[name].headline,
            found[name].dialect,
            found[name].dataset.split,
            found[name].decoding.max_tokens,
            found[name].decoding.temperature,
            found[name].images,
        )
        for name in VISION
    }
    explicit, anywhere = "explicit_prompt_relaxed_correctness", "anywhere_in_answer_relaxed_correctness"
    fork = "neuralmagic"
    assert said == {
        "mmmu": ("MMMU (val, CoT)", explicit, fork, "validation", 2048, 0.0, "reencode"),
        "vqav2": ("VQAv2 (val)", "vqa_match", fork, "validation", 10, 0.0, "reencode"),
        "docvqa": ("DocVQA (val)", "anls", fork, "validation", 10, 0.0, "reencode"),
        "chartqa": ("ChartQA (test, CoT)", anywhere, fork, "test", 2048, 0.0, "reencode"),
        "mathvista": ("Mathvista (testmini, CoT)", explicit, fork, "testmini", 2048, 0.0, "reencode"),
    }
    assert all(found[name].benchmark == name and found[name].category == "Vision" for name in VISION)


def test_every_built_in_task_pins_its_data_and_its_prompt():
    for name in VISION:
        task = registry.tasks()[name]
        assert len(task.dataset.revision) == 40
        assert task.dataset.split in task.dataset.files[0]
        assert task.prompt.repository == "mistralai/mistral-evals"
        assert task.prompt.file == f"eval/tasks/{name}.py"


def test_no_built_in_task_or_suite_is_named_twice():
    names = [*registry.tasks(), *registry.suites()]
    assert len(names) == len(set(names))


def test_the_default_suite_is_the_published_table():
    assert [task.name for task in registry.chosen((), None)] == [*VISION, "humaneval", "mmlu"]


def test_a_suite_comes_before_the_tasks_named_beside_it(mine):
    found = registry.chosen(["chartqa", "letters"], "both", [mine])
    assert [task.name for task in found] == ["letters", "mmmu", "chartqa"]


def test_tasks_alone_are_run_without_a_suite(mine):
    assert [task.name for task in registry.chosen(["letters"], None, [mine])] == ["letters"]


def test_a_folder_adds_tasks_and_suites(mine):
    assert registry.tasks([mine])["letters"].source == str(mine / "letters.toml")
    assert registry.suites([mine])["both"].tasks == ("letters", "mmmu")
    assert "letters" not in registry.tasks()
    assert registry.replaced([mine]) == []


def test_a_folder_may_replace_a_built_in_task_and_it_shows(mine):
    path = add(mine, "mmmu", title="My MMMU")
    assert registry.tasks([mine])["mmmu"].title == "My MMMU"
    assert registry.replaced([mine]) == [f"mmmu is not the built-in one: it was read from {path}"]


def test_a_folder_that_replaces_several_is_told_in_one_sentence(mine):
    add(mine, "mmmu", title="My MMMU")
    add(mine, "docvqa", title="My DocVQA")
    (told,) = registry.replaced([mine])
    assert told == f"docvqa, mmmu are not the built-in ones: they were read from {mine}"


def test_a_file_in_the_working_folder_is_named_in_short(mine, monkeypatch):
    monkeypatch.chdir(mine.parent)
    assert registry.tasks([mine])["letters"].source == str(Path("mine", "letters.toml"))


def test_a_task_may_be_a_file(tmp_path, mine):
    path = add(tmp_path, "alone", file="some-file")
    found = registry.find([str(path), "mmmu", "mmmu"], [mine])
    assert [(task.name, task.title) for task in found] == [("alone", "Mine"), ("mmmu", found[1].title)]


def test_a_file_named_like_a_chosen_task_is_refused(tmp_path):
    path = add(tmp_path, "mmmu")
    assert f"{path} are both named 'mmmu'; give one another name" in complaint(
        lambda: registry.find(["mmmu", str(path)])
    )


def test_an_unknown_task_names_the_near_miss():
    assert complaint(lambda: registry.find(["mmmmu"])) == "unknown task 'mmmmu'; did you mean 'mmmu'?"


def test_a_suite_in_place_of_a_task_says_where_it_belongs():
    said = complaint(lambda: registry.find(["pixtral-card"]))
    assert said == "'pixtral-card' is a suite, not a task; choose it with --suite pixtral-card"


def test_an_unknown_suite_names_the_near_miss():
    assert complaint(lambda: registry.chosen((), "pixtral")) == "unknown suite 'pixtral'; did you mean 'pixtral-card'?"


def test_a_suite_with_an_unknown_task_is_refused(mine):
    path = mine / "suites" / "bad.toml"
    path.write_text('name = "bad"\ntitle = "Bad"\ntasks = ["leters"]')
    said = complaint(lambda: registry.chosen((), "bad", [mine]), ConfigError)
    assert said == f"{path}: tasks: unknown task 'leters'; did you mean 'letters'?"


def test_two_files_of_one_folder_cannot_share_a_name(mine):
    add(mine, "letters", file="zzz")
    said = complaint(lambda: registry.find(["letters"], [mine]), ConfigError)
    assert said.startswith(f"{mine / 'zzz.toml'}: name: 'letters' is the name in {mine / 'letters.toml'} too")


def test_a_bad_key_is_told_with_its_file(mine):
    path = mine / "letters.toml"
    path.write_text(path.read_text() + "temprature = 0\n")
    said = complaint(lambda: registry.find(["letters"], [mine]), ConfigError)
    assert said == f"{path}: decoding.temprature: unknown key; did you mean 'temperature'?"


def test_what_is_not_toml_is_told_with_its_line(mine):
    (mine / "broken.toml").write_text("name = \n")
    assert f"{mine / 'broken.toml'}: not TOML: Invalid value (at line 1" in complaint(
        lambda: registry.find(["broken"], [mine]), ConfigError
    )
    (mine / "broken.toml").write_bytes(b"name = '\xff'")
    assert f"{mine / 'broken.toml'}: not UTF-8 text" in complaint(lambda: registry.find(["broken"], [mine]), DataError)


def test_a_bad_file_spoils_itself_and_not_its_neighbours(mine):
    (mine / "broken.toml").write_text("name = \n")
    bad = add(mine, "mmmu", title="My MMMU")
    bad.write_text(bad.read_text().replace("anls", "anlz"))
    (mine / "suites/bad.toml").write_text('name = "bad"\ntitle = "Bad"\ntasks = ["leters"]')
    assert [task.name for task in registry.find(["letters", "docvqa"], [mine])] == ["letters", "docvqa"]
    assert [task.name for task in registry.chosen((), None)][:1] == ["mmmu"]
    told = [error.message for error in registry.broken([mine])]
    assert [text.partition(":")[0] for text in told] == [
        str(mine / name) for name in ("broken.toml", "mmmu.toml", "suites/bad.toml")
    ]
    # A file in the place of a built-in task is not passed over silently.
    assert str(bad) in complaint(lambda: registry.find(["mmmu"], [mine]), ConfigError)


@pytest.mark.parametrize("name", ["absent.toml", "absent/folder"])
def test_a_file_that_cannot_be_read_is_told(tmp_path, name):
    assert complaint(lambda: registry.find([str(tmp_path / name)])).startswith(
        f"{tmp_path / name}: No such file or directory"
    )


def test_a_tasks_folder_must_hold_tasks(tmp_path):
    (tmp_path / "empty").mkdir()
    assert f"{tmp_path / 'empty'} holds no task file" in complaint(lambda: registry.tasks([tmp_path / "empty"]))
    assert f"{tmp_path / 'absent'} is not a folder" in complaint(lambda: registry.tasks([tmp_path / "absent"]))


def test_a_built_in_file_is_named_as_its_task():
    for task in registry.tasks().values():
        assert tomllib.loads(Path(task.source).read_text())["name"] == task.name


def suite_in(folder, averages):
    (folder / "suites").mkdir()
    text = 'name = "mine"\ntitle = "Mine"\ntasks = ["mmmu", "vqav2"]\n'
    (folder / "suites/mine.toml").write_text(text + (f"averages = {averages}\n" if averages else ""))
    return [folder]


def test_a_suite_says_which_categories_are_averaged(tmp_path):
    extra = suite_in(tmp_path, '["Vision"]')
    assert registry.averages((), "mine", extra) == ("Vision",)
    assert registry.averages((), "pixtral-card") == ("Vision",)
    assert registry.averages((), None) == ("Vision",)
    # Tasks without a suite, and a suite that does not say: every category with several tasks.
    assert registry.averages(("mmmu",), None) is None
    other = tmp_path / "other"
    other.mkdir()
    assert registry.averages((), "mine", suite_in(other, "")) is None


def test_a_category_that_no_task_has_is_refused_with_the_near_miss(tmp_path):
    extra = suite_in(tmp_path, '["Visoin"]')
    with pytest.raises(ConfigError, match="Visoin") as caught:
        registry.averages((), "mine", extra)
    assert caught.value.fix == "did you mean 'Vision'?"


def test_the_published_table_of_the_card_ships():
    table = next(one for one in registry.published() if one.candidate.endswith("pixtral-12b-quantized.w8a8"))
    assert table.row("mmmu").recovery.text == "96.29%"


@pytest.mark.parametrize(
    ("suite", "count", "averages"),
    [
        ("openllm", 6, ("Open LLM",)),
        ("leaderboard", 6, ()),
        ("standard-llm", 7, ()),
        ("vlm", 5, ("Vision",)),
        ("pixtral-card", 7, ("Vision",)),
        ("demo", 7, ("Vision",)),
    ],
)
def test_every_built_in_suite_has_its_tasks(suite, count, averages):
    found = registry.chosen([], suite)
    assert len({task.name for task in found}) == count
    assert registry.averages([], suite) == averages
    for name in averages:
        assert sum(task.category == name for task in found) > 1


def test_the_first_leaderboards_tasks_have_its_shots():
    found = {task.name: task.settings["shots"] for task in registry.chosen([], "openllm")}
    assert found == {
        "openllm-arc": 25,
        "openllm-hellaswag": 10,
        "openllm-mmlu": 5,
        "openllm-truthfulqa": 0,
        "openllm-winogrande": 5,
        "openllm-gsm8k": 5,
    }
