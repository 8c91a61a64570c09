"""A real API server, our operator against it, and what controllers and kubelet would do by hand."""

import asyncio
import json
import ssl
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, Self

import aiohttp
from aiohttp import web
from tests.cluster.ports import free_ports
from tests.integration.operator.user import MERGE, Refused, User
from tests.webserver import serving

from hscjit_operator import metrics, names
from hscjit_operator.assembly import Operator
from hscjit_operator.cluster import client, kinds
from hscjit_operator.settings import Settings

Body = dict[str, Any]

PATIENCE_S = 90.0
CALM_S = 1.5
RUN_PODS = ("Deployment", "StatefulSet")
SETTINGS = {
    "image_app": "app:1",
    "image_redis": "redis:1",
    "image_postgres": "postgres:1",
    "host": "127.0.0.1",
    "poll_s": 0.5,
    "front_door_s": 0.5,
    "resync_s": 0.5,
}


@dataclass
class World:
    """One namespace of the API server: a user in it, and a test that plays the controllers."""

    user: User
    session: aiohttp.ClientSession
    namespace: str
    name: str = "support"
    door: str = ""
    """Where /ready is answered in place of the Service."""
    ready_code: int = 200
    degraded: tuple[str, ...] = ()

    def beside(self, name: str) -> Self:
        """Return another HSCJit's world: in the same namespace, under another name."""
        return replace(self, name=name)

    async def call(self, method: str, path: str, body: Any = None, content: str = "") -> Body:
        """Call the API server as a user with every right; raises Refused."""
        data = None if body is None else json.dumps(body)
        headers = {"Content-Type": content or "application/json"}
        async with self.session.request(method, path, data=data, headers=headers) as answer:
            text = await answer.text()
        if answer.status >= 300:
            raise Refused(json.loads(text)["message"] if text.startswith("{") else text)
        return dict(json.loads(text))

    async def create(self, spec: Body | None = None) -> Body:
        """Create the HSCJit."""
        body = {
            "apiVersion": names.API_VERSION,
            "kind": names.KIND,
            "metadata": {"name": self.name},
            "spec": spec or {},
        }
        return await self.call("POST", kinds.HSCJIT.path(self.namespace), body)

    async def change(self, spec: Body) -> Body:
        """Merge into the HSCJit's spec."""
        return await self.patch("HSCJit", self.name, {"spec": spec})

    async def annotate(self, annotations: Body) -> Body:
        """Merge into the HSCJit's annotations."""
        return await self.patch("HSCJit", self.name, {"metadata": {"annotations": annotations}})

    async def app(self) -> Body:
        """Return the HSCJit."""
        return await self.call("GET", kinds.HSCJIT.path(self.namespace, self.name))

    async def status(self) -> Body:
        """Return the HSCJit's status, empty before there is one."""
        return dict((await self.app()).get("status") or {})

    async def condition(self, name: str) -> Body:
        """Return one of the HSCJit's conditions, empty before it is there."""
        return condition_of(await self.app(), name)

    async def patch(self, kind: str, name: str, patch: Body, subresource: str = "") -> Body:
        """Merge into any object."""
        path = kinds.by_name(kind).path(self.namespace, name, subresource)
        return await self.call("PATCH", path, patch, MERGE)

    async def get(self, kind: str, suffix: str) -> Body | None:
        """Return a child, None when there is none."""
        name = f"{self.name}-{suffix}"
        try:
            return await self.call("GET", kinds.by_name(kind).path(self.namespace, name))
        except Refused:
            return None

    async def delete(self, kind: str, name: str) -> None:
        """Delete any object at once; no controller is here to take finalizers off."""
        path = kinds.by_name(kind).path(self.namespace, name)
        await self.patch(kind, name, {"metadata": {"finalizers": None}})
        await self.call("DELETE", path, {"propagationPolicy": "Background"})

    async def children(self) -> dict[tuple[str, str], Body]:
        """Return everything that was made for the HSCJit, by kind and name."""
        every = (*kinds.WATCHED, *kinds.OPTIONAL)
        calls = (self.call("GET", kind.path(self.namespace)) for kind in every)
        answers = await asyncio.gather(*calls, return_exceptions=True)
        found = {}
        for kind, listed in zip(every, answers, strict=True):
            if isinstance(listed, Refused):
                continue  # nobody serves it
            if isinstance(listed, BaseException):
                raise listed
            for body in listed["items"]:
                if (body["metadata"].get("labels") or {}).get(names.LABEL_INSTANCE) == self.name:
                    found[kind.kind, body["metadata"]["name"]] = body
        return found

    async def until(self, what: Callable[[], Awaitable[Any]], within_s: float = PATIENCE_S) -> Any:
        """Wait until something is true, and return it."""
        deadline = time.monotonic() + within_s
        while True:
            found = await what()
            if found:
                return found
            if time.monotonic() > deadline:
                try:
                    told = json.dumps(await self.status(), indent=1)
                except Refused as refused:
                    told = str(refused)
                raise AssertionError(f"not within {within_s} s; the status is {told}")
            await asyncio.sleep(0.02)

    async def until_condition(self, name: str, reason: str, status: str = "") -> Body:
        """Wait until a condition of the present generation has a reason, and return it."""

        async def told() -> Body | None:
            app = await self.app()
            found = condition_of(app, name)
            fresh = found.get("observedGeneration") == app["metadata"]["generation"]
            alike = found.get("reason") == reason and status in ("", found.get("status"))
            return found if fresh and alike else None

        return dict(await self.until(told))

    async def run_pods(self) -> None:
        """Report the pods of every Deployment and StatefulSet as running the newest template."""
        for (kind, name), body in (await self.children()).items():
            if kind in RUN_PODS:
                await self.report_pods(kind, name, body)

    async def report_pods(self, kind: str, name: str, body: Body, **changed: Any) -> None:
        """Report the pods of one of them; what is `changed` is not as it should be."""
        wanted = body["spec"]["replicas"]
        status = {
            "observedGeneration": body["metadata"]["generation"],
            "replicas": wanted,
            "readyReplicas": wanted,
            "updatedReplicas": wanted,
            **changed,
        }
        if any((body.get("status") or {}).get(k, 0) != v for k, v in status.items()):
            await self.patch(kind, name, {"status": status}, "status")

    async def make_pod(self, owner: Body, suffix: str = "pod") -> str:
        """Make a pod of a workload or a Job, as its controller would; return its name."""
        template = owner["spec"]["template"]
        name = f"{owner['metadata']['name']}-{suffix}"
        reference = {
            "apiVersion": owner["apiVersion"],
            "kind": owner["kind"],
            "name": owner["metadata"]["name"],
            "uid": owner["metadata"]["uid"],
            "controller": True,
        }
        body = {
            "metadata": {
                "name": name,
                "labels": template["metadata"]["labels"],
                "ownerReferences": [reference],
            },
            "spec": {
                "containers": [{"name": "main", "image": "x"}],
                "restartPolicy": template["spec"].get("restartPolicy", "Always"),
            },
        }
        await self.call("POST", kinds.POD.path(self.namespace), body)
        return name

    async def end_pod(self, name: str, said: str, *, ok: bool = True) -> None:
        """Let a pod end with a last word."""
        at = _now()
        ended = {
            "exitCode": 0 if ok else 1,
            "message": said,
            "startedAt": at,
            "finishedAt": at,
        }
        container = {
            "name": "main",
            "image": "x",
            "imageID": "",
            "ready": False,
            "restartCount": 0,
            "state": {"terminated": ended},
        }
        phase = "Succeeded" if ok else "Failed"
        status = {"phase": phase, "containerStatuses": [container]}
        await self.patch("Pod", name, {"status": status}, "status")

    async def end_job(self, name: str, *, ok: bool = True, said: str = "") -> None:
        """Let a Job end as its controller would, after a pod that had a last word."""
        job = await self.call("GET", kinds.JOB.path(self.namespace, name))
        if said:
            await self.end_pod(await self.make_pod(job), said, ok=ok)
        at = _now()
        ended = ("SuccessCriteriaMet", "Complete") if ok else ("FailureTarget", "Failed")
        conditions = [
            {"type": c, "status": "True", "reason": "Test", "lastTransitionTime": at} for c in ended
        ]
        status: Body = {"startTime": at, "conditions": conditions}
        status |= {"completionTime": at, "succeeded": 1} if ok else {"failed": 1}
        await self.patch("Job", name, {"status": status}, "status")

    async def job(self, prefix: str) -> str:
        """Wait for a Job whose name begins so; return its name."""

        async def found() -> str:
            jobs = [name for kind, name in await self.children() if kind == "Job"]
            return next((name for name in jobs if name.startswith(f"{self.name}-{prefix}")), "")

        return str(await self.until(found))

    async def settle(self, **spec: Any) -> None:
        """Bring a new HSCJit all the way to Answering."""
        await self.create(spec)
        await self.end_job(await self.job("mig"))
        await self.start()

    async def start(self, reason: str = "Answering") -> None:
        """Report all pods as running until Ready of the present generation is as said."""

        async def told() -> bool:
            await self.run_pods()
            app = await self.app()
            found = condition_of(app, "Ready")
            fresh = found.get("observedGeneration") == app["metadata"]["generation"]
            return fresh and found["reason"] == reason

        await self.until(told)

    async def until_settled(self, reason: str = "Answering") -> Body:
        """Wait until the present spec is in place and Ready says so; return the HSCJit."""

        async def settled() -> Body | None:
            app = await self.app()
            return app if is_settled(app, reason) else None

        return dict(await self.until(settled))

    async def calm(self) -> None:
        """Wait until nothing is written any more: the autopilot's first looks, too, are told."""
        seen, since = "", time.monotonic()
        while time.monotonic() - since < CALM_S:
            version = (await self.app())["metadata"]["resourceVersion"]
            if version != seen:
                seen, since = version, time.monotonic()
            await asyncio.sleep(0.1)


def condition_of(app: Body, name: str) -> Body:
    """Return one of the conditions in an HSCJit's body, empty before it is there."""
    found = (app.get("status") or {}).get("conditions", [])
    return next((dict(c) for c in found if c["type"] == name), {})


def is_settled(app: Body, reason: str = "Answering") -> bool:
    """Tell whether an HSCJit's present spec is in place, and Ready says so."""
    ready, busy = condition_of(app, "Ready"), condition_of(app, "Reconciling")
    fresh = ready.get("observedGeneration") == app["metadata"]["generation"]
    return fresh and ready["reason"] == reason and busy["status"] == "False"


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


class Calls:
    """What the operator asked of the API server from some moment on, outside watches and Lease."""

    def __init__(self) -> None:
        self._before = _counted()

    def restart(self) -> None:
        """Count from now on."""
        self._before = _counted()

    @property
    def counted(self) -> Counter[tuple[str, str]]:
        """Return how often each verb was used on each kind."""
        return _counted() - self._before

    @property
    def writes(self) -> Counter[tuple[str, str]]:
        """Return the changes that were asked for."""
        return Counter({k: n for k, n in self.counted.items() if k[0] != "GET"})

    @property
    def reads(self) -> Counter[tuple[str, str]]:
        """Return what was read, but for Secrets, read by name, and which kinds are served."""
        counted = self.counted.items()
        apart = ("Secret", kinds.DISCOVERY.kind)
        return Counter({k: n for k, n in counted if k[0] == "GET" and k[1] not in apart})


def _counted() -> Counter[tuple[str, str]]:
    found: Counter[tuple[str, str]] = Counter()
    for series in metrics.REQUESTS.collect():
        for sample in series.samples:
            if sample.name.endswith("_total") and sample.labels["kind"] != kinds.LEASE.kind:
                found[sample.labels["verb"], sample.labels["kind"]] += int(sample.value)
    return found


@asynccontextmanager
async def operator(world: World, *, via: str = "", **settings: Any) -> AsyncIterator[Calls]:
    """Run an operator on the namespace of a world, and count what it asks for.

    `via` is another address of the API server.
    """
    chosen = {
        **SETTINGS,
        "port": free_ports(1)[0],
        "namespace": world.namespace,
        "watch_namespaces": (world.namespace,),
    }
    configuration = await client.configuration(str(world.user.server.kubeconfig))
    if via:
        configuration.host = via
    running = Operator(
        Settings(**{**chosen, **settings}),
        configuration,
        door_url=lambda _ip: f"{world.door}/ready",
    )
    calls = Calls()
    stop = asyncio.Event()
    task = asyncio.create_task(running.run(stop))
    try:
        yield calls
    finally:
        stop.set()
        await asyncio.wait_for(task, PATIENCE_S)
        await asyncio.sleep(0.05)  # TLS connections take a moment to say goodbye


def session(user: User) -> aiohttp.ClientSession:
    """Return connections to the API server that stay open from call to call."""
    trust = ssl.create_default_context(cafile=str(user.server.ca_file))
    return aiohttp.ClientSession(
        user.server.url,
        connector=aiohttp.TCPConnector(ssl=trust, limit=0),
        headers={"Authorization": f"Bearer {user.server.token}"},
        read_bufsize=1 << 22,  # a watch sends one object a line, however long
    )


@asynccontextmanager
async def front_door(world: World) -> AsyncIterator[None]:
    """Answer /ready as the app would behind its Service."""

    async def answer(_request: web.Request) -> web.Response:
        body = {"ready": world.ready_code == 200, "degraded": list(world.degraded)}
        return web.json_response(body, status=world.ready_code)

    async with serving(web.get("/ready", answer)) as world.door:
        yield
