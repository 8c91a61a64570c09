"""How long do things take when neighbours on the same cores don't come first?

A delay measured on a busy machine is mostly the wait for a core. Where the kernel lets us, the
processes measured run before all others for these seconds; that is what a quiet machine shows.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def ahead(*pids: int) -> Iterator[bool]:
    """Let processes run before their neighbours; yields False where that is not allowed."""
    tasks = [int(task.name) for pid in pids for task in Path(f"/proc/{pid}/task").iterdir()]
    try:
        for task in tasks:
            os.sched_setscheduler(task, os.SCHED_RR, os.sched_param(1))
    except PermissionError:
        yield False
        return
    try:
        yield True
    finally:
        for pid in pids:
            for task in Path(f"/proc/{pid}/task").iterdir():
                os.sched_setscheduler(int(task.name), os.SCHED_OTHER, os.sched_param(0))


def waited_s(pid: int) -> float:
    """Return how long a process's first thread was ready to run and waited for a core, so far."""
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[1]) / 1e9


def network_waited_s() -> float:
    """Return how long the kernel's threads that deliver packets waited for a core, so far.

    They don't go before anybody, and hold up what arrives even for those who do.
    """
    kernel = [p.parent for p in Path("/proc").glob("[0-9]*/comm") if _read(p)[:9] == "ksoftirqd"]
    return sum(waited_s(int(thread.name)) for thread in kernel)


def _read(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:  # it ended meanwhile
        return ""
