"""The operator dies after every single write, or is away while much happens: all is mended."""

import asyncio
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, Final

import pytest
from tests.integration.operator.controllers import Controllers, Name, controllers
from tests.integration.operator.test_every_child import content
from tests.integration.operator.world import Body, World, is_settled, operator

from hscjit_operator import names
from hscjit_operator.cluster.client import Api

STRIDE: Final = 6
"""Of so many HSCJits the n-th loses its operator after n writes, and after STRIDE more each time:
between them, after every one. Each life of an operator costs more than another HSCJit."""
EAGER: Final = {"writes_in_flight": 16, "resync_s": 5.0}
CHANGE: Final = {
    "image": {"repository": "registry.example.com/app", "tag": "2"},
    "network": {"policies": False, "service": {"annotations": {"team": "x"}}},
    "backup": {"enabled": False},
    "api": {"autoscaling": {"targetCPU": 60}},
    "deletionPolicy": "Delete",
}
RETAINED: Final = {
    ("PersistentVolumeClaim", "{}-backup"),
    ("PersistentVolumeClaim", "data-{}-postgres-0"),
    ("PersistentVolumeClaim", "data-{}-redis-queue-0"),
    ("Secret", "{}-secret"),
}
Test = Callable[[World], bool]


class Axe:
    """Lets only so many writes of each HSCJit through; then none, and the last answer is lost.

    What is done to an operator that stands so can't be told from a kill: no word of it arrives.
    """

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        """Stand between every operator and its API server."""
        self.allowed: dict[str, int] = {}
        self.written: Counter[str] = Counter()
        self._left: dict[str, asyncio.Semaphore] = {}
        write = Api._write

        async def guarded(api: Api, request: Any, *args: Any, **kwargs: Any) -> Body:
            whose = (request.body or {}).get("regarding", {}).get("name") or request.path
            found = re.search(r"\bk\d\b", whose)
            if found is None or "dryRun" in request.query:
                return await write(api, request, *args, **kwargs)
            who = found.group()
            left = self._left.get(who)
            if left is not None:
                await left.acquire()
            try:
                answer = await write(api, request, *args, **kwargs)
            except BaseException:
                if left is not None:
                    left.release()  # a write that was refused is none
                raise
            self.written[who] += 1
            if self.fell(who):
                await asyncio.Event().wait()
            return answer

        monkeypatch.setattr(Api, "_write", guarded)

    def sharpen(self, allowed: dict[str, int]) -> None:
        """Let each HSCJit have so many writes from now on; those not named here are spared."""
        self.written.clear()
        self.allowed = allowed
        self._left = {who: asyncio.Semaphore(number) for who, number in allowed.items()}

    def fell(self, who: str) -> bool:
        """Tell whether that HSCJit has had all its writes."""
        return who in self.allowed and self.written[who] >= self.allowed[who]


class Story:
    """Some HSCJits whose operator dies again and again, and one that is done before it does."""

    def __init__(self, world: World, running: Controllers, axe: Axe) -> None:
        self.world, self.running, self.axe = world, running, axe
        self.spared = world.beside("k0")
        self.victims = [world.beside(f"k{number}") for number in range(1, STRIDE + 1)]
        self.all = [self.spared, *self.victims]

    async def until_all(self, true: Test, what: str) -> None:
        """Wait until something is true of every HSCJit, and name those of which it is not."""

        async def told() -> bool:
            return all(true(one) for one in self.all)

        try:
            await self.world.until(told)
        except AssertionError:
            left = [one.name for one in self.all if not true(one)]
            raise AssertionError(f"not {what}: {left}") from None

    async def kill_after_every_write(self, over: Test, what: str) -> None:
        """Let operators live and die until one has nothing more to write, then one that stays."""
        killed: set[int] = set()
        written: Counter[str] = Counter()
        allowed = {one.name: number for number, one in enumerate(self.victims, 1)}
        needed = 0
        while True:
            self.axe.sharpen(allowed)
            async with operator(self.world, **EAGER):
                await self.until_all(lambda one: self.axe.fell(one.name) or over(one), what)
                felled = [who for who in allowed if self.axe.fell(who)]
                needed = needed or self.axe.written[self.spared.name]
                self.axe.sharpen(dict.fromkeys([one.name for one in self.all], 0))
            for who in felled:
                written[who] += allowed[who]
                killed.add(written[who])
            if not felled:
                break
            allowed = dict.fromkeys(allowed, STRIDE)
        # After every single one. Whoever lives anew needs a few less: two of the status are one.
        assert killed >= set(range(1, needed - STRIDE)), what
        self.axe.sharpen({})
        async with operator(self.world, **EAGER):
            await self.until_all(over, what)
            for one in self.victims:
                await self.world.until(partial(self._alike, one))

    async def _alike(self, one: World) -> bool:
        return bool(end_state(self.running, one) == end_state(self.running, self.spared))


def end_state(running: Controllers, world: World) -> Any:
    """Return all that is there of an HSCJit, so that it compares equal with another one's.

    Only what no one chooses is left out: UIDs, addresses, instants, what Secrets hold, the diary.
    """
    app = running.there.get(("HSCJit", world.name))
    children = running.children(world.name)
    diary = ("ConfigMap", names.child(world.name, names.LEDGER))
    held = [content(body) for name, body in sorted(children.items()) if name != diary]
    told = [app["spec"], app["status"]] if app else []
    text = json.dumps([told, held], sort_keys=True)
    for body in (*children.values(), *([app] if app else ())):
        text = text.replace(body["metadata"]["uid"], "UID")
    text = re.sub(rf"\b{world.name}\b", "NAME", text)
    text = re.sub(r'((?:config|secret)-checksum|lastTransitionTime)": "[^"]*"', r'\1": ""', text)
    text = re.sub(r"\b\d+\.\d+\.\d+\.\d+\b", "IP", text)
    found = json.loads(text)
    for body in found[1]:
        if body["kind"] == "Secret":
            body["data"] = sorted(body["data"])
    return found


def uids(running: Controllers, of: Iterable[Name]) -> dict[Name, str]:
    return {name: running.there[name]["metadata"]["uid"] for name in of}


async def test_killed_after_every_write_of_create_update_and_delete_it_ends_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
):
    async with controllers(world) as running:
        story = Story(world, running, Axe(monkeypatch))
        asked: dict[str, int] = {}

        def settled(one: World) -> bool:
            app = running.there.get(("HSCJit", one.name))
            fresh = app is not None and app["metadata"]["generation"] >= asked[one.name]
            return app is not None and fresh and is_settled(app)

        def left(one: World) -> set[tuple[str, str]]:
            found = set(running.children(one.name))
            return found | ({("HSCJit", one.name)} & running.there.keys())

        for one in story.all:
            asked[one.name] = (await one.create())["metadata"]["generation"]
        await story.kill_after_every_write(settled, "created")
        secrets = {one.name: running.there["Secret", f"{one.name}-secret"] for one in story.all}
        for one in story.all:
            assert set(running.rollouts(one.name).values()) == {0}, one.name

        for one in story.all:
            asked[one.name] = (await one.change(CHANGE))["metadata"]["generation"]
        await story.kill_after_every_write(settled, "updated")
        for one in story.all:
            rolled = {name: n for (_, name), n in running.rollouts(one.name).items() if n}
            image = {f"{one.name}-{part}" for part in (names.API, names.WORKER, names.BEAT)}
            assert rolled == dict.fromkeys(image, 1)
            secret = running.there["Secret", f"{one.name}-secret"]
            assert secret["data"] == secrets[one.name]["data"]

        stay = story.all[::2]
        story.axe.sharpen({})
        async with operator(world, **EAGER):
            for one in stay:
                changed = await one.change({"deletionPolicy": "Retain"})
                asked[one.name] = changed["metadata"]["generation"]
            await story.until_all(settled, "told to retain")
        story.axe.sharpen({one.name: number for number, one in enumerate(story.all)})
        retained = {
            one.name: {(kind, name.format(one.name)) for kind, name in RETAINED} for one in stay
        }
        before = uids(running, set().union(*retained.values()))
        async with operator(world, **EAGER):
            await asyncio.gather(*(one.delete("HSCJit", one.name) for one in story.all))
            story.axe.sharpen(dict.fromkeys([one.name for one in story.all], 0))
        story.axe.sharpen({})
        async with operator(world, **EAGER):
            await story.until_all(lambda one: left(one) == retained.get(one.name, set()), "deleted")
            assert not story.axe.written
            assert uids(running, before) == before


async def test_what_happened_while_it_was_away_is_found(world: World):
    edited, bereft, gone, reborn = (
        world.beside(name) for name in ("edited", "bereft", "gone", "reborn")
    )
    worlds = [edited, bereft, gone, reborn]
    async with controllers(world) as running:
        async with operator(world):
            for one in worlds:
                await one.create({"deletionPolicy": "Delete"})
            for one in worlds:
                await one.until_settled()
        for number in (61, 62, 63):
            await edited.change({"api": {"autoscaling": {"targetCPU": number}}})
        beat = running.there["Deployment", "bereft-beat"]["metadata"]["uid"]
        await bereft.delete("Deployment", "bereft-beat")
        await bereft.patch("Service", "bereft-api", {"spec": {"selector": {"x": "y"}}})
        await gone.delete("HSCJit", "gone")
        before = (await reborn.app())["metadata"]["uid"]
        await reborn.delete("HSCJit", "reborn")
        await reborn.create()

        def all_of_the_new_one() -> bool:
            owners = {
                body["metadata"]["labels"][names.LABEL_OWNER_UID]
                for body in running.children("reborn").values()
            }
            return len(owners) == 1 and before not in owners

        def mended() -> bool:
            there = running.there.get(("Deployment", "bereft-beat"))
            service = running.there["Service", "bereft-api"]
            new = there is not None and there["metadata"]["uid"] != beat
            return new and "x" not in service["spec"]["selector"]

        def right() -> bool:
            (metric,) = running.there["HorizontalPodAutoscaler", "edited-api"]["spec"]["metrics"]
            return bool(metric["resource"]["target"]["averageUtilization"] == 63)

        async def told() -> bool:
            return right() and mended() and not running.children("gone") and all_of_the_new_one()

        async with operator(world):
            for one in (edited, bereft, reborn):
                await one.until_settled()
            await world.until(told)
        for one in (edited, bereft):
            assert set(running.rollouts(one.name).values()) == {0}
