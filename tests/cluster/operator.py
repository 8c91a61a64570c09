"""Is our operator on the cluster, as its chart in this clone installs it?"""

import contextlib
from collections.abc import Callable
from pathlib import Path

from tests.cluster import cache, kind
from tests.cluster.images import ROOT, Images
from tests.cluster.shell import run, succeeds
from tests.cluster.tools import Tools

CHART = ROOT / "charts" / "hscjit-operator"
NAMESPACE = "hscjit-system"
RELEASE = "hscjit-operator"
_READY_TIMEOUT = "120s"


def ensure(tools: Tools, images: Images, state: kind.State, note: Callable[[str], None]) -> str:
    """Install or upgrade the release where chart or images changed; say which it was."""
    inputs = cache.digest(state.container_id, CHART, *images.all())
    record = kind.folder() / "operator"
    if _recorded(record) == inputs and _is_ready(tools):
        return "running"
    note("installing the operator with helm")
    _forget_cut_short(tools)
    values = {
        "operator": images.operator,
        "app": images.app,
        "redis": images.redis,
        "postgres": images.postgres,
    }
    settings = [part for name, value in values.items() for part in ("--set", _image(name, value))]
    watched = {
        "enabled": "true",
        "image": images.prometheus,
        "service.type": "NodePort",
        "service.nodePort": str(kind.PROMETHEUS_NODE_PORT),
    }
    for key, value in watched.items():
        settings += ["--set", f"prometheus.{key}={value}"]
    where = ("--kubeconfig", kind.kubeconfig(), "--namespace", NAMESPACE, "--create-namespace")
    wait = ("--wait", f"--timeout={_READY_TIMEOUT}")
    command: tuple[str | Path, ...] = (
        tools.helm,
        "upgrade",
        "--install",
        RELEASE,
        CHART,
        *where,
        *wait,
        *settings,
    )
    run(*command, note=note, doing="helm upgrade --install")
    record.write_text(inputs)
    return "ready"


def _image(name: str, value: str) -> str:
    return f"images.{name}={value}"


def _recorded(record: Path) -> str | None:
    with contextlib.suppress(FileNotFoundError):
        return record.read_text()
    return None


def _is_ready(tools: Tools) -> bool:
    selector = f"--selector=app.kubernetes.io/instance={RELEASE}"
    wait = ("wait", "--for=condition=Available", "deployment", selector, "--timeout=5s")
    return _kubectl(tools, *wait)


def _forget_cut_short(tools: Tools) -> None:
    """Helm refuses to go on where it was killed; its record of that attempt has to go."""
    status = "status in (pending-install,pending-upgrade,pending-rollback)"
    _kubectl(tools, "delete", "secret", f"--selector=owner=helm,name={RELEASE},{status}")


def _kubectl(tools: Tools, *words: str) -> bool:
    where = ("--kubeconfig", kind.kubeconfig(), "--namespace", NAMESPACE)
    return succeeds(tools.kubectl, *where, *words, timeout_s=20)
