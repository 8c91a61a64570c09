"""A catalogue that was swapped is gone at once: no ring of references waits for the collector."""

import gc
import weakref

import pytest
from tests.unit.app.test_matching import PRODUCTS

from hscjit_app.catalog.large import LargeIndex, encode
from hscjit_app.catalog.matching import FuzzyIndex
from hscjit_app.catalog.records import Records
from hscjit_app.catalog.records import encode as encode_records
from hscjit_app.catalog.remembering import remembering


class Doubles:
    """Counts what it works out."""

    def __init__(self):
        self.worked = []
        self.double = remembering(self._double, 2)

    def _double(self, number):
        self.worked.append(number)
        return 2 * number


def test_the_latest_results_are_worked_out_once():
    doubles = Doubles()

    assert [doubles.double(n) for n in (1, 1, 2, 3, 2, 1)] == [2, 2, 4, 6, 4, 2]
    assert doubles.worked == [1, 2, 3, 1]


def large():
    arrays = {**encode(PRODUCTS), **encode_records(PRODUCTS)}
    return LargeIndex(arrays, Records(arrays))


INDEXES = {"small": lambda: FuzzyIndex(PRODUCTS), "large": large}


@pytest.mark.parametrize("make", INDEXES.values(), ids=INDEXES)
def test_an_index_nobody_holds_is_gone_without_the_collector(make):
    index = make()
    assert index.predict("moog grandmothr")
    assert index.identify("how do I tune my moog grandmother?")
    gone = weakref.ref(index)
    gc.disable()
    try:
        del index
        assert gone() is None
    finally:
        gc.enable()


def test_records_nobody_holds_are_gone_too():
    records = Records(encode_records(PRODUCTS))
    assert records.order[0] == records[PRODUCTS[0].id]
    gone = weakref.ref(records)
    gc.disable()
    try:
        del records
        assert gone() is None
    finally:
        gc.enable()
