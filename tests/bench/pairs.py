"""How are two things timed fairly? In turns, with the median of the pairs as the result."""

import json
import time
from collections.abc import Callable
from statistics import median
from typing import NamedTuple


class Pair(NamedTuple):
    """Median CPU seconds of one call of ours and of the peer's."""

    ours: float
    peer: float


def interleaved(
    ours: Callable[[], object],
    peer: Callable[[], object],
    pairs: int = 5,
    clock: Callable[[], float] = time.process_time,
) -> Pair:
    """Run ours and the peer's in turns and return the median CPU seconds of each.

    By CPU time if not asked otherwise: on a machine with few cores a neighbour would swing the
    ratio of wall times.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(pairs):
        for run, kept in zip((ours, peer), times, strict=True):
            started = clock()
            run()
            kept.append(clock() - started)
    return Pair(median(times[0]), median(times[1]))


def report(
    *,
    bench: str,
    figure: str,
    unit: str,
    peer: str,
    pair: Pair,
    goal: float | None,
    least: bool = False,
) -> bool:
    """Print one result as a JSON line; `goal` is the ratio ours/peer that must not be passed.

    With `least` more is better, and the ratio must be reached. Without a goal it is only told.
    """
    ratio = pair.ours / pair.peer
    met = goal is None or (ratio >= goal if least else ratio <= goal)
    line = {
        "bench": bench,
        "figure": figure,
        "unit": unit,
        "ours": pair.ours,
        "peer": peer,
        "peer_value": pair.peer,
        "ratio": ratio,
        "goal": goal,
        "met": met,
    }
    print(
        json.dumps({k: float(f"{v:.4g}") if isinstance(v, float) else v for k, v in line.items()}),
        flush=True,
    )
    return met
