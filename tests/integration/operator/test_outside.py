"""A way in from outside: made, said, changed, taken away again."""

from typing import Any

from tests.integration.operator.world import World, operator

from hscjit_operator.cluster import kinds

HOST = "support.example.com"
INGRESS: dict[str, Any] = {"host": HOST, "className": "nginx", "tlsSecretRef": {"name": "tls"}}


async def until_endpoint(world: World, address: str) -> None:
    async def told() -> bool:
        return (await world.status()).get("endpoint") == address

    await world.until(told)


async def test_an_ingress_comes_changes_and_goes_with_the_spec(world: World):
    inside = f"http://{world.name}-api.{world.namespace}.svc"
    async with operator(world):
        await world.settle()
        assert (await world.status())["endpoint"] == inside
        policy = await world.get("NetworkPolicy", "api")

        await world.change({"network": {"ingress": INGRESS}})
        told = await world.until_condition("Degraded", "ReferenceMissing", "True")
        assert "Secret tls" in told["message"]
        await until_endpoint(world, f"https://{HOST}")
        secret = {"metadata": {"name": "tls"}, "stringData": {"tls.crt": "c", "tls.key": "k"}}
        await world.call("POST", kinds.SECRET.path(world.namespace), secret)
        await world.until_condition("Degraded", "AllReady", "False")
        found = await world.get("Ingress", "api")
        assert found is not None
        assert found["spec"]["ingressClassName"] == "nginx"
        assert found["spec"]["tls"] == [{"hosts": [HOST], "secretName": "tls"}]

        await world.change({"network": {"ingress": {"className": None, "tlsSecretRef": None}}})
        await until_endpoint(world, f"http://{HOST}")

        async def plain() -> bool:
            found = await world.get("Ingress", "api")
            return found is not None and not {"tls", "ingressClassName"} & found["spec"].keys()

        await world.until(plain)

        await world.change({"network": None})
        await until_endpoint(world, inside)

        async def gone() -> bool:
            return await world.get("Ingress", "api") is None

        await world.until(gone)
        again = await world.get("NetworkPolicy", "api")
        assert policy is not None
        assert again is not None
        assert again["spec"] == policy["spec"]
