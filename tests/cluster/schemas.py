"""Which schemas do other people's kinds have? Taken from their Go modules, as they publish them.

What no module proxy offers stands in for itself by a schema of ours, with the fields we set.
"""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import yaml

from tests.cluster import cache
from tests.cluster.gomodules import require_go
from tests.cluster.shell import CommandFailed, Unavailable, output

_FILES: Final = {
    "sigs.k8s.io/gateway-api@v1.3.0": (
        "config/crd/standard/gateway.networking.k8s.io_httproutes.yaml",
    ),
    "github.com/prometheus-operator/prometheus-operator@v0.85.0": (
        "example/prometheus-operator-crd/monitoring.coreos.com_podmonitors.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_prometheusrules.yaml",
        "example/prometheus-operator-crd/monitoring.coreos.com_servicemonitors.yaml",
    ),
}
"""Module → the files of it that hold a CustomResourceDefinition."""

_DOWNLOAD_TIMEOUT_S: Final = 300
_TEXT: Final = {"type": "string"}
GRAFANA_DASHBOARD: Final[dict[str, Any]] = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "grafanadashboards.grafana.integreatly.org"},
    "spec": {
        "group": "grafana.integreatly.org",
        "scope": "Namespaced",
        "names": {
            "kind": "GrafanaDashboard",
            "listKind": "GrafanaDashboardList",
            "plural": "grafanadashboards",
            "singular": "grafanadashboard",
        },
        "versions": [
            {
                "name": "v1beta1",
                "served": True,
                "storage": True,
                "subresources": {"status": {}},
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "properties": {
                            "spec": {
                                "type": "object",
                                "required": ["instanceSelector"],
                                "properties": {
                                    "allowCrossNamespaceImport": {
                                        "type": "boolean",
                                        "default": False,
                                    },
                                    "instanceSelector": {
                                        "type": "object",
                                        "properties": {
                                            "matchLabels": {
                                                "type": "object",
                                                "additionalProperties": _TEXT,
                                            }
                                        },
                                    },
                                    "json": _TEXT,
                                    "resyncPeriod": {**_TEXT, "default": "10m0s"},
                                },
                            },
                            "status": {
                                "type": "object",
                                "x-kubernetes-preserve-unknown-fields": True,
                            },
                        },
                    }
                },
            }
        ],
    },
}


def optional_kinds(note: Callable[[str], None]) -> list[dict[str, Any]]:
    """Return the CustomResourceDefinitions of every kind the operator makes where it is served."""
    key = cache.digest(json.dumps(_FILES))
    folder = cache.ensure("schemas", key, lambda place: _fetch(place, note))
    found = [yaml.safe_load(path.read_text()) for path in sorted(folder.glob("*.yaml"))]
    return [*found, GRAFANA_DASHBOARD]


def _fetch(folder: Path, note: Callable[[str], None]) -> None:
    require_go()
    for module, files in _FILES.items():
        note(f"fetching the schemas of {module}")
        # Outside of any module of ours: nothing is added to what is built.
        command = ("go", "-C", folder, "mod", "download", "-json", module)
        try:
            told = json.loads(output(*command, timeout_s=_DOWNLOAD_TIMEOUT_S))
        except CommandFailed as failed:
            raise Unavailable(f"Go can't fetch {module}: {failed}") from failed
        for file in files:
            path = Path(told["Dir"]) / file
            (folder / path.name).write_bytes(path.read_bytes())
