import socket
from collections import Counter

import pytest

from evalkit.base.errors import ConfigError
from evalkit.harnesses.lm_eval.harness import LmEval
from evalkit.harnesses.lm_eval.settings import settings_of
from evalkit.tasks import registry
from support.mmlu_folder import mmlu, rows, task, write


def questions(folder, **chosen):
    return LmEval().questions(task(**chosen), folder, print)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return mmlu(tmp_path_factory.mktemp("mmlu"))


@pytest.fixture
def no_network(monkeypatch):
    """Every connection and every look-up of a name is an error."""

    def refuse(*_args, **_kwargs):
        raise AssertionError("the network was used")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_questions_are_those_that_lm_eval_builds_itself(folder):
    found = questions(folder)
    listed = [sample for sample, _ in found.samples(None)]
    built = {}
    for name, built_task in found.group.loaded["tasks"].items():
        built_task.build_all_requests()
        for instance in built_task.instances:
            built.setdefault((f"{name.removeprefix('mmlu_')}/{instance.doc_id}"), []).append(instance.args)
    assert len(listed) == found.available == found.planned(None) == 24
    for sample in listed:
        (text,) = sample.content
        assert [(text.text, choice) for choice in sample.references["choices"]] == built[sample.id]


def test_a_question_has_five_shots_of_its_own_subject(folder):
    sample, request = next(iter(questions(folder).samples(None)))
    (text,) = sample.content
    assert text.text.startswith("The following are multiple choice questions (with answers) about astronomy.\n\n")
    assert text.text.count("\nAnswer:") == 6
    assert text.text.endswith("\nAnswer:")
    assert (sample.id, sample.cluster) == ("astronomy/0", "astronomy")
    assert sample.references["choices"] == [" A", " B", " C", " D"]
    assert sample.references["gold"] == rows("astronomy", "test")[0]["answer"]
    assert (sample.references["subject"], sample.references["category"]) == ("astronomy", "stem")
    assert len(request) == 64


def test_without_shots_there_are_none(folder):
    sample, _ = next(iter(questions(folder, shots=0).samples(None)))
    assert sample.content[0].text.count("Answer:") == 1


def test_everything_local_needs_no_network(folder, no_network):
    with pytest.raises(AssertionError, match="the network was used"):
        socket.create_connection(("127.0.0.1", 1))
    assert len(list(questions(folder).samples(None))) == 24


def test_lines_of_json_make_the_same_questions(folder, tmp_path):
    written = questions(mmlu(tmp_path, name=".jsonl"))
    assert list(written.samples(None)) == list(questions(folder).samples(None))


def test_what_moves_an_answer_moves_the_request(folder):
    def requests(**chosen):
        return [request for _, request in questions(folder, **chosen).samples(2)]

    usual = requests()
    assert usual == requests(shots=5, method="fast", max_length=4096, add_bos=True)
    for other in ({"shots": 4}, {"method": "echo"}, {"max_length": 2048}, {"add_bos": False}):
        assert not set(usual) & set(requests(**other)), other


def test_subjects_lie_together_and_a_larger_limit_asks_what_a_smaller_one_asks(folder):
    found = questions(folder)
    sizes = Counter(sample.cluster for sample, _ in found.samples(None))
    before = set()
    for limit in (1, 2, 3, 4, 7, 24, 99):
        listed = [sample.id for sample, _ in found.samples(limit)]
        assert len(listed) == found.planned(limit) == min(limit, 24)
        names = [name.partition("/")[0] for name in listed]
        assert names == sorted(names, key=names.index)
        assert before <= set(listed)
        before = set(listed)
        counts = Counter(names)
        # Each subject gives its share of the 24, to within one.
        assert all(abs(counts[name] - size * min(limit, 24) / 24) < 1 for name, size in sizes.items())


def test_a_limited_run_that_an_earlier_evalkit_began_goes_on_with_the_questions_that_it_drew(folder):
    """They are drawn by their ids; another order would leave stored answers without a question."""
    drawn = ["astronomy/4", "astronomy/7", "sociology/1", "sociology/4", "philosophy/2"]
    assert [sample.id for sample, _ in questions(folder).samples(5)] == drawn


def test_a_row_that_cannot_be_rendered_keeps_its_place(tmp_path):
    broken = rows("sociology", "test")
    broken[2]["choices"] = ["one", "two"]
    broken[4]["answer"] = 7
    mmlu(tmp_path)
    write(tmp_path / "sociology/test-00000-of-00001.parquet", broken)
    listed = list(questions(tmp_path).samples(None))
    assert len(listed) == 24
    bad = {sample.id: sample.content[0].text for sample, request in listed if not request}
    assert set(bad) == {"sociology/2", "sociology/4"}
    assert "'answer' is 7, not a number from 0 to 3" in bad["sociology/4"]


def test_the_table_of_settings_is_checked():
    assert settings_of(task()).shots == 5
    with pytest.raises(ConfigError, match="did you mean 'max_length'"):
        settings_of(task(max_lenght=10))
    with pytest.raises(ConfigError, match="settings: shots: is -1"):
        settings_of(task(shots=-1))
    with pytest.raises(ConfigError, match="method: unknown choice 'quick'"):
        settings_of(task(method="quick"))


def test_the_published_task_says_what_the_card_says():
    published = registry.tasks()["mmlu"]
    assert (published.title, published.category, published.headline) == ("MMLU (5-shot)", "Text", "acc")
    chosen = settings_of(published)
    assert (chosen.shots, chosen.max_length, chosen.add_bos, chosen.method) == (5, 4096, True, "fast")
    assert LmEval().checker(published, None, unsafe=False) is None
