"""Catalogue entries as the outside sees them, over REST and on sockets alike."""

from functools import lru_cache

from pydantic import BaseModel, ConfigDict

from hscjit_app.catalog.prediction import Match
from hscjit_app.catalog.products import Product
from hscjit_app.catalog.store import Catalogue


class _View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ProductOut(_View):
    """A product as the wire shows it."""

    id: str
    name: str
    category: str


class BrandOut(_View):
    """A brand as the wire shows it."""

    id: str
    name: str
    website: str


class PredictionContext(_View):
    """What helps a person to tell candidates apart."""

    production_country: str
    has_manual: bool


class Candidate(_View):
    """One product that may be meant; confidence as `catalog.matching` defines it."""

    product: ProductOut
    brand: BrandOut
    context: PredictionContext
    confidence: float
    match_text: str


class RelatedItem(_View):
    """A product that goes with this one; `name` is absent if the catalogue doesn't hold it."""

    id: str
    type: str
    label: str
    name: str | None = None


def product(found: Product) -> ProductOut:
    """Return a product for a frame."""
    return ProductOut(id=found.id, name=found.name, category=found.category)


def brand(found: Product) -> BrandOut:
    """Return a product's brand for a frame."""
    return BrandOut(id=found.brand.id, name=found.brand.name, website=found.brand.website)


def candidate(match: Match) -> Candidate:
    """Return one line of a prediction."""
    shown, maker, context = _shown(match.product)
    return Candidate(
        product=shown,
        brand=maker,
        context=context,
        confidence=match.confidence,
        match_text=match.match_text,
    )


def line(match: Match) -> str:
    """Return the JSON of a `Candidate`; most of it was said before, a keystroke earlier."""
    before, after = _around(match.product, match.match_text)
    return f"{before}{match.confidence}{after}"


@lru_cache(1024)
def _around(found: Product, match_text: str) -> tuple[str, str]:
    """Return what stands before and after the confidence."""
    whole = candidate(Match(found, 0.0, match_text)).model_dump_json()
    before, colon, after = whole.rpartition('"confidence":')
    return before + colon, after.removeprefix("0.0")


@lru_cache(1024)
def _shown(found: Product) -> tuple[ProductOut, BrandOut, PredictionContext]:
    """Return what each prediction says of a product; the same few are meant again and again."""
    context = PredictionContext(
        production_country=found.production_country,
        has_manual=found.manual_url is not None,
    )
    return product(found), brand(found), context


def related(found: Product, catalogue: Catalogue) -> list[RelatedItem]:
    """Return what goes with a product, named where the catalogue holds it."""
    return [
        RelatedItem(
            id=relation.target_id,
            type=relation.type,
            label=relation.label,
            name=target.name if (target := catalogue.products.get(relation.target_id)) else None,
        )
        for relation in found.relations
    ]
