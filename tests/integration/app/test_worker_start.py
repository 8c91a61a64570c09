"""Workers and beat around their first moment."""

import os
import subprocess
import sys

import pytest
from tests.cluster.ports import free_ports
from tests.integration.app.servers import ROOT

# Connected after ours, so each is told of what ours did.
TOLD = """
import gc, os, signal, sys
from celery.signals import beat_init, worker_process_init, worker_ready
from hscjit_app import worker

def tell(who, end=False):
    def told(**_):
        print("told", who, gc.isenabled(), gc.get_freeze_count() > 50_000, flush=True)
        if end:
            os.kill(os.getpid(), signal.SIGTERM)
    return told

print("told starting", gc.isenabled(), flush=True)
os.register_at_fork(before=tell("fork"))
worker_process_init.connect(tell("pool"), weak=False)
worker_ready.connect(tell("parent", True), weak=False)
beat_init.connect(tell("beat", True), weak=False)
worker.app.start(sys.argv[1:])
"""

STARTS = {
    "worker": (
        ["worker", "--concurrency=2", "--without-gossip", "--without-mingle"],
        [*["fork False True"] * 2, "parent True True", *["pool True True"] * 2, "starting False"],
    ),
    "beat": (["beat"], ["beat True True", "starting False"]),
}


@pytest.mark.parametrize(("words", "states"), STARTS.values(), ids=STARTS)
def test_what_was_there_at_the_start_is_never_searched_for_garbage(
    env: dict[str, str], tmp_path, words, states
):
    """Neither while it is imported nor later, when a pool's process would copy what it shares."""
    told = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app")}
    told["HSCJIT_METRICS_PORT"] = str(free_ports(1)[0])
    done = subprocess.run(
        [sys.executable, "-c", TOLD, "--quiet", *words],
        cwd=tmp_path,
        env=told | env,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    said = [line[5:] for line in done.stdout.splitlines() if line.startswith("told ")]

    assert sorted(said) == states, done.stderr
