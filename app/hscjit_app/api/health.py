"""Three questions machines ask: does the process live, may it get traffic, what are its numbers?"""

from typing import Any

from fastapi import APIRouter, Response
from starlette.responses import JSONResponse

from hscjit_app import metrics
from hscjit_app.deps import Services, ServicesDep

router = APIRouter()


@router.get("/health")
async def health() -> dict[str, str]:
    """The event loop turns; nothing else is asked."""
    return {"status": "ok"}


@router.get("/ready")
async def ready(services: ServicesDep) -> JSONResponse:
    """200 while anything can be answered, 503 before the first contact and while draining."""
    state = readiness(services)
    return JSONResponse(state, status_code=200 if state["ready"] else 503)


@router.get("/metrics")
async def read_metrics() -> Response:
    """Everything as Prometheus text."""
    return Response(metrics.render(), headers={"Content-Type": metrics.CONTENT_TYPE})


def readiness(services: Services) -> dict[str, Any]:
    """Return the body of /ready; only what the background checks know is looked at."""
    degraded = services.dependencies.lost
    if services.catalog.error is not None:
        degraded.append("catalog")
    met = services.dependencies.all_met and services.catalog.loaded
    return {
        "ready": met and not services.draining,
        "degraded": degraded,
        "catalog": {
            "products": len(services.catalog.current.products),
            "error": services.catalog.error,
        },
    }
