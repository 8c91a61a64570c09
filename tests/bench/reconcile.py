"""What does the operator make of a bare kube-apiserver and etcd, beside others that do the same?

Three peers send the same bodies: a program that only writes, an operator as most people write it
with kopf, and a controller-runtime reconciler in Go. The API server itself counts all calls.
BENCH_SHORT=1 takes fewer of everything, to try the bench itself; BENCH_PART=burst or steady runs
one half of it.
"""

import asyncio
import json
import math
import os
import tempfile
import time
from collections import Counter
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from statistics import median
from types import MappingProxyType

from hscjit_operator.cluster import kinds
from hscjit_operator.handlers import PAGE
from tests.bench.pairs import Pair, report
from tests.bench.reconciling import contenders, template
from tests.bench.reconciling.burst import Burst, Field, field, percentile
from tests.bench.reconciling.cluster import Cluster, cluster, reads, writes
from tests.bench.reconciling.observer import observing
from tests.bench.reconciling.player import Player, door
from tests.bench.reconciling.steady import Ground
from tests.cluster import binaries, control_plane

SHORT = bool(os.environ.get("BENCH_SHORT"))
PART = os.environ.get("BENCH_PART", "")
PAIRS = 2 if SHORT else 5
BURST = 20 if SHORT else 100
ALONE = 3 if SHORT else 10
FAIRNESS = 10 if SHORT else 40
FEW, ALL = (20, 60) if SHORT else (100, 1_000)
MENDED = 40 if SHORT else 200
TOLD = 20 if SHORT else 60
WARM, CHANGES = (200, 1_000) if SHORT else (1_000, 20_000)
RESYNC_S = 5.0
"""So that passes come while we look on; where it is changes that are looked at, as in a cluster."""
QUIET_S = 15.0
NAMESPACE = "steady"
PEERS = (contenders.BARE, contenders.TWIN, contenders.NAIVE)


def run() -> bool:
    """Measure everything: on two quiet cores 27 minutes for the steady half, and the bursts."""
    halves = {"burst": _beside_others, "steady": _alone}
    chosen = [halves[PART]] if PART else [*halves.values()]
    if _beside_others in chosen:
        contenders.twin()
    programs = binaries.control_plane_binaries()
    met: list[bool] = []
    with tempfile.TemporaryDirectory(prefix="hscjit-bench-") as name:
        for half in chosen:
            with control_plane.control_plane(programs) as server:
                met += asyncio.run(half(server, Path(name)))
    return all(met)


async def _beside_others(server: control_plane.ControlPlane, folder: Path) -> list[bool]:
    async with cluster(server) as hand:
        turns: dict[str, list[Burst]] = {}
        singly: dict[str, list[float]] = {}
        for n in range(PAIRS):
            for who in (contenders.OURS, *PEERS):
                async with field(hand, who, f"{_slug(who)}-{n}", folder) as ground:
                    if who in (contenders.BARE, contenders.OURS):
                        alone = await ground.singly([f"alone-{i}" for i in range(ALONE)])
                        singly.setdefault(who, []).append(median(alone))
                    burst = await ground.many([f"many-{i}" for i in range(BURST)])
                    turns.setdefault(who, []).append(burst)
                _progress(
                    f"pair {n + 1} of {PAIRS}, {who}: {burst.rate:.0f} children/s, "
                    f"p50 {percentile(burst.took, 50):.2f} s, "
                    f"{burst.cpu_s / BURST * 1000:.0f} ms of CPU a resource"
                )
        return [*_bursts(turns), _first_to_last(singly), *await _fairness(hand, folder)]


def _bursts(turns: dict[str, list[Burst]]) -> list[bool]:
    def of(who: str, value: str) -> float:
        values = {
            "p50": lambda b: percentile(b.took, 50),
            "rate": lambda b: b.rate,
            "cpu": lambda b: b.cpu_s / b.objects * 1000,
        }
        return median(values[value](burst) for burst in turns[who])

    def beside(
        figure: str, unit: str, value: str, peer: str, *, goal: float | None, least: bool = False
    ) -> bool:
        pair = Pair(of(contenders.OURS, value), of(peer, value))
        return report(
            bench="reconcile",
            figure=figure,
            unit=unit,
            peer=peer,
            pair=pair,
            goal=goal,
            least=least,
        )

    many = f"{BURST} resources at once"
    rate, cpu = f"{many}: children made", f"{many}: CPU of a child"
    return [
        beside(f"{many}: applied to all children, p50", "s", "p50", contenders.BARE, goal=1.5),
        beside(rate, "1/s", "rate", contenders.TWIN, goal=0.8, least=True),
        beside(rate, "1/s", "rate", contenders.NAIVE, goal=5.0, least=True),
        *(beside(cpu, "cpu_ms", "cpu", who, goal=None) for who in PEERS),
    ]


def _first_to_last(singly: dict[str, list[float]]) -> bool:
    pair = Pair(median(singly[contenders.OURS]), median(singly[contenders.BARE]))
    return report(
        bench="reconcile",
        figure="one resource alone: applied to all children, p50",
        unit="s",
        peer=contenders.BARE,
        pair=pair,
        goal=None,
    )


async def _fairness(hand: Cluster, folder: Path) -> list[bool]:
    """Make resources with and without one among them that is refused for ever."""
    await hand.refuse("broken")
    without, beside = [], []
    async with field(hand, contenders.OURS, "fairness", folder) as ground:
        for n in range(PAIRS):
            turns = [(False, without), (True, beside)]
            for broken, kept in turns if n % 2 else reversed(turns):
                kept.append(await _p95(ground, f"{'with' if broken else 'sans'}-{n}", broken))
                await ground.observer.calm(2.0)
        _progress(f"one that always fails: p95 {without} s without it, {beside} s beside it")
    return [
        report(
            bench="reconcile",
            figure="one resource always fails: p95 of the others",
            unit="s",
            peer="without it",
            pair=Pair(median(beside), median(without)),
            goal=1.2,
        )
    ]


async def _p95(ground: Field, prefix: str, broken: bool) -> float:
    """Return how long the others took; the one that fails is gone afterwards."""
    name = f"broken-{prefix}"
    if broken:
        await ground.cluster.make(ground.namespace, name)
    burst = await ground.many([f"{prefix}-{i}" for i in range(FAIRNESS)])
    if broken:
        await ground.cluster.delete(kinds.HSCJIT, ground.namespace, name)
    return percentile(burst.took, 95)


async def _alone(server: control_plane.ControlPlane, folder: Path) -> list[bool]:
    template.write(folder / "bodies.json")
    async with (
        cluster(server) as hand,
        door() as address,
        observing(hand, await hand.make_namespace(NAMESPACE)) as observer,
    ):
        player = Player(hand, observer, NAMESPACE)
        ground = Ground(hand, NAMESPACE, observer, player, [])
        passes_often = {"HSCJIT_RESYNC_S": str(RESYNC_S)}
        async with _operator(server, folder, address, passes_often) as ours:
            await _settle(ground, FEW)
            met = await _quiet(ground, f"{FEW} settled resources")
            met += await _disturbed(ground)
            few = ours.memory()
            await _settle(ground, ALL)
            many = ours.memory()
            slope = (many - few) / (ALL - FEW)
            met += [
                _figure("memory of a further resource", "kB", slope / 1e3, 60),
                _figure(f"memory with {ALL} settled resources", "MB", many / 1e6, 150),
            ]
            idle = ours.cpu_s()
            met += await _quiet(ground, f"{ALL} settled resources")
            share = (ours.cpu_s() - idle) / QUIET_S
            met.append(_figure(f"CPU with {ALL} settled resources", "cores", share, None))
        met += await _restarted(ground, server, folder, address)
    return met


@asynccontextmanager
async def _operator(
    server: control_plane.ControlPlane,
    folder: Path,
    address: str,
    settings: Mapping[str, str] = MappingProxyType({}),
) -> AsyncIterator[contenders.Running]:
    with contenders.running(
        contenders.OURS,
        folder=folder,
        kubeconfig=server.kubeconfig,
        namespace=NAMESPACE,
        bodies=folder / "bodies.json",
        settings={"TEST_DOOR": address, **settings},
    ) as ours:
        yield ours


async def _settle(ground: Ground, until: int) -> None:
    """Make resources until there are so many, and wait until nothing happens any more."""
    begun = time.perf_counter()
    for start in range(len(ground.owners), until, FEW):
        fresh = [f"app-{n}" for n in range(start, min(start + FEW, until))]
        ground.owners.extend(fresh)
        makes = (ground.cluster.make(NAMESPACE, name) for name in fresh)
        await asyncio.gather(ground.player.settle(fresh), *makes)
        _progress(f"{len(ground.owners)} made after {time.perf_counter() - begun:.0f} s")
    await ground.observer.calm(5.0)


async def _quiet(ground: Ground, what: str) -> list[bool]:
    """Count what is asked for while some resyncs go by."""
    written, read = await ground.asked_for(QUIET_S)
    passes = f"{what}, {QUIET_S / RESYNC_S:.0f} passes each"
    _progress(f"{what}: wrote {dict(written)}, read {dict(read)}")
    return [
        _figure(f"{passes}: writes", "calls", written.total(), 0),
        _figure(f"{passes}: reads, Secrets apart", "calls", read.total(), 0),
    ]


async def _disturbed(ground: Ground) -> list[bool]:
    took = await ground.mended(MENDED)
    said = await ground.told(TOLD)
    spread = [round(percentile(took, p) * 1000) for p in (50, 90, 95, 99)]
    _progress(f"mended after {spread} ms (p50, p90, p95, p99)")
    where = f"among {len(ground.owners)} resources"
    p95 = percentile(took, 95) * 1000
    return [
        _figure(f"child deleted or edited {where}: as before, p95", "ms", p95, 100),
        _figure("status writes for a real change", "calls", said, 1),
    ]


async def _restarted(
    ground: Ground, server: control_plane.ControlPlane, folder: Path, address: str
) -> list[bool]:
    before = await ground.cluster.counted()
    begun = time.perf_counter()
    async with _operator(server, folder, address) as ours:
        await ours.ready()  # before it is, no pass runs, and nothing could be written
        _progress(f"ready {time.perf_counter() - begun:.0f} s after the restart")
        await asyncio.sleep(2 * QUIET_S)
        calls = await ground.cluster.counted() - before
        lists = Counter({call: n for call, n in calls.items() if call[0] == "LIST"})
        pages = max(math.ceil(count / PAGE) for count in ground.observer.count().values())
        _progress(f"after the restart: {dict(calls)}")
        met = [
            _figure(f"restart with {ALL}: writes", "calls", writes(calls).total(), 0),
            _figure(
                f"restart with {ALL}: pages listed of a kind", "calls", max(lists.values()), pages
            ),
            _figure(f"restart with {ALL}: reads, Secrets apart", "calls", reads(calls).total(), 1),
            _figure(f"memory after the restart with {ALL}", "MB", ours.memory() / 1e6, 150),
        ]
        await ground.churn(WARM)
        warm = ours.memory()
        begun = time.perf_counter()
        await ground.churn(CHANGES)
        _progress(f"{CHANGES} changes in {time.perf_counter() - begun:.0f} s")
        grown = (ours.memory() - warm) / 1e6
        met.append(_figure(f"memory grown over {CHANGES} changes", "MB", grown, 5))
    return met


def _figure(figure: str, unit: str, value: float, goal: float | None) -> bool:
    met = goal is None or value <= goal
    line = {"bench": "reconcile", "figure": figure, "unit": unit, "ours": float(f"{value:.4g}")}
    print(json.dumps(line | {"peer": None, "goal": goal, "met": met}), flush=True)
    return met


def _progress(said: str) -> None:
    print(f"  {said}", flush=True)


def _slug(who: str) -> str:
    return "".join(c if c.isalpha() else "-" for c in who.lower()).replace("--", "-")
