"""What do we know of Redis and Postgres? Everything else stands on them."""

from collections.abc import Mapping

from hscjit_operator import names
from hscjit_operator.decisions.health import not_ready_long
from hscjit_operator.model.autopilot import PodRef
from hscjit_operator.model.samples import Observation

DEPENDENCIES: Mapping[str, str] = {
    "database": names.POSTGRES,
    "redis_cache": names.REDIS_CACHE,
    "redis_queue": names.REDIS_QUEUE,
}
"""Name in the pods' metrics → component."""


def down(observed: Observation) -> tuple[str, ...]:
    """Return the components that are not up, as their own readiness or most pods' metrics say."""
    unready = [c for c in DEPENDENCIES.values() if observed.dependencies_ready.get(c) is False]
    missed = []
    for metric, component in DEPENDENCIES.items():
        told = _told(observed, metric)
        if told.count(False) * 2 > len(told):
            missed.append(component)
    return tuple(dict.fromkeys([*unready, *missed]))


def _told(observed: Observation, metric: str) -> list[bool]:
    """Return what each pod says of one dependency."""
    return [
        sample.metrics.dependencies[metric]
        for sample in observed.samples
        if sample.metrics and metric in sample.metrics.dependencies
    ]


def once_up(observed: Observation) -> frozenset[str]:
    """Return the components that are, or must have been, up.

    An API pod gets ready only after it had contact with all of them, so one that is ready tells of
    them even where an operator before us saw it.
    """
    if any(pod.component == names.API and pod.ready for pod in observed.pods):
        return frozenset(DEPENDENCIES.values())
    found = {c for c in DEPENDENCIES.values() if observed.dependencies_ready.get(c)}
    told = {c for m, c in DEPENDENCIES.items() if any(_told(observed, m))}
    return frozenset(found | told)


def ailing(observed: Observation, now: float) -> PodRef | None:
    """Return a pod of our own Redis or Postgres that runs, was ready, and no longer is."""
    ours = set(DEPENDENCIES.values())
    for pod in observed.pods:
        if pod.component in ours and not pod.deleting and not_ready_long(pod, now):
            return pod
    return None
