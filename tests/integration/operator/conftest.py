"""What the operator's stories are played on."""

import itertools
from collections.abc import AsyncIterator

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import User
from tests.integration.operator.world import World, front_door

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def cluster_user(api_server: ControlPlane) -> User:
    """A user with every right, on an API server that knows our kind."""
    return User(api_server).with_schema()


@pytest.fixture
async def world(cluster_user: User) -> AsyncIterator[World]:
    """A namespace of its own, and somebody who answers /ready."""
    namespace = f"story-{next(_NUMBERS)}"
    cluster_user.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    made = World(cluster_user, namespace)
    async with front_door(made):
        yield made
