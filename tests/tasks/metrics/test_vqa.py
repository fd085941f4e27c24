import pytest
from hypothesis import given
from hypothesis import strategies as st

from evalkit.tasks.metrics import score

TEN = st.lists(st.sampled_from(["red", "Red.", "blue", "two", "2", "the red", "red-blue"]), min_size=10, max_size=10)


def vqa(answer, references, dialect="neuralmagic"):
    return score("vqa_match", answer, references, dialect).value


def disagreeing(word):
    return [word] * 9 + ["something else"]


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        ("dont", "don't"),
        ("whatre", "what're"),
        ("somebodyll", "somebody'll"),
        ("hedve", "hedve"),
        ("hed've", "he'd've"),
        ("he'dve", "he'd've"),
        ("yall'd've", "y'all'd've"),
        ("y'alld've", "y'all'd've"),
        ("y'all'dve", "y'all'd've"),
        ("ow's'at", "'ow's'at"),
        ("'ows'at", "'ow's'at"),
        ("twas", "'twas"),
        ("oclock", "o'clock"),
        ("its", "its"),
        ("were", "were"),
        ("well", "well"),
        ("shell", "shell"),
        ("shed", "shed"),
    ],
)
@pytest.mark.parametrize("dialect", ["neuralmagic", "official"])
def test_contractions_are_respelt_and_other_words_left_alone(written, meant, dialect):
    assert score("vqa_match", written, disagreeing("x"), dialect).parsed == meant


@pytest.mark.parametrize(("word", "number"), [("zero", 0), ("none", 0), ("one", 1), ("five", 5), ("Ten", 10)])
def test_number_words_are_digits_officially(word, number):
    assert vqa(word, disagreeing(str(number)), "official") == 1.0
    assert vqa(word, disagreeing(str(number))) == 0.0


@given(TEN, st.sampled_from(["neuralmagic", "mistral"]))
def test_published_credit_is_a_third_a_person(references, dialect):
    matches = sum(vqa("red", [reference], dialect) > 0 for reference in references)
    assert vqa("red", references, dialect) == pytest.approx(min(1.0, matches / 3))


@given(st.lists(st.sampled_from(["red", "blue", "green"]), min_size=10, max_size=10))
def test_official_credit_by_number_of_matches(references):
    credit = {0: 0.0, 1: 0.3, 2: 0.6, 3: 0.9}.get(references.count("red"), 1.0)
    assert vqa("red", references, "official") == pytest.approx(credit)


@given(TEN, st.randoms(use_true_random=False))
def test_the_order_of_the_people_does_not_matter(references, random):
    shuffled = random.sample(references, len(references))
    for dialect in ("neuralmagic", "mistral", "official"):
        assert vqa("red", references, dialect) == pytest.approx(vqa("red", shuffled, dialect))


@given(TEN)
def test_rows_of_the_data_set_score_as_their_answers(references):
    rows = [{"answer": text, "answer_confidence": "yes", "answer_id": n} for n, text in enumerate(references)]
    for dialect in ("neuralmagic", "official"):
        assert vqa("red", rows, dialect) == vqa("red", references, dialect)
    assert vqa("red", rows, "mistral") == 0.0
