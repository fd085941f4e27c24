import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from evalkit.base.errors import DataError, InfrastructureError
from evalkit.harnesses.lm_eval.data import categories, mirror, subjects
from evalkit.harnesses.lm_eval.harness import LmEval
from support.mmlu_folder import mmlu, rows, task, write


def read(folder, shots=5):
    return mirror(task(), folder, shots, print)


def test_there_are_lm_evals_57_subjects_in_four_categories():
    assert len(subjects()) == 57
    assert set(categories()) == set(subjects())
    assert set(categories().values()) == {"stem", "other", "social_sciences", "humanities"}
    assert categories()["sociology"] == "social_sciences"


def test_any_subset_of_subjects_is_read_and_other_folders_are_left_alone(tmp_path):
    mmlu(tmp_path)
    (tmp_path / "all").mkdir()
    found = read(tmp_path)
    assert list(found.files) == ["astronomy", "philosophy", "sociology"]
    assert found.files["sociology"]["dev"] == (tmp_path / "sociology/dev-00000-of-00001.parquet",)


def test_the_revision_is_of_the_content_not_of_the_place(tmp_path):
    one, other = mmlu(tmp_path / "a"), mmlu(tmp_path / "b")
    assert read(one).revision == read(other).revision
    assert read(one).revision.startswith("sha256:")
    changed = rows("sociology", "test")
    changed[3]["answer"] = (changed[3]["answer"] + 1) % 4
    write(other / "sociology/test-00000-of-00001.parquet", changed)
    assert read(one).revision != read(other).revision


def test_a_missing_split_is_named(tmp_path):
    (mmlu(tmp_path) / "sociology/dev-00000-of-00001.parquet").unlink()
    with pytest.raises(DataError, match=r"sociology: no file of the split 'dev'"):
        read(tmp_path)


def test_too_few_shots_are_named(tmp_path):
    write(mmlu(tmp_path) / "sociology/dev-00000-of-00001.parquet", rows("sociology", "dev")[:4])
    with pytest.raises(DataError, match="'dev' of sociology has 4 rows, 5 are needed"):
        read(tmp_path)
    assert read(tmp_path, shots=4).files


def test_an_empty_test_split_is_named(tmp_path):
    write(mmlu(tmp_path, name=".jsonl") / "sociology/test.jsonl", [])
    with pytest.raises(DataError, match="'test' of sociology has 0 rows, 1 is needed"):
        read(tmp_path)


@pytest.mark.parametrize("name", ["-00000-of-00001.parquet", ".jsonl"])
def test_a_missing_column_is_named(tmp_path, name):
    mmlu(tmp_path, name=name)
    stripped = [{"question": row["question"], "choices": row["choices"]} for row in rows("sociology", "test")]
    write(tmp_path / f"sociology/test{name}", stripped)
    with pytest.raises(DataError, match=rf"sociology/test{name}: no column 'answer'"):
        read(tmp_path)


def test_a_folder_without_subjects_and_no_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="no folder is named after a subject"):
        read(tmp_path)
    with pytest.raises(DataError, match="no such folder"):
        read(tmp_path / "nowhere")


def test_a_hub_that_cannot_be_reached_is_the_worlds_fault(tmp_path, monkeypatch):
    import huggingface_hub.constants as hub

    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr(hub, "HF_HUB_OFFLINE", True)
    told = []
    with pytest.raises(InfrastructureError, match="cais/mmlu: not fetched"):
        mirror(task(), None, 5, told.append)
    assert told == ["fetching cais/mmlu at main: 114 small files"]


def test_a_pinned_commit_in_the_cache_needs_no_network(tmp_path, monkeypatch):
    import huggingface_hub.constants as hub

    commit = "c" * 40
    mmlu(tmp_path / "datasets--cais--mmlu/snapshots" / commit, subjects())
    monkeypatch.setattr(hub, "HF_HUB_CACHE", str(tmp_path))
    monkeypatch.setattr("socket.socket.connect", None)
    pinned = task()
    pinned = type(pinned)(
        **{name: getattr(pinned, name) for name in pinned.__slots__ if name != "dataset"},
        dataset=type(pinned.dataset)("cais/mmlu", "test", revision=commit),
    )
    found = mirror(pinned, None, 5, pytest.fail)
    assert found.revision == commit
    assert len(found.files) == 57


def strange(count):
    """Columns that no template reads, and that cannot be decoded."""
    offsets = pa.py_buffer(b"".join((at * 2).to_bytes(4, "little") for at in range(count + 1)))
    return {
        "zone": pa.array([1] * count, pa.timestamp("s", tz="Mars/Olympus")),
        "bytes": pa.StringArray.from_buffers(count, offsets, pa.py_buffer(b"\xff\xfe" * count)),
        "map": pa.array([[("a", 1)]] * count, pa.map_(pa.string(), pa.int64())),
    }


@pytest.mark.parametrize("name", ["zone", "bytes", "map"])
def test_a_column_that_no_template_reads_ends_nothing(tmp_path, name):
    for split in ("dev", "test"):
        path = mmlu(tmp_path, ("sociology",)) / f"sociology/{split}-00000-of-00001.parquet"
        table = pq.read_table(path)
        pq.write_table(table.append_column(name, strange(len(table))[name]), path)
    assert asked(tmp_path) == asked(mmlu(tmp_path / "as it should be", ("sociology",)))


def test_a_key_that_no_template_reads_ends_nothing(tmp_path):
    deep = json.loads("[" * 100 + "]" * 100)
    for split in ("dev", "test"):
        write(tmp_path / f"sociology/{split}.jsonl", [{**row, "n": deep} for row in rows("sociology", split)])
    assert asked(tmp_path) == asked(mmlu(tmp_path / "as it should be", ("sociology",)))


def asked(folder):
    return [sample.text for sample, _ in LmEval().questions(task(), folder, print).samples(3)]
