"""What the administrator may ask for; every route wants `Authorization: Bearer <admin token>`."""

import asyncio
from collections import Counter
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from fastapi.security import HTTPBearer
from pydantic import BaseModel

from hscjit_app.deps import ServicesDep, admin
from hscjit_app.pods import Topic

_token = HTTPBearer(scheme_name="admin", auto_error=False, description="The admin token")
router = APIRouter(prefix="/admin", tags=["admin"], dependencies=[Depends(_token), Depends(admin)])

AT_ONCE = 4
"""Manuals asked about at the same time: warming must not take the whole database pool."""


class Warmed(BaseModel):
    """What warming found and set going."""

    products: int
    catalog_error: str | None
    manuals: dict[str, int]
    """How many manuals are ready, fetching, failed or none; those fetching were just asked for."""


@router.post("/cache-warm")
async def warm(
    services: ServicesDep, limit: Annotated[int, Query(ge=1, le=10_000)] = 1000
) -> Warmed:
    """Read the catalogue again, on every pod, and have its first products' manuals fetched."""
    await services.catalog.refresh(always=True)
    await services.pods.tell(Topic.CATALOG)
    found = [p for p in services.catalog.current.order if p.manual_url is not None]
    gate = asyncio.Semaphore(AT_ONCE)

    async def state_of(product_id: str) -> str:
        async with gate:
            return (await services.manuals.ensure_manual(product_id)).status

    states = await asyncio.gather(*(state_of(product.id) for product in found[:limit]))
    return Warmed(
        products=len(services.catalog.current.products),
        catalog_error=services.catalog.error,
        manuals=dict(Counter(states)),
    )
