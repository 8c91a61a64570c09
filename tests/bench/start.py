"""From exec to a ready API process, beside FastAPI and uvicorn that only bind a port.

Our process finds its SQLite file migrated, as a pod finds its database migrated by the Job. Both
find the libraries of the app's image, and no other.
"""

import os
import subprocess
import tempfile
import time
import urllib.request
from pathlib import Path
from statistics import median

from tests.bench.installed import as_in_the_image
from tests.bench.pairs import Pair, report
from tests.cluster.ports import free_ports

PAIRS = 5
PATIENCE_S = 60.0
ROOT = Path(__file__).parents[2]
BARE = """
import sys, fastapi, uvicorn
app = fastapi.FastAPI()
@app.get("/ready")
async def ready():
    return {}
uvicorn.run(
    app, host="127.0.0.1", port=int(sys.argv[1]), log_level="error", loop="uvloop", http="httptools"
)
"""


def start(python: Path, command: list[str], port: int, folder: Path) -> tuple[float, float]:
    """Return the seconds until /ready says 200: of the clock, and of all threads' CPU."""
    begun = time.perf_counter()
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(ROOT / "app"),
        "HSCJIT_PORT": str(port),
    }
    process = subprocess.Popen(
        [python, *command],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        while not ready(port):
            if process.poll() is not None or time.perf_counter() - begun > PATIENCE_S:
                raise RuntimeError(f"{command[1]} did not get ready")
            time.sleep(0.005)
        took = time.perf_counter() - begun
        fields = Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()
        return took, (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")
    finally:
        process.kill()
        process.wait()


def ready(port: int) -> bool:
    """Is it, at this moment?"""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready", timeout=5) as answer:
            return bool(answer.status == 200)
    except OSError:
        return False


def run() -> bool:
    """Start both in turns; the first pair only warms bytecode and disk."""
    ours, bare = [], []
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        python = as_in_the_image(folder / "venv")
        for _ in range(PAIRS + 1):
            port, other = free_ports(2)
            ours.append(start(python, ["-m", "hscjit_app.serve"], port, folder))
            bare.append(start(python, ["-c", BARE, str(other)], other, folder))
    met = [
        report(
            bench="start",
            figure=f"exec to ready, {PAIRS} pairs",
            unit=unit,
            peer="import fastapi, uvicorn; bind",
            pair=Pair(median(o[at] for o in ours[1:]), median(b[at] for b in bare[1:])),
            goal=2.0,
        )
        for at, unit in ((0, "s"), (1, "cpu_s"))
    ]
    return all(met)
