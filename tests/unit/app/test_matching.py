"""Who is meant by what was typed: typos, prefixes, word order, models, any script."""

import pytest

from hscjit_app.catalog import words
from hscjit_app.catalog.matching import FLOOR, FuzzyIndex
from hscjit_app.catalog.products import Brand, Product


def product(brand: str, name: str, category: str = "", aliases: tuple[str, ...] = ()) -> Product:
    """A product that has what the index looks at."""
    slug = brand.lower().replace(" ", "-")
    return Product(
        id=f"{slug}-{name.lower().replace(' ', '-')}",
        name=name,
        brand=Brand(slug, brand, "", "", ""),
        category=category,
        production_country="",
        image="",
        manual_url=None,
        relations=(),
        aliases=aliases,
    )


PRODUCTS = [
    product("Roland Corporation", "Roland TD-17KVX Gen 2", "Electronic Drums"),
    product("Roland Corporation", "Roland TD-17KV", "Electronic Drums"),
    product("Roland Corporation", "Roland RH-300 Headphones", "Headphones"),
    product("Nord", "Nord Stage 4 88-Keys", "Keyboard", ("NS4",)),
    product("Boss", "BOSS Stage Keyboard 88", "Keyboard"),
    product("Moog", "Moog Grandmother", "Synthesizer"),
    product("Moog", "Moog Mother-32", "Synthesizer"),
    product("Córdoba", "Córdoba C5 Guitar", "Guitar"),
    product("D'Angelico", "D'Angelico Excel DC", "Guitar"),
    product("Ямаха", "Ямаха П-45", "Пианино"),
    product("רולנד", "רולנד פסנתר", ""),
]
INDEX = FuzzyIndex(PRODUCTS)

TYPED = {
    "a typo in the brand": ("rolnd td17", "Roland TD-17KV"),
    "two letters swapped": ("moog grandmohter", "Moog Grandmother"),
    "a missing letter": ("grandmothr", "Moog Grandmother"),
    "words the other way round": ("stage 4 nord", "Nord Stage 4 88-Keys"),
    "a model with its hyphen": ("td-17kvx", "Roland TD-17KVX Gen 2"),
    "a model without its hyphen": ("td17kvx", "Roland TD-17KVX Gen 2"),
    "a model in pieces": ("td 17 kvx", "Roland TD-17KVX Gen 2"),
    "the end of a model": ("17kvx", "Roland TD-17KVX Gen 2"),
    "a prefix": ("gra", "Moog Grandmother"),
    "a prefix with a typo": ("garnd", "Moog Grandmother"),
    "a whole name before a part of one": ("moog mother", "Moog Mother-32"),
    "an alias": ("ns4", "Nord Stage 4 88-Keys"),
    "a category narrows a brand": ("roland headphones", "Roland RH-300 Headphones"),
    "without the accent": ("cordoba", "Córdoba C5 Guitar"),
    "with the accent in two characters": ("CO\u0301RDOBA", "Córdoba C5 Guitar"),
    "full-width letters": ("\uff2d\uff2f\uff2f\uff27\u3000mother", "Moog Mother-32"),
    "without the apostrophe": ("dangelico", "D'Angelico Excel DC"),
    "with a curly apostrophe": ("d\u2019angelico", "D'Angelico Excel DC"),
    "Cyrillic with a typo": ("ямха п45", "Ямаха П-45"),
    "Hebrew": ("רולנד פסנ", "רולנד פסנתר"),
}


@pytest.mark.parametrize(("typed", "meant"), TYPED.values(), ids=TYPED)
def test_what_is_typed_finds_what_is_meant(typed, meant):
    assert INDEX.predict(typed)[0].product.name == meant


@pytest.mark.parametrize(("typed", "meant"), TYPED.values(), ids=TYPED)
def test_what_was_typed_before_changes_no_answer(typed, meant):
    used = FuzzyIndex(PRODUCTS)
    for text in ("roland stage 4", "moog mother", "td", meant):
        for size in range(1, len(text)):
            used.predict(text[:size])

    for size in range(1, len(typed) + 1):
        assert used.predict(typed[:size]) == FuzzyIndex(PRODUCTS).predict(typed[:size])


NOTHING = {
    "empty": "",
    "spaces": "   ",
    "punctuation": "?!",
    "no such thing": "xyzzy",
    "an underscore": "_",
}


@pytest.mark.parametrize("typed", NOTHING.values(), ids=NOTHING)
def test_what_names_nothing_finds_nothing(typed):
    assert INDEX.predict(typed) == []


def test_confidence_is_1_for_the_whole_name_and_never_below_the_floor():
    assert INDEX.predict("Moog Grandmother")[0].confidence == 1.0
    for typed in ("m", "mo", "moo", "moog", "moog g", "moog grandmother filter"):
        for match in INDEX.predict(typed, limit=20):
            assert FLOOR <= match.confidence <= 1


def test_more_of_the_name_means_more_confidence():
    steps = [
        INDEX.predict(t)[0].confidence for t in ("gr", "grand", "grandmother", "moog grandmother")
    ]

    assert steps == sorted(steps)
    assert len(set(steps)) == len(steps)


def test_match_text_is_the_words_recognised_in_the_catalogues_spelling():
    assert INDEX.predict("rolnd td17kvx")[0].match_text == "Roland TD-17KVX"
    assert INDEX.predict("stage nord")[0].match_text == "Nord Stage"


def test_the_limit_is_kept_and_best_comes_first():
    found = INDEX.predict("roland", limit=2)

    assert len(found) == 2
    assert found[0].confidence >= found[1].confidence


def test_an_empty_catalogue_finds_nothing():
    assert FuzzyIndex([]).predict("moog") == []
    assert FuzzyIndex([]).identify("moog mother-32?") is None


def test_a_very_long_text_is_answered_too():
    assert INDEX.predict("moog grandmother " * 500)[0].product.name == "Moog Grandmother"
    assert INDEX.predict("a" * 10_000) == []


QUESTIONS = {
    "a model among common words": (
        "how do I set the kick sensitivity on my td17kvx?",
        "Roland TD-17KVX Gen 2",
    ),
    "brand and name": ("tune the filter of the moog grandmother", "Moog Grandmother"),
    "a typo": ("reset a moog grandmothr please", "Moog Grandmother"),
    "a category word alone names nothing": ("how do I connect my keyboard?", None),
    "a brand alone names nothing": ("is moog any good?", None),
    "nothing": ("what is the weather like?", None),
    "empty": ("", None),
}


@pytest.mark.parametrize(("question", "meant"), QUESTIONS.values(), ids=QUESTIONS)
def test_a_question_names_its_product_or_none(question, meant):
    found = INDEX.identify(question)

    assert (found.product.name if found else None) == meant


FORMS = {
    "hyphen and digits": ("TD-17KVX", ["td17kvx", "td", "17kvx", "17", "kvx"]),
    "plain": ("Stage", ["stage"]),
    "twice the same": ("ADAM Audio Audio", ["adam", "audio"]),
    "accents and case": ("ÉÑ", ["en"]),
    "kana keep their marks": ("ガ", ["ガ"]),
}


@pytest.mark.parametrize(("name", "forms"), FORMS.values(), ids=FORMS)
def test_a_name_is_known_by_its_forms(name, forms):
    assert [word.form for word in words.named(name)] == forms
