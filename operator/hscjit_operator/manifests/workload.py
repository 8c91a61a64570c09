"""What do the Deployments of API, worker and beat have in common?"""

from collections.abc import Sequence
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods
from hscjit_operator.manifests.config import config_checksum
from hscjit_operator.manifests.meta import Manifest, match, metadata
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.model.workload import Placement, Spot

_SPOT_WEIGHT: Final = 50
"""A wish, of at most 100 that another may weigh: a full or missing spot node keeps no pod waiting.
"""


def deployment(
    app: HSCJit,
    inputs: Inputs,
    component: str,
    *,
    keys: Sequence[str],
    replicas: int | None,
    strategy: Manifest,
    pod: Manifest,
    placement: Placement | None = None,
) -> Manifest:
    """Return a Deployment; `replicas=None` leaves the number to whoever else owns it.

    `keys` are the secret files its pods read.
    """
    spec: dict[str, Any] = {
        "progressDeadlineSeconds": 300,
        "revisionHistoryLimit": 5,
        "selector": match(app, component),
        "strategy": strategy,
        "template": {
            "metadata": {
                "labels": {
                    **(placement.pod_labels if placement else {}),
                    **names.labels(app.name, component, app.uid),
                },
                "annotations": {
                    **(placement.pod_annotations if placement else {}),
                    **_causes(app, inputs, keys),
                },
            },
            "spec": pod | (_placed(app, component, placement) if placement else {}),
        },
    }
    if replicas is not None:
        spec["replicas"] = replicas
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        # Image and template version are here as well as in the status: either restores the other.
        "metadata": metadata(
            app,
            component,
            annotations={
                names.ANNOTATION_IMAGE: inputs.image,
                names.ANNOTATION_TEMPLATE_VERSION: inputs.template_version,
            },
        ),
        "spec": spec,
    }


def process(
    app: HSCJit,
    inputs: Inputs,
    component: str,
    *,
    volumes: Sequence[pods.Volume],
    keys: Sequence[str],
    env: Sequence[Manifest],
    **fields: Any,
) -> Manifest:
    """Return the container of the app image that plays `component`, told what all are told."""
    return pods.container(
        component,
        inputs.image,
        volumes=volumes,
        imagePullPolicy=app.image.pull_policy,
        env=[
            *env,
            *pods.app_variables(app, component),
            *credentials.variables(app, keys),
        ],
        envFrom=pods.shared_config(app),
        **fields,
    )


def user_env(placement: Placement) -> list[Manifest]:
    """Return the variables the user added; the operator's own names are refused by the schema."""
    return [{"name": variable.name, "value": variable.value} for variable in placement.env]


def _causes(app: HSCJit, inputs: Inputs, keys: Sequence[str]) -> dict[str, str]:
    """Return what makes the pods roll besides the spec: they read it only at their start."""
    causes = {
        names.ANNOTATION_CONFIG_CHECKSUM: config_checksum(app, inputs),
        names.ANNOTATION_SECRET_CHECKSUM: credentials.app_digest(app, inputs.secrets, keys),
        names.ANNOTATION_TEMPLATE_VERSION: inputs.template_version,
    }
    if inputs.restarted_at is None:
        return causes
    return {**causes, names.ANNOTATION_RESTARTED_AT: inputs.restarted_at}


def _placed(app: HSCJit, component: str, placement: Placement) -> Manifest:
    """Return the fields of a pod's spec that say where it may run."""
    own = match(app, component)
    apart = {
        "podAntiAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {
                    "podAffinityTerm": {
                        "labelSelector": own,
                        "topologyKey": "kubernetes.io/hostname",
                    },
                    "weight": 100,
                }
            ]
        }
    }
    found: Manifest = {"affinity": _near_spot(dict(placement.affinity) or apart, placement.spot)}
    if placement.node_selector:
        found["nodeSelector"] = dict(placement.node_selector)
    borne = [*placement.tolerations, *(placement.spot.tolerations if placement.spot else ())]
    if borne:
        found["tolerations"] = [dict(one) for one in borne]
    if placement.priority_class_name is not None:
        found["priorityClassName"] = placement.priority_class_name
    if placement.topology_spread:
        found["topologySpreadConstraints"] = [
            {
                "labelSelector": own,
                # New pods are spread among themselves, whatever the old ones of a rollout do.
                "matchLabelKeys": ["pod-template-hash"],
                "maxSkew": spread.max_skew,
                "topologyKey": spread.topology_key,
                "whenUnsatisfiable": spread.when_unsatisfiable,
            }
            for spread in placement.topology_spread
        ]
    return found


def _near_spot(affinity: Manifest, spot: Spot | None) -> Manifest:
    """Return an affinity with a preference for spot nodes, whichever of their labels a node has."""
    if spot is None:
        return affinity
    nodes = affinity.get("nodeAffinity", {})
    wishes = [
        {
            "weight": _SPOT_WEIGHT,
            "preference": {"matchExpressions": [{"key": key, "operator": "In", "values": [value]}]},
        }
        for key, value in sorted(spot.node_labels.items())
    ]
    preferred = "preferredDuringSchedulingIgnoredDuringExecution"
    return {
        **affinity,
        "nodeAffinity": {**nodes, preferred: [*nodes.get(preferred, ()), *wishes]},
    }
