"""A newer operator restarts nothing: the pods of each template version stay as they are, for ever.

`templates.json` holds, by version, specs and the digest of every pod template that comes of them.
A change of the manifests that alters one would restart these pods at every user's: it needs a new
version (first in TEMPLATE_VERSIONS, and `inputs.template_version` in the manifest), beside which
the old pods are still made as before. A version that is carried no more leaves the file too.
"""

import json
from pathlib import Path
from typing import Any

import pytest
from tests.unit.operator.manifests.builders import children

from hscjit_operator.manifests.checksum import checksum
from hscjit_operator.model.spec import TEMPLATE_VERSIONS

RECORDED = json.loads(Path(__file__).with_name("templates.json").read_text())
CASES = {
    f"{version}: {name}": (version, case)
    for version, cases in RECORDED.items()
    for name, case in cases.items()
}


def made(version: str, spec: dict[str, Any]) -> dict[str, str]:
    """Return the digest of each pod template that a version makes of a spec."""
    found = children(spec, template_version=version, restarted_at=None)
    return {
        child["metadata"]["name"]: checksum(child["spec"]["template"])
        for child in found
        if child["kind"] in ("Deployment", "StatefulSet")
    }


@pytest.mark.parametrize(("version", "case"), CASES.values(), ids=CASES)
def test_pods_of_a_version_stay_as_they_are(version: str, case: dict[str, Any]) -> None:
    assert made(version, case["spec"]) == case["pods"]


def test_every_version_that_is_carried_is_recorded_and_no_other() -> None:
    assert tuple(sorted(RECORDED, key=int, reverse=True)) == TEMPLATE_VERSIONS


def test_the_last_three_versions_are_carried() -> None:
    newest = int(TEMPLATE_VERSIONS[0])
    assert tuple(str(newest - back) for back in range(min(newest, 3))) == TEMPLATE_VERSIONS
