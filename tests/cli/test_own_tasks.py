"""`evalkit tasks new` and `check`: from a table to a run without a line of Python."""

import json

import pytest

from support.commands import evalkit, write_lines
from support.workplaces import picture, write_parquet


@pytest.fixture
def shop(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def new(data, *more):
    return evalkit("tasks", "new", "shop", "--from", data, *more)


def check(*more):
    return evalkit("tasks", "check", "shop.toml", *more)


def test_a_table_with_a_column_for_each_option(shop):
    lines = [f'r{at},"What is {at} + 1?",{at},{at + 1},{at + 2},B,{"xy"[at % 2]}' for at in range(12)]
    (shop / "shop.csv").write_text("\n".join(["id,q,A,B,C,gold,topic", *lines]) + "\n")
    done = new("shop.csv")
    assert done.code == 0, done.err
    for said in (
        "options = 'A', 'B', 'C'",
        "answer = 'gold': by its name",
        "category = 'topic'",
        "answer_is = 'letter'",
    ):
        assert said in done.out
    shown = check("--rows", "1", "--answer", "I think that the answer is B")
    assert shown.code == 0, shown.err
    assert "shop: 12 rows, all can be asked" in shown.out
    assert "  | What is 0 + 1?\n  | A. 0\n  | B. 1\n  | C. 2\n  | Answer with the letter alone.\n" in shown.out
    assert '  answer "B": choice 1\n  answer "A": choice 0\n' in shown.out
    assert 'answer "I think that the answer is B": choice 1' in shown.out


@pytest.mark.parametrize(
    ("rows", "metric", "right", "wrong"),
    [
        ([{"question": f"{at}+{at}?", "answer": 2 * at} for at in range(1, 9)], "number", "2", "5"),
        (
            [{"text": f"film {at}", "label": ("bad", "good")[at % 2]} for at in range(12)],
            *("one_of", "bad", "good"),
        ),
        ([{"query": f"who {at}?", "target": [f"name {at}", "x"]} for at in range(9)], "exact_match", "name 0", "qqq"),
        (
            [{"prompt": f"q{at}", "choices": ["u", "v", "w"], "answer": at % 3} for at in range(9)],
            *("choice", "A", "B"),
        ),
    ],
)
def test_what_the_answers_are_decides_the_metric(shop, rows, metric, right, wrong):
    write_lines(shop / "shop.jsonl", rows)
    done = new("shop.jsonl")
    assert (done.code, f"headline = '{metric}'" in done.out) == (0, True), done.out
    shown = check("--rows", "1")
    assert shown.code == 0, shown.out + shown.err
    assert f'answer "{right}": {metric} 1' in shown.out
    assert f'answer "{wrong}": {metric} 0' in shown.out


def test_pictures_are_seen_in_a_parquet_file(shop):
    rows = [
        {"img": {"bytes": picture(at // 2), "path": None}, "q": f"Word {at}?", "a": f"w{at}", "page": at // 2}
        for at in range(8)
    ]
    write_parquet(shop / "shop.parquet", rows)
    done = new("shop.parquet")
    assert "image = 'img': it holds pictures" in done.out
    assert "cluster = 'page'" in done.out
    shown = check("--rows", "1")
    assert (shown.code, "  | [picture, 40 x 30, JPEG]\n  | Word 0?" in shown.out) == (0, True)
    assert 'answer "w0": anls 1, exact_match 1' in shown.out


def test_rows_that_cannot_be_asked_are_told(shop):
    rows = [{"question": f"q{at}", "answer": f"a{at}"} for at in range(9)]
    write_lines(shop / "shop.jsonl", rows)
    new("shop.jsonl")
    rows[3]["answer"], rows[5]["question"] = None, {"no": "text"}
    write_lines(shop / "shop.jsonl", rows)
    shown = check()
    assert shown.code == 2
    assert (
        "shop: 9 rows, 2 of which cannot be asked:\n  row 3: answer holds no answer\n  row 5: question holds"
        in shown.out
    )


def test_what_is_extracted_stands_in_the_answers_that_are_tried(shop):
    write_lines(shop / "shop.jsonl", [{"question": f"q{at}", "answer": f"a{at}"} for at in range(9)])
    new("shop.jsonl")
    text = (shop / "shop.toml").read_text()
    (shop / "shop.toml").write_text(text + "\n[settings]\nextract = '(?i)answer:\\s*(\\w+)'\n")
    shown = check("--rows", "1")
    assert shown.code == 0
    assert 'answer "answer: a0": exact_match 1' in shown.out
    (shop / "shop.toml").write_text(text + "\n[settings]\nextract = 'answer ([0-9]+)'\n")
    assert "no right answer can be made of this by itself" in check().out


def test_a_wrong_answer_that_scores_is_doubted(shop):
    rows = [{"question": f"q{at}", "options": ["same", "same"], "answer": "same"} for at in range(3)]
    write_lines(shop / "shop.jsonl", rows)
    new("shop.jsonl")
    text = (shop / "shop.toml").read_text().replace('"choice"', '"one_of"')
    (shop / "shop.toml").write_text(text)
    shown = check()
    assert (shown.code, "a wrong answer scores 1 by one_of" in shown.err) == (2, True)


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("x.jsonl", "", "no rows"),
        ("x.jsonl", "[1]\n", "not a JSON object"),
        ("x.csv", "a,b\n1\n", "1 cells under 2 columns"),
        ("x.parquet", "no", "not a readable parquet file"),
        ("x.xls", "no", "unknown kind of file"),
        ("x.jsonl", json.dumps({"only": {"x": 1}}) + "\n", "no column looks like an answer (only)"),
        ("y.jsonl", None, "no such file"),
    ],
)
def test_tables_of_which_nothing_can_be_made(shop, name, text, said):
    if text is not None:
        (shop / name).write_text(text)
    done = new(name)
    assert (done.code, said in done.err, len(done.err.splitlines())) == (2, True, 1), done.err
    assert not list(shop.glob("*.toml"))


def test_nothing_is_overwritten_and_the_file_lies_above_its_rows(shop):
    write_lines(shop / "data" / "shop.jsonl", [{"question": "q", "answer": "a"}] * 3)
    (shop / "other").mkdir()
    assert "does not lie above" in new("data/shop.jsonl", "--output", "other/shop.toml").err
    assert new("data/shop.jsonl", "--output", "shop.toml").code == 0
    assert 'files = ["data/shop.jsonl"]' in (shop / "shop.toml").read_text()
    assert "is there already" in new("data/shop.jsonl", "--output", "shop.toml").err
    assert "cannot be a name" in evalkit("tasks", "new", "A b", "--from", "data/shop.jsonl").err
