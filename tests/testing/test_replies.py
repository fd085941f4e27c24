"""What a stand-in is told of a request."""

from evalkit.tasks import registry
from evalkit.testing import ModelServer, chat, check
from support.workplaces import DOCVQA, pages, write_parquet


def test_a_part_sees_the_question_and_the_pictures_as_they_are_stored(tmp_path):
    rows = pages(4)
    write_parquet(tmp_path / "pages.parquet", rows)
    (tmp_path / "pages.toml").write_text(DOCVQA.replace("[dataset]", 'images = "original"\n[dataset]'))
    (task,) = registry.find(["pages"], [tmp_path])
    seen = []

    def part(asked):
        seen.append((asked.question, asked.pictures))
        return chat(asked)

    check(task, server=lambda: ModelServer("tiny", part))
    assert set(seen) == {(f"{row['question']}\nAnswer in few words.", (row["image"]["bytes"],)) for row in rows}


def test_a_question_of_text_has_no_pictures(tmp_path):
    (tmp_path / "sums.csv").write_text("q,a\nWhat is 1 + 1?,2\n")
    (tmp_path / "sums.toml").write_text("""
name = "sums"
title = "Sums"
category = "Text"
benchmark = "qa"
metrics = ["number"]
headline = "number"
dataset = { id = "", split = "test", files = ["sums.csv"] }
columns = { question = "q", answer = "a" }
decoding = { max_tokens = 8 }
""")
    (task,) = registry.find(["sums"], [tmp_path])
    seen = set()

    def part(asked):
        seen.add((asked.question, asked.pictures))
        return chat(asked, "2")

    check(task, server=lambda: ModelServer("tiny", part))
    assert seen == {("What is 1 + 1?", ())}
