"""The restricted Pod Security Standard, and what we ask beyond it, as one function over a pod."""

from typing import Any

ALLOWED_VOLUMES = {
    "configMap",
    "downwardAPI",
    "emptyDir",
    "projected",
    "secret",
    "csi",
    "persistentVolumeClaim",
    "ephemeral",
    "image",
}


def violations(pod: dict[str, Any]) -> list[str]:
    """Return one sentence for each rule a pod's spec breaks."""
    found = [f"{key} is set" for key in ("hostNetwork", "hostPID", "hostIPC") if pod.get(key)]
    for volume in pod.get("volumes", []):
        kinds = set(volume) - {"name"}
        if not kinds <= ALLOWED_VOLUMES:
            found.append(f"volume {volume['name']} is a {kinds}")
    outer = pod.get("securityContext", {})
    for container in [*pod.get("initContainers", []), *pod["containers"]]:
        found += [f"{container['name']}: {why}" for why in _broken(container, outer)]
    return found


def _broken(container: dict[str, Any], outer: dict[str, Any]) -> list[str]:
    inner = container.get("securityContext", {})
    effective = {**outer, **inner}
    capabilities = inner.get("capabilities", {})
    rules = {
        "may escalate": inner.get("allowPrivilegeEscalation") is not False,
        "keeps capabilities": "ALL" not in capabilities.get("drop", []),
        "adds capabilities": not set(capabilities.get("add", [])) <= {"NET_BIND_SERVICE"},
        "may be root": effective.get("runAsNonRoot") is not True,
        "is root": effective.get("runAsUser") == 0,
        "has no seccomp profile": effective.get("seccompProfile", {}).get("type")
        not in ("RuntimeDefault", "Localhost"),
        "is privileged": bool(inner.get("privileged")),
        "takes a port of the node": any("hostPort" in port for port in container.get("ports", [])),
        # Beyond the standard: what scanners and we want.
        "may write to its root": inner.get("readOnlyRootFilesystem") is not True,
        "has a user of the node": effective.get("runAsUser", 0) <= 10000,
        "has a group of the node": effective.get("runAsGroup", 0) <= 10000,
    }
    return [why for why, broken in rules.items() if broken]
