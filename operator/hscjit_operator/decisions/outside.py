"""Where do customers reach the API, and is the way there one that this cluster has?"""

from collections.abc import Collection
from typing import Final

from hscjit_operator import names
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.model.spec import HSCJit

_ROUTE: Final = "HTTPRoute"


def endpoint(app: HSCJit, served: Collection[str]) -> str:
    """Return the address for `status.endpoint`: the outermost there is."""
    network = app.network
    if network.ingress is not None:
        return network.ingress.address
    if network.gateway_ref is not None and _ROUTE in served:
        return network.gateway_ref.address
    return f"http://{names.child(app.name, names.API)}.{app.namespace}.svc"


def problems(
    app: HSCJit, served: Collection[str], lacking: Collection[tuple[str, str]]
) -> list[Problem]:
    """Return what stands in the way outside of the children themselves.

    `lacking` are rights that the operator has not got: kind, and what is to be said of it.
    """
    off = _switched_off(app)
    forbidden = [
        Problem(Gravity.FAULT, "Forbidden", said) for kind, said in lacking if kind not in off
    ]
    return forbidden + _unserved(app, {*served, *(kind for kind, _ in lacking)})


def _switched_off(app: HSCJit) -> set[str]:
    """Return the kinds of other people's software that this spec has no use for."""
    wanted = app.monitoring
    found = {_ROUTE} if app.network.gateway_ref is None else set()
    if wanted.service_monitor == "Off":
        found |= {"ServiceMonitor", "PodMonitor"}
    if wanted.prometheus_rule == "Off":
        found.add("PrometheusRule")
    if wanted.dashboards == "Off":
        found.add("GrafanaDashboard")
    return found


def _unserved(app: HSCJit, known: Collection[str]) -> list[Problem]:
    """Return what the spec names and this cluster does not know; it is made once it does."""
    if app.network.gateway_ref is None or _ROUTE in known:
        return []
    said = (
        "spec.network.gatewayRef needs HTTPRoute of gateway.networking.k8s.io/v1, which this "
        "cluster does not serve; install the Gateway API, or remove the field"
    )
    return [Problem(Gravity.FAULT, "KindNotServed", said)]
