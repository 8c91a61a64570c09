"""The chart's values are documented and checked, its templates speak the operator's language."""

import json
import re
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml

from hscjit_operator import names

ROOT = Path(__file__).parents[2]
CHART = ROOT / "charts" / "hscjit-operator"
VALUES_TEXT = (CHART / "values.yaml").read_text()
VALUES = yaml.safe_load(VALUES_TEXT)
VALUES_SCHEMA = json.loads((CHART / "values.schema.json").read_text())
FITS = jsonschema.validators.validator_for(VALUES_SCHEMA)(VALUES_SCHEMA)
DEPLOYMENT = (CHART / "templates" / "deployment.yaml").read_text()
SETTINGS = (ROOT / "operator" / "hscjit_operator" / "settings.py").read_text()


def test_the_versions_are_one():
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    assert chart["version"] == chart["appVersion"] == project["version"]


def test_the_values_fit_their_schema():
    FITS.check_schema(VALUES_SCHEMA)
    FITS.validate(VALUES)


WRONG: dict[str, dict[str, Any]] = {
    "an unknown key": {"watchNamespace": ["a"]},
    "an unknown key further in": {"log": {"lvl": "INFO"}},
    "an image without a tag": {"images": VALUES["images"] | {"app": "hscjit/app"}},
    "an image that changes by itself": {"images": VALUES["images"] | {"app": "hscjit/app:latest"}},
    "a namespace that is none": {"watchNamespaces": ["Care"]},
    "a level that is none": {"log": {"level": "LOUD"}},
    "no operator at all": {"replicas": 0},
}


@pytest.mark.parametrize("change", WRONG.values(), ids=WRONG)
def test_wrong_values_are_refused(change: dict[str, Any]):
    with pytest.raises(jsonschema.ValidationError):
        FITS.validate(VALUES | change)


@pytest.mark.parametrize(
    "image", ["registry.example.com:5000/hscjit/app:1", "hscjit/app@sha256:" + "0" * 64]
)
def test_images_may_come_from_anywhere(image: str):
    FITS.validate(VALUES | {"images": VALUES["images"] | {"app": image}})


STANDARD = {"requests", "limits"}
"""Keys of Kubernetes' own, which need no comment of ours."""


def keys(values: dict[str, Any], path: str = "") -> list[str]:
    found = []
    for key, value in values.items():
        found.append(f"{path}{key}")
        if isinstance(value, dict) and not STANDARD & value.keys():
            found += keys(value, f"{path}{key}.")
    return found


@pytest.mark.parametrize(
    "key", [k for k in keys(VALUES) if k not in ("rbac", "serviceAccount", "log", "networkPolicy")]
)
def test_every_value_has_a_comment_that_begins_with_its_name(key: str):
    assert re.search(rf"^ *# {re.escape(key)}: ", VALUES_TEXT, re.MULTILINE)


def test_no_registry_is_named():
    first = [image.split("/")[0] for name, image in VALUES["images"].items() if "pull" not in name]
    assert [part for part in first if "." in part.split(":")[0]] == []


def test_the_operator_knows_every_variable_it_is_given():
    given = re.findall(r"- name: (HSCJIT_\w+)", DEPLOYMENT)

    assert len(given) >= 6
    assert [name for name in given if f'"{name}"' not in SETTINGS] == []


def test_the_operator_gets_every_variable_it_cannot_do_without():
    required = re.findall(r'_required\(env, "(HSCJIT_\w+)"\)', SETTINGS)

    assert len(required) == 3
    assert [name for name in required if name not in DEPLOYMENT] == []


def test_the_policies_of_an_hscjit_let_this_operator_in():
    """Its pods are known by the label that the network policies of every HSCJit look for."""
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    selector = helpers.split('define "hscjit-operator.selector"')[1].split("{{- end -}}")[0]

    assert all(f"{key}: {value}" in selector for key, value in names.OPERATOR.items())


def test_the_policies_of_an_hscjit_let_the_charts_prometheus_in():
    helpers = (CHART / "templates" / "_helpers.tpl").read_text()
    name = 'define "hscjit-operator.prometheus.selector"'
    selector = helpers.split(name)[1].split("{{- end -}}")[0]

    assert all(f"{key}: {value}" in selector for key, value in names.PROMETHEUS.items())


PROMETHEUS = (CHART / "templates" / "prometheus.yaml").read_text()


@pytest.mark.parametrize(
    "line",
    [
        "automountServiceAccountToken: false",
        "runAsNonRoot: true",
        "type: RuntimeDefault",
        "allowPrivilegeEscalation: false",
        "readOnlyRootFilesystem: true",
        "drop: [ALL]",
        "sizeLimit:",
    ],
)
def test_the_charts_prometheus_runs_restricted_and_without_rights(line: str):
    assert line in PROMETHEUS
    assert "rbac.authorization.k8s.io" not in PROMETHEUS


def test_the_charts_prometheus_is_small_and_off():
    assert VALUES["prometheus"]["enabled"] is False
    assert VALUES["prometheus"]["resources"]["requests"] == {"cpu": "20m", "memory": "96Mi"}


def test_the_operator_stays_as_small_as_it_promises():
    """All replicas together; what runs for an empty spec is added up beside the manifests."""
    requests = VALUES["resources"]["requests"]
    assert VALUES["replicas"] * int(requests["cpu"].removesuffix("m")) <= 50
    assert requests["memory"] == "128Mi"


HARDENED = [
    "replicas: {{ .Values.replicas }}",
    "type: RollingUpdate",
    "runAsNonRoot: true",
    "runAsUser: 10001",
    "type: RuntimeDefault",
    "allowPrivilegeEscalation: false",
    "readOnlyRootFilesystem: true",
    "drop: [ALL]",
    "path: /healthz",
    "path: /readyz",
]


@pytest.mark.parametrize("line", HARDENED)
def test_the_operator_runs_twice_and_restricted(line: str):
    assert line in DEPLOYMENT
