"""The API's process around its first moment."""

import os
import subprocess
import sys

from tests.integration.app.servers import ROOT

# uvicorn's own part is left out: what counts is what ours does around it.
STARTED = """
import asyncio, gc, runpy, uvicorn

async def startup(self, sockets=None):
    print("starting", gc.isenabled())

def run(self, sockets=None):
    asyncio.run(self.startup())
    print("started", gc.isenabled(), gc.get_freeze_count() > 50_000)

uvicorn.Server.startup, uvicorn.Server.run = startup, run
runpy.run_module("hscjit_app.serve", run_name="__main__")
"""


def test_what_was_there_at_the_start_is_never_searched_for_garbage(tmp_path):
    """Neither while it is imported nor later, when it would hold the loop up."""
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT / "app")}
    done = subprocess.run(
        [sys.executable, "-c", STARTED],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    told = [line for line in done.stdout.splitlines() if line.startswith("start")]

    assert told == ["starting False", "started True True"], done.stderr
