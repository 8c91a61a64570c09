"""What may a route or a socket ask for? One object per process, made by `main`'s lifespan.

What a route depends on is a coroutine even where it waits for nothing: FastAPI hands a plain
function to a thread, once for every request.
"""

import hmac
from dataclasses import dataclass, field
from typing import Annotated

from fastapi import Depends
from starlette.requests import HTTPConnection

from hscjit_app.answers.engine import Engine
from hscjit_app.answers.stream import Streams
from hscjit_app.cache import MultiLayerCache
from hscjit_app.catalog.store import CatalogStore
from hscjit_app.conversations.service import Conversations
from hscjit_app.dependencies import Dependencies
from hscjit_app.errors import NotAllowed
from hscjit_app.manuals.service import ManualService
from hscjit_app.pods import Pods
from hscjit_app.sessions import Session, SessionSigner
from hscjit_app.settings import Settings


@dataclass
class Services:
    """Everything a process answers with."""

    settings: Settings
    catalog: CatalogStore
    manuals: ManualService
    conversations: Conversations
    engine: Engine
    streams: Streams
    pods: Pods
    dependencies: Dependencies
    signer: SessionSigner
    cache: MultiLayerCache
    draining: bool = field(default=False)
    """True once this process was told to go: not ready, takes no new question."""


def services(connection: HTTPConnection) -> Services:
    """Return the process's services."""
    found: Services = connection.state.services
    return found


async def _services(connection: HTTPConnection) -> Services:
    return services(connection)


ServicesDep = Annotated[Services, Depends(_services)]


async def owner(connection: HTTPConnection) -> Session:
    """Return whose session the bearer secret opens; raises `NotAllowed`."""
    session = services(connection).signer.check(_bearer(connection))
    if session is None:
        raise NotAllowed("Send your session's secret: Authorization: Bearer <session>")
    return session


OwnerDep = Annotated[Session, Depends(owner)]


async def admin(connection: HTTPConnection) -> None:
    """Let the administrator pass; raises `NotAllowed`. The time taken tells nothing."""
    expected = services(connection).settings.admin_token
    offered = _bearer(connection)
    if not expected or not hmac.compare_digest(offered.encode(), expected.encode()):
        raise NotAllowed("Send the administrator's token: Authorization: Bearer <token>")


def _bearer(connection: HTTPConnection) -> str:
    scheme, _, secret = connection.headers.get("authorization", "").partition(" ")
    return secret.strip() if scheme.lower() == "bearer" else ""
