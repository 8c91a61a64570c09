"""Who learns what the autopilot decided? The log, Events and metrics."""

from collections.abc import Iterable
from functools import partial

import structlog

from hscjit_operator import metrics
from hscjit_operator.decisions.outcome import HELPED_NOTHING, Judgement
from hscjit_operator.flight import Flight
from hscjit_operator.model.autopilot import Action, Actuator, Decision
from hscjit_operator.model.samples import PodSample
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)


def announce(actuator: Actuator, key: Key, flight: Flight, decision: Decision) -> None:
    """Say a decision that is news in the log and as an Event."""
    refused, observed = decision.refused_because is not None, decision.mode == "Observe"
    log.info(
        "Refusing" if refused else "Observing" if observed else "Acting",
        namespace=key.namespace,
        hscjit=key.name,
        action=decision.action,
        target=decision.target,
        reason=decision.reason,
        refused_because=decision.refused_because,
        inputs=dict(decision.inputs),
    )
    warning = refused or decision.action is Action.EVICT
    reason = f"{decision.action}Refused" if refused else str(decision.action)
    message = f"Would act (mode Observe): {decision.message}" if observed else decision.message
    kind = "Warning" if warning else "Normal"
    event = partial(actuator.event, key, kind, reason, message)
    flight.start(event, "post an Event")


def outcome(actuator: Actuator, key: Key, flight: Flight, judgement: Judgement) -> None:
    """Count what became of a decision; an Event says so where it helped nothing."""
    decision = judgement.decision
    metrics.AUTOPILOT_OUTCOMES.labels(
        key.namespace, key.name, decision.action, judgement.outcome
    ).inc()
    if judgement.outcome != HELPED_NOTHING:
        return
    message = f"{decision.action} {decision.target} ({decision.reason}) helped nothing; "
    message += f"expected was: {decision.expected}"
    event = partial(actuator.event, key, "Warning", HELPED_NOTHING, message)
    flight.start(event, "post an Event")


def count_scrapes(samples: Iterable[PodSample]) -> None:
    """Count which of its doors each pod answered at."""
    for sample in samples:
        result = _heard(sample)
        metrics.AUTOPILOT_SCRAPES.labels(sample.pod.component, result).inc()


def _heard(sample: PodSample) -> str:
    if sample.metrics is not None:
        return "metrics"
    return "health" if sample.alive else "silent"


def count(key: Key, decision: Decision) -> None:
    """Count a decision by what became of it at once: acted, observed or refused."""
    refused, observed = decision.refused_because, decision.mode == "Observe"
    verdict = "refused" if refused else "observed" if observed else "acted"
    reason = refused or decision.reason
    metrics.AUTOPILOT_DECISIONS.labels(
        key.namespace, key.name, decision.action, reason, verdict
    ).inc()
