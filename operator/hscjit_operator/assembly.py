"""How is the operator put together, started and stopped? The parts meet here and nowhere else."""

import asyncio
import contextlib
import time
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime
from typing import Any, Final

import structlog
from aiohttp import web
from kubernetes.aio.client.configuration import Configuration

from hscjit_operator import endpoints, handlers
from hscjit_operator.autopilot import Pilot
from hscjit_operator.cluster.actuator import ClusterActuator
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.discovery import Discovery
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.cluster.events import Events
from hscjit_operator.cluster.front_door import FrontDoor
from hscjit_operator.cluster.gate import Gate
from hscjit_operator.cluster.kinds import HSCJIT
from hscjit_operator.cluster.lease import CALL_S, Lease, identity
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.cluster.references import References
from hscjit_operator.cluster.rights import Rights
from hscjit_operator.cluster.watches import Watches
from hscjit_operator.duty import HEARTBEAT, Duty
from hscjit_operator.names import Key
from hscjit_operator.queue import Queue, Trigger
from hscjit_operator.reconcile import Reconciler
from hscjit_operator.settings import Settings
from hscjit_operator.standing import Standing
from hscjit_operator.targets import targets

log = structlog.stdlib.get_logger(__name__)

_CRD_EVERY_S: Final = 2.0


def _door_url(ip: str) -> str:
    return f"http://{ip}/ready"


class Operator:
    """One operator: made of settings and of how to reach the API server, run once."""

    def __init__(
        self,
        settings: Settings,
        configuration: Configuration,
        *,
        door_url: Callable[[str], str] = _door_url,
        take_signals: Callable[[], None] = lambda: None,
    ) -> None:
        """`door_url` makes the address of /ready out of the API Service's ClusterIP.

        `take_signals` is called once others have put their handlers in place of ours.
        """
        self._settings = settings
        self._take_signals = take_signals
        clock = time.monotonic
        gate = Gate(clock)
        self.api = Api(
            configuration,
            writes_in_flight=settings.writes_in_flight,
            timeout_s=settings.request_timeout_s,
            gate=gate,
        )
        self.queue = Queue(self._reconcile, settings.passes_in_flight, settings.resync_s, clock)
        self.apps = Apps(lost=self._lost, changed=self._app_changed)
        self.children = Children(changed=self._child_changed)
        self.watches = Watches(
            self.apps,
            self.children,
            settings.watch_namespaces,
            clock,
            changed=self._rights_changed,
            all_seen=self._all_seen,
        )
        rights = Rights(self.api, self._rights_changed, period_s=settings.resync_s)
        events = Events(self.api, clock, _now, rights.note)
        self.discovery = Discovery(
            self.api,
            self.children,
            settings.watch_namespaces,
            changed=self._kinds_changed,
            period_s=settings.discovery_s,
            failed=rights.note,
        )
        references = References(
            self.api, self._news, period_s=settings.poll_s, clock=clock, failed=rights.note
        )
        front_door = FrontDoor(self._news, period_s=settings.front_door_s, clock=clock)
        hands = ClusterActuator(self.api, self.apps, self.children, events, rights.note)
        pilot = Pilot(hands, self._news)
        self.reconciler = Reconciler(
            api=self.api,
            apps=self.apps,
            children=self.children,
            references=references,
            discovery=self.discovery,
            front_door=front_door,
            events=events,
            pilot=pilot,
            rights=rights,
            blind=self.watches.blind,
            settings=settings,
            clock=clock,
            now=_now,
            door_url=door_url,
        )
        self.duty = Duty(self.reconciler, self.apps, self.queue.put, clock)
        # Connections of its own: however much is under way, a renewal waits for nothing.
        self._lease_api = Api(configuration, writes_in_flight=1, timeout_s=CALL_S)
        self.lease = Lease(
            self._lease_api,
            gate,
            namespace=settings.namespace,
            name=settings.lease_name,
            me=identity(settings.pod_name),
            alive=self._alive,
            changed=self.duty.change,
            clock=clock,
            now=_now,
        )
        self._loops: tuple[Callable[[], Coroutine[Any, Any, None]], ...] = (
            self.lease.run,
            self.queue.run,
            references.run,
            self.discovery.run,
            front_door.run,
            pilot.run,
            rights.run,
        )

    async def run(self, stop: asyncio.Event) -> None:
        """Serve until `stop` is set, or raise when a part cannot go on."""
        self.queue.put(HEARTBEAT, Trigger.RESYNC, 0.0)
        async with contextlib.AsyncExitStack() as stack:
            stack.push_async_callback(self.api.close)
            stack.push_async_callback(self._lease_api.close)
            stack.push_async_callback(self.lease.release)
            await self._listen(stack)
            async with asyncio.TaskGroup() as group:
                loops = [group.create_task(loop(), name=loop.__qualname__) for loop in self._loops]
                watching = group.create_task(self._watch(stop), name="watching")
                stopping = group.create_task(stop.wait(), name="stopping")
                try:
                    await asyncio.wait((watching, stopping), return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for task in (*loops, stopping):
                        task.cancel()
                # Watching may take seconds to end; another acts by then.
                await asyncio.wait(loops)
                await self.lease.release()

    async def _watch(self, stop: asyncio.Event) -> None:
        await self._wait_for_crd(stop)
        if stop.is_set():
            return
        triggers = handlers.registry(api=self.api, apps=self.apps, watches=self.watches)
        await handlers.watch(triggers, self._settings.watch_namespaces, stop, self._take_signals)

    async def _wait_for_crd(self, stop: asyncio.Event) -> None:
        """Wait for the API server and the CRD: kopf looks for the kind only once."""
        while not stop.is_set():
            try:
                if await self.api.serves(HSCJIT):
                    await self.discovery.look()  # what is served shapes the very first pass
                    return
                log.warning("Waiting for CRD", crd=f"{HSCJIT.plural}.{HSCJIT.group}")
            except ApiError as error:
                log.warning("Waiting for API server", error=str(error))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_CRD_EVERY_S):
                    await stop.wait()

    async def _listen(self, stack: contextlib.AsyncExitStack) -> None:
        vitals = endpoints.Vitals(
            clock=time.monotonic,
            last_pass=lambda: self.duty.last_pass,
            answered=lambda: self.lease.answered,
            refused=lambda: self.lease.refused,
            dead_watches=self.watches.dead,
            missing_watches=self.watches.missing,
            refused_watches=self.watches.refused,
            standing=Standing(self.apps),
            targets=lambda: targets(self.children),
        )
        runner = web.AppRunner(endpoints.application(vitals), access_log=None)
        await runner.setup()
        stack.push_async_callback(runner.cleanup)
        await web.TCPSite(runner, self._settings.host, self._settings.port).start()

    async def _reconcile(self, key: Key, trigger: Trigger) -> Any:
        return await self.duty.run(key, trigger)

    def _alive(self) -> bool:
        return time.monotonic() - self.duty.last_pass <= endpoints.PASSES_END_WITHIN_S

    def _all_seen(self) -> None:
        self.duty.see()

    def _app_changed(self, key: Key, asked: bool) -> None:
        self.queue.put(key, Trigger.SPEC if asked else Trigger.NEWS)

    def _child_changed(self, key: Key) -> None:
        # A child whose HSCJit is not known (yet) waits for it in the cache.
        if self.apps.get(key) is not None:
            self.queue.put(key, Trigger.CHILD)

    def _kinds_changed(self) -> None:
        for key in self.apps:
            self.queue.put(key, Trigger.NEWS)

    def _news(self, key: Key) -> None:
        self.queue.put(key, Trigger.NEWS)

    def _rights_changed(self) -> None:
        for key in self.apps:
            self.queue.put(key, Trigger.NEWS)

    def _lost(self, key: Key) -> None:
        self.queue.put(key, Trigger.SPEC)


def _now() -> datetime:
    return datetime.now(UTC)
