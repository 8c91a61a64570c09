"""Every pod of every variant: no root, bounded, no token, no secret but as a file."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.unit.each import each
from tests.unit.operator.manifests.builders import (
    INPUTS,
    RESTORING,
    UID,
    VARIANTS,
    Children,
    Pod,
    children,
    hscjit,
    secret_items,
)
from tests.unit.operator.manifests.restricted import violations

from hscjit_operator import manifests, names

CHART = Path(__file__).parents[4] / "charts" / "hscjit-operator"
PODS = {
    f"{variant}: {pod.owner}": pod
    for variant, (spec, changes) in VARIANTS.items()
    for pod in children(spec, **changes).pods()
}
every_pod = each(PODS)


@every_pod
def test_pod_is_restricted(pod: Pod) -> None:
    assert violations(pod.spec) == []


BROKEN: dict[str, tuple[dict[str, Any], str]] = {
    "escalation": ({"allowPrivilegeEscalation": True}, "c: may escalate"),
    "capabilities kept": ({"capabilities": {}}, "c: keeps capabilities"),
    "root": ({"runAsUser": 0}, "c: is root"),
    "a low user": ({"runAsUser": 10000}, "c: has a user of the node"),
    "no profile": ({"seccompProfile": {"type": "Unconfined"}}, "c: has no seccomp profile"),
    "writable root": ({"readOnlyRootFilesystem": False}, "c: may write to its root"),
}


@pytest.mark.parametrize(("change", "why"), BROKEN.values(), ids=BROKEN)
def test_the_checker_sees_what_is_broken(change: dict[str, Any], why: str) -> None:
    good = children().pod(names.API).spec
    inner = {**good["containers"][0]["securityContext"], **change}
    bad = {**good, "containers": [{"name": "c", "securityContext": inner}]}

    assert why in violations(bad)


@every_pod
def test_pod_gets_no_token_and_no_service_variables(pod: Pod) -> None:
    assert pod.spec["automountServiceAccountToken"] is False
    assert pod.spec["enableServiceLinks"] is False


@every_pod
def test_volumes_follow_the_pods_group_only_while_fresh(pod: Pod) -> None:
    assert pod.spec["securityContext"]["fsGroup"] == 10001
    assert pod.spec["securityContext"]["fsGroupChangePolicy"] == "OnRootMismatch"


@every_pod
def test_every_container_is_bounded(pod: Pod) -> None:
    for container in pod.containers:
        for side in ("requests", "limits"):
            assert set(container["resources"][side]) == {"cpu", "memory", "ephemeral-storage"}


@every_pod
def test_every_scratch_volume_is_bounded(pod: Pod) -> None:
    for volume in pod.spec["volumes"]:
        if "emptyDir" in volume:
            assert volume["emptyDir"]["sizeLimit"]


@every_pod
def test_every_mount_has_its_volume_and_every_volume_a_mount(pod: Pod) -> None:
    mounted = {mount["name"] for c in pod.containers for mount in c["volumeMounts"]}
    there = {volume["name"] for volume in pod.spec["volumes"]}
    if pod.owner.startswith("StatefulSet/") and pod.component != names.REDIS_CACHE:
        there.add("data")  # comes from the claim template

    assert mounted == there


@every_pod
def test_mounts_of_a_container_never_hide_one_another(pod: Pod) -> None:
    for container in pod.containers:
        paths = [mount["mountPath"] for mount in container["volumeMounts"]]
        assert len(paths) == len(set(paths))
        assert "/tmp" in paths  # noqa: S108  a mount


@every_pod
def test_variables_are_named_once(pod: Pod) -> None:
    for container in pod.containers:
        variables = [variable["name"] for variable in container.get("env", [])]
        assert len(variables) == len(set(variables))


@every_pod
def test_pod_can_be_found_by_whoever_watches_it(pod: Pod) -> None:
    assert pod.labels == {**pod.labels, **names.labels("support", pod.component, UID)}


@every_pod
def test_every_secret_variable_points_to_a_mounted_file(pod: Pod) -> None:
    there = {f"/run/secrets/hscjit/{item['path']}" for _, item in secret_items(pod)}
    for container in pod.containers:
        mounts = {mount["name"] for mount in container["volumeMounts"]}
        files = there if "secrets" in mounts else set()
        named = {v["value"] for v in container.get("env", []) if v["name"].endswith("_FILE")}
        assert named <= files


@every_pod
def test_secrets_are_neither_in_the_environment_nor_in_arguments(pod: Pod) -> None:
    values = list(_secret_values())
    assert all(len(value) >= 20 for value in values)

    text = json.dumps(pod.spec)

    assert not [value for value in values if value in text]
    assert "secretKeyRef" not in text
    assert "secretRef" not in text


def _secret_values() -> list[str]:
    made: list[str] = []

    def token() -> str:
        made.append(f"token-{len(made)}-" + "x" * 20)
        return made[-1]

    manifests.secret.generated(hscjit(), token)
    return made


PROBED = {
    "api": (names.API, "/health", "/ready"),
    "worker": (names.WORKER, "/health", "/health"),
    "beat": (names.BEAT, "/health", "/health"),
}


@pytest.mark.parametrize(("component", "live", "ready"), PROBED.values(), ids=PROBED)
def test_http_probes(component: str, live: str, ready: str) -> None:
    (container,) = children().pod(component).spec["containers"]
    port = container["ports"][0]["name"]

    assert container["livenessProbe"] == {
        "httpGet": {"path": live, "port": port},
        "periodSeconds": 10,
        "failureThreshold": 6,
        "timeoutSeconds": 2,
    }
    assert container["readinessProbe"]["httpGet"] == {"path": ready, "port": port}
    assert container["readinessProbe"]["periodSeconds"] == 2
    assert container["startupProbe"]["periodSeconds"] == 1


def test_api_sleeps_before_it_drains() -> None:
    pod = children({"api": {"rollout": {"preStopSeconds": 7}}}).pod(names.API)

    assert pod.containers[0]["lifecycle"] == {"preStop": {"sleep": {"seconds": 7}}}
    assert pod.spec["terminationGracePeriodSeconds"] == 37


def test_no_sleep_when_none_is_wanted() -> None:
    pod = children({"api": {"rollout": {"preStopSeconds": 0}}}).pod(names.API)

    assert "lifecycle" not in pod.containers[0]


def test_pods_spread_by_default_and_as_the_user_says() -> None:
    default = children().pod(names.WORKER).spec
    placed = children(VARIANTS["everything set"][0]).pod(names.API).spec

    assert "podAntiAffinity" in default["affinity"]
    assert "podAntiAffinity" not in placed["affinity"]
    assert placed["nodeSelector"] == {"disk": "ssd"}
    assert placed["priorityClassName"] == "system-cluster-critical"
    (spread,) = placed["topologySpreadConstraints"]
    assert spread["topologyKey"] == "topology.kubernetes.io/zone"
    assert spread["labelSelector"]["matchLabels"] == names.selector("support", names.API)


def _spot_wishes(pod: Pod) -> list[tuple[str, list[str]]]:
    nodes = pod.spec["affinity"].get("nodeAffinity", {})
    return [
        (expression["key"], expression["values"])
        for wish in nodes.get("preferredDuringSchedulingIgnoredDuringExecution", ())
        for expression in wish["preference"]["matchExpressions"]
    ]


@pytest.mark.parametrize("component", [names.API, names.WORKER])
def test_spot_nodes_are_preferred_and_never_required(component: str) -> None:
    pod = children({component: {"spot": {}}}).pod(component)

    assert _spot_wishes(pod) == [
        ("cloud.google.com/gke-spot", ["true"]),
        ("eks.amazonaws.com/capacityType", ["SPOT"]),
        ("karpenter.sh/capacity-type", ["spot"]),
        ("kubernetes.azure.com/scalesetpriority", ["spot"]),
    ]
    assert {t["key"] for t in pod.spec["tolerations"]} == {key for key, _ in _spot_wishes(pod)}
    nodes = pod.spec["affinity"]["nodeAffinity"]
    assert "requiredDuringSchedulingIgnoredDuringExecution" not in nodes
    assert "nodeSelector" not in pod.spec
    # They still keep apart: one node that goes takes few of them along.
    assert "podAntiAffinity" in pod.spec["affinity"]
    assert pod.spec["topologySpreadConstraints"][0]["topologyKey"] == "kubernetes.io/hostname"


def test_spot_goes_along_with_what_the_user_places() -> None:
    api = VARIANTS["everything set"][0]["api"]
    own = {"nodeLabels": {"pool": "cheap"}, "tolerations": [{"key": "cheap"}]}
    pod = children({"api": api | {"spot": own}}).pod(names.API)

    assert _spot_wishes(pod) == [("zone", ["a"]), ("pool", ["cheap"])]
    assert [t["key"] for t in pod.spec["tolerations"]] == ["spot", "cheap"]


def test_what_must_not_go_at_any_time_has_no_wish_for_spot() -> None:
    spot: dict[str, Any] = {"api": {"spot": {}}, "worker": {"spot": {}}}
    found = children(spot, **RESTORING)

    for component in (names.BEAT, names.POSTGRES, names.REDIS_CACHE, names.REDIS_QUEUE):
        assert "tolerations" not in found.pod(component).spec
        assert "affinity" not in found.pod(component).spec


def test_everything_pulls_with_the_users_secrets() -> None:
    spec, changes = VARIANTS["everything set"]
    for pod in children(spec, **changes).pods():
        assert pod.spec["imagePullSecrets"] == [{"name": "pull"}], pod.owner


def test_empty_spec_fits_a_small_node() -> None:
    """What runs all the time asks for at most 600m and 1.5 GiB, all of the operator's pods too."""
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    operator = values["resources"]["requests"]
    cpu = values["replicas"] * int(operator["cpu"].removesuffix("m"))
    memory = values["replicas"] * int(operator["memory"].removesuffix("Mi"))
    for pod, replicas in _running(children(migrate_image=None)):
        for container in pod.spec["containers"]:
            requests = container["resources"]["requests"]
            cpu += replicas * int(requests["cpu"].removesuffix("m"))
            memory += replicas * int(requests["memory"].removesuffix("Mi"))

    assert cpu <= 600
    assert memory <= 1536


def _running(found: Children) -> list[tuple[Pod, int]]:
    replicas = {names.API: INPUTS.targets.api_floor, names.WORKER: INPUTS.targets.workers}
    return [
        (pod, replicas.get(pod.component, 1))
        for pod in found.pods()
        if pod.owner.startswith(("Deployment/", "StatefulSet/"))
    ]
