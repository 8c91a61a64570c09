"""Values that cannot be: refused or said on the field; no child changes; mended by a fix."""

from typing import Any

from tests.integration.operator.controllers import BROKEN, Controllers, controllers
from tests.integration.operator.test_every_child import content
from tests.integration.operator.user import Refused
from tests.integration.operator.world import Body, World, condition_of, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds

JSON_PATCH = "application/json-patch+json"


def affinity(**requirement: Any) -> Body:
    return {
        "nodeAffinity": {
            "requiredDuringSchedulingIgnoredDuringExecution": {
                "nodeSelectorTerms": [{"matchExpressions": [requirement]}]
            }
        }
    }


REQUIREMENT = (
    "affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    ".nodeSelectorTerms[0].matchExpressions[0]"
)
PEERS = "spec.network.clientsFrom, metricsFrom, ingress.controllers or gatewayRef.controllers"

BAD: dict[str, tuple[Body, tuple[str, ...]]] = {
    # a patch, and what has to be said: the field, and what was found or how it is meant
    "a quantity that is none": (
        {"api": {"resources": {"requests": {"cpu": "INVALID"}}}},
        ("spec.api.resources.requests.cpu", "INVALID"),
    ),
    "a quantity of an unknown unit": (
        {"worker": {"resources": {"limits": {"memory": "1Xi"}}}},
        ("spec.worker.resources.limits.memory", "1Xi"),
    ),
    "a quantity above the limit": (
        {"postgres": {"embedded": {"resources": {"requests": {"memory": "9Gi"}}}}},
        ("spec.postgres.embedded.resources.requests.memory", "is above limits.memory; lower"),
    ),
    "an image in capitals": (
        {"image": {"repository": "Registry/App", "tag": "2"}},
        ("spec.image.repository", "Registry/App"),
    ),
    "a tag with a blank": (
        {"image": {"repository": "registry.example.com/app", "tag": "a b"}},
        ("spec.image.tag", "a b"),
    ),
    "a digest that is too short": (
        {"image": {"repository": "registry.example.com/app", "digest": "sha256:0"}},
        ("spec.image.digest", "sha256:0"),
    ),
    "affinity to nothing": (
        {"worker": {"affinity": affinity(key="a", operator="In")}},
        (f"spec.worker.{REQUIREMENT}.values", "must be specified when"),
    ),
    "affinity to a label that cannot be": (
        {"worker": {"affinity": affinity(key="a b", operator="Exists")}},
        (f"spec.worker.{REQUIREMENT}.key", '"a b"', "MyName"),
    ),
    "affinity by a word of nobody's": (
        {"api": {"affinity": affinity(key="a", operator="Resembles")}},
        (f"spec.api.{REQUIREMENT}.operator", "Resembles", "DoesNotExist"),
    ),
    "a toleration of everything with a value": (
        {"worker": {"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}},
        ("spec.worker.tolerations[0]", "value must be empty when"),
    ),
    "a spot node's taint that cannot be": (
        {"worker": {"spot": {"tolerations": [{"key": "a b", "operator": "Exists"}]}}},
        ("spec.worker.spot.tolerations[0].key", '"a b"', "MyName"),
    ),
    "a place to spread over that cannot be": (
        {"api": {"topologySpread": [{"topologyKey": "a//b"}]}},
        ("spec.api.topologySpread[0].topologyKey", '"a//b"'),
    ),
    "a minute that is none": (
        {"backup": {"schedule": "61 2 * * *"}},
        ("spec.backup.schedule", "61 2 * * *", "five fields"),
    ),
    "a day that never comes": (
        {"backup": {"schedule": "0 0 31 2 *"}},
        ("spec.backup.schedule", "0 0 31 2 *", "five fields"),
    ),
    "a window at no time": (
        {"maintenance": {"windows": [{"schedule": "at night", "duration": "2h"}]}},
        ("spec.maintenance.windows[0].schedule", "at night", "five fields"),
    ),
    "a zone on another planet": (
        {"backup": {"timeZone": "Mars/Base"}},
        ("spec.backup.timeZone", "Mars/Base", "such as Etc/UTC or Europe/Berlin"),
    ),
    "a zone that sounds right": (
        {"backup": {"timeZone": "Europe/Atlantis"}},
        ("spec.backup.timeZone", "Europe/Atlantis"),
    ),
    "a label value with a blank": (
        {"api": {"podLabels": {"team": "a b"}}}, ("spec.api.podLabels.team", "a b"),
    ),
    "a label key with a blank": (
        {"api": {"podLabels": {"a b": "c"}}}, ("spec.api.podLabels", "'a b'", "team"),
    ),
    "an annotation key with a blank": (
        {"worker": {"podAnnotations": {"a b": "c"}}}, ("spec.worker.podAnnotations", "'a b'"),
    ),
    "a node label that cannot be": (
        {"worker": {"nodeSelector": {"a b": "c"}}}, ("spec.worker.nodeSelector", "'a b'", "team"),
    ),
    "a variable that begins with a digit": (
        {"api": {"env": [{"name": "1A", "value": "x"}]}}, ("spec.api.env[0].name", "1A"),
    ),
    "a port beyond all ports": (
        {"network": {"service": {"type": "NodePort", "nodePort": 70000}}},
        ("spec.network.service.nodePort", "65535"),
    ),
    "a port that no node opens": (
        {"network": {"service": {"type": "NodePort", "nodePort": 80}}},
        ("spec.network.service.nodePort", "80", "30000-32767"),
    ),
    "a network that is none": (
        {"network": {"clientsFrom": [{"ipBlock": {"cidr": "10.0.0.0/33"}}]}},
        ("spec.network.clientsFrom[0].ipBlock.cidr", "10.0.0.0/33", "such as 10.0.0.0/8"),
    ),
    "clients by a label that cannot be": (
        {"network": {"clientsFrom": [{"podSelector": {"matchLabels": {"a b": "c"}}}]}},
        (PEERS, '"a b"', "MyName"),
    ),
    "a smaller volume": (
        {"backup": {"destination": {"persistentVolumeClaim": {"storage": "1Gi"}}}},
        ("spec.backup.destination.persistentVolumeClaim.storage", "cannot shrink"),
    ),
    "another class of volume": (
        {"postgres": {"embedded": {"storageClass": "fast"}}},
        ("spec.postgres.embedded.storage", "put the old value back"),
    ),
}  # fmt: skip


def holds(running: Controllers, world: World) -> Any:
    """Return what every child holds, and which version of it that is."""
    diary = names.child(world.name, names.LEDGER)
    return {
        name: (content(body), body["metadata"].get("generation"))
        for name, body in running.children(world.name).items()
        if name[1] != diary
    }


async def told(world: World, *words: str) -> str:
    """Wait until the present spec is said to be wrong in these words; return the message."""

    async def said() -> str:
        app = await world.app()
        found = condition_of(app, "SpecValid")
        fresh = found["observedGeneration"] == app["metadata"]["generation"]
        return str(found["message"]) if fresh and found["status"] == "False" else ""

    message = str(await world.until(said, 30))
    assert [word for word in words if word not in message] == [], message
    return message


async def test_a_bad_value_changes_no_child_is_named_and_heals_once_corrected(world: World):
    async with controllers(world) as running, operator(world):
        await world.create()
        good = (await world.until_settled())["spec"]
        held = holds(running, world)
        url = kinds.HSCJIT.path(world.namespace, world.name)
        admitted = []
        for what, (patch, words) in BAD.items():
            try:
                await world.change(patch)
            except Refused as refused:
                missing = [word for word in words if word not in str(refused)]
                assert missing == [], (what, str(refused))  # noqa: PT017  said either way
                assert (await world.app())["spec"] == good, what
                continue
            try:
                message = await told(world, *words)
            except AssertionError as error:
                raise AssertionError(f"{what}: {error}") from error
            assert (await world.condition("Ready"))["reason"] == "InvalidSpec", what
            assert holds(running, world) == held, what
            back = [{"op": "replace", "path": "/spec", "value": good}]
            await world.call("PATCH", url, back, JSON_PATCH)
            await world.until_settled()
            admitted.append(message)

        assert holds(running, world) == held
        assert set(running.rollouts(world.name).values()) == {0}
        assert len(admitted) >= 10  # admission could not know them for bad
        events = await world.call("GET", kinds.EVENT.path(world.namespace))
        notes = [e["note"] for e in events["items"] if e["reason"] == "InvalidSpec"]
        assert sorted(notes) == sorted(message[:1000] for message in admitted)


async def test_one_wrong_twice_over_is_mended_one_after_the_other(world: World):
    async with controllers(world), operator(world):
        await world.create()
        await world.until_settled()
        wrong = {"affinity": affinity(key="a", operator="In")}
        await world.change({"worker": wrong, "api": wrong | {"podLabels": {"team": "new"}}})
        await told(world, f"spec.worker.{REQUIREMENT}", f"spec.api.{REQUIREMENT}")

        await world.change({"worker": {"affinity": None}})
        assert "support-worker" not in await told(world, f"spec.api.{REQUIREMENT}")
        api = await world.get("Deployment", "api") or {}
        assert "team" not in api["spec"]["template"]["metadata"]["labels"]

        await world.change({"api": {"affinity": None}})
        await world.until_settled()
        api = await world.get("Deployment", "api") or {}
        assert api["spec"]["template"]["metadata"]["labels"]["team"] == "new"


def image(tag: str) -> Body:
    return {"image": {"repository": "registry.example.com/app", "tag": tag}}


async def test_a_rollout_that_never_gets_ready_never_blocks_the_fix(world: World):
    async def runs(tag: str) -> bool:
        found = await world.get("Deployment", "api") or {}
        container = found["spec"]["template"]["spec"]["containers"][0]
        return str(container["image"]).endswith(f":{tag}")

    async with controllers(world), operator(world):
        await world.create()
        await world.until_settled()

        # Its migration cannot even start: the old image serves on, and the fix passes it by.
        await world.change(image(f"{BROKEN}-1"))
        await world.until_condition("DatabaseMigrated", "Migrating", "False")
        assert await runs("1")
        await world.change(image("2"))
        await world.until_settled()
        assert await runs("2")

        # It migrates, and then no pod of it gets ready; other changes pass it by as well.
        await world.change(image(f"{BROKEN}-2"))
        await world.end_job(await world.job("mig"))
        await world.until(lambda: runs(f"{BROKEN}-2"))
        await world.until_condition("Progressing", "RollingOut", "True")
        await world.change({"backup": {"schedule": "7 7 * * *"}})

        async def taken() -> bool:
            found = await world.get("CronJob", "backup") or {}
            return bool(found["spec"]["schedule"] == "7 7 * * *")

        await world.until(taken)
        await world.change(image("3"))
        await world.until_settled()
        assert await runs("3")
        jobs = await world.call("GET", kinds.JOB.path(world.namespace))
        assert jobs["items"] == []


async def test_a_port_that_another_holds_is_said_and_taken_once_it_is_free(world: World):
    theirs = {
        "metadata": {"name": "theirs"},
        "spec": {"type": "NodePort", "ports": [{"port": 80, "nodePort": 30777}]},
    }
    await world.call("POST", kinds.SERVICE.path(world.namespace), theirs)
    async with controllers(world), operator(world):
        await world.create()
        await world.until_settled()
        await world.change({"network": {"service": {"type": "NodePort", "nodePort": 30777}}})
        await told(world, "spec.network.service.nodePort", "30777", "already allocated")

        await world.call("DELETE", kinds.SERVICE.path(world.namespace, "theirs"))
        await world.until_settled()  # by itself: it is tried again
        api = await world.get("Service", "api") or {}
        assert api["spec"]["ports"][0]["nodePort"] == 30777
