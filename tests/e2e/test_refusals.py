"""Bad input meets a clear error, and disturbs nothing."""

import pytest

from tests.e2e.conftest import Customer, Support, example
from tests.e2e.kubectl import Kubectl, KubectlFailed, uid

BAD_SPECS = {
    "unknown field": ({"api": {"replicsa": 3}}, "replicsa"),
    "wrong type": ({"api": {"replicas": "three"}}, "spec.api.replicas"),
    "min above max": (
        {"api": {"autoscaling": {"minReplicas": 5, "maxReplicas": 3}}},
        "minReplicas",
    ),
    "bad cron line": ({"backup": {"schedule": "every day"}}, "schedule"),
}


@pytest.mark.parametrize(("spec", "field"), BAD_SPECS.values(), ids=BAD_SPECS)
def test_a_bad_spec_is_refused_by_name(
    kubectl: Kubectl, support: Support, spec: dict[str, object], field: str
) -> None:
    before = uid(kubectl.get("deployment", f"{support.name}-api"))

    with pytest.raises(KubectlFailed) as refusal:
        kubectl.apply(example("minimal.yaml", name=support.name) | {"spec": spec})

    assert field in str(refusal.value)
    assert uid(kubectl.get("deployment", f"{support.name}-api")) == before


@pytest.mark.parametrize("name", ["a" * 60, "with.dot"], ids=["60 characters", "a dot"])
def test_a_bad_name_is_refused(kubectl: Kubectl, name: str) -> None:
    with pytest.raises(KubectlFailed, match=r"metadata\.name"):
        kubectl.apply(example("minimal.yaml", name=name))


def test_scaling_by_hand_is_refused_with_the_way_out(kubectl: Kubectl, support: Support) -> None:
    with pytest.raises(KubectlFailed, match=r"spec\.api\.autoscaling\.enabled is true; set"):
        kubectl.run("scale", f"hscjit/{support.name}", "--replicas=3")


def test_a_malformed_frame_is_answered_and_the_socket_lives_on(customer: Customer) -> None:
    frames = customer.say("raw", "{not json", '{"type": "typing", "content": "moog"}')

    assert [f["type"] for f in frames] == ["error", "prediction"]
    assert frames[0]["message"]
