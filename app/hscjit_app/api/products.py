"""Products over REST: search, one product, the state of its manual."""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from hscjit_app.catalog import views
from hscjit_app.catalog.prediction import MAX_TEXT
from hscjit_app.catalog.views import BrandOut, Candidate, ProductOut, RelatedItem
from hscjit_app.deps import ServicesDep

router = APIRouter(prefix="/api/products", tags=["products"])

MAX_PAGE = 200


class ProductPage(BaseModel):
    """Some of the catalogue, in the catalogue's order."""

    total: int
    products: list[ProductOut]


class Matches(BaseModel):
    """What a search text may mean, best first."""

    matches: list[Candidate]


class ProductDetail(BaseModel):
    """One product with its brand and what goes with it."""

    product: ProductOut
    brand: BrandOut
    production_country: str
    has_manual: bool
    related_items: list[RelatedItem]


class ManualStatus(BaseModel):
    """Where a product's manual is."""

    status: str
    message: str
    title: str | None = None
    pages: int | None = None


@router.get("")
async def list_products(
    services: ServicesDep,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> ProductPage:
    """Return a page of the catalogue."""
    found = services.catalog.current.order
    page = found[offset : offset + limit]
    return ProductPage(total=len(found), products=[views.product(p) for p in page])


@router.get("/search")
async def search(
    services: ServicesDep,
    q: Annotated[str, Query(min_length=1, max_length=MAX_TEXT)],
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Matches:
    """Predict from unfinished text, as the socket does for each keystroke."""
    index = services.catalog.current.index
    matches = index.predict(q, limit) if index is not None else []
    return Matches(matches=[views.candidate(match) for match in matches])


@router.get("/{product_id}")
async def read_product(product_id: str, services: ServicesDep) -> ProductDetail:
    """Return one product; an unknown id answers 404."""
    catalogue = services.catalog.current
    found = catalogue.get(product_id)
    return ProductDetail(
        product=views.product(found),
        brand=views.brand(found),
        production_country=found.production_country,
        has_manual=found.manual_url is not None,
        related_items=views.related(found, catalogue),
    )


@router.post("/{product_id}/manual")
async def fetch_manual(product_id: str, services: ServicesDep) -> ManualStatus:
    """Have the product's manual fetched unless it is there, and say where it is on its way."""
    services.catalog.current.get(product_id)
    state = await services.manuals.ensure_manual(product_id)
    return ManualStatus(
        status=state.status, message=state.message, title=state.title, pages=state.pages
    )
