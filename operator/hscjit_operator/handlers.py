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
from hscjit_operator.cluster.observe import Apps, Children
from hscjit_operator.cluster.watches import SERVER_TIMEOUT_S, SILENCE_S, Watches
from hscjit_operator.names import Key
from hscjit_operator.queue import Queue, Trigger

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


def registry(
    *, api: Api, apps: Apps, children: Children, watches: Watches, queue: Queue
) -> kopf.OperatorRegistry:
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
            return
        before = apps.take(body)
        if before is None:
            return  # our own status write, which we know already
        metadata, old = body["metadata"], before.read()["metadata"]
        asked = any(
            metadata.get(field) != old.get(field) for field in ("generation", "annotations")
        )
        new = before.version == int(metadata["resourceVersion"])
        key = Key(metadata["namespace"], metadata["name"])
        queue.put(key, Trigger.SPEC if asked or new else Trigger.NEWS)

    # What is indexed is listed whole before any event handler of any kind runs: so when the first
    # HSCJit comes, all children that there are have been seen. Nothing is kept in the index, and
    # most is shown to the cache by the session itself: this is for what it leaves to kopf.
    async def child_seen(body: kopf.Body, **_: Any) -> None:
        children.see(dict(body))

    async def child_gone(event: kopf.RawEvent, **_: Any) -> None:
        if event["type"] == "DELETED":
            children.lose(cast("dict[str, Any]", event["object"]))

    for kind in WATCHED:
        selects = (kind.group, kind.version, kind.plural)
        kopf.index(*selects, id=f"seen-{kind.plural}", registry=triggers)(child_seen)
        kopf.on.event(*selects, id=f"gone-{kind.plural}", registry=triggers)(child_gone)
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
