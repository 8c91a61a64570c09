"""What the operator's stories are played on."""

import asyncio
import itertools
import logging
import re
import traceback
from collections.abc import AsyncIterator, Iterator
from typing import Any

import kopf
import pytest
import structlog
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import User
from tests.integration.operator.world import World, front_door, session

from hscjit_operator import handlers

_NUMBERS = itertools.count(1)


_ASKING_FOR_KINDS = re.compile(
    r"TCP closed; will re-authenticate: GET \S+/(?:api/v1|apis/[^/\s]+/[^/\s]+)$"
)
"""Of no other request: that its session was closed beneath it would be worth knowing."""


class _Tracebacks(logging.Handler):
    """Keeps what the libraries log as an error or with a traceback."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.found: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        if "will retry" in record.getMessage():
            return  # the API server was busy: said by kopf as an error, and survived
        if _ASKING_FOR_KINDS.search(record.getMessage()):
            return  # kopf closed its own session while it asked: its operator was ended so early
        if record.name == "asyncio" and "infinite_watch" in record.getMessage():
            return  # a stream of kopf's that its loop closed at the very end, with a busy machine
        if record.levelno >= logging.ERROR or record.exc_info:
            told = record.exc_info[1] if record.exc_info else None
            self.found.append(f"{record.name}: {record.getMessage()}: {told!r}")


@pytest.fixture(autouse=True)
def no_traceback() -> Iterator[None]:
    """Fail a test during which the operator or a library logged an error or a traceback."""
    handler = _Tracebacks()

    def keep(_logger: Any, method: str, event: Any) -> Any:
        if method in ("error", "exception", "critical") or event.get("exc_info"):
            handler.found.append(f"{event}\n{traceback.format_exc()}")
        return event

    before = structlog.get_config()
    structlog.configure(processors=[keep, *before["processors"]])
    logging.getLogger().addHandler(handler)
    yield
    logging.getLogger().removeHandler(handler)
    structlog.configure(**before)
    assert not handler.found, "\n".join(handler.found)


@pytest.fixture(autouse=True)
def no_sudden_end(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take from kopf the shot at its own process, due 15 s after its end: here, that is ours."""
    chosen = handlers.settings

    def without() -> kopf.OperatorSettings:
        settings = chosen()
        settings.process.ultimate_exiting_timeout = None
        return settings

    monkeypatch.setattr(handlers, "settings", without)


@pytest.fixture(scope="session")
def cluster_user(api_server: ControlPlane) -> User:
    """A user with every right, on an API server that knows our kind."""
    return User(api_server).with_schema()


@pytest.fixture
async def world(cluster_user: User) -> AsyncIterator[World]:
    """A namespace of its own, and somebody who answers /ready."""
    namespace = f"story-{next(_NUMBERS)}"
    cluster_user.call("POST", "/api/v1/namespaces", {"metadata": {"name": namespace}})
    async with session(cluster_user) as connections:
        made = World(cluster_user, connections, namespace)
        async with front_door(made):
            yield made
        await asyncio.sleep(0.05)  # TLS connections take a moment to say goodbye
