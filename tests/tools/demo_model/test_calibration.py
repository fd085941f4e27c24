"""Calibration chats: from the training side, every task, with their answers."""

from demo_model.quantize import turns


def test_calibration_shows_every_task_with_pictures_and_answers():
    made = list(turns(40))
    assert len(made) >= 35
    for (user, said), images in made:
        assert sum(chunk["type"] == "image" for chunk in user["content"]) == len(images)
        assert said["role"] == "assistant"
        assert said["content"]
    assert {len(images) for _, images in made} == {1, 2}
