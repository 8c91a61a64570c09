"""What is routed from outside is what the app has for customers, and nothing else of it."""

from collections.abc import Iterator
from typing import Any

from hscjit_app.main import create_app
from hscjit_app.settings import Settings
from hscjit_operator.manifests import edge

INSIDE_ONLY = ("/metrics", "/admin", "/health", "/ready", "/openapi.json")


def paths(routes: list[Any]) -> Iterator[str]:
    """Yield the path of every route, those of included routers too."""
    for route in routes:
        router = getattr(route, "original_router", None)
        if router is not None:
            yield from paths(router.routes)
        else:
            yield str(route.path)


def lets_through(path: str) -> bool:
    """Tell whether the paths that are routed let a request for this one in."""
    below = (*edge.BELOW, edge.SOCKET)
    return path in edge.PAGES or any(
        path == prefix or path.startswith(f"{prefix}/") for prefix in below
    )


def test_every_route_of_the_app_is_either_for_customers_or_for_those_inside() -> None:
    found = set(paths(create_app(Settings.from_env({"HSCJIT_NAME": "dev"})).routes))

    assert {*edge.PAGES, edge.SOCKET, "/metrics", "/admin/cache-warm", "/health"} <= found
    wrong = {path for path in found if lets_through(path) == path.startswith(INSIDE_ONLY)}
    assert wrong == set()
