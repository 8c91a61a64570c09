"""Products over REST: search, one product, the state of its manual.

Answers that only the catalogue decides are cached as the bytes that are sent, until it is swapped.
"""

from collections.abc import Callable
from typing import Annotated

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from hscjit_app.cache import MultiLayerCache, keys
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


@router.get("", response_model=ProductPage)
async def list_products(
    services: ServicesDep,
    offset: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 50,
) -> Response:
    """Return a page of the catalogue."""

    def make() -> ProductPage:
        found = services.catalog.current.order
        page = found[offset : offset + limit]
        return ProductPage(total=len(found), products=[views.product(p) for p in page])

    return await _cached(services.cache, keys.product("list", offset, limit), make)


@router.get("/search", response_model=Matches)
async def search(
    services: ServicesDep,
    q: Annotated[str, Query(min_length=1, max_length=MAX_TEXT)],
    limit: Annotated[int, Query(ge=1, le=20)] = 5,
) -> Response:
    """Predict from unfinished text, as the socket does for each keystroke."""

    def make() -> Matches:
        index = services.catalog.current.index
        matches = index.predict(q, limit) if index is not None else []
        return Matches(matches=[views.candidate(match) for match in matches])

    return await _cached(services.cache, keys.product("search", limit, q), make)


@router.get("/{product_id}", response_model=ProductDetail)
async def read_product(product_id: str, services: ServicesDep) -> Response:
    """Return one product; an unknown id answers 404."""

    def make() -> ProductDetail:
        catalogue = services.catalog.current
        found = catalogue.get(product_id)
        return ProductDetail(
            product=views.product(found),
            brand=views.brand(found),
            production_country=found.production_country,
            has_manual=found.manual_url is not None,
            related_items=views.related(found, catalogue),
        )

    return await _cached(services.cache, keys.product("one", product_id), make)


@router.post("/{product_id}/manual")
async def fetch_manual(product_id: str, services: ServicesDep) -> ManualStatus:
    """Have the product's manual fetched unless it is there, and say where it is on its way."""
    services.catalog.current.get(product_id)
    state = await services.manuals.ensure_manual(product_id)
    return ManualStatus(
        status=state.status, message=state.message, title=state.title, pages=state.pages
    )


async def _cached(cache: MultiLayerCache, key: str, make: Callable[[], BaseModel]) -> Response:
    """Answer with what `make` returns, made and encoded once for all who ask the same."""

    async def load() -> bytes:
        return make().model_dump_json().encode()

    body = await cache.get(key, load, keys.PRODUCT)
    return Response(body, media_type="application/json")
