"""Every right the chart grants, taken away one at a time: named, and all is well once it is back.

Rights and what needs them are read from the chart's rules: a new one takes part by itself, or the
test says that nothing here needs it.
"""

import asyncio
import copy
import itertools
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, NamedTuple

import aiohttp
import pytest
import yaml
from tests.cluster import schemas
from tests.cluster.ports import free_ports
from tests.cluster.progress import say
from tests.integration.operator.controllers import Controllers, controllers
from tests.integration.operator.proxy import Proxy, proxy
from tests.integration.operator.test_optional_kinds import SUFFIXES, Cluster, until_served
from tests.integration.operator.user import Refused, User
from tests.integration.operator.world import (
    Body,
    World,
    condition_of,
    front_door,
    operator,
    session,
)

from hscjit_operator import assembly, names
from hscjit_operator.cluster import kinds, listening, pace, watches
from hscjit_operator.cluster.actuator import ClusterActuator
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.model.autopilot import PodRef
from hscjit_operator.names import Key

RULES: Final = yaml.safe_load(
    (Path(__file__).parents[3] / "charts/hscjit-operator/files/rules.yaml").read_text()
)
RBAC: Final = "/apis/rbac.authorization.k8s.io/v1"
ACCOUNT: Final = "system:serviceaccount:hscjit-system:hscjit-operator"
NAMESPACES: Final = 6
"""In so many at once: what is missing in one is told there, and nowhere else."""
OUTSIDE: Final = {
    "network": {
        "ingress": {"host": "support.example.com"},
        "gatewayRef": {"name": "edge", "host": "support.example.com"},
    }
}
OPTIONAL: Final = {kind.plural for kind in kinds.OPTIONAL}
PLURALS: Final = {
    kind.plural: kind for kind in (*kinds.WATCHED, *kinds.OPTIONAL, kinds.SECRET, kinds.EVENT)
}
CHILDREN: Final = {
    "ConfigMap": "redis",
    "Service": "redis-cache",
    "ServiceAccount": "worker",
    "PersistentVolumeClaim": "backup",
    "Deployment": "beat",
    "StatefulSet": "redis-cache",
    "CronJob": "cleanup",
    "HorizontalPodAutoscaler": "api",
    "PodDisruptionBudget": "worker",
    "NetworkPolicy": "dns",
    "Ingress": "api",
    **SUFFIXES,
}
"""A child of each kind that is always there."""


_NUMBERS: Final = itertools.count()
"""Of pods: no two bear one name."""


class Right(NamedTuple):
    """One verb on one resource."""

    group: str
    resource: str
    verb: str

    @property
    def words(self) -> str:
        return f"the right to {self.verb} {self.resource}" + (
            f" ({self.group})" if self.group else ""
        )


RIGHTS: Final = [
    Right(group, resource, verb)
    for rule in RULES
    for group in rule["apiGroups"]
    for resource in rule["resources"]
    for verb in rule["verbs"]
]
SEEING: Final = [r for r in RIGHTS if r.verb in ("list", "watch") and r.resource not in OPTIONAL]
DOING: Final = [r for r in RIGHTS if r not in SEEING]


def without(right: Right | None) -> list[Body]:
    """Return the chart's rules but for one right."""
    rules = []
    for rule in RULES:
        for group in rule["apiGroups"]:
            for resource in rule["resources"]:
                verbs = [verb for verb in rule["verbs"] if (group, resource, verb) != right]
                if verbs:
                    rules.append({"apiGroups": [group], "resources": [resource], "verbs": verbs})
    return rules


@dataclass
class Place:
    """A namespace with an HSCJit, and the operator's Role in it."""

    world: World
    hands: list[ClusterActuator] = field(default_factory=list)
    """The autopilot's, once the operator runs."""
    running: Controllers | None = None

    async def begin(self) -> None:
        """Make the Role, whole, and bind it to the operator's account."""
        metadata = {"metadata": {"name": "operator"}}
        role = {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "operator"}
        subjects = [{"kind": "User", "name": ACCOUNT, "apiGroup": role["apiGroup"]}]
        await self._call("POST", "roles", {**metadata, "rules": without(None)})
        await self._call(
            "POST", "rolebindings", {**metadata, "roleRef": role, "subjects": subjects}
        )

    async def grant_all_but(self, right: Right | None) -> None:
        """Take one right away, or none; return when the API server has taken note."""
        await self._call(
            "PUT", "roles/operator", {"metadata": {"name": "operator"}, "rules": without(right)}
        )
        asked = {"verb": "get", "resource": "configmaps"}
        wanted = right is None
        if right is not None:
            resource, _, subresource = right.resource.partition("/")
            asked = {"verb": right.verb, "group": right.group, "resource": resource}
            asked |= {"subresource": subresource} if subresource else {}
        self._asked = asked if right is not None else getattr(self, "_asked", asked)
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SubjectAccessReview",
            "spec": {
                "user": ACCOUNT,
                "resourceAttributes": {**self._asked, "namespace": self.world.namespace},
            },
        }

        async def noted() -> bool:
            path = "/apis/authorization.k8s.io/v1/subjectaccessreviews"
            answer = await self.world.call("POST", path, review)
            return bool(answer["status"]["allowed"] is wanted)

        await self.world.until(noted)

    async def app(self) -> Body:
        """Return the HSCJit, from a watch where there is one."""
        if self.running is None:
            return await self.world.app()
        return self.running.there["HSCJit", self.world.name]

    async def until_told(self, words: str) -> None:
        """Wait until the condition names it."""

        async def told() -> bool:
            found = condition_of(await self.app(), "Degraded")
            return found.get("status") == "True" and words in found["message"]

        await self.world.until(told)

    async def until_well(self) -> None:
        """Wait until nothing is wrong any more."""

        async def well() -> bool:
            app = await self.app()
            ready, degraded = condition_of(app, "Ready"), condition_of(app, "Degraded")
            fresh = ready.get("observedGeneration") == app["metadata"]["generation"]
            return fresh and ready["reason"] == "Answering" and degraded["status"] == "False"

        await self.world.until(well)

    async def _call(self, method: str, rest: str, body: Body) -> None:
        await self.world.call(method, f"{RBAC}/namespaces/{self.world.namespace}/{rest}", body)


Need = Callable[[Place], Awaitable[None]]
"""Does what the operator then needs the right for."""


async def nothing(_place: Place) -> None:
    """It is asked for all the time."""


def deleted(kind: str) -> Need:
    async def need(place: Place) -> None:
        await place.world.delete(kind, names.child(place.world.name, CHILDREN[kind]))

    return need


def edited(kind: str) -> Need:
    async def need(place: Place) -> None:
        name = names.child(place.world.name, CHILDREN[kind])
        await place.world.patch(kind, name, {"metadata": {"labels": {names.LABEL_PART_OF: "x"}}})

    return need


async def told_of(place: Place) -> None:
    """Edit what no other story here edits: the same Event is not posted twice."""
    patch = {"metadata": {"labels": {names.LABEL_PART_OF: "x"}}}
    await place.world.patch("Service", names.child(place.world.name, "manuals"), patch)


def left_over(kind: str) -> Need:
    """Make a child of an older operator's, which nobody wants any more."""

    async def need(place: Place) -> None:
        world = place.world
        if kind == "Job":
            source = await world.get("CronJob", "cleanup") or {}
            spec = source["spec"]["jobTemplate"]["spec"] | {"suspend": True}
        else:
            source = await world.get(kind, CHILDREN[kind]) or {}
            spec = copy.deepcopy(source.get("spec"))
        if kind == "Service":
            spec = {k: v for k, v in spec.items() if not k.startswith("clusterIP")}
        metadata = {k: source["metadata"][k] for k in ("labels", "ownerReferences")}
        body = {"metadata": metadata | {"name": f"{world.name}-old"}}
        of = kinds.by_name(kind)
        body |= {"apiVersion": of.api_version, "kind": kind}
        body |= {"spec": spec} if spec is not None else {}
        await world.call("POST", of.path(world.namespace), body)

    return need


async def migrated(place: Place) -> None:
    tag = (await place.world.app())["metadata"]["generation"]
    await place.world.change({"image": {"repository": "app", "tag": f"try-{tag}"}})


async def hindered(place: Place) -> None:
    """Have somebody else's Job in the way of a migration: whose it is has to be read."""
    world = place.world
    tag = f"try-{(await world.app())['metadata']['generation']}"
    source = await world.get("CronJob", "cleanup") or {}
    name = names.migration_job(world.name, f"app:{tag}")
    metadata = {"name": name, "labels": {"team": "theirs"}}  # without any it would get its pods'
    body = {"metadata": metadata, "spec": source["spec"]["jobTemplate"]["spec"]}
    await world.call("POST", kinds.JOB.path(world.namespace), body)
    await world.change({"image": {"repository": "app", "tag": tag}})


async def unhindered(world: World) -> None:
    image = (await world.app())["spec"]["image"]
    name = names.migration_job(world.name, f"{image['repository']}:{image['tag']}")
    await world.delete("Job", name)


async def another_made(place: Place) -> None:
    await place.world.beside("another").create({"backup": {"enabled": False}})


async def asked_for_more(place: Place) -> None:
    number = (await place.world.app())["metadata"]["generation"]
    await place.world.change({"worker": {"queueLatencyTargetSeconds": number + 5}})


async def pod(place: Place) -> PodRef:
    owner = await place.world.get("Deployment", "beat") or {}
    name = await place.world.make_pod(owner, f"pod-{next(_NUMBERS)}")
    body = await place.world.call("GET", kinds.POD.path(place.world.namespace, name))
    return PodRef(name, body["metadata"]["uid"], names.BEAT)


def key(place: Place) -> Key:
    return Key(place.world.namespace, place.world.name)


async def evicted(place: Place) -> None:
    await place.hands[0].evict(key(place), await pod(place))


async def log_read(place: Place) -> None:
    read = await pod(place)
    with pytest.raises(ApiError, match="Forbidden"):
        await place.hands[0].tail_logs(key(place), read, 5)


async def pod_marked(place: Place) -> None:
    marked = await pod(place)
    with pytest.raises(ApiError, match="Forbidden"):
        await place.hands[0].mark_costs(key(place), {marked.name: 1})


async def scaled(place: Place) -> None:
    with pytest.raises(ApiError, match="Forbidden"):
        await place.hands[0].scale_api(key(place), 3)


SPECIAL: Final[dict[tuple[str, str], Need]] = {
    ("secrets", "get"): nothing,
    ("secrets", "create"): another_made,
    ("secrets", "patch"): another_made,
    ("jobs", "get"): hindered,
    ("jobs", "create"): migrated,
    ("jobs", "patch"): migrated,
    ("events", "create"): told_of,
    ("hscjits/status", "patch"): asked_for_more,
    ("hscjits/finalizers", "update"): deleted("Service"),
    ("pods", "patch"): pod_marked,
    ("pods/eviction", "create"): evicted,
    ("pods/log", "get"): log_read,
    ("deployments/scale", "patch"): scaled,
}
WAYS: Final = {"get": edited, "create": deleted, "patch": edited, "delete": left_over}


def needs(right: Right) -> Need:
    """Return what has to happen for a right to be missed."""
    if (right.resource, right.verb) in SPECIAL:
        return SPECIAL[right.resource, right.verb]
    if right.verb == "list":
        return nothing
    return WAYS[right.verb](PLURALS[right.resource].kind)


async def try_without(place: Place, right: Right) -> None:
    """Take one right away, see it named, give it back, see everything well."""
    world = place.world
    await place.grant_all_but(right)
    await needs(right)(place)
    if right.resource == "hscjits/status":
        await until_event(world, right.words)
    elif right.resource == "hscjits/finalizers":
        await place.until_told("finalizers")  # by the API server's own words
    else:
        teller = place
        if needs(right) is another_made:
            teller = Place(world.beside("another"))
        await teller.until_told(right.words)
    await place.grant_all_but(None)
    if needs(right) is hindered:
        await unhindered(world)
    await place.until_well()
    if needs(right) is another_made:
        another = Place(world.beside("another"))
        await another.until_well()
        await world.delete("HSCJit", "another")
        await world.until(lambda: gone(world, "another-secret"))


async def gone(world: World, secret: str) -> bool:
    path = kinds.SECRET.path(world.namespace, secret)
    try:
        await world.call("DELETE", path)
    except Refused:
        return True
    return False


async def until_event(world: World, words: str) -> None:
    async def posted() -> bool:
        found = await world.call("GET", kinds.EVENT.path(world.namespace))
        return any(e["reason"] == "Forbidden" and words in e["note"] for e in found["items"])

    await world.until(posted)


@pytest.fixture
def optional(cluster_user: User) -> Iterator[Cluster]:
    """The API server with the kinds of other people's software."""
    found = Cluster(cluster_user, schemas.optional_kinds(say))
    found.install()
    yield found
    found.remove()


@asynccontextmanager
async def places(world: World) -> AsyncIterator[list[Place]]:
    """Make further namespaces beside a world's own."""
    async with AsyncExitStack() as stack:
        found = [Place(world)]
        for number in range(1, NAMESPACES):
            namespace = f"{world.namespace}-{number}"
            body = {"metadata": {"name": namespace}}
            await world.call("POST", "/api/v1/namespaces", body)
            connections = await stack.enter_async_context(session(world.user))
            made = World(world.user, connections, namespace)
            await stack.enter_async_context(front_door(made))
            found.append(Place(made))
        lease = {
            "metadata": {"name": "lease"},
            "rules": [
                {"apiGroups": ["coordination.k8s.io"], "resources": ["leases"], "verbs": ["*"]}
            ],
        }
        roles = f"{RBAC}/namespaces/{world.namespace}"
        await world.call("POST", f"{roles}/roles", lease)
        binding = {
            "metadata": {"name": "lease"},
            "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "lease"},
            "subjects": [
                {"kind": "User", "name": ACCOUNT, "apiGroup": "rbac.authorization.k8s.io"}
            ],
        }
        await world.call("POST", f"{roles}/rolebindings", binding)
        await asyncio.gather(*(place.begin() for place in found))
        yield found
        await asyncio.sleep(0.05)  # TLS connections take a moment to say goodbye


@asynccontextmanager
async def limited(world: World, **settings: Any) -> AsyncIterator[tuple[list[Place], Proxy]]:
    """Run an operator with a Role in each of several namespaces, and no other right."""
    async with places(world) as found, proxy(world.user.server) as way:
        way.impersonate = ACCOUNT
        watched = tuple(place.world.namespace for place in found)
        async with operator(world, via=way.url, watch_namespaces=watched, **settings):
            yield found, way


async def test_a_right_that_is_missing_is_named_and_once_it_is_there_all_is_well(
    world: World, optional: Cluster, monkeypatch: pytest.MonkeyPatch
):
    hands: list[ClusterActuator] = []

    class Known(ClusterActuator):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            hands.append(self)

    monkeypatch.setattr(assembly, "ClusterActuator", Known)
    await until_served(world, optional)
    work = iter(DOING)
    shown: list[Right] = []

    async def show(place: Place) -> None:
        async with controllers(place.world) as place.running:
            await place.world.create(OUTSIDE)
            await place.world.until_settled()
            for right in work:
                try:
                    await try_without(place, right)
                except AssertionError as error:
                    raise AssertionError(f"{right}: {error}") from error
                shown.append(right)

    async with limited(world, discovery_s=1.5) as (found, _), asyncio.TaskGroup() as group:
        for place in found:
            place.hands = hands
            group.create_task(show(place))

    assert sorted(shown) == sorted(DOING)


async def test_a_kind_that_may_not_be_listed_or_watched_is_named(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(watches, "_BEAR_S", 0.0)
    monkeypatch.setattr(listening, "LOOK_AGAIN_S", 0.3)
    monkeypatch.setattr(pace, "GAPS_S", (0.0, 0.3))
    (port,) = free_ports(1)
    anew = {"type": "ERROR", "object": {"kind": "Status", "code": 410, "reason": "Expired"}}

    async def ready(text: str = "") -> bool:
        url = f"http://127.0.0.1:{port}/readyz"
        async with aiohttp.ClientSession() as asking, asking.get(url) as answer:
            return text in await answer.text() if text else answer.status == 200

    async with limited(world, port=port) as (found, way):
        for place in found:
            await place.world.create()
            await place.world.until_condition("Ready", "Progressing")
        for at in range(0, len(SEEING), NAMESPACES):
            pairs = list(zip(found, SEEING[at : at + NAMESPACES], strict=False))
            await asyncio.gather(*(place.grant_all_but(right) for place, right in pairs))
            way.end_streams(anew)
            for place, right in pairs:
                said = f'cannot {right.verb} resource "{right.resource}"'
                if right.resource == names.PLURAL:
                    await place.world.until(lambda said=said: ready(said))
                else:
                    await place.until_told(said)
            await asyncio.gather(*(place.grant_all_but(None) for place, _ in pairs))
            for place, _ in pairs:
                await place.world.until_condition("Degraded", "AllReady", "False")
            await world.until(ready)
