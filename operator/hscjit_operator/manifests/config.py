"""What are the app's processes told about their surroundings?

Only what API, worker and beat all read: a change here restarts them, so what concerns the jobs
alone stands in the jobs.
"""

import json

from hscjit_operator import names
from hscjit_operator.manifests.checksum import checksum
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.manifests.pods import Volume, config_files
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

_CATALOG_DIR = "/run/hscjit/catalog"


def config(app: HSCJit, inputs: Inputs) -> Manifest | None:
    """Return the ConfigMap whose keys are the environment of API, worker and beat.

    None until the address of the manuals' Service is known: half of it would roll the pods twice.
    """
    if inputs.manuals_ip is None:
        return None
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata(app, names.CONFIG),
        "data": _data(app, inputs),
    }


def config_checksum(app: HSCJit, inputs: Inputs) -> str:
    """Return what a pod template carries, so that changed settings reach the pods."""
    return checksum(_data(app, inputs))


def catalog_files(app: HSCJit) -> list[Volume]:
    """Return the volume with the user's catalogue; none while the bundled one is wanted.

    Optional, so that a ConfigMap that comes late delays no pod: the kubelet fills the folder in
    when it appears, and the app follows the folder. For the same reason no checksum of it is in the
    template: a new catalogue is swapped live.
    """
    if app.catalog.config_map_ref is None:
        return []
    return [config_files("catalog", app.catalog.config_map_ref.name, _CATALOG_DIR, optional=True)]


def _data(app: HSCJit, inputs: Inputs) -> dict[str, str]:
    manuals = names.child(app.name, names.MANUALS)
    fetched = app.catalog.manuals
    hosts = [
        {"host": entry.host}
        | ({} if entry.private_cidr is None else {"privateCIDR": entry.private_cidr})
        for entry in fetched.allowed_hosts
    ]
    if inputs.manuals_ip is not None:
        length = 128 if ":" in inputs.manuals_ip else 32
        hosts.append({"host": manuals, "privateCIDR": f"{inputs.manuals_ip}/{length}"})
    pool = app.postgres.pool
    pods = most_pods(app)
    data = {
        "HSCJIT_ALLOWED_ORIGINS": _json(app.network.allowed_origins),
        "HSCJIT_DB_MAX_OVERFLOW": str(pool.max_overflow // pods),
        "HSCJIT_DB_POOL_SIZE": str(max(1, pool.size // pods)),
        names.MANUALS_HOSTS: _json(hosts),
        "HSCJIT_MANUALS_BASE_URL": f"http://{manuals}",
        "HSCJIT_MANUALS_CACHE_TTL_SECONDS": str(int(fetched.cache_ttl.total_seconds())),
        "HSCJIT_MANUALS_MAX_BYTES": str(fetched.max_bytes),
        "HSCJIT_TRUSTED_PROXIES": _json(app.network.trusted_proxies),
    }
    if app.catalog.config_map_ref is not None:
        data["HSCJIT_CATALOG_DIR"] = _CATALOG_DIR
    return dict(sorted(data.items()))


def most_pods(app: HSCJit) -> int:
    """Return between how many pods the database's connections are shared, at most."""
    return app.api.most + app.api.rollout.max_surge + app.worker.max_replicas


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))
