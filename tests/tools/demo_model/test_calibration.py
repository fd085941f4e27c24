"""Calibration chats: from the training side, every task, with their answers."""

import pyarrow.parquet as pq

from demo_model.calibration import turns, write


def test_calibration_shows_every_task_with_pictures_and_answers():
    made = list(turns(40))
    assert len(made) >= 35
    for (user, said), images in made:
        assert sum(chunk["type"] == "image" for chunk in user["content"]) == len(images)
        assert said["role"] == "assistant"
        assert said["content"][0]["text"]
    assert {len(images) for _, images in made} == {1, 2}


def test_they_are_rows_that_evalkit_quantize_reads(tmp_path):
    count = write(tmp_path / "new" / "chats.parquet", 20)
    table = pq.read_table(tmp_path / "new" / "chats.parquet")
    assert table.column_names == ["messages", "image_1", "image_2"]
    assert table.num_rows == count
