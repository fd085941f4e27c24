"""When cells count: what the models' prompts say of each other."""

from dataclasses import replace

from evalkit.perf.cells import MeasuredCell
from evalkit.perf.uses import Use
from evalkit.perf.validity import faults

USES = {"glance": Use("glance", "Glance", 4, 16)}
GOOD = MeasuredCell(
    *("base", "glance", "single-stream", 1, "", 0, 1, 3, 0, "", (1.0, 1.1, 1.2), (8, 9, 9), (16, 16, 16)),
    *(0.9, 0.9, 0.0, 0.1, 0.01, (), 1.0),
)


def test_equal_prompts_count():
    assert faults([GOOD, replace(GOOD, model="cand")], USES) == {}


def test_prompts_of_another_length_discredit_every_model_of_that_start():
    other = replace(GOOD, model="cand", prompt_tokens=(15, 16, 16))
    later = replace(GOOD, start=2)
    found = faults([GOOD, other, later], USES)
    assert set(found) == {GOOD.key, other.key}
    assert found[GOOD.key] == "prompts differ between the models: tokens base 8 to 9, cand 15 to 16"


def test_prompts_that_differ_in_their_number_alone_are_told_by_their_sum():
    other = replace(GOOD, model="cand", prompt_tokens=(8, 8, 9))
    assert "tokens base 26, cand 25 in all" in faults([GOOD, other], USES)[GOOD.key]


def test_a_cell_that_does_not_count_does_not_discredit_the_others():
    other = replace(GOOD, model="cand", prompt_tokens=(1, 1), latencies_s=(1.0, 1.0), output_tokens=(16, 16))
    assert faults([GOOD, other], USES) == {
        other.key: "2 of 3 queries were answered, and the engine says nothing of the others"
    }


def test_what_is_not_told_does_not_count():
    silent = replace(GOOD, prompt_tokens=(), output_tokens=())
    assert "did not say how many tokens" in faults([silent], USES)[silent.key]
    timeless = replace(GOOD, idle=None)
    assert "an unknown share" in faults([timeless], USES)[timeless.key]


def test_the_limit_of_the_engines_delay_is_the_users():
    slow = replace(GOOD, idle=0.2)
    assert faults([slow], USES, most_idle=0.25) == {}
    assert "for 20 % of the time; its limit is 5 %" in faults([slow], USES)[slow.key]
