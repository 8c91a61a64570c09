"""Real servers for the integration tests, each started once, when the first test asks for it."""

from collections.abc import Iterator

import pytest
from tests.cluster import binaries, control_plane, stores


@pytest.fixture(scope="session", autouse=True)
def programs() -> None:
    """The distribution's Redis and Postgres with their clients; who lacks one says so."""
    stores.programs()


@pytest.fixture(scope="session")
def api_server() -> Iterator[control_plane.ControlPlane]:
    """A kube-apiserver with RBAC: `.url`, `.token`, `.ca_file`, `.kubeconfig` of an admin.

    Nothing runs behind it: no controller, no garbage collector, no node.
    """
    with control_plane.control_plane(binaries.control_plane_binaries()) as running:
        yield running


@pytest.fixture(scope="session")
def redis_server() -> Iterator[str]:
    """The URL of a Redis without persistence; tests keep apart by keys or by database number."""
    with stores.redis_server() as url:
        yield url


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[str]:
    """The URL of a Postgres whose role may create databases: `postgresql://…/postgres`."""
    with stores.postgres_server() as url:
        yield url
