"""`make demo`: a cluster, the operator, an HSCJit that answers, all shown from the live cluster."""

import asyncio
import http.client
import json
import subprocess
import sys
import time
import urllib.request
from pathlib import Path
from typing import Any

from hscjit_app.client import Client
from tests.cluster.up import Cluster, ensure

EXAMPLE = Path("docs/examples/demo.yaml")
NAME = "support"
TYPED = "rolnd td17"
QUESTION = "how do I set the kick sensitivity?"
READY_TIMEOUT_S = 180


def main() -> int:
    """Run the demo; 0 when the assistant answered with a page number."""
    cluster = ensure()
    print(f"$ kubectl apply -f {EXAMPLE}")
    print(kubectl(cluster, "apply", "-f", str(EXAMPLE)), end="")
    address = f"http://127.0.0.1:{cluster.page_port}"
    # One that a former demo left behind runs that demo's image: a newer operator restarts nothing.
    # And what it says may be from before its cluster was put to sleep: the page itself is asked.
    up = watch_until_ready(cluster) and page_answers(address, READY_TIMEOUT_S)
    if not (up and watch_until_ready(cluster) and approve_plan(cluster)):
        print(kubectl(cluster, "describe", "hscjit", NAME))
        print(f"{NAME} does not answer after {READY_TIMEOUT_S} s; its conditions above say why")
        return 1
    print()
    show_conditions(cluster)
    pages = asyncio.run(converse(address))
    print(f"\nopen       http://localhost:{cluster.page_port}")
    print(f"           export KUBECONFIG={cluster.kubeconfig}")
    print(f"           {cluster.kubectl} describe hscjit {NAME}")
    print("next       make test · make clean")
    return 0 if pages else 1


def kubectl(cluster: Cluster, *words: str) -> str:
    """Run kubectl against the demo's cluster and return what it printed."""
    done = subprocess.run(
        [cluster.kubectl, f"--kubeconfig={cluster.kubeconfig}", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode != 0:
        sys.exit(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def watch_until_ready(cluster: Cluster) -> bool:
    """Print the row of `kubectl get hscjit` whenever it says something new."""
    print("$ kubectl get hscjit -w")
    deadline = time.monotonic() + READY_TIMEOUT_S
    shown: list[str] = []
    while time.monotonic() < deadline:
        table = kubectl(cluster, "get", "hscjit", NAME).splitlines()
        row = table[1]
        if not shown:
            print(table[0])
        if row.split()[:-1] != shown:
            print(row, flush=True)
            shown = row.split()[:-1]
        if ready(cluster):
            return True
        time.sleep(1)
    return False


def page_answers(address: str, patience_s: float) -> bool:
    """Wait until the page's address says ready; behind its port there may be nobody yet."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        try:
            with urllib.request.urlopen(f"{address}/ready", timeout=2):  # noqa: S310  our own page
                return True
        except (OSError, http.client.HTTPException):
            time.sleep(0.5)
    return False


def approve_plan(cluster: Cluster) -> bool:
    """Approve what the operator offers, if anything, and wait until it is carried out."""
    offered = read(cluster)["status"].get("plan", {}).get("hash")
    if offered is None:
        return True
    approval = ("annotate", "--overwrite", "hscjit", NAME, f"hscjit.dev/approve={offered}")
    print(f"$ kubectl {' '.join(approval)}")
    kubectl(cluster, *approval)
    deadline = time.monotonic() + READY_TIMEOUT_S
    while "plan" in read(cluster)["status"]:
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    # Pods of the former image may answer until the last of them has left.
    kubectl(cluster, "rollout", "status", f"deployment/{NAME}-api", "--timeout=120s")
    return watch_until_ready(cluster)


def ready(cluster: Cluster) -> bool:
    """Tell whether the resource is Ready for its present generation."""
    found = read(cluster)
    return any(
        c["type"] == "Ready"
        and c["status"] == "True"
        and c["observedGeneration"] == found["metadata"]["generation"]
        for c in found.get("status", {}).get("conditions", [])
    )


def read(cluster: Cluster) -> dict[str, Any]:
    """Return the demo's resource."""
    found: dict[str, Any] = json.loads(kubectl(cluster, "get", "hscjit", NAME, "-o", "json"))
    return found


def show_conditions(cluster: Cluster) -> None:
    """Print what `kubectl describe` says of the conditions, a line each."""
    for c in read(cluster)["status"]["conditions"]:
        print(f"{c['type']:<20} {c['status']:<8} {c['reason']:<24} {c['message']}")


async def converse(address: str) -> list[int]:
    """Type, ask, and show both; return the pages the answer names."""
    async with await Client.connect(address) as client:
        await client.predict("r")  # the first frame also pays for the connection
        started = time.perf_counter()
        found = await client.predict(TYPED)
        took_ms = (time.perf_counter() - started) * 1000
        names = " · ".join(f"{c['product']['name']}  {c['confidence']:.2f}" for c in found[:3])
        print(f'\nyou type   "{TYPED}"  ->  {names}   ({took_ms:.0f} ms)')
        print(f'you ask    "{QUESTION}"')
        started = time.perf_counter()
        first_ms: float | None = None
        sources: list[dict[str, Any]] = []
        async for frame in client.ask(QUESTION, found[0]["product"]["id"]):
            if frame["type"] == "status":
                print(f"           … {frame['message']}")
            elif frame["type"] == "answer_chunk":
                if first_ms is None:
                    first_ms = (time.perf_counter() - started) * 1000
                    print("answer     ", end="")
                print(frame["content"], end="", flush=True)
            elif frame["type"] == "context":
                sources = frame["sources"]
            elif frame["type"] == "error":
                print(f"refused    {frame['message']}")
        for source in sources:
            print(f"\n           [{source['title']}, p. {source['page']}]", end="")
        print(f"   (first words after {first_ms or 0:.0f} ms)")
        return [source["page"] for source in sources]


if __name__ == "__main__":
    sys.exit(main())
