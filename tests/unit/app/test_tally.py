"""Sets added up as bits give what adding one by one gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hscjit_app.catalog import tally
from hscjit_app.catalog.tally import Tally

NAMES = 200
SETS = st.lists(
    st.tuples(st.frozensets(st.integers(0, NAMES - 1)), st.sampled_from([1, 2, 4])), max_size=9
)


def bits(names):
    """Return a set as bits."""
    return tally.bits(np.array(sorted(names), dtype=np.int32), NAMES)


@given(SETS, st.integers(1, 20))
def test_the_highest_sums_are_found_and_the_first_among_equals(sets, number):
    counted = Tally()
    sums = dict.fromkeys(range(NAMES), 0)
    for names, weight in sets:
        counted.add(bits(names), weight)
        for name in names:
            sums[name] += weight

    found = counted.most(number)

    best = sorted((n for n in sums if sums[n]), key=lambda n: (-sums[n], n))[:number]
    assert sorted(found) == sorted(best)
    assert counted.of(found) == [sums[n] for n in found]


@given(SETS, SETS)
def test_going_on_from_sums_leaves_them_as_they_are(before, after):
    begun = Tally()
    for names, weight in before:
        begun.add(bits(names), weight)
    as_it_was = begun.of(range(NAMES))
    gone_on = Tally(begun)
    for names, weight in after:
        gone_on.add(bits(names), weight)

    assert begun.of(range(NAMES)) == as_it_was
    assert gone_on.of(range(NAMES)) == [
        was + sum(weight for names, weight in after if n in names)
        for n, was in enumerate(as_it_was)
    ]


@given(
    st.lists(st.frozensets(st.integers(0, NAMES - 1)), max_size=4),
    st.integers(0, NAMES),
    st.integers(0, NAMES),
    st.integers(0, 20),
)
def test_the_first_names_in_a_range_are_found(sets, begin, end, most):
    expected = sorted(n for n in frozenset().union(*sets) if begin <= n < end)

    assert tally.first([bits(names) for names in sets], begin, end, most) == expected[:most]


def test_many_names_are_put_into_a_set_as_few_are():
    many = range(0, 3 * NAMES, 2)

    few_at_a_time = tally.union(
        [
            tally.bits(np.array(many[n : n + 99], dtype=np.int32), 3 * NAMES)
            for n in (0, 99, 198, 297)
        ]
    )

    assert np.array_equal(tally.bits(np.array(many, dtype=np.int32), 3 * NAMES), few_at_a_time)


@given(st.frozensets(st.integers(0, NAMES - 1)), st.integers(0, 20))
def test_a_set_is_read_back_in_order(names, most):
    assert tally.rows(bits(names)).tolist() == sorted(names)
    assert tally.rows(bits(names), most).tolist() == sorted(names)[:most]


@given(st.lists(st.frozensets(st.integers(0, NAMES - 1)), min_size=1, max_size=5))
def test_a_union_holds_everybody(sets):
    whole = tally.union([bits(names) for names in sets])

    assert tally.rows(whole).tolist() == sorted(frozenset().union(*sets))
