"""Every child there is: deleted, bereft of its owner, edited in each field we own."""

import asyncio
import itertools
import json
from collections.abc import Iterator
from typing import Any, Final

from tests.integration.operator.controllers import Controllers, Name, controllers
from tests.integration.operator.user import Refused
from tests.integration.operator.world import RUN_PODS, Body, World, operator

from hscjit_operator import metrics, names
from hscjit_operator.cluster import kinds
from hscjit_operator.model import owned

OURS: Final = frozenset(kind.kind for kind in kinds.WATCHED) - {"Pod"}
EDITS_EACH: Final = 5
"""How many fields of each child are edited."""


def ours(running: Controllers, world: World) -> dict[Name, Body]:
    """Return the children that `desired` names: no Secret, no diary, no claim that others make."""
    diary = ("ConfigMap", names.child(world.name, names.LEDGER))
    return {
        name: body
        for name, body in running.children(world.name).items()
        if name[0] in OURS and owned.fields(body) and name != diary
    }


def content(body: Body | None) -> Any:
    """Return all that an object holds but for what no one chooses."""
    if body is None:
        return None
    metadata = body["metadata"]
    spec = {k: v for k, v in (body.get("spec") or {}).items() if not k.startswith("clusterIP")}
    rest = {k: v for k, v in body.items() if k not in ("metadata", "status", "spec")}
    kept = ("name", "labels", "annotations", "ownerReferences")
    return {**rest, "spec": spec, "metadata": {k: metadata[k] for k in kept if k in metadata}}


async def until_back(
    running: Controllers, world: World, before: dict[Name, Body], *gone: Name
) -> dict[Name, Body]:
    """Wait until all children hold what they held; those that were deleted are new ones."""
    lost = {running.there[name]["metadata"]["uid"] for name in gone}

    def missing() -> list[str]:
        there = ours(running, world)
        alike = {name: content(there.get(name)) == content(body) for name, body in before.items()}
        old = [str(name) for name in gone if name in there and _uid(there[name]) in lost]
        return old + [
            f"{name}: {owned.first_difference(content(before[name]), content(there.get(name)))}"
            for name, yes in alike.items()
            if not yes
        ]

    async def back() -> bool:
        return not missing() and ours(running, world).keys() == before.keys()

    try:
        await world.until(back)
    except AssertionError as error:
        raise AssertionError(f"not restored: {missing()}") from error
    return ours(running, world)


def _uid(body: Body) -> str:
    return str(body["metadata"]["uid"])


def drifts() -> float:
    """Return how often anything was found changed behind the operator's back, and restored."""
    (told,) = metrics.DRIFT.collect()
    return sum(sample.value for sample in told.samples if sample.name.endswith("_total"))


async def until_told(world: World, before: float, number: int) -> None:
    """Wait until so many drifts more are counted; more than that are one too many.

    One is counted when the server's answer is in: a moment after all can see the child restored.
    """

    async def told() -> bool:
        return drifts() - before >= number

    try:
        await world.until(told)
    finally:
        assert drifts() - before == number


async def test_every_child_that_is_deleted_comes_back_new_and_as_it_was(world: World):
    async with controllers(world) as running, operator(world):
        await world.create({"network": {"ingress": {"host": "support.example.com"}}})
        await world.until_settled()
        before = ours(running, world)
        assert {kind for kind, _ in before} == OURS - {"Job"}
        secret = await world.get("Secret", "secret")
        counted = drifts()

        for name in before:  # one after the other, then all at once
            back = asyncio.create_task(until_back(running, world, before, name))
            await asyncio.sleep(0)
            await world.delete(*name)
            await back
        back = asyncio.create_task(until_back(running, world, before, *before))
        await asyncio.sleep(0)
        await asyncio.gather(*(world.delete(*name) for name in before))
        await back
        await world.until_settled()

        assert await world.get("Secret", "secret") == secret
        await until_told(world, counted, 2 * len(before))


async def test_every_child_without_its_owner_gets_it_back(world: World):
    async with controllers(world) as running, operator(world):
        await world.create()
        await world.until_settled()
        before = ours(running, world)
        orphan = {"metadata": {"ownerReferences": None}}
        held = [body for body in before.values() if "ownerReferences" in body["metadata"]]
        assert len(held) == len(before) - 1  # the claim for backups is to stay when the owner goes
        counted = drifts()

        await asyncio.gather(*(world.patch(*name, orphan) for name in before))
        after = await until_back(running, world, before)

        for name, body in before.items():
            assert after[name]["metadata"]["uid"] == body["metadata"]["uid"], name
        await until_told(world, counted, len(held))
        assert set(running.rollouts(world.name).values()) == {0}


def leaves(value: Any, tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    """Yield every value that our apply owns, by its JSON pointer; an empty tree owns all.

    But for what an entry of a list is known by: with another name it is another's entry, and stays.
    """
    if isinstance(value, dict):
        for key, child in value.items():
            if not tree or f"f:{key}" in tree:
                step = key.replace("~", "~0").replace("/", "~1")
                yield from leaves(child, tree.get(f"f:{key}", {}), f"{path}/{step}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            keyed = [k for k in tree if k[:2] == "k:" and _is(item, k[2:])]
            if keyed:
                kept = {k: v for k, v in item.items() if k not in json.loads(keyed[0][2:])}
                yield from leaves(kept, tree[keyed[0]], f"{path}/{index}")
            elif not tree:
                yield from leaves(item, {}, f"{path}/{index}")
    elif value is not None:
        yield path, value


def _is(item: Any, keys: str) -> bool:
    return isinstance(item, dict) and json.loads(keys).items() <= item.items()


def some(body: Body) -> list[tuple[str, Any]]:
    """Return fields of ours spread over an object, but for those that say whose it is."""
    found = [
        leaf
        for leaf in leaves(body, owned.fields(body))
        if not leaf[0].startswith(("/metadata/ownerReferences", "/metadata/labels/hscjit.dev~1"))
    ]
    return found[:: max(len(found) // EDITS_EACH, 1)]


def otherwise(value: Any) -> Any:
    """Return another value of the same type."""
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else f"{value}x"


async def edit(world: World, name: Name, pointer: str, value: Any) -> bool:
    """Change a field, or take it away where the server takes no other value.

    Returns False if neither can be: it takes no other value, or puts the same one back.
    """
    path = kinds.by_name(name[0]).path(world.namespace, name[1])
    for operation in (
        {"op": "replace", "path": pointer, "value": otherwise(value)},
        {"op": "remove", "path": pointer},
    ):
        try:
            before = await world.call("GET", path)
            after = await world.call("PATCH", path, [operation], "application/json-patch+json")
        except Refused:
            continue
        if content(before) != content(after):
            return True
    return False


async def test_every_child_that_is_edited_is_set_right_and_keeps_what_is_foreign(world: World):
    async with controllers(world) as running, operator(world):
        await world.create()
        await world.until_settled()
        theirs = {"labels": {"team": "theirs"}, "annotations": {"team": "theirs"}}
        sidecar = {"containers": [{"name": "sidecar", "image": "theirs:1"}]}
        for kind, name in ours(running, world):
            patch: Body = {"metadata": theirs}
            if kind in RUN_PODS:
                patch["spec"] = {"template": {"metadata": theirs, "spec": sidecar}}
            path = kinds.by_name(kind).path(world.namespace, name)
            await world.call("PATCH", path, patch, "application/strategic-merge-patch+json")
        await world.until_settled()
        await world.calm()
        before = ours(running, world)
        assert all(body["metadata"]["labels"]["team"] == "theirs" for body in before.values())

        counted, edited = drifts(), 0
        for tour in itertools.zip_longest(
            *([(name, *leaf) for leaf in some(body)] for name, body in before.items())
        ):
            tried = [one for one in tour if one is not None]
            edited += sum(await asyncio.gather(*(edit(world, *one) for one in tried)))
            await until_back(running, world, before)
        await world.until_settled()

        after = ours(running, world)
        for name, body in before.items():
            assert _uid(after[name]) == _uid(body), name
        assert edited > len(before) * EDITS_EACH / 3
        await until_told(world, counted, edited)
