"""What does a pass make of the children it sees? Questions put to the observed facts, all pure."""

import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from hscjit_operator import components, conditions, names
from hscjit_operator.decisions import restart, restore, rollout
from hscjit_operator.manifests.storage import data_claim
from hscjit_operator.model.addresses import Place
from hscjit_operator.model.autopilot import PodRef, Subject
from hscjit_operator.model.observed import (
    Answer,
    AutoscalerFacts,
    Child,
    ConfigFacts,
    JobFacts,
    Observed,
    PodFacts,
    ServiceFacts,
)
from hscjit_operator.model.pause import Pause
from hscjit_operator.model.spec import HSCJit

_PINNED_ON: Final = (names.API, names.WORKER, names.BEAT)
_STOPPED: Final = frozenset({*_PINNED_ON, names.REDIS_QUEUE, names.RESTORE})
"""Components whose pods have to be gone before a restore may touch the data."""
_DEPENDENCIES: Final = (names.REDIS_CACHE, names.REDIS_QUEUE, names.POSTGRES)
_FLOWN: Final = frozenset(components.KINDS)


def pinned_on(
    observed: Observed, name: str, annotation: str, of: Sequence[str] = _PINNED_ON
) -> str | None:
    """Return what the components carry in an annotation, the app's Deployments if none are named.

    None when none does.
    """
    for component in of:
        found = components.scaled(observed, name, component)
        if found is not None and annotation in found.annotations:
            return found.annotations[annotation]
    return None


def cluster_ip(observed: Observed, name: str, component: str) -> str | None:
    """Return the address of a Service, None before it has one."""
    child = observed.get(("Service", names.child(name, component)))
    return child.facts.cluster_ip if child and isinstance(child.facts, ServiceFacts) else None


def manuals_ip(observed: Observed, name: str, remembered: str | None) -> str | None:
    """Return the address of the bundled manuals' Service; if it was deleted, the one it had.

    The pods start with that address, so a new one would replace them all: what they were told is
    asked for again. `remembered` is what the last pass went by.
    """
    config = observed.get(("ConfigMap", names.child(name, names.CONFIG)))
    told = config.facts.manuals_ip if config and isinstance(config.facts, ConfigFacts) else None
    return cluster_ip(observed, name, names.MANUALS) or told or remembered


def autoscaler(observed: Observed, name: str) -> bool:
    """Tell whether the HPA is there."""
    child = observed.get(("HorizontalPodAutoscaler", names.child(name, names.API)))
    return child is not None and isinstance(child.facts, AutoscalerFacts) and not child.deleting


def keeps_backups(app: HSCJit, observed: Observed) -> bool:
    """Tell whether backups were made, are there, and are this HSCJit's, while none are made."""
    claim = observed.get(("PersistentVolumeClaim", names.child(app.name, names.BACKUP)))
    ours = claim is not None and claim.owner_uid == app.uid and not claim.deleting
    return ours and not app.backup.enabled


def job(observed: Observed, name: str) -> JobFacts | None:
    """Return a Job by its name, None when there is none."""
    child = observed.get(("Job", name))
    return child.facts if child and isinstance(child.facts, JobFacts) else None


def last_words(observed: Observed, job_name: str) -> str:
    """Return what a Job's newest pod said at its end, as a sentence."""
    said = [(pod.said, pod.ended or 0.0) for _, pod in pods(observed) if pod.job == job_name]
    text = max(said, key=lambda one: one[1])[0] if said else ""
    told = outcome(text)
    return f"{told['reason']}: {told['message']}" if told else text


def trouble(observed: Observed, job_name: str) -> str:
    """Return why a Job's pods can't begin, empty while nothing is in their way."""
    return next((pod.trouble for _, pod in pods(observed) if pod.job == job_name), "")


def outcome(text: str) -> Mapping[str, Any] | None:
    """Return the JSON object that a job left as its termination message, None if it left none."""
    try:
        told = json.loads(text)
    except ValueError:
        return None
    return told if isinstance(told, dict) and {"ok", "reason", "message"} <= told.keys() else None


def pods(observed: Observed) -> Iterator[tuple[Child, PodFacts]]:
    """Return every pod."""
    for child in observed.values():
        if isinstance(child.facts, PodFacts):
            yield child, child.facts


def plan_rollout(
    app: HSCJit,
    status: Mapping[str, Any],
    observed: Observed,
    back: restore.Restore | None,
    *,
    places: Mapping[str, Place],
    default: str,
    planned: str | None = None,
) -> rollout.Rollout:
    """Return which image runs and which one migrates.

    `default` is the operator's own image, `planned` what an approved plan wants, `places` says
    where external stores are. A restore brings another schema: what was migrated before it counts
    no more.
    """
    running = pinned_on(observed, app.name, names.ANNOTATION_IMAGE)
    pins = rollout.Pins(status.get("image"), running)
    wanted = rollout.pinned(app.image.reference or planned, pins, default)
    done = rollout.Record.read(status)
    if back is not None and back.running:
        if back.step != "Starting":
            return rollout.held(wanted)
        running = None
        done = done if _step(status) == "Starting" else rollout.Record()
    name = names.migration_job(app.name, wanted)
    return rollout.decide(
        wanted,
        running,
        done,
        job(observed, name),
        last_words(observed, name),
        volume=_database(app, observed, places),
        external=names.POSTGRES in app.outside,
        trouble=trouble(observed, name),
    )


def plan_restart(
    app: HSCJit, status: Mapping[str, Any], observed: Observed, pause: Pause, now: datetime
) -> restart.Restart:
    """Return which restart the pods carry, and which one waits."""
    told = (status.get("restart") or {}).get("carriedOut")
    return restart.decide(
        app.annotations.get(names.ANNOTATION_RESTARTED_AT),
        told or pinned_on(observed, app.name, names.ANNOTATION_RESTARTED_AT),
        running=pinned_on(observed, app.name, names.ANNOTATION_IMAGE) is not None,
        windows=app.maintenance.windows,
        held=pause.holds("rollout"),
        now=now,
    )


def _database(app: HSCJit, observed: Observed, places: Mapping[str, Place]) -> str:
    """Return which database it is, in the words of `rollout.Record`; empty while nobody knows."""
    if names.POSTGRES in app.outside:
        place = places.get(names.POSTGRES)
        return f"{rollout.SERVER}{place.mark}" if place else ""
    claim = observed.get(("PersistentVolumeClaim", data_claim(app, names.POSTGRES)))
    return claim.uid if claim is not None else ""


def _step(status: Mapping[str, Any]) -> str | None:
    step: str | None = (status.get("restore") or {}).get("step")
    return step


def steps_on(status: Mapping[str, Any], back: restore.Restore | None) -> bool:
    """Tell whether a restore takes a step that the status does not know yet.

    It is written down before anything is done: an operator that dies in between goes on from there.
    """
    known = status.get("restore") or {}
    return back is not None and (back.stamp, back.step) != (known.get("from"), known.get("step"))


def plan_restore(
    app: HSCJit, status: Mapping[str, Any], observed: Observed, answer: Answer | None
) -> restore.Restore | None:
    """Return at which step a restore is."""
    name = names.child(app.name, names.RESTORE)
    recorded = conditions.read(status, conditions.DATABASE_MIGRATED)
    api = components.scaled(observed, app.name, names.API)
    return restore.decide(
        app.annotations.get(names.ANNOTATION_RESTORE_FROM),
        status.get("restore") or {},
        app.backup.enabled,
        restore.Seen(
            pods_left=any(pod.component in _STOPPED for _, pod in pods(observed)),
            job=job(observed, name),
            said=last_words(observed, name),
            migrated=recorded.status == "True",
            answering=bool(answer and answer.ok and api and api.ready > 0),
            queue=names.REDIS_QUEUE not in app.outside,
        ),
    )


def subject(
    app: HSCJit,
    status: Mapping[str, Any],
    observed: Observed,
    rolled: Mapping[tuple[str, str], int],
    pause: Pause,
    *,
    restoring: bool,
) -> Subject:
    """Return what the autopilot is told."""
    api = components.scaled(observed, app.name, names.API)
    ready: dict[str, bool] = {}
    for _, pod in pods(observed):
        if pod.component in _DEPENDENCIES:
            ready[pod.component] = ready.get(pod.component, False) or pod.ready
    return Subject(
        app=app,
        pods=tuple(
            PodRef(
                name=child.name,
                uid=child.uid,
                component=pod.component,
                ip=pod.ip,
                ready=pod.ready,
                ready_changed=pod.ready_changed,
                started=pod.started,
                deleting=child.deleting,
            )
            for child, pod in sorted(pods(observed), key=lambda one: one[0].name)
            if pod.component in _FLOWN
        ),
        persisted_status=status.get("autopilot") or {},
        rollout_in_progress=any(
            components.rolling(observed, rolled, app.name, component)
            for component in (names.API, names.WORKER)
        ),
        paused=frozenset(str(part) for part in pause.parts if part != "rollout"),
        restoring=restoring,
        dependencies_ready=ready,
        api_replicas=api.desired if api else None,
    )
