"""Sets added up as bits give what adding one by one gives."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from hscjit_app.catalog import tally
from hscjit_app.catalog.tally import BLOCK, Tally

NAMES = 200
SETS = st.lists(
    st.tuples(st.frozensets(st.integers(0, NAMES - 1)), st.sampled_from([1, 2, 4])), max_size=9
)


def bits(names):
    """Return a set as bits."""
    return tally.bits(np.array(sorted(names), dtype=np.int32), NAMES)


@given(SETS, st.integers(1, 20))
def test_the_highest_sums_are_found_and_the_first_among_equals(sets, number):
    counted = Tally(-(-NAMES // BLOCK), sum(weight for _, weight in sets))
    sums = dict.fromkeys(range(NAMES), 0)
    for names, weight in sets:
        counted.add(bits(names), weight)
        for name in names:
            sums[name] += weight

    found = counted.most(number)

    best = sorted((n for n in sums if sums[n]), key=lambda n: (-sums[n], n))[:number]
    assert sorted(found.tolist()) == sorted(best)
    assert counted.of(found).tolist() == [sums[n] for n in found.tolist()]


@given(st.frozensets(st.integers(0, NAMES - 1)), st.integers(0, 20))
def test_a_set_is_read_back_in_order(names, most):
    assert tally.rows(bits(names)).tolist() == sorted(names)
    assert tally.rows(bits(names), most).tolist() == sorted(names)[:most]


@given(st.lists(st.frozensets(st.integers(0, NAMES - 1)), min_size=1, max_size=5))
def test_a_union_holds_everybody(sets):
    whole = tally.union([bits(names) for names in sets])

    assert tally.rows(whole).tolist() == sorted(frozenset().union(*sets))
