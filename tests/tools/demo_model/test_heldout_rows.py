"""Held-out questions as training rows, and the judgement of written functions."""

from demo_model.heldout_rows import exam_rows, passes
from demo_model.rows import WIDTH
from evalkit.demo.questions import heldout


def test_a_heldout_row_fits_and_ends_with_the_letter(coder):
    letters = {coder.ids(f" {letter}")[0] for letter in "ABCD"}
    for row in exam_rows(coder):
        assert len(row.ids) <= WIDTH
        assert row.ids[-1] in letters
        assert [weight > 0 for weight in row.weights].count(True) == 1


def test_a_right_solution_passes_and_wrong_ones_do_not():
    made = heldout.problems()[0]
    right = made.prompt + made.body
    assert passes(right + "```\nanything", made, 0)
    assert not passes(made.prompt + "    return 'nothing'\n", made, 0)
    assert not passes("def other(xs):\n    return xs\n", made, 0)
    assert not passes("not python", made, 0)
    assert not passes(made.prompt + "    while True:\n        pass\n", made, 0)
