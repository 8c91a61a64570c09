"""Where do the sample manuals come from? They are written here, from texts by kind of product.

`python -m hscjit_app.manuals.samples <folder>` writes them all; the API makes each when it is asked
for, in about a millisecond. Our own words: every page says that it is a sample and no maker's text.
"""

import json
import sys
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from hscjit_app.manuals import pdf
from hscjit_app.manuals.pdf import Block

URL_FOLDER = "/samples/manuals"
"""Where the API serves them; what the sample catalogue's URLs begin with."""
_CATALOGS = Path(__file__).parents[1] / "catalog" / "sample"
_TEXTS = Path(__file__).with_name("sample_texts")
_KINDS = {
    # words in a product's category (lower case) and the text that fits
    "electronic drum": "drums",
    "drum machine": "groovebox",
    "groove": "groovebox",
    "sampler": "groovebox",
    "midi controller": "controller",
    "pad controller": "controller",
    "piano": "piano",
    "synth": "synthesizer",
    "workstation": "synthesizer",
    "organ": "piano",
    "interface": "interface",
    "preamp": "interface",
    "studio monitor": "monitor",
    "microphone": "microphone",
    "headphone": "headphones",
    "amplifier": "amplifier",
    "effect": "effects",
    "pedal": "effects",
    "looper": "effects",
    "mixer": "mixer",
    "loudspeaker": "loudspeaker",
    "subwoofer": "loudspeaker",
}


class NoSuchSample(Exception):
    """There is no sample manual of this name."""


@cache
def products() -> dict[str, dict[str, Any]]:
    """Return the products of the sample catalogue that have a sample manual, by file name."""
    found = {}
    for path in sorted(_CATALOGS.glob("*.json")):
        catalog = json.loads(path.read_text(encoding="utf-8"))
        for product in catalog["products"]:
            folder, _, name = product["documentation"].get("url", "").rpartition("/")
            if folder == URL_FOLDER:
                found[name] = {**product, "brand_name": catalog["brand_identity"]["name"]}
    return found


@lru_cache(maxsize=128)
def read(name: str) -> bytes:
    """Return one sample manual, as `<product id>.pdf`; raises `NoSuchSample`."""
    product = products().get(name)
    if product is None:
        raise NoSuchSample(f"There is no sample manual {name[:80]!r}")
    title = f"{product['name']} sample manual"
    facts = {
        "name": product["name"],
        "brand": product["brand_name"],
        "category": product["category"],
    }
    foot = f"SAMPLE, written for demonstrations of hscjit; not a text by {facts['brand']}."
    return pdf.write(title, _pages(kind(product["category"]), title, facts), foot)


def kind(category: str) -> str:
    """Return which text fits a category."""
    folded = category.casefold()
    return next((text for word, text in _KINDS.items() if word in folded), "instrument")


def _pages(text: str, title: str, facts: dict[str, str]) -> list[list[Block]]:
    """Read a text and what all texts share; the cover lists the pages that follow."""
    source = "\n".join(
        (_TEXTS / f"{name}.txt").read_text(encoding="utf-8") for name in (text, "common")
    )
    pages = [_page(part.format(**facts)) for part in source.split("\n= ") if part.strip()]
    contents = [
        Block("body", f"Page {at}: {blocks[0].text}.") for at, blocks in enumerate(pages, start=2)
    ]
    cover = [
        Block("title", title),
        Block("note", "{category} by {brand}".format(**facts)),
        Block("heading", "Contents"),
        *contents,
    ]
    return [cover, *pages]


def _page(part: str) -> list[Block]:
    """Understand one page: its title, then `- heading` lines and paragraphs of one line each."""
    title, *lines = part.removeprefix("= ").strip().splitlines()
    blocks = [Block("title", title)]
    for line in lines:
        if line.startswith("- "):
            blocks.append(Block("heading", line.removeprefix("- ")))
        elif line.strip():
            blocks.append(Block("body", line.strip()))
    return blocks


def main(argv: list[str]) -> int:
    """Write every sample manual into a folder."""
    if len(argv) != 1:
        sys.stderr.write("usage: python -m hscjit_app.manuals.samples <folder>\n")
        return 2
    folder = Path(argv[0])
    folder.mkdir(parents=True, exist_ok=True)
    for name in products():
        (folder / name).write_bytes(read(name))
    sys.stdout.write(f"{len(products())} sample manuals in {folder}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
