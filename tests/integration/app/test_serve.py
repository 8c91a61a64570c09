"""The API's process around its first moment."""

import os
import subprocess
import sys

import pytest
from tests.integration.app.servers import ROOT

# uvicorn's own part is left out: what counts is what ours does around it.
STARTED = """
import asyncio, gc, os, runpy, uvicorn

async def startup(self, sockets=None):
    print("starting", gc.isenabled())

def run(self, sockets=None):
    asyncio.run(self.startup())
    print("started", gc.isenabled(), gc.get_freeze_count() > 50_000)
    import hscjit_app.catalog.matching  # numpy
    print("threads", len(os.listdir("/proc/self/task")))

uvicorn.Server.startup, uvicorn.Server.run = startup, run
runpy.run_module("hscjit_app.serve", run_name="__main__")
"""


@pytest.fixture(scope="module")
def told(tmp_path_factory) -> list[str]:
    """What a process that has started says of itself."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app")}
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=tmp_path_factory.mktemp("serve"),
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_what_was_there_at_the_start_is_never_searched_for_garbage(told):
    """Neither while it is imported nor later, when it would hold the loop up."""
    assert [line for line in told if line.startswith("start")] == [
        "starting False",
        "started True True",
    ]


@pytest.mark.skipif(os.cpu_count() == 1, reason="numpy has no threads for one processor")
def test_arrays_are_given_no_threads_of_their_own(told):
    assert "threads 1" in told
