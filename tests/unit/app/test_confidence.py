"""How sure the small index is, is what its formula says, reckoned product by product."""

import random
from itertools import pairwise

import pytest
from tests.unit.app.shop import MANY, MEANT, TYPED

from hscjit_app.catalog import matching, words
from hscjit_app.catalog.matching import FLOOR, FuzzyIndex
from hscjit_app.catalog.vocabulary import Vocabulary, most

SOME = [*MEANT, *MANY[:104]]
NOISE = "abegmnorst178- פיнд"
REPEATS = 400


def forms(product):
    """Each form of a product with how much it counts and the word it stands for."""
    found = {}
    own_id = product.id.removeprefix(f"{product.brand.id}-")
    for text, weight in [
        (product.brand.name, matching.NAME),
        (product.name, matching.NAME),
        *((alias, matching.ALIAS) for alias in product.aliases),
        (own_id, matching.ALIAS),
        (product.category, matching.CATEGORY),
    ]:
        for word in words.named(text):
            counts = weight if word.whole else weight * matching.PART
            found.setdefault(word.form, (counts, word.shown))
    return found


class Slowly:
    """The formula that `matching` tells, word by word."""

    def __init__(self, products):
        self._forms = [forms(product) for product in products]
        self._lengths = [sum(len(w.form) for w in words.named(p.name) if w.whole) for p in products]
        self._vocabulary = Vocabulary(form for held in self._forms for form in held)

    def rank(self, text):
        """Return (confidence, row, recognised words) of all that are sure enough, best first."""
        typed = words.typed(text)
        ways = [[self._vocabulary.like(word)] for word in typed]
        for n, (left, right) in enumerate(pairwise(typed)):
            for at in (n, n + 1):
                ways[at].append(self._vocabulary.holding(left + right))
        alike = [
            {self._vocabulary.forms[n]: much for n, much in most(several).items()}
            for several in ways
        ]
        ranked = (
            [self._judge(row, typed, alike) for row in range(len(self._forms))] if typed else []
        )
        return sorted((one for one in ranked if one[0] >= FLOOR), key=lambda one: (-one[0], one[1]))

    def _judge(self, row, typed, alike):
        held = list(self._forms[row].items())
        quality = covered = 0.0
        recognised = set()
        for word, like in zip(typed, alike, strict=True):
            much, place = max(
                (like.get(form, 0.0) * counts, -place)
                for place, (form, (counts, _)) in enumerate(held)
            )
            if much:
                recognised.add(-place)
            quality += much * min(len(word), 8)
            covered += much**4 * len(word)
        quality /= sum(min(len(word), 8) for word in typed)
        sure = 0.85 * quality + 0.15 * min(covered / self._lengths[row], 1)
        shown = dict.fromkeys(held[place][1][1] for place in sorted(recognised))
        return round(sure, 6), row, " ".join(shown)


def noisy(dice):
    """A product's name with up to three slips: letters left out, added, changed; words swapped."""
    text = dice.choice(SOME).name
    for _ in range(dice.randrange(4)):
        at = dice.randrange(len(text))
        text = dice.choice(
            [
                text[:at] + text[at + 1 :],
                text[:at] + dice.choice(NOISE) + text[at:],
                text[:at] + dice.choice(NOISE) + text[at + 1 :],
                " ".join(dice.sample(text.split(), len(text.split()))),
                text.replace("-", " "),
            ]
        )
        text = text or "p"
    return text[: dice.randrange(1, len(text) + 1)] if dice.random() < 1 / 2 else text


@pytest.fixture(scope="module")
def both():
    return FuzzyIndex(SOME), Slowly(SOME)


def test_everything_found_is_as_sure_as_the_formula_says(both):
    index, slowly = both
    dice = random.Random(6)  # noqa: S311  the same dice each time
    at = {product.id: row for row, product in enumerate(SOME)}
    found_any = 0
    for text in [*(typed for typed, _ in TYPED.values()), *(noisy(dice) for _ in range(REPEATS))]:
        found = [(m.confidence, at[m.product.id], m.match_text) for m in index.predict(text, 300)]
        wanted = slowly.rank(text)
        assert [one[1:] for one in found] == [one[1:] for one in wanted], text
        assert [one[0] for one in found] == pytest.approx([w[0] for w in wanted], abs=6e-4), text
        found_any += len(found)
    assert found_any > REPEATS


def test_of_products_as_likely_the_catalogues_first_come_first():
    first = MANY[:317]  # not a number that a processor adds up in even steps
    found = FuzzyIndex(first).predict("Pearl CK 100 Mixerz", 4)
    rows = [first.index(match.product) for match in found]

    assert len({match.confidence for match in found[1:]}) == 1
    assert rows[1:] == sorted(rows[1:])
