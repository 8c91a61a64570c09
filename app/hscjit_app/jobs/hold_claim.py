"""One job at a time on a claim: `python -m hscjit_app.jobs.hold_claim <lock file> <mark>`.

Runs beside a job's containers for as long as they run. It waits for the lock, leaves the mark that
lets them begin, and keeps the lock until it is told to end. The lock is the kernel's (`flock`): it
is free again as soon as this process is gone, whatever ended it.
"""

import fcntl
import os
import signal
import sys
from pathlib import Path
from typing import Any

import structlog

from hscjit_app import logs
from hscjit_app.settings import Settings

log = structlog.stdlib.get_logger(__name__)


def hold(lock: Path, mark: Path) -> None:
    """Wait for the lock, leave the mark, and never return; raises OSError when there is no lock."""
    mark.unlink(missing_ok=True)  # of a holder before us, which lost the lock with its life
    handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o660)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        log.info("Waiting for the job that works on the claim", lock=str(lock))
        fcntl.flock(handle, fcntl.LOCK_EX)
    mark.touch()
    log.info("Holding the claim", lock=str(lock))
    while True:
        signal.pause()


def _end(_number: int, _frame: Any) -> None:
    sys.exit(0)


if __name__ == "__main__":
    # The first process of a container hears only the signals it asks for.
    signal.signal(signal.SIGTERM, _end)
    logs.configure(Settings.from_env(os.environ))
    hold(Path(sys.argv[1]), Path(sys.argv[2]))
