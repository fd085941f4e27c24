"""Functions to write."""

from evalkit.demo.questions import heldout, programs
from evalkit.demo.questions.scenes import split_of, stream


def test_canonical_solutions_pass_their_own_tests():
    for place, made in enumerate(heldout.problems()):
        row = programs.row(stream("inputs", place), made, place)
        space = {}
        exec(row["prompt"] + row["canonical_solution"] + row["test"], space)
        space["check"](space[row["entry_point"]])
        assert len(row["base_input"]) + len(row["plus_input"]) == 20


def test_problems_are_held_out_and_different():
    problems = heldout.problems()
    assert len({made.key for made in problems}) == heldout.PROBLEMS == 40
    assert {split_of(made.key) for made in problems} == {"heldout"}
    assert len({len(made.steps) for made in problems}) > 1


def test_training_prefers_the_first_operations_and_heldout_problems_do_not():
    first, last = "the sum", "the largest minus the smallest"
    rng = stream("tail")

    def endings(*, even):
        return [programs.program(rng, 0, even=even).steps[-1].removeprefix("return ") for _ in range(3000)]

    trained, asked = endings(even=False), endings(even=True)
    assert trained.count(first) > 20 * trained.count(last)
    assert asked.count(last) > 100
