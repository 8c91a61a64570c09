"""What do we read of a child that the watch shows? From its body to the few facts that count."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from sys import intern
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.model import owned
from hscjit_operator.model.observed import (
    AutoscalerFacts,
    Child,
    ClaimFacts,
    ConfigFacts,
    Facts,
    JobFacts,
    PlainFacts,
    PodFacts,
    Scaled,
    ServiceFacts,
)

Body = Mapping[str, Any]

_PLAIN: Final = PlainFacts()
_SAID_AT_MOST: Final = 4096


def child(body: Body) -> Child:
    """Return a watched object as we keep it."""
    metadata = body["metadata"]
    owners = metadata.get("ownerReferences", ())
    # Each body spells the same few words anew: interned, all children of an HSCJit share them.
    return Child(
        kind=intern(body["kind"]),
        name=metadata["name"],
        uid=metadata["uid"],
        version=int(metadata["resourceVersion"]),
        owner_uid=intern(metadata.get("labels", {}).get(names.LABEL_OWNER_UID, "")),
        controller_uid=intern(_owner(owners)),
        deleting="deletionTimestamp" in metadata,
        digest=owned.digest(owned.held(body)),
        facts=_FACTS.get(body["kind"], _plain)(body),
    )


def _owner(owners: Sequence[Mapping[str, Any]]) -> str:
    controllers = [owner["uid"] for owner in owners if owner.get("controller")]
    return str(next(iter([*controllers, *(owner["uid"] for owner in owners)]), ""))


def epoch(text: str | None) -> float | None:
    """Return an RFC 3339 time as seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp() if text else None


def condition(body: Body, name: str) -> Mapping[str, Any]:
    """Return the condition of that type from an object's status, empty if it has none."""
    found = (body.get("status") or {}).get("conditions") or ()
    return next((c for c in found if c.get("type") == name), {})


_UNFINISHED: Final = ("NewReplicaSetCreated", "FoundNewReplicaSet", "ReplicaSetUpdated")
"""What the Deployment controller says of a rollout until its pods are ready, and never of a pod
that falls later, nor of those that are added."""


def _plain(_body: Body) -> Facts:
    return _PLAIN


def _scaled(body: Body) -> Facts:
    spec, status = body["spec"], body.get("status") or {}
    metadata = body["metadata"]
    progressing, failure = condition(body, "Progressing"), condition(body, "ReplicaFailure")
    templates = spec.get("volumeClaimTemplates")
    pinned = (names.ANNOTATION_IMAGE, names.ANNOTATION_TEMPLATE_VERSION)
    annotations = metadata.get("annotations") or {}
    told = {key: annotations[key] for key in pinned if key in annotations}
    restarted = spec.get("template", {}).get("metadata", {}).get("annotations") or {}
    if names.ANNOTATION_RESTARTED_AT in restarted:
        told[names.ANNOTATION_RESTARTED_AT] = restarted[names.ANNOTATION_RESTARTED_AT]
    return Scaled(
        desired=spec.get("replicas", 1),
        ready=status.get("readyReplicas", 0),
        updated=status.get("updatedReplicas", 0),
        total=status.get("replicas", 0),
        generation=metadata.get("generation", 1),
        seen=status.get("observedGeneration", 0),
        owns_replicas=owned.owns(body, "spec", "replicas"),
        stuck=progressing.get("message", "") if progressing.get("status") == "False" else "",
        refused=_said_of(failure) if failure.get("status") == "True" else "",
        annotations=told,
        claim_templates=claim_templates(templates) if templates else "",
        secrets=_template_annotations(spec).get(names.ANNOTATION_SECRET_CHECKSUM, ""),
        unfinished=progressing.get("reason") in _UNFINISHED,
    )


def _template_annotations(spec: Body) -> Mapping[str, str]:
    return ((spec.get("template") or {}).get("metadata") or {}).get("annotations") or {}


def claim_templates(templates: Any) -> str:
    """Return a StatefulSet's claim templates as text that compares equal when they are."""
    return json.dumps(owned.canonical(templates, "volumeClaimTemplates"), sort_keys=True)


def read_claim_templates(text: str) -> list[dict[str, Any]]:
    """Return claim templates out of that text, as they can be applied again without a change."""
    return [_without_empty(template) for template in json.loads(text)]


def _without_empty(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _without_empty(v) for k, v in value.items() if v != owned.EMPTY}
    return [_without_empty(item) for item in value] if isinstance(value, list) else value


def _pod(body: Body) -> Facts:
    spec, status, metadata = body["spec"], body.get("status") or {}, body["metadata"]
    labels = metadata.get("labels") or {}
    ready = condition(body, "Ready")
    main = status.get("containerStatuses") or []
    inits = status.get("initContainerStatuses") or []
    running = (main[0].get("state") or {}).get("running") if main else None
    job = next((o["name"] for o in metadata.get("ownerReferences", ()) if o["kind"] == "Job"), "")
    return PodFacts(
        component=labels.get(names.LABEL_COMPONENT, ""),
        ip=status.get("podIP"),
        node=spec.get("nodeName"),
        phase=status.get("phase", "Pending"),
        ready=ready.get("status") == "True",
        ready_changed=epoch(ready.get("lastTransitionTime")),
        started=epoch(running.get("startedAt")) if running else None,
        job=job,
        ended=_ended(main) if job else None,
        said=_said([*inits, *main]) if job else "",
        trouble=_trouble(body, [*inits, *main]),
    )


def _ended(containers: list[Mapping[str, Any]]) -> float | None:
    ends = [(c.get("state") or {}).get("terminated", {}).get("finishedAt") for c in containers]
    times = [epoch(end) for end in ends]
    return max((at for at in times if at is not None), default=None)


def _said(containers: list[Mapping[str, Any]]) -> str:
    """Return the message of the container that failed, else of the last one that ended."""
    ended = [c["state"]["terminated"] for c in containers if "terminated" in c.get("state", {})]
    failed = [end for end in ended if end.get("exitCode")]
    told = failed[:1] or ended[-1:]
    return (told[0].get("message") or "")[:_SAID_AT_MOST] if told else ""


def _trouble(body: Body, containers: list[Mapping[str, Any]]) -> str:
    """Return why a pod is not getting anywhere, empty for the usual first seconds."""
    for container in containers:
        waiting = (container.get("state") or {}).get("waiting") or {}
        if waiting.get("reason") not in (None, "ContainerCreating", "PodInitializing"):
            return _said_of(waiting)
    scheduled = condition(body, "PodScheduled")
    return _said_of(scheduled) if scheduled.get("status") == "False" else ""


def _said_of(state: Body) -> str:
    """Return a state's or a condition's reason and message."""
    return f"{state.get('reason')}: {state.get('message', '')}"[:256].rstrip(": ")


def _job(body: Body) -> Facts:
    for outcome in ("Complete", "Failed"):
        found = condition(body, outcome)
        if found.get("status") == "True":
            at = epoch(found.get("lastTransitionTime"))
            return JobFacts(outcome, at, f"{found.get('reason')}: {found.get('message')}")
    return JobFacts("", None, "")


def _autoscaler(body: Body) -> Facts:
    status = body.get("status") or {}
    active = condition(body, "ScalingActive")
    return AutoscalerFacts(
        current=status.get("currentReplicas", 0),
        desired=status.get("desiredReplicas", 0),
        active={"True": True, "False": False}.get(active.get("status", "")),
        message=active.get("message", "") if active.get("status") == "False" else "",
    )


def _claim(body: Body) -> Facts:
    return ClaimFacts((body.get("status") or {}).get("phase", "Pending"))


def _service(body: Body) -> Facts:
    ip = body["spec"].get("clusterIP")
    return ServiceFacts(ip if ip not in (None, "", "None") else None)


def _config(body: Body) -> Facts:
    """Return what the configuration says of the manuals' Service; other ConfigMaps are plain."""
    labels = body["metadata"].get("labels") or {}
    if labels.get(names.LABEL_COMPONENT) != names.CONFIG:
        return _PLAIN
    service = names.child(labels.get(names.LABEL_INSTANCE, ""), names.MANUALS)
    try:
        hosts = json.loads((body.get("data") or {}).get(names.MANUALS_HOSTS, "[]"))
        found = [entry["privateCIDR"] for entry in hosts if entry["host"] == service]
    except (ValueError, TypeError, KeyError):
        return ConfigFacts(None)  # somebody's edit, which is undone
    return ConfigFacts(str(found[-1]).partition("/")[0] if found else None)


_FACTS: Final = {
    "ConfigMap": _config,
    "Deployment": _scaled,
    "StatefulSet": _scaled,
    "Pod": _pod,
    "Job": _job,
    "HorizontalPodAutoscaler": _autoscaler,
    "PersistentVolumeClaim": _claim,
    "Service": _service,
}
