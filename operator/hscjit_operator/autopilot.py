"""Once a second: what do the pods answer, what follows from it, who does it, where is it written?

All judgement is in `decisions`; here is the loop around it, and nothing that it starts may hold
the next tick up: evictions, Events and the ledger are tasks of their own with a deadline.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Final

import structlog

from hscjit_operator import ledger, metrics, names, telling
from hscjit_operator.clock import SteadyClock
from hscjit_operator.cluster.probe import Probe
from hscjit_operator.decisions import bounds, tick
from hscjit_operator.decisions.tick import Step
from hscjit_operator.flight import CALL_DEADLINE_S, Flight
from hscjit_operator.model.autopilot import (
    Action,
    Actuator,
    Decision,
    Eviction,
    PodRef,
    Report,
    Subject,
)
from hscjit_operator.model.policy import policy_of
from hscjit_operator.model.samples import ActResult
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.names import Key

log = structlog.stdlib.get_logger(__name__)

TICK_S: Final = 1.0
BREATH: Final = 16
"""HSCJits that are decided on at once: a thousand would hold everything else up for 0.1 s."""
LOG_LINES: Final = 50
LOG_DEADLINE_S: Final = 1.0
"""Evidence is worth this much of a bad pod's time."""


class Pilot:
    """Watches over all HSCJits it was told of. Not thread-safe: one event loop."""

    def __init__(
        self,
        actuator: Actuator,
        on_change: Callable[[Key], None],
        *,
        probe: Probe | None = None,
        clock: Callable[[], float] | None = None,
    ) -> None:
        """`on_change` is called when a report changed: the HSCJit needs a pass."""
        self._actuator = actuator
        self._on_change = on_change
        self._probe = probe or Probe()
        self._clock = clock or SteadyClock()
        self._flights: dict[Key, Flight] = {}

    def set_subject(self, key: Key, subject: Subject) -> None:
        """Tell what a pass saw. The first time the targets go on from the stored status.

        Where it changes what the last tick found, the report says so at once: the pass writes both
        into the status together, and the next tick has nothing to add.
        """
        policy = policy_of(subject.app)
        flight = self._flights.get(key)
        if flight is not None and flight.subject.app.uid == subject.app.uid:
            if flight.take(subject, policy):
                self._review(flight)
            return
        self.forget(key)
        history = bounds.begin(policy, subject.persisted_status)
        flight = self._flights[key] = Flight(
            key=key,
            subject=subject,
            policy=policy,
            history=history,
            report=Report(
                targets=tick.effective(policy, history),
                by_load=tick.asked(policy, history),
                findings=(),
                last_decision=subject.persisted_status.get("lastDecision"),
            ),
        )
        if not subject.pods:
            self._begin(flight)

    def _begin(self, flight: Flight) -> None:
        """Say at once what there is to say where there is no pod to ask.

        So the very first status can hold it. What would have to be done is left to the first tick.
        """
        flight.look((), elsewhere=False, trusted=True, now=self._clock())
        came_to = self._judge(flight)
        if came_to is None or came_to.decisions or came_to.judgements:
            flight.seen = None
            return
        flight.history = came_to.history
        flight.report = replace(
            flight.report,
            targets=came_to.targets,
            by_load=came_to.by_load,
            findings=came_to.findings,
        )

    def forget(self, key: Key) -> None:
        """Look after an HSCJit no more; what was under way for it is dropped."""
        flight = self._flights.pop(key, None)
        if flight is not None:
            flight.end()

    def app(self, key: Key) -> HSCJit | None:
        """Return the last HSCJit we were told of: by its spec we go on while a newer is invalid."""
        flight = self._flights.get(key)
        return flight.subject.app if flight else None

    def report(self, key: Key) -> Report | None:
        """Return what there is to say about an HSCJit, None for one we were not told of."""
        flight = self._flights.get(key)
        return flight.report if flight else None

    async def run(self) -> None:
        """Tick each second until cancelled."""
        async with self._probe:
            try:
                due = time.monotonic()
                while True:
                    begun = time.monotonic()
                    await self.tick()
                    metrics.AUTOPILOT_TICK_SECONDS.observe(time.monotonic() - begun)
                    # A tick that came too late is not made up for.
                    due = max(due + TICK_S, time.monotonic())
                    await asyncio.sleep(due - time.monotonic())
            finally:
                for key in list(self._flights):
                    self.forget(key)

    async def tick(self) -> None:
        """Ask every pod once, and let each HSCJit's decisions follow."""
        pods = [pod for flight in self._flights.values() for pod in flight.subject.pods]
        heard = await self._probe.ask(pods)
        now = self._clock()
        samples = {
            key: tuple(
                heard.samples[pod.uid] for pod in flight.subject.pods if pod.uid in heard.samples
            )
            for key, flight in self._flights.items()
        }
        answered = {key for key, own in samples.items() if any(not s.silent for s in own)}
        telling.count_scrapes(heard.samples.values())
        for n, (key, flight) in enumerate(list(self._flights.items())):
            if n % BREATH == 0:
                await asyncio.sleep(0)
            if key not in samples or self._flights.get(key) is not flight:
                continue  # it came while we were asking, or went while we were deciding
            elsewhere = len(answered) > (key in answered)
            flight.look(samples[key], elsewhere=elsewhere, trusted=heard.trusted, now=now)
            came_to = self._judge(flight)
            if came_to is not None:
                self._follow(key, flight, came_to, now)

    def _judge(self, flight: Flight) -> Step | None:
        """Return what follows from the last look, None where that cannot be told."""
        seen = flight.seen
        if seen is None:
            return None
        try:
            came_to = tick.step(flight.policy, seen.observed, seen.before, seen.at)
        except Exception as error:  # the tick's boundary: one HSCJit's fault is not the others'
            if repr(error) != flight.fault:  # once, not each second
                key = flight.key
                log.exception("Could not decide", namespace=key.namespace, hscjit=key.name)
            flight.fault = repr(error)
            return None
        flight.fault = ""
        return came_to

    def _review(self, flight: Flight) -> None:
        """Report what the last look would have been found to be; what it led to stands."""
        history = bounds.within(flight.policy, flight.history)
        report = replace(
            flight.report,
            targets=tick.effective(flight.policy, history),
            by_load=tick.asked(flight.policy, history),
        )
        came_to = self._judge(flight)
        findings = report.findings if came_to is None else came_to.findings
        flight.report = replace(report, findings=findings)

    def _follow(self, key: Key, flight: Flight, came_to: Step, now: float) -> None:
        """Record and do what a tick came to."""
        flight.history = came_to.history
        last = flight.report.last_decision
        for decision in came_to.decisions:
            flight.ledger, news = ledger.record(flight.ledger, decision, now)
            telling.count(key, decision)
            if news:
                last = ledger.summary(decision, now)
                flight.unwritten = True
                telling.announce(self._actuator, key, flight, decision)
            else:
                flight.uncounted = True
            if decision.mode == "Act" and decision.refused_because is None:
                self._act(key, flight, decision)
        for judgement in came_to.judgements:
            flight.ledger = ledger.amend(
                flight.ledger, judgement.decision, outcome=judgement.outcome
            )
            flight.unwritten = True
            telling.outcome(self._actuator, key, flight, judgement)
        report = Report(
            targets=came_to.targets,
            by_load=came_to.by_load,
            findings=came_to.findings,
            last_decision=last,
        )
        if report != flight.report:
            flight.report = report
            self._on_change(key)
        flight.keep_ledger(self._actuator, now)

    def _act(self, key: Key, flight: Flight, decision: Decision) -> None:
        """Start what a decision asks for; the targets' children follow by a pass."""
        match decision.action:
            case Action.EVICT:
                pod = next(p for p in flight.subject.pods if p.name == decision.target)
                evict = partial(self._evict, key, flight, decision, pod)
                flight.start(evict, "evict a pod")
            case Action.RAISE_FLOOR:
                floor = flight.history.targets.api_floor
                if flight.subject.api_replicas is not None and flight.subject.api_replicas < floor:
                    scaled = partial(self._actuator.scale_api, key, floor)
                    flight.start(scaled, "scale the API")
            case Action.LOWER_FLOOR:
                costs = {
                    pod.name: int(known.last.connections or 0)
                    for pod in flight.subject.pods
                    if pod.component == names.API
                    and (known := flight.history.pods.get(pod.uid)) is not None
                    and known.last is not None
                }
                if costs:
                    marked = partial(self._actuator.mark_costs, key, costs)
                    flight.start(marked, "mark the pods' deletion cost")
            case Action.SET_CEILING | Action.RAISE_WORKERS | Action.LOWER_WORKERS:
                pass

    async def _evict(self, key: Key, flight: Flight, decision: Decision, pod: PodRef) -> None:
        """Keep evidence, then evict; how it went is a fact of the next tick."""
        known = flight.history.pods.get(pod.uid)
        try:
            async with asyncio.timeout(LOG_DEADLINE_S):
                tail = await self._actuator.tail_logs(key, pod, LOG_LINES)
        except Exception as error:  # noqa: BLE001  no log is no reason to keep a bad pod
            tail = f"(no log: {error!r})"
        kept = ledger.evidence(tail, known.last if known else None)
        flight.ledger = ledger.amend(flight.ledger, decision, evidence=kept)
        flight.unwritten = True
        outcome = Eviction.FAILED
        try:
            async with asyncio.timeout(CALL_DEADLINE_S):
                outcome = await self._actuator.evict(key, pod)
        finally:
            flight.results.append(ActResult(pod, outcome))
            flight.ledger = ledger.amend(flight.ledger, decision, outcome=str(outcome))
