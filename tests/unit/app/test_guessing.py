"""What is sent for a text is made once, and anew when the catalogue is another."""

import json

import pytest
from tests.unit.app.shop import product

from hscjit_app.catalog import views
from hscjit_app.catalog.matching import FuzzyIndex
from hscjit_app.ws.guessing import Guesses
from hscjit_app.ws.protocol import Prediction

MOOG = [product("Moog", "Moog Grandmother"), product("Moog", "Moog Mother-32")]
NORD = [product("Nord", "Nord Stage 4")]


class Counted(FuzzyIndex):
    """Counts what it is asked."""

    asked = 0

    def predict(self, text, limit=5):
        self.asked += 1
        return super().predict(text, limit)


def test_however_many_type_a_text_it_is_looked_for_once():
    index, guesses = Counted(MOOG), Guesses()
    first, second = (guesses.of("grandmother", index) for _ in range(2))
    other = guesses.of("mother", index)

    assert index.asked == 2
    assert first is second
    assert json.loads(first.frame)["data"][0]["product"]["name"] == "Moog Grandmother"
    assert (first.product_id, first.confidence) == ("moog-moog-grandmother", 0.96)
    assert json.loads(other.frame)["content"] == "mother"


def test_another_catalogue_is_asked_anew_and_so_is_the_former_when_it_is_back():
    moog, nord, guesses = Counted(MOOG), Counted(NORD), Guesses()
    found = [guesses.of("stage", index).product_id for index in (moog, nord, moog)]

    assert found == [None, "nord-nord-stage-4", None]
    assert (moog.asked, nord.asked) == (2, 1)


ODD = [
    product("Moog", 'Moog "Mother"\t32 \\ "confidence":0.0', "Synth\u2028", ("רולנד é\x7f",)),
    product("Nord", "Nord Stage 4", aliases=('a"b',)),
]


@pytest.mark.parametrize(
    "content",
    ["moog mother", 'mo"\\\n\x00', "רולנד", "stage 4", 'a"b nord', "xyzzy", "", "é\x7f 🎹"],
)
def test_a_frame_is_the_text_of_a_prediction(content):
    index = FuzzyIndex(ODD)
    candidates = [views.candidate(match) for match in index.predict(content)]

    wanted = Prediction(content=content, data=candidates).encode()
    assert Guesses().of(content, index).frame == wanted


def test_without_any_product_the_answer_is_empty():
    guess = Guesses().of("moog", None)

    assert json.loads(guess.frame) == {"type": "prediction", "content": "moog", "data": []}
    assert guess.product_id is None
