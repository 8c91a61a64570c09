"""What helm installs: rights that suffice and no others, a schema that is upgraded and stays."""

import asyncio
import copy
import shutil
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import pytest
import yaml
from tests.cluster import binaries, control_plane, tools
from tests.cluster.shell import output
from tests.integration.operator.proxy import Proxy, proxy
from tests.integration.operator.user import SCHEMAS, Refused, User
from tests.integration.operator.world import Calls, World, front_door, operator, session

from hscjit_operator.cluster.kinds import HSCJIT

CHART = Path(__file__).parents[3] / "charts" / "hscjit-operator"
SYSTEM = "hscjit-system"
RELEASE = "hscjit-operator"
ACCOUNT = f"system:serviceaccount:{SYSTEM}:{RELEASE}"
CRD = f"{SCHEMAS}/hscjits.hscjit.dev"


class Helm:
    """helm, bound to one API server behind which nothing runs."""

    def __init__(self, program: Path, user: User) -> None:
        """Use the rights of that server's admin."""
        self._program = program
        self.user = user

    def run(self, *words: str | Path) -> str:
        """Run helm in the release's namespace."""
        where = ("--kubeconfig", self.user.server.kubeconfig, "--namespace", SYSTEM)
        return output(self._program, *words, *where, timeout_s=60)

    def install(self, chart: Path = CHART, *settings: str) -> None:
        """Install or upgrade; nobody here could make its pods ready."""
        chosen = [part for setting in settings for part in ("--set", setting)]
        self.run("upgrade", "--install", RELEASE, chart, "--create-namespace", *chosen)

    def uninstall(self) -> None:
        """Uninstall."""
        self.run("uninstall", RELEASE, "--ignore-not-found")


@pytest.fixture(scope="module")
def helm() -> Iterator[Helm]:
    """An API server of our own: what is installed here is meant for the whole of it."""
    program = tools.ensure(lambda _note: None).helm
    with control_plane.control_plane(binaries.control_plane_binaries()) as server:
        yield Helm(program, User(server))


async def settled(helm: Helm, namespace: str, stack: AsyncExitStack) -> World:
    """Return a namespace for an HSCJit, and somebody who answers for it."""
    metadata = {"metadata": {"name": namespace}}
    await asyncio.to_thread(helm.user.call, "POST", "/api/v1/namespaces", metadata)
    connections = await stack.enter_async_context(session(helm.user))
    world = World(helm.user, connections, namespace)
    await stack.enter_async_context(front_door(world))
    return world


def as_account(way: Proxy) -> Proxy:
    way.impersonate = ACCOUNT
    return way


MODES: dict[str, tuple[str, ...]] = {
    "one ClusterRole": (),
    "a Role in each namespace": ("one", "two"),
}


@pytest.mark.parametrize("namespaces", MODES.values(), ids=MODES)
async def test_the_rights_suffice_and_go_no_further(helm: Helm, namespaces: tuple[str, ...]):
    chosen = f"watchNamespaces={{{','.join(namespaces)}}}"
    prefix = "all" if not namespaces else "only"
    async with AsyncExitStack() as stack:
        worlds = [await settled(helm, name, stack) for name in namespaces or ("anywhere",)]
        await asyncio.to_thread(helm.install, CHART, *((chosen,) if namespaces else ()))
        way = as_account(await stack.enter_async_context(proxy(helm.user.server)))
        settings: dict[str, Any] = {"namespace": SYSTEM, "watch_namespaces": namespaces}
        async with operator(worlds[0], via=way.url, **settings):
            for world in worlds:
                # Every world's front door is asked at the first one's address.
                await world.settle()
        served = User(helm.user.server, ACCOUNT)
        others = f"/api/v1/namespaces/{prefix}-others"
        body = {"metadata": {"name": f"{prefix}-others"}}
        await asyncio.to_thread(helm.user.call, "POST", "/api/v1/namespaces", body)
        closed = [("GET", f"{others}/secrets"), ("GET", "/api/v1/secrets")]
        if namespaces:
            closed += [("GET", f"{others}/configmaps"), ("GET", "/api/v1/configmaps")]
        leases = "/apis/coordination.k8s.io/v1/namespaces"
        closed += [
            ("GET", f"{leases}/{SYSTEM}/leases/another"),
            ("GET", f"{leases}/{SYSTEM}/leases"),
            ("GET", f"{leases}/{prefix}-others/leases/{RELEASE}"),
        ]
        for method, path in closed:
            with pytest.raises(Refused, match=r"cannot [a-z]+ resource"):
                await asyncio.to_thread(served.call, method, path)
        for world in worlds:
            await world.delete("HSCJit", world.name)
        await asyncio.to_thread(helm.uninstall)


async def test_the_schema_is_upgraded_and_outlives_the_release(helm: Helm, tmp_path: Path):
    older = tmp_path / "older"
    shutil.copytree(CHART, older)
    text = older / "files" / "hscjit.yaml"
    schema = yaml.safe_load(text.read_text())
    before = copy.deepcopy(schema)
    del spec_of(schema)["deletionPolicy"]
    text.write_text(yaml.safe_dump(schema))
    async with AsyncExitStack() as stack:
        world = await settled(helm, "lasting", stack)
        await asyncio.to_thread(helm.install, older)
        await world.until(lambda: served(world))
        async with operator(world):
            await world.settle()
            await world.calm()
        body = {"spec": {"deletionPolicy": "Delete"}}
        changed = await world.patch("HSCJit", world.name, body)
        assert "deletionPolicy" not in changed["spec"], "the older schema knows no such field"

        await asyncio.to_thread(helm.install)

        assert spec_of(await world.call("GET", CRD)).keys() == spec_of(before).keys()
        kept = await world.children()
        stood = await world.app()

        await asyncio.to_thread(helm.uninstall)

        assert await world.call("GET", CRD)
        assert (await world.app())["metadata"]["uid"] == stood["metadata"]["uid"]
        assert uids(await world.children()) == uids(kept)

        await asyncio.to_thread(helm.install)
        calls = Calls()
        async with operator(world):
            await asyncio.sleep(3.0)
            assert calls.writes == {}, "what was left is taken up as it is"
        body = {"spec": {"deletionPolicy": "Delete"}}
        assert (await world.patch("HSCJit", world.name, body))["spec"] != changed["spec"]


def spec_of(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the properties of `spec` in a CRD."""
    (version,) = schema["spec"]["versions"]
    return dict_of(version["schema"]["openAPIV3Schema"]["properties"]["spec"])


def dict_of(block: dict[str, Any]) -> dict[str, Any]:
    """Return the very dict of a block's properties: who changes it changes the schema."""
    found = block["properties"]
    assert isinstance(found, dict)
    return found


async def served(world: World) -> bool:
    """Tell whether the API server serves the kind by now."""
    try:
        await world.call("GET", HSCJIT.path(world.namespace))
    except Refused:
        return False
    return True


def uids(children: dict[tuple[str, str], dict[str, Any]]) -> dict[tuple[str, str], str]:
    """Return which children there are, each the very same."""
    return {name: body["metadata"]["uid"] for name, body in children.items()}
