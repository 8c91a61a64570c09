"""One pass over one HSCJit: read, decide, act, report. Every trigger runs the same pass.

A settled pass reads nothing and writes nothing: children come from the watches, and what they
should be is known from the last time. A step that fails becomes a problem in the conditions, the
others go on, and the status is written even then.
"""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

import structlog

from hscjit_operator import (
    asked,
    cleanups,
    conditions,
    handover,
    manuals,
    metrics,
    report,
    sight,
)
from hscjit_operator.asked import Asked
from hscjit_operator.backups import Backups
from hscjit_operator.cluster import turns
from hscjit_operator.cluster.apply import Applier
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.discovery import Discovery
from hscjit_operator.cluster.events import Events
from hscjit_operator.cluster.front_door import FrontDoor
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.cluster.references import References
from hscjit_operator.cluster.rights import Rights
from hscjit_operator.decisions import outside
from hscjit_operator.decisions.plan import Release
from hscjit_operator.decisions.readiness import Gravity, Problem
from hscjit_operator.kept import Keeper
from hscjit_operator.model import pause
from hscjit_operator.model.autopilot import Pilot, Targets, clamp
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.policy import policy_of
from hscjit_operator.model.spec import TEMPLATE_VERSIONS, SpecError
from hscjit_operator.names import Key
from hscjit_operator.passing import Pass, Recall
from hscjit_operator.plans import Plans, upgrade_required
from hscjit_operator.queue import Outcome, Trigger
from hscjit_operator.rotation import Rotator, Scene
from hscjit_operator.scribe import Scribe
from hscjit_operator.settings import Settings
from hscjit_operator.unseen import Unseen
from hscjit_operator.upkeep import Order, Upkeep

log = structlog.stdlib.get_logger(__name__)


class Reconciler:
    """Runs passes. Everything it needs comes from outside; it starts nothing by itself."""

    def __init__(
        self,
        *,
        api: Api,
        apps: Apps,
        children: Children,
        references: References,
        discovery: Discovery,
        front_door: FrontDoor,
        events: Events,
        pilot: Pilot,
        rights: Rights,
        blind: Callable[[str], Sequence[str]],
        settings: Settings,
        clock: Callable[[], float],
        now: Callable[[], datetime],
        door_url: Callable[[str], str] = lambda ip: f"http://{ip}/ready",
    ) -> None:
        """`blind` says what may not be watched in a namespace, `clock` is monotonic seconds, `now`
        the time of day; `door_url` makes an address to ask out of the API Service's ClusterIP."""
        self._api = api
        self._apps = apps
        self._children = children
        self._discovery = discovery
        self._events = events
        self._pilot = pilot
        self._asked = Asked(pilot)
        self._blind = blind
        self._settings = settings
        self._clock = clock
        self._now = now
        self._applier = Applier(api, children)
        self._unseen = Unseen(
            references, Keeper(api, self._applier, references), front_door, door_url
        )
        self._rotator = Rotator(api, references, events)
        self._upkeep = Upkeep(self._applier, events)
        self._rights = rights
        self._backups = Backups(self._applier, rights.note)
        self._plans = Plans(settings)
        self._scribe = Scribe(api, apps, events)
        self._recalls: dict[Key, Recall] = {}

    def forget(self, key: Key) -> None:
        """Drop everything known of an HSCJit that is gone; its children go by their owner."""
        self._recalls.pop(key, None)
        self._asked.forget(key)
        self._scribe.forget(key)
        self._unseen.forget(key)
        self._pilot.forget(key)
        self._children.release(key)

    async def reconcile(self, key: Key, trigger: Trigger) -> Outcome:
        """Run one pass; whatever goes wrong in it ends here."""
        began = self._clock()
        turns.begin()
        with structlog.contextvars.bound_contextvars(hscjit=key.name, namespace=key.namespace):
            try:
                outcome = await self._pass(key)
            except Exception:
                # The pass's own boundary: one object's trouble must not become another's.
                log.exception("Pass failed", trigger=trigger.name)
                outcome = Outcome(failed=True)
        ended = "failed" if outcome.failed else "ok"
        metrics.PASSES.labels(trigger.name.lower(), ended).inc()
        metrics.PASS_SECONDS.observe(self._clock() - began)
        return outcome

    async def _pass(self, key: Key) -> Outcome:
        # 1: What does the user want, and is the HSCJit still there?
        stored = self._apps.get(key)
        if stored is None:
            self.forget(key)
            metrics.forget(key)
            return Outcome(gone=True)
        body = stored.read()
        if "deletionTimestamp" in body["metadata"]:
            self._pilot.forget(key)  # pods that go are not ill
            return Outcome()
        now = self._now()
        recall = self._remembered(key, stored.uid)
        held, held_wrong = asked.paused(body, now)
        seen = report.Seen(
            name=key.name,
            namespace=key.namespace,
            generation=body["metadata"]["generation"],
            before=body.get("status") or {},
            observed=self._children.of(key),
            rolled=recall.children.rolled,
            in_cluster=self._settings.in_cluster,
            problems=(),
            pause=held,
            pause_wrong=held_wrong,
            now=now.strftime("%Y-%m-%dT%H:%M:%SZ"),
        )
        if unseen := self._blind(key.namespace):
            # Whoever cannot see the children had better leave them alone.
            return Outcome(
                await self._scribe.write(key, recall.uid, report.blind(seen, unseen)) is None
            )
        try:
            app = self._asked.read(key, body)
        except SpecError as error:
            # The children stay as they are; they are still looked after, and told of.
            self._asked.hold(key, seen)
            wrong = (Problem(Gravity.SPEC, "InvalidSpec", str(error)),)
            said = report.compose(replace(seen, problems=wrong)).as_dict()
            return Outcome(await self._scribe.write(key, recall.uid, said) is None)
        run = Pass(
            app=app,
            body=body,
            status=seen.before,
            observed=seen.observed,
            recall=recall,
            pause=held,
            now=now,
        )

        # 2: What is there that no watch shows? The Secret, and what the spec names.
        known, secret = await self._unseen.secret(run)

        # 3: Which image and template, which step of a restore, how many pods?
        answer = self._unseen.answer(run)
        back = sight.plan_restore(app, run.status, run.observed, answer)
        course = self._plans.course(app, run.status, run.observed)
        going = sight.plan_rollout(
            app,
            run.status,
            run.observed,
            back,
            places=known.around.places,
            default=self._settings.image_app,
            planned=course.image,
        )
        turn = await self._rotator.step(
            Scene(app, body, known, run.observed, held, going, back), secret
        )
        run.problems += turn.problems
        again = sight.plan_restart(app, run.status, run.observed, held, now)
        version = self._plans.version(app, run.status, run.observed, course, going.image)
        used = Release(going.image, version, course.redis, course.postgres)
        run.restoring = back is not None and back.running
        self._brief(run)
        flown = self._pilot.report(key)

        served = self._discovery.served(app.namespace)
        # 4: Bring the children to it.
        inputs: Inputs | None = None
        if version not in TEMPLATE_VERSIONS:
            run.problems.append(upgrade_required(version))
        elif turn.secret is not None and not sight.steps_on(run.status, back):
            stopped = back is not None and back.stopped
            policy = policy_of(app)
            targets = clamp(flown.targets if flown else policy.start(), policy.bounds())
            inputs = Inputs(
                image=going.image,
                migrate_image=going.migrate_image,
                redis_image=used.redis,
                postgres_image=used.postgres,
                template_version=version,
                restarted_at=again.carried,
                targets=targets,
                api_replicas=await self._replicas(run, targets, stopped=stopped),
                workload=going.workload,
                stopped=stopped,
                restore=back.stamp if back is not None and back.job else None,
                exchange=turn.exchange,
                manuals_ip=await self._manuals(run),
                secrets=known.secrets(turn.secret),
                places=known.around.places,
                backups_kept=sight.keeps_backups(app, run.observed),
                operator_namespace=self._settings.namespace,
                prometheus=self._settings.prometheus,
                served=served,
            )
            await self._tend(run, inputs, gathers=going.gathers)
        # 5: Say what came of it.
        run.problems += outside.problems(app, served, self._rights.lacking(app.namespace))
        await cleanups.tell(self._events, run.body, run.observed, now)
        waiting = _held(held, restoring=run.restoring)
        plan = self._plans.tell(app, run.status, used, course, inputs, held=waiting, now=now)
        said = report.compose(
            replace(
                seen,
                app=app,
                rollout=going if secret is not None else None,
                restore=back,
                restart=again,
                rotation=turn.rotation,
                used=used if secret is not None else None,
                plan=plan,
                version=version,
                answer=answer,
                problems=tuple(run.problems),
                pilot=self._pilot.report(key),
                backup=await self._backups.tell(app, run.body, run.observed),
                endpoint=outside.endpoint(app, served),
            )
        ).as_dict()
        wrote = await self._scribe.write(key, recall.uid, said)
        failed = wrote is None or any(problem.retry for problem in run.problems)
        again_in = run.next_look(again.due, plan.due if plan else None)
        return Outcome(failed, bool(wrote) or run.acted or turn.wrote, again_in)

    def _remembered(self, key: Key, uid: str) -> Recall:
        recall = self._recalls.get(key)
        if recall is None or recall.uid != uid:
            if recall is not None:
                self.forget(key)  # another of that name: nothing of the former one is true of it
            recall = self._recalls[key] = Recall(uid)
        return recall

    def _brief(self, run: Pass) -> None:
        """Tell the autopilot what there is."""
        rolled = run.recall.children.rolled
        told = sight.subject(
            run.app, run.status, run.observed, rolled, run.pause, restoring=run.restoring
        )
        self._pilot.set_subject(run.app.key, told)

    async def _replicas(self, run: Pass, targets: Targets, *, stopped: bool) -> int | None:
        """Return what the API's main apply holds, after the number was handed over if need be."""
        still = run.pause.holds("all")
        hold = await handover.settle(
            self._applier, run.app, run.observed, targets, stopped=stopped, still=still
        )
        run.problems += [hold.problem] if hold.problem else []
        run.acted = hold.wrote
        return hold.main

    async def _manuals(self, run: Pass) -> str | None:
        """Return where the bundled manuals are served; of a new HSCJit that is seen to first."""
        before = run.recall.children.inputs
        return await manuals.address(
            self._applier,
            run.app,
            run.observed,
            before.manuals_ip if before else None,
            begins="observedGeneration" not in run.status and not run.pause.holds("all"),
        )

    async def _tend(self, run: Pass, inputs: Inputs, *, gathers: bool) -> None:
        app, status = run.app, run.status
        same = status.get("observedGeneration") == app.generation
        valid = conditions.read(status, conditions.SPEC_VALID)
        order = Order(
            app=app,
            inputs=inputs,
            observed=run.observed,
            body=run.body,
            settled_before=same
            and conditions.read(status, conditions.RECONCILING).status == "False",
            try_first="observedGeneration" in status and (not same or valid.status == "False"),
            pause=run.pause,
            gathers=gathers,
            now=run.now.timestamp(),
        )
        problems, acted = await self._upkeep.tend(order, run.recall.children)
        run.problems += problems
        run.acted = run.acted or acted
        if run.acted:
            # What has begun, such as a rollout, and what the autopilot says to it: one write.
            self._brief(run)


def _held(held: pause.Pause, *, restoring: bool) -> str:
    """Return what a plan waits for before any window, empty if for nothing."""
    if restoring:
        return "a restore is under way"
    return "rollouts are paused" if held.holds("rollout") else ""
