"""Under which names are the parts of an HSCJit reached?"""

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.manifests.pods import API_PORT, POSTGRES_PORT, REDIS_PORT
from hscjit_operator.model.spec import HSCJit

WEB_PORT = 80
_STORES = (
    (names.POSTGRES, POSTGRES_PORT),
    (names.REDIS_CACHE, REDIS_PORT),
    (names.REDIS_QUEUE, REDIS_PORT),
)


def services(app: HSCJit) -> list[Manifest]:
    """Return the Services, in the order of their names."""
    return [
        api(app),
        manuals(app),
        *(
            _inner(app, store, store, port, port)
            for store, port in _STORES
            if store not in app.outside
        ),
    ]


def api(app: HSCJit) -> Manifest:
    """Return the way in for clients, as `spec.network.service` wants it."""
    wanted = app.network.service
    port = {"name": "http", "port": WEB_PORT, "protocol": "TCP", "targetPort": API_PORT}
    if wanted.node_port is not None:
        port["nodePort"] = wanted.node_port
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(app, names.API, annotations=wanted.annotations),
        "spec": {
            "type": wanted.type,
            "selector": names.selector(app.name, names.API),
            "ports": [port],
        },
    }


def manuals(app: HSCJit) -> Manifest:
    """Return where workers find the sample manuals, which the API's pods serve too.

    A Service of its own gives them an address that can be allowed to the workers without allowing
    them a private range.
    """
    return _inner(app, names.MANUALS, names.API, WEB_PORT, API_PORT)


def _inner(app: HSCJit, suffix: str, component: str, port: int, target: int) -> Manifest:
    """Return a Service for inside the cluster.

    It has an address of its own: a client that keeps an old pod's address after a restart, as
    headless Services invite to, would wait for a resolver's cache.
    """
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": metadata(app, component, suffix),
        "spec": {
            "type": "ClusterIP",
            "selector": names.selector(app.name, component),
            "ports": [{"name": "main", "port": port, "protocol": "TCP", "targetPort": target}],
        },
    }
