"""A part of a task is drawn: nested, units whole, the same everywhere, and fair."""

from collections import Counter
from random import Random
from statistics import fmean

from hypothesis import given
from hypothesis import strategies as st

from evalkit.tasks import draw

STRATA = st.dictionaries(
    st.sampled_from(["algebra", "law", "virology", "history"]),
    st.lists(st.text(max_size=6), min_size=1, max_size=40, unique=True),
    min_size=1,
)
UNITS = st.lists(st.sampled_from([f"page {number}" for number in range(12)]), min_size=1, max_size=60)


def named(sizes):
    """The ids of so many questions of each subject."""
    return {name: [f"{name}/{place}" for place in range(size)] for name, size in sizes.items()}


@given(UNITS, st.integers(1, 70))
def test_units_come_whole_and_a_larger_limit_has_what_a_smaller_one_has(units, limit):
    found = draw.whole_units(units, limit)
    assert found == sorted(set(found))
    taken = {units[place] for place in found}
    assert len(found) == sum(unit in taken for unit in units)
    assert len(found) >= min(limit, len(units))
    assert len(found) < limit + max(Counter(units).values())
    assert set(found) <= set(draw.whole_units(units, limit + 1))


@given(UNITS, st.integers(1, 70), st.randoms())
def test_what_is_drawn_does_not_depend_on_the_order_of_the_rows(units, limit, chance):
    shuffled = chance.sample(units, len(units))
    drawn = {units[place] for place in draw.whole_units(units, limit)}
    assert drawn == {shuffled[place] for place in draw.whole_units(shuffled, limit)}


def test_the_draw_is_the_same_on_every_machine():
    assert draw.whole_units([str(number) for number in range(1000)], 5) == [384, 526, 653, 839, 954]
    # As runs before drew them by subject and place, which is what a question's id is: theirs go on as they were.
    assert draw.shares(named({"algebra": 6, "law": 12}), 3) == {"algebra": [0], "law": [2, 9]}


def test_a_part_of_a_split_whose_halves_differ_has_the_mean_of_the_whole():
    """The first 1,000 of 2,500 would be off by 12 points; 200 splits that are named otherwise are drawn from."""
    values = [1.0] * 1250 + [0.7] * 1250
    drawn = []
    for seed in range(200):
        places = draw.whole_units([f"{seed} {number // 2}" for number in range(2500)], 1000)
        drawn.append(fmean(values[place] for place in places))
    whole = fmean(values)
    assert abs(fmean(drawn) - whole) < 0.002
    # 500 of 1,250 pairs without replacement: 0.15 * sqrt(0.6 / 500) = 0.0052.
    assert 0.8 < fmean((one - whole) ** 2 for one in drawn) ** 0.5 / 0.0052 < 1.2


def test_units_of_uneven_size_leave_the_mean_over_samples_unbiased():
    chance = Random(4)
    sizes = [chance.choice([1, 2, 9]) for _ in range(300)]
    totals = [0.0, 0.0]
    for seed in range(300):
        units = [f"{seed} {unit}" for unit, size in enumerate(sizes) for _ in range(size)]
        # Large units are right, small ones are wrong: what favours large ones shows.
        right = [size == 9 for size in sizes for _ in range(size)]
        places = draw.whole_units(units, 60)
        totals[0] += sum(right[place] for place in places)
        totals[1] += len(places)
    whole = sum(size for size in sizes if size == 9) / sum(sizes)
    assert abs(totals[0] / totals[1] - whole) < 0.01


@given(
    STRATA,
    st.integers(0, 170),
)
def test_every_stratum_gives_its_share(ids, limit):
    found = draw.shares(ids, limit)
    strata = {name: len(names) for name, names in ids.items()}
    total = sum(strata.values())
    count = min(limit, total)
    assert sum(map(len, found.values())) == count
    for name, places in found.items():
        assert places == sorted(set(places))
        assert all(0 <= place < strata[name] for place in places)
        assert abs(len(places) - strata[name] * count / total) < 2
        assert set(places) <= set(draw.shares(ids, limit + 1)[name])


@given(STRATA, st.integers(0, 170), st.integers(0, 170), st.randoms())
def test_strata_are_drawn_by_the_ids_of_their_samples_nested_and_whatever_their_order(ids, limit, more, chance):
    def drawn(of, count):
        return {name: {of[name][place] for place in places} for name, places in draw.shares(of, count).items()}

    shuffled = {name: chance.sample(ids[name], len(ids[name])) for name in chance.sample(list(ids), len(ids))}
    assert drawn(shuffled, limit) == drawn(ids, limit)
    larger = drawn(shuffled, limit + more)
    assert all(found <= larger[name] for name, found in drawn(ids, limit).items())


def test_a_part_of_strata_has_the_mean_over_all_samples():
    """Even shares would weigh the small subject as much as the large one: 0.5 instead of 0.9."""
    drawn = []
    for seed in range(300):
        found = draw.shares(named({f"large {seed}": 900, f"small {seed}": 100}), 20)
        drawn.append(len(found[f"large {seed}"]) / 20)
    assert abs(fmean(drawn) - 0.9) < 0.005
