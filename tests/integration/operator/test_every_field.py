"""Every optional field comes and goes, every feature goes off and on: nothing of it is left.

The fields and their values are read from the schema (`tests/fields.py`): a new one takes part by
itself.
"""

import asyncio
import copy
import re
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from typing import Any, Final

import pytest
from tests.cluster import schemas
from tests.cluster.progress import say
from tests.fields import ADDRESSES, FIELDS, FIXED, NAMED, PINNED, Field, bundles, merged
from tests.integration.operator.controllers import Controllers, Name, controllers
from tests.integration.operator.test_every_child import content
from tests.integration.operator.test_optional_kinds import Cluster, until_served
from tests.integration.operator.user import Refused, User
from tests.integration.operator.world import RUN_PODS, Body, World, operator

from hscjit_operator import names
from hscjit_operator.cluster import kinds
from hscjit_operator.model import owned

JSON_PATCH: Final = "application/json-patch+json"
STEADY_S: Final = 0.4
AT_ONCE: Final = 4
"""HSCJits among which the features are shared out."""
SWITCHES: Final = [field for field in FIELDS if field.is_switch]
VALUES: Final = [field for field in FIELDS if not field.is_switch]
CERTIFICATE: Final = "-----BEGIN CERTIFICATE-----\nMA==\n-----END CERTIFICATE-----\n"

UNSCALED: Final = {"autopilot": {"scale": {"mode": "Off"}}}
"""The numbers of pods are then the spec's own: what they were before counts for nothing."""

Path = tuple[str, ...]


def at(path: Path, value: Any) -> Body:
    """Return a spec that says one thing."""
    for step in reversed(path):
        value = {step: value}
    return dict(value)


def without(spec: Mapping[str, Any], path: Path) -> Body:
    """Return a spec but for one field."""
    first, *rest = path
    found = {key: value for key, value in spec.items() if key != first}
    if rest and first in spec:
        found[first] = without(spec[first], tuple(rest))
    return found


def null(path: Path) -> Body:
    """Return the operation that sets a field to null."""
    return {"op": "add", "path": "/".join(("/spec", *path)), "value": None}


async def test_null_is_the_same_as_nothing_to_the_server(world: World):
    """Of every field, and of every block around one."""

    async def stored(spec: Any) -> Any:
        body = {"apiVersion": names.API_VERSION, "kind": names.KIND, "spec": spec}
        body["metadata"] = {"name": world.name}
        path = kinds.HSCJIT.path(world.namespace)
        try:
            answer = await world.call("POST", f"{path}?dryRun=All&fieldValidation=Strict", body)
        except Refused as refused:
            return re.findall(r"spec[\w.]+: Required value", str(refused))  # that can't be left out
        return answer["spec"]

    async def differs(field: Field, path: Path) -> str:
        absent = without(field.sample, path)
        one, other = await stored(absent), await stored(merged(absent, at(path, None)))
        return "" if one == other and one else f"{'.'.join(path)}: {one} {other}"

    tried: dict[Path, Field] = {}
    for field in FIELDS:
        for length in range(1, len(field.taken_away) + 1):
            tried.setdefault(field.taken_away[:length], field)
    found = await asyncio.gather(*(differs(field, path) for path, field in tried.items()))

    assert [told for told in found if told] == []
    assert len(tried) > len(FIELDS)


@pytest.mark.parametrize("field", FIXED, ids=lambda field: field.dotted)
async def test_what_is_fixed_says_so_when_it_is_set_or_taken_away(world: World, field: Field):
    await world.create()

    async def comes_and_goes() -> None:
        await world.change(field.sample)  # a volume may grow
        await world.change(at(field.path, None))

    with pytest.raises(Refused) as refused:
        await comes_and_goes()

    assert f"spec.{'.'.join(field.path[:-1])}" in str(refused.value)
    assert "; " in str(refused.value)  # what to do about it


# --- children -------------------------------------------------------------------------------------


def state(running: Controllers, world: World) -> dict[Name, Any]:
    """Return what is there of an HSCJit, but for what tells of the past or of the load."""
    diary = {names.child(world.name, names.LEDGER), names.child(world.name, names.BACKUPS)}
    found = {
        name: copy.deepcopy(content(body))
        for name, body in running.children(world.name).items()
        if name[0] != "Job" and name[1] not in diary
    }
    if ("HorizontalPodAutoscaler", f"{world.name}-api") in found:
        found["Deployment", f"{world.name}-api"]["spec"].pop("replicas")  # the HPA's to turn
    return found


async def steady(running: Controllers, world: World) -> dict[Name, Any]:
    """Wait until the present spec is in place and nothing changes any more; return the state."""
    await world.until_settled()
    before = state(running, world)
    while True:
        await asyncio.sleep(STEADY_S)
        now = state(running, world)
        if now == before:
            return now
        before = now


def differences(one: Mapping[Name, Any], other: Mapping[Name, Any]) -> Iterator[str]:
    for name in sorted({*one, *other}):
        if one.get(name) != other.get(name):
            yield f"{name}: {owned.first_difference(one.get(name), other.get(name)) or 'there'}"


async def until_again(running: Controllers, world: World, expected: Mapping[Name, Any]) -> None:
    """Wait until the state is as it was once."""

    async def same() -> bool:
        return state(running, world) == expected

    await world.until_settled()
    try:
        await world.until(same, 20)
    except AssertionError:
        raise AssertionError(list(differences(expected, state(running, world)))) from None


def templates(found: Mapping[Name, Any]) -> dict[Name, Any]:
    return {name: body["spec"]["template"] for name, body in found.items() if name[0] in RUN_PODS}


async def come_and_go(running: Controllers, world: World, fields: Sequence[Field]) -> None:
    """Set fields, take them away, set them again, set them to null."""
    url = kinds.HSCJIT.path(world.namespace, world.name)
    base = merged(*(field.base for field in fields), UNSCALED)
    full = merged(*(field.sample for field in fields))
    await world.create(base)
    empty = await steady(running, world)
    await world.change(full)
    whole = await steady(running, world)
    assert whole != empty

    await world.change(merged(*(at(field.taken_away, None) for field in fields)))
    await until_again(running, world, empty)
    await world.change(full)
    await until_again(running, world, whole)
    await world.call("PATCH", url, [null(field.taken_away) for field in fields], JSON_PATCH)
    await until_again(running, world, empty)

    # Each of the four changes rolled those out of which it changed the template, once.
    one, other = templates(empty), templates(whole)
    expected = {name: 4 * (one[name] != other[name]) for name in one if name in other}
    rollouts = running.rollouts(world.name)
    assert {name: rollouts[name] for name in expected} == expected


@pytest.fixture
def optional(cluster_user: User) -> Iterator[Cluster]:
    """The API server with the kinds of other people's software."""
    found = Cluster(cluster_user, schemas.optional_kinds(say))
    found.install()
    yield found
    found.remove()


@asynccontextmanager
async def crowded(world: World, optional: Cluster) -> AsyncIterator[Controllers]:
    """Run controllers and operator where there is whatever a spec may name."""
    await until_served(world, optional)
    values = {**ADDRESSES, "ca": CERTIFICATE}
    secret = {"metadata": {"name": NAMED}, "stringData": values}
    await world.call("POST", kinds.SECRET.path(world.namespace), secret)
    await world.call("POST", kinds.CONFIG_MAP.path(world.namespace), {"metadata": {"name": NAMED}})
    async with controllers(world) as running, operator(world):
        yield running


async def test_every_field_that_comes_and_goes_leaves_the_same_state(
    world: World, optional: Cluster
):
    groups = bundles(VALUES)
    async with crowded(world, optional) as running:
        await asyncio.gather(
            *(
                come_and_go(running, world.beside(f"group-{number}"), fields)
                for number, fields in enumerate(groups)
            )
        )
    assert sum(len(group) for group in groups) == len(VALUES)


async def test_every_feature_that_goes_off_and_on_is_as_it_was(world: World, optional: Cluster):
    work = iter(SWITCHES)
    shown: list[str] = []

    async def show(running: Controllers, one: World) -> None:
        await one.create()
        before = await steady(running, one)
        for field in work:
            try:
                await one.change(field.sample)
                other = await steady(running, one)
                counted = running.rollouts(one.name)
                await one.change(at(field.taken_away, None))
                await until_again(running, one, before)
                rolled = running.rollouts(one.name)
            except (AssertionError, Refused) as error:
                raise AssertionError(f"{field.dotted}: {error}") from error
            kept = templates(before).keys() & templates(other).keys()
            turned = {name for name in kept if templates(before)[name] != templates(other)[name]}
            once = {name: int(name in turned) for name in kept}
            assert {name: rolled[name] - counted[name] for name in kept} == once, field.dotted
            shown.append(field.dotted)

    async with crowded(world, optional) as running:
        places = [world.beside(f"feature-{number}") for number in range(AT_ONCE)]
        await asyncio.gather(*(show(running, place) for place in places))

    assert sorted(shown) == sorted(field.dotted for field in SWITCHES)


async def test_an_image_that_is_taken_away_goes_on_running(world: World):
    samples = {field.path[-1]: field.sample for field in PINNED}
    async with controllers(world) as running, operator(world):
        await world.create()
        await steady(running, world)
        await world.change(merged(samples["repository"], samples["digest"]))
        before = await steady(running, world)
        counted = running.rollouts(world.name)

        await world.change({"image": None})
        await until_again(running, world, before)
        assert running.rollouts(world.name) == counted
    assert (await world.status())["image"].startswith("registry.example.com/app@sha256:")
