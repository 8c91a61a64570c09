"""What a user deletes comes back; what he edits is set right; what he adds stays."""

import time
from collections.abc import Callable

import pytest

from tests.e2e.conftest import Support, ready_again
from tests.e2e.kubectl import Kubectl, condition, eventually, uid

QUIET_S = 20
"""Twenty ticks of the autopilot, two knocks at the front door."""


@pytest.mark.parametrize(
    ("kind", "suffix"),
    [
        ("service", "api"),
        ("configmap", "config"),
        ("hpa", "api"),
        ("pdb", "api"),
        ("cronjob", "backup"),
    ],
    ids=lambda value: value,
)
def test_a_deleted_child_comes_back(
    kubectl: Kubectl, support: Support, kind: str, suffix: str
) -> None:
    name = f"{support.name}-{suffix}"
    before = uid(kubectl.get(kind, name))

    kubectl.run("delete", kind, name)

    def reborn() -> bool:
        found = kubectl.get(kind, name)
        return found is not None and uid(found) != before

    eventually(f"{kind} {name} made anew", reborn, timeout_s=10, every_s=0.2)
    ready_again(kubectl, support.name)


def test_an_edited_child_is_set_right_and_foreign_labels_stay(
    kubectl: Kubectl, support: Support
) -> None:
    name = f"{support.name}-api"
    kubectl.run("label", "pdb", name, "team=music")

    kubectl.run("patch", "pdb", name, "--type=merge", "-p", '{"spec":{"maxUnavailable":5}}')

    eventually(
        "the budget set right",
        lambda: (kubectl.get("pdb", name) or {})["spec"]["maxUnavailable"] == 1,
        timeout_s=10,
    )
    found = kubectl.get("pdb", name)
    assert found is not None
    assert found["metadata"]["labels"]["team"] == "music"
    events = kubectl.run("get", "events", "--field-selector=reason=DriftRestored", "-o", "json")
    assert "maxUnavailable" in events


def test_nothing_is_written_while_nothing_changes(kubectl: Kubectl, support: Support) -> None:
    ready_again(kubectl, support.name)

    def versions() -> dict[str, str]:
        found = [
            *kubectl.find("hscjit"),
            *kubectl.find(
                "services,configmaps,pdb,networkpolicies,serviceaccounts,secrets",
                f"app.kubernetes.io/instance={support.name}",
            ),
        ]
        return {
            f"{o['kind']}/{o['metadata']['name']}": o["metadata"]["resourceVersion"] for o in found
        }

    # A young HSCJit still has news: half a minute after its start dependencies count as steady.
    eventually("all quiet since the start", lambda: at_rest(kubectl, support), timeout_s=90)
    eventually("the last change's echo gone", lambda: unchanged(versions, 6), timeout_s=60)
    before = versions()
    assert len(before) > 10

    time.sleep(QUIET_S)

    assert versions() == before


def at_rest(kubectl: Kubectl, support: Support) -> bool:
    """Tell whether the autopilot has all it needs, and nothing holds it back."""
    found = kubectl.get("hscjit", support.name)
    kinds = ("MetricsAvailable", "ScalingActive", "RemediationAllowed")
    return all(condition(found, kind)["status"] == "True" for kind in kinds)


def unchanged(versions: Callable[[], dict[str, str]], seconds: float) -> bool:
    """Tell whether nothing is written for some seconds."""
    before = versions()
    time.sleep(seconds)
    return versions() == before
