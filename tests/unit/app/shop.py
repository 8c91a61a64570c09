"""Products of a music shop, to be found by what is typed."""

from functools import cache

from hscjit_app.catalog.large import LargeIndex
from hscjit_app.catalog.matching import FuzzyIndex
from hscjit_app.catalog.products import Brand, Product, Relation


def product(brand: str, name: str, category: str = "", aliases: tuple[str, ...] = ()) -> Product:
    """A product with everything a record keeps."""
    slug = brand.lower().replace(" ", "-")
    return Product(
        id=f"{slug}-{name.lower().replace(' ', '-')}",
        name=name,
        brand=Brand(slug, brand, "", f"https://{slug}.example.com", ""),
        category=category,
        production_country="Sweden",
        image="/a.webp",
        manual_url=None if aliases else "/manual.pdf",
        relations=(Relation("accessory", f"{slug}-bag", "Bag"),),
        aliases=aliases,
    )


MEANT = [
    product("Roland Corporation", "Roland TD-17KVX Gen 2", "Electronic Drums"),
    product("Roland Corporation", "Roland TD-17KV", "Electronic Drums"),
    product("Roland Corporation", "Roland RH-300 Headphones", "Headphones"),
    product("Nord", "Nord Stage 4 88-Keys", "Keyboard", ("NS4",)),
    product("Boss", "BOSS Stage Keyboard 88", "Keyboard"),
    product("Moog", "Moog Grandmother", "Synthesizer"),
    product("Moog", "Moog Mother-32", "Synthesizer"),
    product("Moog", "Matriarch", "Synthesizer"),
    product("Córdoba", "Córdoba C5 Guitar", "Guitar"),
    product("D'Angelico", "D'Angelico Excel DC", "Guitar"),
    product("Ямаха", "Ямаха П-45", "Пианино"),
    product("רולנד", "רולנד פסנתר חשמלי"),
    product("ياماها", "ياماها بيانو رقمي"),
]
FILLERS = [
    product(brand, f"{brand} {series}-{number} {kind}", kind)
    for brand in ("Pearl", "Mackie", "Casio", "Tama", "Zoom", "Korg")
    for series in ("AX", "BR", "CK", "DP")
    for number in range(100, 125)
    for kind in ("Mixer", "Snare Drum", "Digital Piano", "Field Recorder")
]
MANY = [*FILLERS[:1200], *MEANT, *FILLERS[1200:]]
"""Among which those are meant to be found."""


@cache
def few_index() -> FuzzyIndex:
    """The index of a small catalogue: those alone, each compared with what is typed."""
    return FuzzyIndex(MEANT)


@cache
def many_index() -> LargeIndex:
    """The index of a large catalogue: all of them, found by their letters."""
    return LargeIndex.of(MANY)


@cache
def many_compared() -> FuzzyIndex:
    """What a large catalogue's index is held against: all of them, each compared."""
    return FuzzyIndex(MANY)


TYPED = {
    "a typo in the brand": ("rolnd td17", "Roland TD-17KV"),
    "two letters swapped": ("moog grandmohter", "Moog Grandmother"),
    "a missing letter": ("grandmothr", "Moog Grandmother"),
    "a typo in the first letter": ("hrandmother", "Moog Grandmother"),
    "words the other way round": ("stage 4 nord", "Nord Stage 4 88-Keys"),
    "a model with its hyphen": ("td-17kvx", "Roland TD-17KVX Gen 2"),
    "a model without its hyphen": ("td17kvx", "Roland TD-17KVX Gen 2"),
    "a model in pieces": ("td 17 kvx", "Roland TD-17KVX Gen 2"),
    "the end of a model": ("17kvx", "Roland TD-17KVX Gen 2"),
    "a prefix": ("gra", "Moog Grandmother"),
    "a whole name before a part of one": ("moog mother", "Moog Mother-32"),
    "a brand the name leaves out": ("moog matri", "Matriarch"),
    "an alias": ("ns4", "Nord Stage 4 88-Keys"),
    "a category narrows a brand": ("roland headphones", "Roland RH-300 Headphones"),
    "without the accent": ("cordoba", "Córdoba C5 Guitar"),
    "with the accent in two characters": ("CO\u0301RDOBA", "Córdoba C5 Guitar"),
    "full-width letters": ("\uff2d\uff2f\uff2f\uff27\u3000mother", "Moog Mother-32"),
    "without the apostrophe": ("dangelico", "D'Angelico Excel DC"),
    "with a curly apostrophe": ("d\u2019angelico", "D'Angelico Excel DC"),
    "Cyrillic with a typo": ("ямха п45", "Ямаха П-45"),
    "Hebrew": ("רולנד פסנ", "רולנד פסנתר חשמלי"),
    "Hebrew with a typo": ("רולנד פסנתל", "רולנד פסנתר חשמלי"),
    "Arabic": ("ياماها بيا", "ياماها بيانو رقمي"),
    "Arabic, words the other way round": ("بيانو ياماها", "ياماها بيانو رقمي"),
}
"""What somebody types, and which product is meant."""
