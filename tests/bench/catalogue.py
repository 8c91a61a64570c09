"""What do benches search in, and what is typed? Seeded names like a large music shop's."""

import random
from typing import NamedTuple

from hscjit_app.catalog import words
from hscjit_app.catalog.products import Brand, Product

SEED = 7
BRANDS = """Roland|Moog|Nord|Pearl|Paiste|Mackie|Steinberg|Allen & Heath|Yamaha|Korg|Boss|Akai
Fender|Gibson|Ibanez|Shure|Sennheiser|Neumann|Genelec|Focusrite|Behringer|Elektron
Novation|Marshall|Orange|Ampeg|Zildjian|Sabian|Tama|Ludwig|Mapex|Remo|Casio|Kawai
Steinway|Arturia|Waldorf|Sequential|Oberheim|Universal Audio|Presonus|Tascam|Zoom|Rode
Audio-Technica|Beyerdynamic|Electro-Voice|Martin|Taylor|Takamine|Epiphone|Gretsch
Rickenbacker|Warwick|Hohner|Selmer|Buffet|Jupiter|Yanagisawa|Stagg"""
KINDS = """Synthesizer|Stage Piano|Snare Drum|Ride Cymbal|Crash Cymbal|Mixer|Audio Interface
Digital Piano|Electric Guitar|Acoustic Guitar|Bass Guitar|Guitar Amplifier
Bass Amplifier|Condenser Microphone|Dynamic Microphone|Studio Monitor|Headphones
Drum Machine|Sampler|MIDI Controller|Effects Pedal|Reverb|Delay|Compressor|Trumpet
Alto Saxophone|Clarinet|Flute|Violin|Cello|Ukulele|Drum Throne|Keyboard Stand
Wireless System|Powered Loudspeaker|Subwoofer|Field Recorder|Turntable|Groovebox|Vocoder"""
SERIES = """Artist|Studio|Stage|Classic|Custom|Pro|Master|Vintage|Concert|Road|Silver|Black|Ocean
Aurora|Falcon|Meteor|Velvet|Granite|Horizon|Signature||||||||"""
ENDINGS = ["", "", "", "", "", "MkII", "Gen 2", "XL", "Mini", "Plus", "LE"]
TYPOS = "abcdefghijklmnopqrstuvwxyz"


class Typed(NamedTuple):
    """One text in a search box."""

    text: str
    meant: str
    kind: str


def products(size: int) -> list[Product]:
    """Return so many products, no two of one name."""
    dice = random.Random(SEED)  # noqa: S311  a bench wants the same dice each time
    brands = [Brand(b.casefold().replace(" ", "-"), b, "", "", "") for b in _parts(BRANDS)]
    kinds, series = _parts(KINDS), _parts(SERIES)
    found: dict[str, Product] = {}
    while len(found) < size:
        brand, kind = dice.choice(brands), dice.choice(kinds)
        model = f"{''.join(dice.choices('ABCDEGKMPRSTVX', k=dice.randint(1, 3)))}-"
        model += f"{dice.randrange(10, 9999)}{dice.choice(['', '', '', 'A', 'S', 'X'])}"
        name = " ".join(
            part
            for part in (brand.name, dice.choice(series), model, dice.choice(ENDINGS), kind)
            if part
        )
        found[name] = Product(
            id=f"{brand.id}-{model.casefold()}-{len(found)}",
            name=name,
            brand=brand,
            category=kind,
            production_country="",
            image="",
            manual_url=None,
            relations=(),
            aliases=(),
        )
    return list(found.values())


def normal(text: str) -> str:
    """Return text as our index reads it; the peers get names and queries in this form too."""
    return " ".join(words.typed(text))


def typed(names: list[str], count: int) -> list[Typed]:
    """Return texts in turns: exact, 1 typo, 2 typos, words swapped, a prefix."""
    dice = random.Random(SEED + 1)  # noqa: S311
    found = []
    for n in range(count):
        name = dice.choice(names)
        kind = ("exact", "1 typo", "2 typos", "swapped", "prefix")[n % 5]
        match kind:
            case "exact":
                text = name
            case "1 typo":
                text = _typo(name, dice)
            case "2 typos":
                text = _typo(_typo(name, dice), dice)
            case "swapped":
                text = " ".join(dice.sample(name.split(), len(name.split())))
            case _:
                text = name[: dice.randrange(3, len(name))].strip()
        found.append(Typed(text, name, kind))
    return found


def _parts(text: str) -> list[str]:
    return text.replace("\n", "|").split("|")


def _typo(text: str, dice: random.Random) -> str:
    """Leave out, add, change or swap one letter."""
    at = dice.randrange(len(text) - 1)
    before, here, after = text[:at], text[at : at + 2], text[at + 2 :]
    other = dice.choice(TYPOS)
    changed = dice.choice([here[1], other + here, other + here[1], here[::-1]])
    return before + changed + after
