"""A connection is judged by who had the address, and by the policies that held, at its moment."""

import pytest
from tests.cluster.judge import End
from tests.cluster.past import SLACK_S, Pod, Pods, Policies


def pod(name: str, address: str, created: float, *, host_network: bool = False) -> Pod:
    return Pod(f"uid-{name}", End("shop", {"app": name}, address), name, created, host_network)


@pytest.fixture
def pods() -> Pods:
    """Two pods that had one address, one after the other."""
    known = Pods()
    known.see(pod("first", "10.244.0.5", 100))
    known.see(pod("second", "10.244.0.5", 200))
    known.see(pod("proxy", "172.18.0.2", 0, host_network=True))
    known.see(pod("young", "", 300))
    return known


WHO = {
    "before anybody": ("10.244.0.5", 100 - SLACK_S - 1, None),
    "as soon as it may be": ("10.244.0.5", 100 - SLACK_S, "first"),
    "the first": ("10.244.0.5", 150, "first"),
    "the second": ("10.244.0.5", 200, "second"),
    "nobody we know": ("10.244.0.6", 200, None),
    "a node's own address": ("172.18.0.2", 200, None),
    "no address": ("", 400, None),
}


@pytest.mark.parametrize(("address", "when", "name"), WHO.values(), ids=WHO)
def test_who_had_an_address(pods: Pods, address: str, when: float, name: str | None) -> None:
    found = pods.at(address, when)

    assert (found.name if found else None) == name


def test_a_pod_seen_again_is_one_pod(pods: Pods) -> None:
    pods.see(pod("second", "10.244.0.5", 200))

    found = pods.at("10.244.0.5", 500)
    assert found is not None
    assert found.place == "shop/second"


def held(policies: Policies, epoch: int) -> dict[str, object]:
    return {one["metadata"]["name"]: one["spec"] for one in policies.of(epoch)}


def test_a_policy_counts_from_the_beginning_and_its_newest_version_for_ever() -> None:
    policies = Policies()
    policies.see("shop", "api", {"v": 1}, 100)
    policies.see("shop", "api", {"v": 1}, 150)
    policies.see("shop", "api", {"v": 2}, 200)
    policies.see("shop", "deny", {"v": 1}, 300)

    assert len(policies) == 2
    assert held(policies, policies.epoch(0)) == {"api": {"v": 1}, "deny": {"v": 1}}
    assert held(policies, policies.epoch(199)) == {"api": {"v": 1}, "deny": {"v": 1}}
    assert held(policies, policies.epoch(200)) == {"api": {"v": 2}, "deny": {"v": 1}}
    assert held(policies, policies.epoch(9999)) == {"api": {"v": 2}, "deny": {"v": 1}}


AROUND = {
    "long before": (200 - SLACK_S - 1, {0}),
    "just before": (200 - SLACK_S, {0, 1}),
    "at once": (200, {0, 1}),
    "just after": (200 + SLACK_S - 0.001, {0, 1}),
    "long after": (200 + SLACK_S, {1}),
}


@pytest.mark.parametrize(("when", "epochs"), AROUND.values(), ids=AROUND)
def test_near_a_change_both_versions_count(when: float, epochs: set[int]) -> None:
    policies = Policies()
    policies.see("shop", "api", {"v": 1}, 100)
    policies.see("shop", "api", {"v": 2}, 200)

    assert policies.around(when) == epochs
