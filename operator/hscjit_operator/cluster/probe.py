"""What do the pods answer right now? /metrics and /health of many pods at once, in bounded time.

A pod that is merely busy answers late, a hung one never does. So a /health request outlives its
tick: an answer that comes later is a sign of life for the tick in which it comes.
"""

import asyncio
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

import aiohttp

from hscjit_operator import names
from hscjit_operator.cluster.exposition import NotMetrics, scan
from hscjit_operator.model.autopilot import PodRef
from hscjit_operator.model.samples import Metrics, PodSample

PORTS: Final = {names.API: 8000, names.WORKER: 8001}
"""The components that are scraped, and where they answer."""
BUDGET_S: Final = 0.2
LATE_S: Final = 3.0
"""How long a /health request may outlive its tick."""
STARVED_S: Final = 0.15
"""So much over the budget means that we ourselves were kept from listening."""
MAX_PAGE: Final = 512 * 1024
"""Longest page that is read; ours have some 10 kB."""
MAX_HEALTH: Final = 4096


@dataclass(frozen=True, slots=True)
class Round:
    """The answers of one tick."""

    samples: Mapping[str, PodSample]
    """By the pods' UID."""
    trusted: bool
    """We were awake for all of it: silence is theirs."""


class Probe:
    """Asks pods over kept-alive connections. Use as an async context manager."""

    def __init__(self, ports: Mapping[str, int] = PORTS, budget_s: float = BUDGET_S) -> None:
        self._ports = ports
        self._budget_s = budget_s
        self._session: aiohttp.ClientSession | None = None
        self._late: dict[str, asyncio.Task[bool]] = {}

    async def __aenter__(self) -> "Probe":
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            # Nothing is unpacked: a small page cannot become a large one.
            auto_decompress=False,
            headers={"Accept-Encoding": "identity", "User-Agent": "hscjit-operator"},
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=aiohttp.ClientTimeout(total=LATE_S),
        )
        return self

    async def __aexit__(self, *_: object) -> None:
        tasks = list(self._late.values())
        self._late.clear()
        await _cancel(tasks)
        if self._session is not None:
            await self._session.close()

    def askable(self, pod: PodRef) -> bool:
        """Return whether a pod is one of those that are asked."""
        return pod.component in self._ports and pod.ip is not None and not pod.deleting

    async def ask(self, pods: Iterable[PodRef]) -> Round:
        """Ask all pods at once; return what was heard within the budget."""
        session = self._session
        if session is None:
            raise RuntimeError("Probe is not entered; use `async with Probe() as probe`")
        asked = {pod.uid: pod for pod in pods if self.askable(pod)}
        for uid in self._late.keys() - asked.keys():
            self._late.pop(uid).cancel()
        begun = time.monotonic()
        # An answer that came between two ticks counts in this one.
        heard = {uid for uid, task in self._late.items() if task.done() and task.result()}
        for uid, pod in asked.items():
            if uid not in self._late or self._late[uid].done():
                self._late[uid] = asyncio.create_task(self._health(session, pod))
        pages = {
            uid: asyncio.create_task(self._metrics(session, pod)) for uid, pod in asked.items()
        }
        if asked:
            waiting = {*pages.values(), *(self._late[uid] for uid in asked)}
            await asyncio.wait(waiting, timeout=self._budget_s)
        samples = {}
        for uid, pod in asked.items():
            page, health = pages[uid], self._late[uid]
            samples[uid] = PodSample(
                pod=pod,
                metrics=page.result() if page.done() else None,
                alive=uid in heard or (health.done() and health.result()),
            )
            if health.done():
                del self._late[uid]
        trusted = time.monotonic() - begun < self._budget_s + STARVED_S
        await _cancel(page for page in pages.values() if not page.done())
        return Round(samples, trusted)

    async def _metrics(self, session: aiohttp.ClientSession, pod: PodRef) -> Metrics | None:
        page = await self._get(session, pod, "/metrics", MAX_PAGE)
        try:
            return None if page is None else scan(page)
        except NotMetrics:
            return None

    async def _health(self, session: aiohttp.ClientSession, pod: PodRef) -> bool:
        return await self._get(session, pod, "/health", MAX_HEALTH) is not None

    async def _get(
        self, session: aiohttp.ClientSession, pod: PodRef, path: str, most: int
    ) -> bytes | None:
        """Return the body of a 200 answer of at most `most` bytes, None for anything else."""
        host = f"[{pod.ip}]" if pod.ip and ":" in pod.ip else pod.ip
        url = f"http://{host}:{self._ports[pod.component]}{path}"
        try:
            async with session.get(url, allow_redirects=False) as answer:
                if answer.status != 200 or "Content-Encoding" in answer.headers:  # noqa: PLR2004
                    return None
                body = bytearray()
                async for part in answer.content.iter_any():
                    body += part
                    if len(body) > most:
                        answer.close()  # what is still to come is not read, not even to drop it
                        return None
                return bytes(body)
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError):
            return None


async def _cancel(tasks: Iterable[asyncio.Task[object]]) -> None:
    """Cancel tasks and wait until they are gone, so that none is lost with its connection."""
    gone = list(tasks)
    for task in gone:
        task.cancel()
    if gone:
        await asyncio.wait(gone)
