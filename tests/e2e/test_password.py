"""The database gets another password while customers ask: none of them may notice."""

import base64
import json
import subprocess
from typing import Any

from tests.e2e.conftest import Customer, Support, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually, uid

LOGINS = ("hscjit", "hscjit_b")
PRODUCT, QUESTION = "roland-td17kv", "how do I set the kick sensitivity?"
TRICKLE = """
import asyncio, json, sys, urllib.request
from hscjit_app.client import Client

url, product, question = sys.argv[1:]
told = {"asked": 0, "searched": 0, "failed": []}
over = asyncio.Event()

def search():
    with urllib.request.urlopen(f"{url}/api/products/search?q=td17", timeout=5) as answer:
        answer.read()

async def customer(expected):
    while not over.is_set():
        try:
            async with await Client.connect(url) as client:
                text, _ = await client.answer(question, product)
            told["asked"] += 1
            if text != expected:
                told["failed"].append(text)
            await asyncio.to_thread(search)
            told["searched"] += 1
        except Exception as error:
            told["failed"].append(repr(error))
        await asyncio.sleep(0.3)

async def main():
    async with await Client.connect(url) as client:
        expected, _ = await client.answer(question, product)
    customers = [asyncio.create_task(customer(expected)) for _ in range(2)]
    print("open", flush=True)
    await asyncio.to_thread(sys.stdin.readline)
    over.set()
    await asyncio.gather(*customers)
    print(json.dumps(told), flush=True)

asyncio.run(main())
"""

KNOCK = """
import json, sys
import psycopg

def opens(login, password):
    try:
        psycopg.connect(host=host, dbname="hscjit", user=login, password=password).close()
    except psycopg.OperationalError as error:
        if "password authentication failed" not in str(error):
            raise
        return False
    return True

host, tried = json.load(sys.stdin)
print(json.dumps([opens(*one) for one in tried]))
"""


def secret(kubectl: Kubectl, support: Support) -> dict[str, str]:
    """Return the values of the generated Secret."""
    found = kubectl.get("secret", f"{support.name}-secret") or {"data": {}}
    return {key: base64.b64decode(value).decode() for key, value in found["data"].items()}


def opened(kubectl: Kubectl, support: Support, *tried: tuple[str, str]) -> list[bool]:
    """Tell of each login and password whether the database lets in a pod that comes with them."""
    pod = kubectl.pods(support.name, "api")[0]["metadata"]["name"]
    given = json.dumps([f"{support.name}-postgres", tried])
    return list(
        json.loads(kubectl.run("exec", "-i", pod, "--", "python", "-c", KNOCK, given=given))
    )


def revisions(kubectl: Kubectl, support: Support) -> dict[str, int]:
    """Return how many pod templates each Deployment has had."""
    found = {}
    for component in ("api", "worker", "beat"):
        deployment = kubectl.get("deployment", f"{support.name}-{component}") or {}
        annotations = deployment["metadata"]["annotations"]
        found[component] = int(annotations["deployment.kubernetes.io/revision"])
    return found


def rotated(kubectl: Kubectl, support: Support, before: dict[str, str]) -> dict[str, str]:
    """Return the Secret's values once the former password is good for nothing, else nothing."""
    found = secret(kubectl, support)
    changed = found["postgres-password"] != before["postgres-password"]
    return found if changed and "postgres-login-former" not in found else {}


def test_the_databases_password_is_exchanged_and_nobody_notices(
    kubectl: Kubectl, customer: Customer, support: Support
) -> None:
    ready_again(kubectl, support.name)
    before, templates = secret(kubectl, support), revisions(kubectl, support)
    database = uid(kubectl.get("pod", f"{support.name}-postgres-0"))
    first = before.get("postgres-login", "hscjit")
    former = before["postgres-password"]
    assert opened(kubectl, support, (first, former)) == [True]

    patch = json.dumps({"stringData": {"postgres-password-next": ""}})
    kubectl.run("patch", "secret", f"{support.name}-secret", "-p", patch)
    eventually("that it begins", lambda: begun(kubectl, support), timeout_s=60)
    with subprocess.Popen(
        kubectl.command(
            "exec", "-i", customer.name, "--",
            "python", "-c", TRICKLE, customer.url, PRODUCT, QUESTION,
        ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as trickle:  # fmt: skip
        assert trickle.stdout is not None
        assert trickle.stdout.readline().strip() == "open"
        after = eventually("the end", lambda: rotated(kubectl, support, before), timeout_s=170)
        told: dict[str, Any] = json.loads(trickle.communicate("enough\n", timeout=60)[0])

    assert told["failed"] == []
    assert told["asked"] > 5
    assert told["searched"] > 5
    assert after["postgres-login"] != first
    tried = [(who, word) for word in (former, after["postgres-password"]) for who in LOGINS]
    assert opened(kubectl, support, *tried) == [False, False, True, True]
    rolled = {name: count - templates[name] for name, count in revisions(kubectl, support).items()}
    assert rolled == {"api": 1, "worker": 1, "beat": 0}
    assert uid(kubectl.get("pod", f"{support.name}-postgres-0")) == database
    degraded = condition(ready_again(kubectl, support.name), "Degraded")
    assert degraded["status"] == "False", degraded


def begun(kubectl: Kubectl, support: Support) -> bool:
    """Tell whether the wish was seen."""
    progressing = condition(kubectl.get("hscjit", support.name), "Progressing")
    return progressing["reason"] == "RotatingPassword" or progressing["status"] == "True"
