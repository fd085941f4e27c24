"""Why an answer got its score: the line says what was read, beside what, and never the contrary of the score."""

import json
import re
from string import ascii_uppercase

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from evalkit.base.types import Score
from evalkit.tasks.metrics import DIALECTS, METRICS, generic, score
from evalkit.tasks.metrics.why import Known, why

PEOPLE = [{"answer": "yes"}] * 2 + [{"answer": "no"}] * 8
RELAXED, ANYWHERE = "relaxed_correctness", "anywhere_in_answer_relaxed_correctness"
NONE = "no text after 'answer:', and none of the phrases that the metric looks for, letter for letter"
ASKED = {"options": ["London", "Paris", "Rome"], "right": [1], "answers": ["Paris"]}


def told(metric, answer, references):
    """The line about an answer, without the name of the metric."""
    name, _, own = metric.partition("@")
    dialect = own or "neuralmagic"
    line = why(metric, score(name, answer, references, dialect), references, dialect, None, Known(answer))
    assert line.startswith(f"{metric}: ")
    return line.removeprefix(f"{metric}: ")


@pytest.mark.parametrize(
    ("metric", "answer", "references", "said"),
    [
        ("anls", "paris.", ["London", "Paris"], "'paris' beside 'Paris' is 1.00 by edit distance"),
        ("anls@official", "paris", ["London", "Paris"], "'paris' beside 'Paris' is 1.00 by edit distance"),
        ("anls@official", "pxrzz", ["London", "Paris"],
         "'pxrzz' beside 'Paris', the nearest, is below 0.5 by edit distance, which counts 0"),
        ("anls", "...", ["!!"], "'' beside '!!' is 1.00 by edit distance"),
        ("anls", "...", ["a"], "nothing could be read of the answer"),
        ("anls", "a" * 999, ["a" * 1000], f"'{'a' * 59}…' beside '{'a' * 59}…' is just under 1 by edit distance"),
        ("vqa_match", "Yes", PEOPLE, "2 of 10 people said 'yes': a third for each, 1 at most"),
        ("vqa_match", "blue", PEOPLE, "0 of 10 people said 'blue'; 8 said 'no'"),
        ("vqa_match", "A", ["a"], "1 of 1 people said '': a third for each, 1 at most"),
        ("vqa_match@official", "yes", ["yes"] * 3 + ["no"] * 7,
         "3 of 10 people said 'yes': a third for each, 1 at most, with every person left out in turn: 0.90 on average"),
        (RELAXED, "12.1", ["12"], "'12.1' is within 5 % of '12' (0.833 % off)"),
        (RELAXED, "13", ["1", "12"], "'13' is not within 5 % of '12' (8.33 % off)"),
        (RELAXED, "45%", ["0.44"], "'45%' is within 5 % of '0.44' (2.27 % off)"),
        (RELAXED, "5.2499", ["5"], "'5.2499' is within 5 % of '5' (4.998 % off)"),
        (RELAXED, "2.1%", ["2%"], "'2.1%' is not within 5 % of '2%' (5 % off, and a computer's rounding more)"),
        (RELAXED, "1", ["0"], "'1' is not within 5 % of '0'"),
        (RELAXED, "inf", ["inf"], "'inf' is not within 5 % of 'inf': one of them is not finite"),
        (RELAXED, "Apples", ["b", "a"], "'Apples' begins with 'a', the reference: of one letter no more counts"),
        (RELAXED, "Red", ["blue", "red"], "read 'Red': right, the reference is 'red'"),
        ("explicit_prompt_relaxed_correctness", "12", ["12"],
         "no text after 'answer:' could be read, and the reference is '12'"),
        ("explicit_prompt_relaxed_correctness", "answer: a", [" a"],
         "read 'a': wrong, the reference is 'a' (they differ in white space, or where the line is cut)"),
        (ANYWHERE, "Blue", ["Blue"],
         f"{NONE} ('is blue', ' blue.' ...), stands in the answer"),
        (ANYWHERE, "13", ["1200"],
         f"{NONE} ('1,200' or '1200'), stands in the answer"),
        (ANYWHERE, "it is 12", ["12"], "no text after 'answer:', but '12' stands in the answer"),
        (ANYWHERE, "112", ["12"], "no text after 'answer:', but '12' stands in the answer, within '112'"),
        (ANYWHERE, "so 1.12, 12.", ["12"], "no text after 'answer:', but '12' stands in the answer"),
        (ANYWHERE, "It is blue, yes", ["Red", "Blue"],
         "no text after 'answer:', but 'is blue' stands in the answer, for 'Blue'"),
        (ANYWHERE, "this blueberry", ["Blue"],
         "no text after 'answer:', but 'is blue' stands in the answer, within 'this blueberry', for 'Blue'"),
        (ANYWHERE, "Well\n\nblue", ["Blue"],
         "no text after 'answer:', but '\\n\\nblue' stands in the answer, for 'Blue'"),
        ("acc", '{"loglikelihoods": [-1, -3, -0.2]}', {"gold": 1}, "C is the likeliest option, and B is right"),
        ("acc_by_subject", '{"loglikelihoods": [-1, -3]}', {"gold": 0}, "A is the likeliest option, and A is right"),
        ("choice", "A", ASKED, "A is chosen, and B ('Paris') is right"),
        ("choice", "hm", ASKED, "no option could be read of the answer, and B ('Paris') is right"),
        ("one_of", "rome", ASKED, "the answer names 'Rome', and 'Paris' is right"),
        ("one_of", "Rome or London", ASKED, "the answer names 'London and Rome', and 'Paris' is right"),
        ("one_of", "", ASKED, "the answer names no option, and 'Paris' is right"),
        ("one_of", "x", {"options": ["x", "x"], "right": [1]},
         "the answer names 'x', and 'x' is right, but several options read so"),
        ("exact_match", "Foo", ["foo"], "read 'Foo': right, the reference is 'foo'"),
        ("exact_match", "D", ["a", "b", "c", "d"],
         "read 'D': right, the reference is 'd' or 'a' or 'b' or one of 1 more"),
        ("exact_match", "e", ["a", "b", "c", "d"],
         "read 'e': wrong, the reference is 'a' or 'b' or 'c' or one of 1 more"),
        ("exact_match", " ", [""], "read '': right, the reference is ''"),
        ("contains", "no", ["yes"], "'yes' does not stand in the answer as words of their own"),
        ("contains", "Oh yes.", ["yes"], "'yes' stands in the answer as words of their own"),
        ("regex", "b", ["a*"], "'a*' finds ''"),
        ("regex", "b", ["a"], "'a' finds nothing in 'b'"),
        ("number", "it is 12", ["12.0"], "read '12': right, the reference is '12.0'"),
        ("number", "many", ["12"], "no number could be read of the answer, and the reference is '12'"),
        ("exact_match", None, ["a"], "no content"),
    ],
)  # fmt: skip
def test_the_line_says_what_was_read_and_what_it_was_held_against(metric, answer, references, said):
    assert told(metric, answer, references) == said


def test_of_a_question_with_options_a_metric_of_texts_is_held_against_the_right_ones():
    found = score("exact_match", "paris", ASKED["answers"])
    assert why("exact_match", found, ASKED, "official") == "exact_match: read 'paris': right, the reference is 'Paris'"


def test_without_the_answer_s_text_the_line_does_not_say_which_phrase_was_found():
    line = why(ANYWHERE, Score(1.0), ["Blue"], "official")
    assert line == (
        f"{ANYWHERE}: no text after 'answer:', but a phrase that the metric looks for ('is blue', ' blue.' ...) "
        "stands in the answer"
    )


@pytest.mark.parametrize(
    ("answer", "stated", "said"),
    [
        ("12.4", {"tolerance": 0.5}, "the last number, 12.4, is within 0.5 of '12', the task's tolerance"),
        ("13", {"tolerance": 0.5}, "the last number, 13, is not within 0.5 of '12', the task's tolerance"),
        ("99", {"tolerance": 0.5, "relative_tolerance": 0.02},
         "the last number, 99, is within 2 % of '100', the task's tolerance"),
        ("12.4", {}, "the last number, 12.4, is as near to '12' as the task allows"),
    ],
)  # fmt: skip
def test_a_task_s_own_tolerance_is_named(answer, stated, said):
    allowed = stated or {"tolerance": 0.5}
    near = {"tolerance": allowed["tolerance"], "relative": allowed.get("relative_tolerance", 0.0)}
    found = generic.number(answer, ["12", "100"], "official", **near)
    assert why("number", found, ["12", "100"], "official", None, Known(answer, stated)) == f"number: {said}"


def test_where_a_task_cuts_out_a_part_the_line_is_of_that_part():
    extract = {"extract": r"final: (.*)"}
    line = why(
        "contains", score("contains", "no", ["yes"]), ["yes"], "official", None, Known("yes. final: no", extract)
    )
    assert line == "contains: 'yes' does not stand in the answer as words of their own (of what the task reads)"
    line = why(ANYWHERE, Score(1.0), ["12"], "official", None, Known("112 final: 12", extract))
    assert line == f"{ANYWHERE}: no text after 'answer:', but '12' stands in the answer (of what the task reads)"


@pytest.mark.parametrize(
    ("metric", "found", "judgement", "said"),
    [
        ("pass@1", Score(0.0, "code"), {"base": "pass", "plus": "fail", "details": [1, 2]},
         "the checker says base: pass, plus: fail"),
        ("math", Score(1.0, "12"), {"math": "pass", "parsed": "12"}, "the checker says math: pass, parsed: 12"),
        ("exact_match", Score(0.0, "1/2"), {"math": "pass", "parsed": "0.5"},
         "read '1/2': wrong, the reference is '0.5'"),
        ("own", Score(0.5, "x"), {"math": "pass"}, "read 'x', which counts 0.50"),
        ("acc", Score(1.0, "x"), {"metrics": {"acc": 1.0}}, 'the checker says {"metrics": {"acc": 1.0}}'),
        ("exact_match,strict", Score(1.0, "x"), {"metrics": {}}, 'the checker says {"metrics": {}}'),
    ],
)  # fmt: skip
def test_a_checker_is_quoted_of_the_metric_that_it_judges_and_of_no_other(metric, found, judgement, said):
    assert why(metric, found, ["0.5"], "official", judgement) == f"{metric}: {said}"


def test_a_metric_of_ones_own_is_told_in_general_words():
    assert why("own", Score(0.5, "x"), ["y"], "official") == "own: read 'x', which counts 0.50"
    assert why("own", Score(1.0), ["y"], "official") == "own: counts 1.00"
    assert why("own", Score(0.0), ["y"], "official") == "own: nothing could be read of the answer"


WORDS = st.sampled_from(
    ["a", "b", "A", "Blue", "blue", "is blue", "x", "", " ", "...", "the", "'a'", "yes", "no", "12", "112", "1,200",
     "1200", "5", "5.25", "5.2499", "2%", "2.1%", "0", "-12", "0.05", "1e9", "1e308", "inf", "nan", "a*", "[",
     "Well\n\nblue.", "answer: 12", "Answer: blue", "answer: ", "ab cd", "B) a", "a" * 70, "a" * 69 + "b"]
)  # fmt: skip
TEXTS = WORDS | st.lists(WORDS, max_size=3).map(" ".join) | st.text(max_size=8)
PLAIN = st.lists(TEXTS | st.integers(-20, 2000) | st.floats(), max_size=4)
CHOSEN = st.builds(
    lambda options, right: {"options": options, "right": right, "answers": options[:1]},
    st.lists(TEXTS, min_size=1, max_size=30),
    st.lists(st.integers(0, 29), min_size=1, max_size=2),
)
LIKELY = st.lists(st.sampled_from([-3.0, -1.0, -0.5]), min_size=1, max_size=30)
CASES = st.one_of(
    st.tuples(
        st.sampled_from(sorted({*METRICS} - {"acc", "acc_by_subject", "choice", "one_of"})), TEXTS, PLAIN | TEXTS
    ),
    st.tuples(st.just("vqa_match"), TEXTS, st.lists(TEXTS.map(lambda one: {"answer": one}), max_size=10)),
    st.tuples(st.sampled_from(["choice", "one_of"]), TEXTS, CHOSEN),
    st.tuples(
        st.sampled_from(["acc", "acc_by_subject"]),
        LIKELY.map(lambda values: json.dumps({"loglikelihoods": values})),
        st.integers(0, 29).map(lambda gold: {"gold": gold}),
    ),
)
# The texts above hold none of the line's own words.
SAYS_WRONG = re.compile(
    r"': wrong, | is not within | does not stand in | finds nothing in |, and none of the phrases |below 0.5"
    r"| is 0.00 by |^nothing could |^no number could |^no text after 'answer:' could |^0 of |left out in turn: 0.00 "
)
SAYS_RIGHT = re.compile(
    r"': right, | is within |' stands in the answer as words|'answer:', but | finds '|' begins with '|^[1-9]\d* of .*"
    r"( at most$|turn: (?!0.00))| is (?!0.00)[01]\.\d\d by | is just (above 0|under 1) by "
)


@settings(max_examples=300)
@given(CASES, st.sampled_from(DIALECTS), st.booleans())
def test_any_answer_has_one_short_line_that_says_what_its_score_says(case, dialect, text_is_known):
    metric, answer, references = case
    found = score(metric, answer, references, dialect)
    line = why(metric, found, references, dialect, None, Known(answer if text_is_known else None))
    said = line.removeprefix(f"{metric}: ")
    assert said != line
    assert "\n" not in line
    assert len(line) < 450
    assert not re.search(r"(nan|inf|e\+\d+) % off", said)
    if found.note:
        assert said == found.note
    elif metric in {"acc", "acc_by_subject"}:
        likeliest, right = re.fullmatch(r"(\w+) is the likeliest option, and (\w+) is right", said).groups()
        assert (likeliest == right) == (found.value > 0)
    elif metric in {"choice", "one_of"}:
        says_of_options_what(said, metric, found, references)
    else:
        assert bool(SAYS_WRONG.search(said)) == (found.value == 0), said
        assert bool(SAYS_RIGHT.search(said)) == (found.value > 0), said


def says_of_options_what(said, metric, found, references):
    """The line names the option that was read, and a right one, which is the same where the score is above 0."""
    places = [at for at in references["right"] if at < len(references["options"])]
    texts = {" ".join(references["options"][at].split()) for at in places}
    texts = {text if len(text) <= 60 else f"{text[:59]}…" for text in texts}
    if metric == "choice":
        named = re.fullmatch(r"(?:(.) is chosen|no option could be read of the answer), and (.*) is right", said)
        if len(references["options"]) > len(ascii_uppercase) and not named:
            return
        assert (named[1] in {ascii_uppercase[at] for at in places}) == (found.value > 0), said
        assert all(ascii_uppercase[at] in named[2] for at in places if at < len(ascii_uppercase)), said
        return
    named = re.fullmatch(r"the answer names (?:'(.*)'|no option), and (.*) is right(, but several .*)?", said)
    assert (named[1] in texts and not named[3]) == (found.value > 0), said
    assert all(f"'{text}'" in named[2] for text in texts), said


@given(TEXTS, st.lists(TEXTS, min_size=1, max_size=4))
def test_anls_names_the_reference_that_its_score_is_of(answer, references):
    found = score("anls", answer, references)
    beside = [one for one in references if f"beside '{' '.join(one.split())}' is " in told("anls", answer, references)]
    if found.parsed and beside:
        assert max(score("anls", answer, one).value for one in beside) == found.value
