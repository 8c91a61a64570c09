"""How fast is a keystroke answered, beside RapidFuzz's own one-call search over the same names?"""

import random

from rapidfuzz import fuzz, process

from hscjit_app.catalog.matching import FuzzyIndex
from hscjit_app.catalog.products import Brand, Product
from tests.bench.pairs import interleaved, report

PRODUCTS = 300
KEYSTROKES = 300
SEED = 7
BRANDS = ["Roland", "Moog", "Nord", "Pearl", "Paiste", "Mackie", "Steinberg", "Allen & Heath"]
KINDS = ["Synthesizer", "Stage Piano", "Snare Drum", "Ride Cymbal", "Mixer", "Audio Interface"]


def catalogue(size: int) -> list[Product]:
    """Return seeded products whose names look like a music shop's."""
    dice = random.Random(SEED)  # noqa: S311  a bench wants the same dice each time
    brands = [Brand(b.casefold(), b, "", "", "") for b in BRANDS]
    return [
        Product(
            id=f"p{n}",
            name=f"{brand.name} {dice.choice('ABCDTRX')}{dice.choice('DSMX')}-"
            f"{dice.randrange(10, 9999)} {dice.choice(KINDS)}",
            brand=brand,
            category="",
            production_country="",
            image="",
            manual_url=None,
            relations=(),
            aliases=(),
        )
        for n in range(size)
        for brand in [dice.choice(brands)]
    ]


def typed(names: list[str]) -> list[str]:
    """Return seeded prefixes with a typo in every second one."""
    dice = random.Random(SEED + 1)  # noqa: S311
    texts = []
    for n in range(KEYSTROKES):
        name = dice.choice(names)
        text = name[: dice.randrange(3, len(name))].casefold()
        at = dice.randrange(len(text))
        texts.append(text if n % 2 else text[:at] + text[at + 1 :])
    return texts


def run() -> bool:
    """Time all keystrokes once per turn."""
    products = catalogue(PRODUCTS)
    index = FuzzyIndex(products)
    names = [p.name.casefold() for p in products]
    texts = typed(names)

    pair = interleaved(
        lambda: [index.predict(text) for text in texts],
        lambda: [process.extract(text, names, scorer=fuzz.WRatio, limit=5) for text in texts],
    )
    return report(
        bench="predict",
        figure=f"{KEYSTROKES} keystrokes, {PRODUCTS} products",
        unit="cpu_s",
        peer="rapidfuzz.process.extract",
        pair=pair,
        goal=1.2,
    )
