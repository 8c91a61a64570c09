"""A catalogue that was swapped is gone at once: no ring of references waits for the collector."""

import gc
import weakref

import pytest
from tests.unit.app.shop import MEANT

from hscjit_app.catalog import records
from hscjit_app.catalog.large import LargeIndex, encode
from hscjit_app.catalog.matching import FuzzyIndex
from hscjit_app.catalog.records import Records
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
    arrays = {**encode(MEANT), **records.encode(MEANT)}
    return LargeIndex(arrays, Records(arrays))


def ask(index):
    assert index.predict("moog grandmothr")
    assert index.identify("how do I tune my moog grandmother?")


def read(found):
    assert found.order[0] == found[MEANT[0].id]


PARTS = {
    "small index": (lambda: FuzzyIndex(MEANT), ask),
    "large index": (large, ask),
    "records": (lambda: Records(records.encode(MEANT)), read),
}


@pytest.mark.parametrize(("make", "use"), PARTS.values(), ids=PARTS)
def test_what_nobody_holds_is_gone_without_the_collector(make, use):
    part = make()
    use(part)
    gone = weakref.ref(part)
    gc.disable()
    try:
        del part
        assert gone() is None
    finally:
        gc.enable()
