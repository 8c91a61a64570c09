"""Which API server, which namespace? As kubectl finds them, from the kubeconfig."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from kubernetes.aio.config import ConfigException, list_kube_config_contexts

from hscjit_operator.cli.failures import NoSuchThing, Unreachable
from hscjit_operator.cluster import kinds
from hscjit_operator.cluster.client import Api, configuration

MANAGER = "kubectl-hscjit"
"""Field manager of what a user sets through the plugin."""

_TIMEOUT_S = 15.0


@dataclass(frozen=True)
class Connection:
    """An API server and the namespace a verb works in."""

    api: Api
    namespace: str

    async def hscjit(self, name: str) -> dict[str, Any]:
        """Return the HSCJit, or say that there is none."""
        found = await self.api.get(kinds.HSCJIT, self.namespace, name)
        if found is None:
            raise NoSuchThing(f"there is no HSCJit {name} in namespace {self.namespace}")
        return found


async def connect(
    kubeconfig: str | None, context: str | None, namespace: str | None, env: Mapping[str, str]
) -> Connection:
    """Return a connection made from a kubeconfig: the option's, the environment's, or the usual."""
    path = kubeconfig or env.get("KUBECONFIG") or f"{env.get('HOME', '~')}/.kube/config"
    try:
        found = await configuration(path, context)
        if namespace is None:
            namespace = _namespace_of(path, context)
    except (ConfigException, OSError) as error:
        raise Unreachable(f"cannot use the kubeconfig {path}: {error}") from error
    return Connection(Api(found, writes_in_flight=1, timeout_s=_TIMEOUT_S), namespace)


def _namespace_of(path: str, context: str | None) -> str:
    contexts, current = list_kube_config_contexts(path)
    chosen = next((c for c in contexts if c["name"] == context), current)
    return str(chosen["context"].get("namespace") or "default")
