"""What wakes the operator? Every trigger on one page; the only module that knows kopf.

kopf lists and watches, and hands over. It writes nothing: no annotation, no finalizer, no Event,
no peering. What woke us decides nothing but how soon the next pass comes.
"""

import asyncio
import itertools
import random
from collections.abc import Callable, Iterator
from typing import Any, Final, cast

import kopf
from kopf._core.reactor.inventory import ResourceMemories, ResourceMemory

from hscjit_operator import names
from hscjit_operator.cluster.client import Api
from hscjit_operator.cluster.kinds import HSCJIT, WATCHED
from hscjit_operator.cluster.observe import Apps
from hscjit_operator.cluster.watches import SERVER_TIMEOUT_S, SILENCE_S, Watches

PAGE: Final = 100
"""Objects that are listed at once: what a page takes in memory is never given back."""
_SELECTOR: Final = ",".join(f"{label}={value}" for label, value in names.OWNED.items())


class _NoEssence(kopf.DiffBaseStorage):
    """Keeps no last state to compare with: no handler of ours is about a difference.

    kopf copies each object twice to tell what of it changed, at every event, whoever asks for it.
    """

    def build(self, **_: Any) -> kopf.BodyEssence:
        return cast("kopf.BodyEssence", {})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""


class _NoProgress(kopf.ProgressStorage):
    """Keeps no progress: no handler of ours is ever called again for the same event."""

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Store nothing."""

    def purge(self, **_: Any) -> None:
        """Nothing is stored."""

    def touch(self, **_: Any) -> None:
        """Nothing is written to wake anybody up."""

    def clear(self, *, essence: kopf.BodyEssence) -> kopf.BodyEssence:
        return essence


class _Forgetful(ResourceMemories):
    """Remembers nothing of an object between its events: no handler of ours asks for that.

    kopf keeps a kilobyte for each object it has seen: half of all that an HSCJit took.
    """

    async def recall(self, raw_body: kopf.RawBody, **kwargs: Any) -> ResourceMemory:
        return await super().recall(raw_body, **{**kwargs, "ephemeral": True})


class _Patiently:
    """Pauses between the tries of a call; they grow, and never end.

    kopf ends the whole operator once they are used up. Ours waits instead, unready: for an API
    server that is down, and for a permission that is missing, which may yet be given.
    """

    def __iter__(self) -> Iterator[float]:
        # Jitter: all kinds are refused together, and shall not come back together.
        for pause in itertools.chain((0.5, 1.0, 2.0), itertools.repeat(4.0)):
            yield pause * random.uniform(0.75, 1.25)  # noqa: S311  spreads load, hides nothing


def registry(*, api: Api, apps: Apps, watches: Watches) -> kopf.OperatorRegistry:
    """Return every trigger of the operator, as kopf takes them."""
    triggers = kopf.OperatorRegistry()

    @kopf.on.login(registry=triggers)
    async def login(**_: Any) -> kopf.AiohttpSession:
        return kopf.AiohttpSession(
            server=api.configuration.host, aiohttp_session=watches.session(api)
        )

    @kopf.on.event(HSCJIT.group, HSCJIT.version, HSCJIT.plural, registry=triggers)
    async def hscjit_changed(event: kopf.RawEvent, **_: Any) -> None:
        body = cast("dict[str, Any]", event["object"])
        if event["type"] == "DELETED":
            apps.lose(body)
        else:
            apps.see(body)

    # Lists, and all events about children, are shown to the caches by the session: what kopf makes
    # of one costs as much as a write, and what is listed it holds until all kinds are. It watches
    # the kinds that somebody asks for.
    async def shown_already(**_: Any) -> None:
        pass

    for kind in WATCHED:
        kopf.on.event(kind.group, kind.version, kind.plural, registry=triggers)(shown_already)
    return triggers


def settings() -> kopf.OperatorSettings:
    """Return how kopf has to behave: it watches, patiently, and does nothing else."""
    chosen = kopf.OperatorSettings()
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.peering.standalone = True
    chosen.networking.request_timeout = 60.0
    chosen.networking.connect_timeout = 10.0
    chosen.networking.error_backoffs = _Patiently()
    chosen.networking.enforce_retry_after = True
    chosen.watching.server_timeout = SERVER_TIMEOUT_S
    chosen.watching.client_timeout = SERVER_TIMEOUT_S + 30
    chosen.watching.connect_timeout = 10.0
    chosen.watching.chunk_size = PAGE
    chosen.watching.inactivity_timeout = SILENCE_S
    chosen.queueing.idle_timeout = 1.0
    chosen.persistence.diffbase_storage = _NoEssence()
    chosen.persistence.progress_storage = _NoProgress()
    chosen.process.ultimate_exiting_timeout = 15.0
    for kind in WATCHED:
        chosen.watching.label_selectors[kind.group, kind.version, kind.plural] = _SELECTOR
    return chosen


async def watch(
    triggers: kopf.OperatorRegistry,
    namespaces: tuple[str, ...],
    stop: asyncio.Event,
    take_signals: Callable[[], None],
) -> None:
    """Watch until told to stop; returns or raises when watching cannot go on.

    kopf takes SIGTERM and SIGINT for itself, and then needs seconds to come to an end. Whoever
    holds the Lease has to know at once: so they are taken back.
    """
    ours = asyncio.all_tasks()
    tasks = await kopf.spawn_tasks(
        registry=triggers,
        settings=settings(),
        memories=_Forgetful(),
        namespaces=namespaces,
        clusterwide=not namespaces,
        standalone=True,
        stop_flag=stop,
    )
    take_signals()
    await kopf.run_tasks(tasks, ignored=ours)
