"""Redis and Postgres of somebody else: an HSCJit answers from them, and backs them up."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from tests.cluster.up import Cluster
from tests.e2e.conftest import Customer, example, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually, is_ready

NAME = "guest"
SECRET = "their-stores"  # noqa: S105 an object's name
PASSWORD = "theirs-alone"  # noqa: S105 a test's own
ADDRESSES = {
    "cache": f"redis://:{PASSWORD}@their-cache:6379/0",
    "queue": f"redis://:{PASSWORD}@their-queue:6379/0",
    "dsn": f"postgresql://app:{PASSWORD}@their-postgres:5432/support",
}


def store(name: str, image: str, port: int, **container: Any) -> list[dict[str, Any]]:
    """Return a store as somebody runs it who knows nothing of us: a pod and its Service."""
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"run": name}},
        "spec": {
            "automountServiceAccountToken": False,
            "terminationGracePeriodSeconds": 0,
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 10001,
                "fsGroup": 10001,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [
                {
                    "name": "store",
                    "image": image,
                    "ports": [{"containerPort": port}],
                    "readinessProbe": {"tcpSocket": {"port": port}, "periodSeconds": 1},
                    "securityContext": {
                        "allowPrivilegeEscalation": False,
                        "capabilities": {"drop": ["ALL"]},
                    },
                    "resources": {"requests": {"cpu": "10m", "memory": "32Mi"}},
                    "volumeMounts": [
                        {"name": "data", "mountPath": "/data"},
                        {"name": "run", "mountPath": "/var/run/postgresql"},
                    ],
                    **container,
                }
            ],
            "volumes": [{"name": "data", "emptyDir": {}}, {"name": "run", "emptyDir": {}}],
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": name},
        "spec": {"selector": {"run": name}, "ports": [{"port": port}]},
    }
    return [pod, service]


@pytest.fixture
def theirs(kubectl: Kubectl, cluster: Cluster) -> Iterator[None]:
    """Their stores, and the Secret with the addresses."""
    redis = ["redis-server", "--requirepass", PASSWORD, "--dir", "/data"]
    account = {"POSTGRES_USER": "app", "POSTGRES_PASSWORD": PASSWORD, "POSTGRES_DB": "support"}
    account["PGDATA"] = "/data/pg"
    env = [{"name": name, "value": value} for name, value in account.items()]
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET},
        "stringData": ADDRESSES,
    }
    objects = [
        secret,
        *store("their-cache", cluster.images["redis"], 6379, command=redis),
        *store("their-queue", cluster.images["redis"], 6379, command=redis),
        *store("their-postgres", cluster.images["postgres"], 5432, env=env),
    ]
    kubectl.apply(*objects)
    yield
    kubectl.run("delete", "hscjit", NAME, "--ignore-not-found", "--wait=false")
    kubectl.run("delete", "pvc", f"{NAME}-backup", "--ignore-not-found", "--wait=false")
    for one in objects:
        kubectl.run("delete", one["kind"], one["metadata"]["name"], "--wait=false")


def guest() -> dict[str, Any]:
    """Return an HSCJit that brings no store of its own."""
    made = example("minimal.yaml", name=NAME)

    def named(key: str) -> dict[str, str]:
        return {"name": SECRET, "key": key}

    little = {"requests": {"cpu": "10m", "memory": "128Mi"}}  # another HSCJit lives on the node
    made["spec"] = {
        "api": {"replicas": 1, "autoscaling": {"enabled": False}, "resources": little},
        "worker": {"resources": little},
        "redis": {
            "external": {
                "cache": {"urlSecretRef": named("cache")},
                "queue": {"urlSecretRef": named("queue")},
            }
        },
        "postgres": {"external": {"dsnSecretRef": named("dsn")}},
    }
    return made


@pytest.mark.usefixtures("theirs")
def test_an_answer_and_a_backup_come_from_stores_of_somebody_else(
    kubectl: Kubectl, customer: Customer
) -> None:
    kubectl.apply(guest())
    found = ready_again(kubectl, NAME, timeout_s=120)

    assert found["status"]["components"]["postgres"]["reason"] == "External"
    assert not kubectl.find("statefulsets", f"app.kubernetes.io/instance={NAME}")
    assert all(is_ready(pod) for pod in kubectl.pods(NAME, "worker"))

    visitor = replace(customer, url=f"http://{NAME}-api")
    frames = visitor.say("ask", "roland-td17kv", "how do I set the kick sensitivity?")
    assert frames[-1]["type"] == "answer_done"
    count = "SELECT count(*) FROM messages"
    told = kubectl.run(
        "exec", "their-postgres", "--", "psql", "-h", "/var/run/postgresql",
        "-U", "app", "-d", "support", "-tAc", count,
    )  # fmt: skip
    assert int(told) >= 2, "the conversation is in their database"

    kubectl.run("create", "job", "guest-backup", f"--from=cronjob/{NAME}-backup")
    kubectl.run(
        "wait", "--for=condition=Complete", "job/guest-backup", "--timeout=90s", timeout_s=100
    )
    eventually(
        "the backup reported",
        lambda: condition(kubectl.get("hscjit", NAME), "BackupSucceeded").get("status") == "True",
        timeout_s=20,
    )
