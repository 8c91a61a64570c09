"""What do monitoring systems that live in the cluster get to see of an HSCJit?"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from hscjit_operator.model.formats import AtMost, PodLabels

When = Literal["auto", "Off"]
"""auto: made while the API server serves its kind."""


def _any_grafana() -> Mapping[str, str]:
    return {"dashboards": "grafana"}


@dataclass(frozen=True)
class Monitoring:
    """Objects for the Prometheus operator and the Grafana operator."""

    service_monitor: When = "auto"
    prometheus_rule: When = "auto"
    dashboards: When = "auto"
    labels: PodLabels = field(default_factory=dict)
    grafana_labels: Annotated[Mapping[str, str], AtMost(32), labels] = field(
        default_factory=_any_grafana
    )
