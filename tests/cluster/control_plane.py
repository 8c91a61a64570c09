"""How does a test get a real API server? etcd and kube-apiserver as two processes on 127.0.0.1.

There is no controller, scheduler or node behind it: objects are admitted, validated, stored and
watched as in any cluster, RBAC included, and nothing else happens to them.
"""

import http.client
import json
import shutil
import ssl
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import versions
from tests.cluster.ports import free_ports
from tests.cluster.processes import Failed, process
from tests.cluster.shell import output

_START_TIMEOUT_S = 60
_ADMIN_TOKEN = "admin"  # noqa: S105 a server of one test run, on the loopback interface
_QUIET_ADMISSION = "ServiceAccount"
"""The one admission plugin that needs a controller: it waits for each namespace's account."""
_STRICT_ADMISSION = "OwnerReferencesPermissionEnforcement"
"""What some clusters have: who makes children that hold up their owner has to have a right to."""


@dataclass(frozen=True)
class ControlPlane:
    """A running API server and how to reach it as a member of `system:masters`."""

    url: str
    kubeconfig: Path
    token: str
    ca_file: Path
    restart: Callable[[], None]
    """End the API server as SIGTERM does, and run it again on the same store; takes seconds."""


@contextmanager
def control_plane(binaries: Path) -> Iterator[ControlPlane]:
    """Run etcd and kube-apiserver out of the folder `binaries` (kubeadm makes their keys)."""
    with ExitStack() as stack:
        folder = Path(tempfile.mkdtemp(prefix="hscjit-control-plane-"))
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        etcd_port, peer_port, api_port = free_ports(3)
        _make_keys(binaries / "kubeadm", folder)
        etcd = _etcd_command(binaries / "etcd", folder, etcd_port, peer_port)
        api = _api_command(binaries / "kube-apiserver", folder, etcd_port, api_port)
        stack.enter_context(process("etcd", etcd, folder))
        servers = stack.enter_context(ExitStack())

        def start() -> None:
            server = servers.enter_context(process("kube-apiserver", api, folder))
            _wait_ready(server, api_port, folder)

        def restart() -> None:
            servers.pop_all().close()
            start()

        start()
        yield ControlPlane(
            url=f"https://127.0.0.1:{api_port}",
            kubeconfig=_kubeconfig(folder, api_port),
            token=_ADMIN_TOKEN,
            ca_file=folder / "pki" / "ca.crt",
            restart=restart,
        )


def _make_keys(kubeadm: Path, folder: Path) -> None:
    # kubeadm takes no loopback address as the server's own; one of the documentation's range does.
    names = ("--apiserver-advertise-address=192.0.2.1", "--apiserver-cert-extra-sans=127.0.0.1")
    version = f"--kubernetes-version={versions.KUBERNETES}"
    for phase, options in {"ca": (version,), "apiserver": (version, *names), "sa": ()}.items():
        where = f"--cert-dir={folder / 'pki'}"
        output(kubeadm, "init", "phase", "certs", phase, where, *options)
    (folder / "tokens.csv").write_text(f'{_ADMIN_TOKEN},admin,admin,"system:masters"\n')


def _etcd_command(etcd: Path, folder: Path, port: int, peer_port: int) -> list[str]:
    client, peer = f"http://127.0.0.1:{port}", f"http://127.0.0.1:{peer_port}"
    return [
        str(etcd),
        f"--data-dir={folder / 'etcd'}",
        "--unsafe-no-fsync",
        f"--listen-client-urls={client}",
        f"--advertise-client-urls={client}",
        f"--listen-peer-urls={peer}",
        f"--initial-advertise-peer-urls={peer}",
        f"--initial-cluster=default={peer}",
    ]


def _api_command(api: Path, folder: Path, etcd_port: int, port: int) -> list[str]:
    keys = folder / "pki"
    return [
        str(api),
        f"--etcd-servers=http://127.0.0.1:{etcd_port}",
        "--bind-address=127.0.0.1",
        "--advertise-address=127.0.0.1",
        f"--secure-port={port}",
        "--service-cluster-ip-range=10.96.0.0/16",
        f"--tls-cert-file={keys / 'apiserver.crt'}",
        f"--tls-private-key-file={keys / 'apiserver.key'}",
        f"--cert-dir={keys}",
        f"--service-account-key-file={keys / 'sa.pub'}",
        f"--service-account-signing-key-file={keys / 'sa.key'}",
        "--service-account-issuer=https://kubernetes.default.svc",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        f"--disable-admission-plugins={_QUIET_ADMISSION}",
        f"--enable-admission-plugins={_STRICT_ADMISSION}",
        "--endpoint-reconciler-type=none",
        "--enable-priority-and-fairness=false",
    ]


def _wait_ready(server: subprocess.Popen[bytes], port: int, folder: Path) -> None:
    trust = ssl.create_default_context(cafile=str(folder / "pki" / "ca.crt"))
    deadline = time.monotonic() + _START_TIMEOUT_S
    while not _is_ready(port, trust):
        if server.poll() is not None or time.monotonic() > deadline:
            raise Failed("kube-apiserver", folder)
        time.sleep(0.1)


def _is_ready(port: int, trust: ssl.SSLContext) -> bool:
    connection = http.client.HTTPSConnection("127.0.0.1", port, timeout=2, context=trust)
    try:
        connection.request("GET", "/readyz", headers={"Authorization": f"Bearer {_ADMIN_TOKEN}"})
        return connection.getresponse().status == http.HTTPStatus.OK
    except OSError:
        return False
    finally:
        connection.close()


def _kubeconfig(folder: Path, port: int) -> Path:
    """Write the admin's kubeconfig: JSON, which every reader of YAML reads."""
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(folder / "pki" / "ca.crt"),
    }
    whole = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "test", "cluster": cluster}],
        "users": [{"name": "admin", "user": {"token": _ADMIN_TOKEN}}],
        "contexts": [{"name": "test", "context": {"cluster": "test", "user": "admin"}}],
        "current-context": "test",
    }
    path = folder / "kubeconfig"
    path.write_text(json.dumps(whole, indent=2))
    return path
