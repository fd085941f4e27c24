"""qa: rows in columns of one's own become questions, and odd or hostile cells are told in one line."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image as Picture

from evalkit.base.errors import ConfigError, DataError
from evalkit.base.types import Image, Sample, Text
from evalkit.tasks import extensions, task_file

FILE = {
    "name": "shop",
    "title": "Shop",
    "category": "Text",
    "benchmark": "qa",
    "metrics": ["exact_match"],
    "headline": "exact_match",
    "dataset": {"id": "", "split": "test", "files": ["shop.csv"]},
    "columns": {"question": "q", "answer": "a"},
    "decoding": {"max_tokens": 16},
}


def made(**changes):
    return task_file.task({**FILE, **changes}, "shop.toml")


def sample(row, prompt="", **changes) -> Sample:
    return extensions.benchmark(made(**changes)).sample(row, prompt, 3)


def complaint(row, **changes):
    with pytest.raises(DataError) as caught:
        sample(row, **changes)
    return caught.value.message


def faults(**changes):
    with pytest.raises(ConfigError) as caught:
        made(**changes)
    return caught.value.message


def score(answer, row, **changes):
    task = made(**changes)
    (name,) = task.metrics
    one = extensions.benchmark(task).sample(row, "", 0)
    return extensions.score(name, task, answer, one.references, "neuralmagic")


def picture():
    stream = io.BytesIO()
    Picture.new("RGB", (4, 3)).save(stream, "PNG")
    return stream.getvalue()


CHOICES = {
    "columns": {"question": "q", "answer": "a", "options": "o"},
    "metrics": ["choice"],
    "headline": "choice",
}
ROW = {"q": "Which?", "a": "red", "o": ["blue", "red", "green"]}


def test_a_question_its_options_and_the_prompt_stand_on_lines_of_their_own():
    one = sample(ROW, "Answer with the letter.", **CHOICES)
    assert one.content == (Text("Which?\nA. blue\nB. red\nC. green\nAnswer with the letter."),)
    assert one.references == {"answers": ["red"], "options": ["blue", "red", "green"], "right": [1]}
    assert sample({"q": "Who?", "a": 7.0}).content == (Text("Who?"),)
    assert sample({"q": "Who?", "a": 7.0}).references == ["7"]


@pytest.mark.parametrize(
    ("kind", "answer"),
    [("text", "red"), ("text", " RED "), ("letter", "b"), ("index", 1), ("position", "2"), ("index", 1.0)],
)
def test_an_answer_names_its_option_as_the_task_says(kind, answer):
    one = sample({**ROW, "a": answer}, **CHOICES, settings={"answer_is": kind})
    assert one.references["right"] == [1]


@pytest.mark.parametrize(
    ("options", "kind", "answer", "said"),
    [
        (["x", "y"], "text", "z", "row 3: the answer 'z' is the text of none of the 2 options"),
        (["x", "y"], "letter", "C", "row 3: the answer 'C' is the letter of none of the 2 options"),
        (["x", "y"], "index", 2, "row 3: the answer '2' is the index of none of the 2 options"),
        (["x", "y"], "position", 0, "row 3: the answer '0' is the position of none of the 2 options"),
        (["x", "y"], "index", "-1", "row 3: the answer '-1' is the index of none of the 2 options"),
        ([], "text", "x", "row 3: o holds no list of options"),
        ("x|y", "text", "x", "row 3: o holds no list of options"),
        ([{"x": 1}], "text", "x", "row 3: o holds dict, not text"),
        (["x"] * 27, "text", "x", "row 3: o holds 27 options, more than there are letters"),
        (None, "text", "x", "row 3: o is null"),
    ],
)
def test_options_that_do_not_fit_are_told(options, kind, answer, said):
    row = {"q": "?", "a": answer, "o": options}
    assert complaint(row, **CHOICES, settings={"answer_is": kind}) == said


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ({"q": "?", "a": None}, "row 3: a holds no answer"),
        ({"q": "?", "a": float("nan")}, "row 3: a holds no answer"),
        ({"q": "?", "a": []}, "row 3: a holds no answer"),
        ({"q": "?", "a": {"x": 1}}, "row 3: a holds dict, not text"),
        ({"q": None, "a": "x"}, "row 3: q is null"),
        ({"a": "x"}, "row 3: there is no column q"),
        ({"q": "\uffff0\uffff", "a": "x"}, "row 3: a text holds U+FFFF, which is no character"),
        ({"q": "  ", "a": "x"}, "row 3: there is no question"),
    ],
)
def test_odd_cells_are_told_by_row(row, said):
    assert complaint(row) == said


def test_a_template_uses_the_columns_by_name_and_no_cell_is_executed():
    text = "{{ row['odd name'] }}: {{ q | upper }}\n{% for option in options %}\n- {{ option }}\n{% endfor %}"
    task = made(template=text, **{**CHOICES, "metrics": ["one_of"], "headline": "one_of"})
    rules = extensions.benchmark(task)
    assert set(rules.columns) == {"q", "a", "o", "odd name"}
    row = {"q": "{{ 7 * 7 }}", "a": "x", "o": ["x", "{% raw %}"], "odd name": "&<"}
    assert rules.sample(row, "", 0).text == "&<: {{ 7 * 7 }}\n- x\n- {% raw %}\n"


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ question.__init__.__globals__ }}",
        "{{ 'x' * 99999999 }}",
        "{{ 9 ** 99999 }}",
        "{{ missing_column }}",
        "{{ question + 1 }}",
        "{{ range(9) }}",
        "{% for x in question.items() %}{% endfor %}",
    ],
)
def test_a_template_reaches_nothing_but_the_row(text):
    assert complaint({"q": "Who?", "a": "x"}, template=text).startswith("row 3: template: ")


def test_pictures_come_first_or_where_the_template_has_them():
    columns = {"question": "q", "answer": "a", "image": ["front", "back"]}
    row = {"q": "Who?", "a": "x", "front": picture(), "back": {"bytes": picture(), "path": None}}
    assert [type(part) for part in sample(row, columns=columns).content] == [Image, Image, Text]
    placed = sample(row, columns=columns, template="Left {{ images[1] }} of\n{{ image }} {{ question }}")
    assert [part.text if isinstance(part, Text) else "picture" for part in placed.content] == [
        *("Left ", "picture", " of\n", "picture", " Who?")
    ]
    assert complaint({**row, "back": None}, columns=columns) == "row 3: back is null"


def test_rows_are_grouped_by_cluster_picture_or_category():
    row = {"q": "Who?", "a": "x", "doc": 7, "topic": "birds", "pic": picture()}
    by_doc = {"question": "q", "answer": "a", "cluster": "doc", "category": "topic"}
    assert (sample(row, columns=by_doc).cluster, extensions.benchmark(made(columns=by_doc)).groups) == ("7", "sampled")
    assert sample(row, columns=by_doc).references == {"answers": ["x"], "category": "birds"}
    by_topic = {"question": "q", "answer": "a", "category": "topic"}
    assert (sample(row, columns=by_topic).cluster, extensions.benchmark(made(columns=by_topic)).groups) == (
        *("birds", "fixed"),
    )
    by_picture = {**by_topic, "image": "pic"}
    assert sample(row, columns=by_picture).cluster == Image.of(picture()).sha256
    assert extensions.benchmark(made(columns=by_picture)).groups == "sampled"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"columns": {"answer": "a"}}, "columns.question: is missing"),
        ({"columns": {"question": "q"}}, "columns.answer: is missing"),
        ({"columns": {"question": "q", "answr": "a"}}, "columns.answr: unknown key; did you mean 'answer'?"),
        ({"metrics": ["choice"], "headline": "choice"}, "metrics[0]: 'choice' needs options"),
        ({"settings": {"answer_is": "letter"}}, "settings.answer_is: is 'letter' without options"),
        ({"settings": {"tolerance": -1}}, "settings.tolerance: is -1"),
        ({"settings": {"extract": "("}}, "settings.extract: is no regular expression of RE2: missing )"),
        ({"template": "{{ q "}, "template: is no Jinja template: line 1:"),
        ({"settings": {"tolerence": 1}}, "settings: tolerence: unknown key; did you mean 'tolerance'?"),
        ({"benchmark": "docvqa", "prompt": "x"}, "columns: means nothing to docvqa"),
    ],
)
def test_what_is_wrong_with_a_task_file_is_told(changes, said):
    assert said in faults(**changes)


def test_what_is_extracted_is_all_that_counts():
    row = {"q": "?", "a": "42"}
    asked = {"settings": {"extract": r"ANSWER:\s*(\S+)"}}
    assert score("ANSWER: 41 no, ANSWER: 42", row, **asked).value == 1.0
    assert score("42", row, **asked) == score("", row, **asked)
    assert score("42", row, **asked).parsed is None


def test_a_number_may_be_as_far_off_as_the_task_says():
    row, asked = {"q": "?", "a": 2.5}, {"metrics": ["number"], "headline": "number"}
    assert [score(said, row, **asked).value for said in ("2.5", "2.6")] == [1.0, 0.0]
    near = {**asked, "settings": {"tolerance": 0.1}}
    assert [score(said, row, **near).value for said in ("2.6", "2.4", "2.61")] == [1.0, 1.0, 0.0]
    share = {**asked, "settings": {"relative_tolerance": 0.1}}
    assert [score(said, row, **share).value for said in ("2.75", "2.76")] == [1.0, 0.0]


CELLS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
    max_leaves=6,
)


@given(CELLS, CELLS, CELLS, st.sampled_from(["text", "letter", "index", "position"]))
def test_any_cells_make_a_question_or_one_line(question, answer, options, kind):
    row = {"q": question, "a": answer, "o": options}
    said = None
    try:
        one = sample(row, **CHOICES, settings={"answer_is": kind})
    except DataError as error:
        said = error.message
    if said is None:
        assert 0 <= min(one.references["right"]) <= max(one.references["right"]) < len(one.references["options"])
    else:
        assert said.startswith("row 3: ")
        assert "\n" not in said
