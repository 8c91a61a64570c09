"""Catalogue entries as the wire shows them."""

from hscjit_app.catalog.matching import Match
from hscjit_app.catalog.products import Product
from hscjit_app.catalog.store import Catalogue
from hscjit_app.ws.protocol import (
    BrandOut,
    Candidate,
    PredictionContext,
    ProductOut,
    RelatedItem,
)


def product(found: Product) -> ProductOut:
    """Return a product for a frame."""
    return ProductOut(id=found.id, name=found.name, category=found.category)


def brand(found: Product) -> BrandOut:
    """Return a product's brand for a frame."""
    return BrandOut(id=found.brand.id, name=found.brand.name, website=found.brand.website)


def candidate(match: Match) -> Candidate:
    """Return one line of a prediction."""
    return Candidate(
        product=product(match.product),
        brand=brand(match.product),
        context=PredictionContext(
            production_country=match.product.production_country,
            has_manual=match.product.manual_url is not None,
        ),
        confidence=match.confidence,
        match_text=match.match_text,
    )


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
