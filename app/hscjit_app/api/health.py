"""Three questions machines ask: does the process live, may it get traffic, what are its numbers?"""

from fastapi import APIRouter, Response
from pydantic import BaseModel
from starlette.responses import PlainTextResponse

from hscjit_app import metrics
from hscjit_app.deps import Services, ServicesDep

router = APIRouter()


class CatalogState(BaseModel):
    """The catalogue this process answers with."""

    products: int
    error: str | None
    """Why a newer one was not taken."""


class Readiness(BaseModel):
    """The body of /ready."""

    ready: bool
    degraded: list[str]
    """Dependencies lost after the first contact; answers go on as far as they can."""
    catalog: CatalogState


@router.get("/health")
async def health() -> dict[str, str]:
    """The event loop turns; nothing else is asked."""
    return {"status": "ok"}


_NOT_READY = {"model": Readiness, "description": "Not yet, or not any more"}


@router.get("/ready", responses={503: _NOT_READY})
async def ready(services: ServicesDep, response: Response) -> Readiness:
    """200 while anything can be answered, 503 before the first contact and while draining."""
    state = readiness(services)
    response.status_code = 200 if state.ready else 503
    return state


@router.get("/metrics", response_class=PlainTextResponse)
async def read_metrics() -> Response:
    """Everything as Prometheus text."""
    return Response(metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})


def readiness(services: Services) -> Readiness:
    """Return the body of /ready; only what the background checks know is looked at."""
    degraded = services.dependencies.lost
    if services.catalog.error is not None:
        degraded.append("catalog")
    met = services.dependencies.all_met and services.catalog.loaded
    return Readiness(
        ready=met and not services.draining,
        degraded=degraded,
        catalog=CatalogState(
            products=len(services.catalog.current.products), error=services.catalog.error
        ),
    )
