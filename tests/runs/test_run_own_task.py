"""A run of a task that `evalkit tasks new` wrote: asked, scored and compared with a row for each category."""

import json

from support.commands import write_lines

JOURNAL = ("--serve-arg", 'journal=["journal"]')


def test_a_guessed_task_is_run_like_any_other(workplace):
    rows = [
        {"q": f"What is {at}?", "options": ["one", "two"], "gold": at % 2, "topic": ("birds", "trees")[at % 2]}
        for at in range(12)
    ]
    write_lines(workplace.folder / "shop.jsonl", rows)
    workplace.here("tasks", "new", "shop", "--from", "shop.jsonl", check=0)
    words = ["run", "--baseline", "base", "--candidate", "cand", "--task", "shop.toml", "--json", *JOURNAL]
    done = workplace.here(*words, check=0)
    (row,) = json.loads(done.stdout)["tasks"]
    for model in ("base", "cand"):
        assert (row["scores"][model]["planned"], row["scores"][model]["scored"]) == (12, 12)
    assert set(row["groups"]["cand"]) == {"birds", "trees"}
    # Another reading of the same answers is another comparison, and asks nothing.
    asked = len(workplace.journal())
    assert asked == 2 * 12
    text = (workplace.folder / "shop.toml").read_text()
    (workplace.folder / "shop.toml").write_text(text.replace("[settings]", "[settings]\nextract = 'x(.)'"))
    again = json.loads(workplace.here(*words, check=0).stdout)["tasks"][0]
    assert again["scores"]["base"]["unparsed"] == 12
    assert len(workplace.journal()) == asked
    assert len(workplace.runs()) == 2


def test_two_tasks_over_the_same_rows_share_every_request(workplace):
    rows = [{"q": f"What is {at}?", "a": str(at)} for at in range(12)]
    write_lines(workplace.folder / "sums.jsonl", rows)
    workplace.here("tasks", "new", "sums", "--from", "sums.jsonl", check=0)
    text = (workplace.folder / "sums.toml").read_text()
    (workplace.folder / "again.toml").write_text(text.replace('name = "sums"', 'name = "again"'))
    words = ["run", "--baseline", "base", "--candidate", "cand", "--json", *JOURNAL]
    both = json.loads(workplace.here(*words, "--task", "sums.toml", "--task", "again.toml", check=0).stdout)["tasks"]
    assert [row["scores"]["cand"]["scored"] for row in both] == [12, 12]
    assert len(workplace.journal()) == 2 * 12
