"""How do customers come in from outside? An Ingress, or a route of somebody's Gateway.

Both list what is let through, and let nothing else through: /metrics, /admin, /health and /ready
are for those inside.
"""

from typing import Final

from hscjit_operator import names
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.manifests.services import WEB_PORT
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

PAGES: Final = ("/", "/favicon.ico")
"""Paths that are routed as they stand."""
BELOW: Final = ("/api", "/samples", "/web")
"""Paths that are routed with all that is below them."""
SOCKET: Final = "/ws"

_PATIENCE_S: Final = "3600"
_SOCKET_ANNOTATIONS: Final = {
    # The app pings each socket every 20 s. Controllers that count only what is answered, or only
    # one direction, get an hour; those that do not know these annotations pass them by.
    "nginx.ingress.kubernetes.io/proxy-read-timeout": _PATIENCE_S,
    "nginx.ingress.kubernetes.io/proxy-send-timeout": _PATIENCE_S,
}


def ingress(app: HSCJit) -> Manifest | None:
    """Return the Ingress, where one is asked for."""
    wanted = app.network.ingress
    if wanted is None:
        return None
    service = {"name": names.child(app.name, names.API), "port": {"number": WEB_PORT}}
    paths = [
        *({"path": path, "pathType": "Exact"} for path in PAGES),
        *({"path": path, "pathType": "Prefix"} for path in (*BELOW, SOCKET)),
    ]
    routed = [{**path, "backend": {"service": service}} for path in paths]
    spec: Manifest = {"rules": [{"host": wanted.host, "http": {"paths": routed}}]}
    if wanted.class_name is not None:
        spec["ingressClassName"] = wanted.class_name
    if wanted.tls_secret_ref is not None:
        spec["tls"] = [{"hosts": [wanted.host], "secretName": wanted.tls_secret_ref.name}]
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "Ingress",
        "metadata": metadata(
            app, names.API, annotations={**_SOCKET_ANNOTATIONS, **wanted.annotations}
        ),
        "spec": spec,
    }


def http_route(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the route that hangs the API on a Gateway, while its kind is served.

    Defaults of its schema are written out: what stands there is what we applied.
    """
    wanted = app.network.gateway_ref
    if wanted is None or "HTTPRoute" not in inputs.served:
        return None
    gateway: Manifest = {
        "group": "gateway.networking.k8s.io",
        "kind": "Gateway",
        "name": wanted.name,
        "namespace": wanted.namespace or app.namespace,
    }
    if wanted.section_name is not None:
        gateway["sectionName"] = wanted.section_name
    service = {
        "group": "",
        "kind": "Service",
        "name": names.child(app.name, names.API),
        "port": WEB_PORT,
        "weight": 1,
    }
    pages = [
        *({"path": {"type": "Exact", "value": path}} for path in PAGES),
        *({"path": {"type": "PathPrefix", "value": path}} for path in BELOW),
    ]
    socket = [{"path": {"type": "PathPrefix", "value": SOCKET}}]
    return {
        "apiVersion": "gateway.networking.k8s.io/v1",
        "kind": "HTTPRoute",
        "metadata": metadata(app, names.API),
        "spec": {
            "parentRefs": [gateway],
            "hostnames": [wanted.host],
            "rules": [
                {"matches": pages, "backendRefs": [service]},
                # A socket is one request that lasts as long as the customer stays.
                {"matches": socket, "backendRefs": [service], "timeouts": {"request": "0s"}},
            ],
        },
    }
