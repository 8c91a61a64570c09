"""Who may talk to whom, by our own reading of the policies: the table, in milliseconds.

The integration tests ask a policy engine the same; `edges.py` is the table of both.
"""

from typing import Any

import pytest
from tests.cluster.judge import Question
from tests.unit.operator.manifests import edges
from tests.unit.operator.manifests.builders import FULL, children, hscjit
from tests.unit.operator.manifests.reach import open_doors

from hscjit_operator import names


@pytest.mark.parametrize("row", edges.ROWS.values(), ids=edges.ROWS)
def test_what_is_open_is_what_is_meant(row: edges.Row) -> None:
    policies, ends = edges.policies(row), edges.ends()
    found = {
        Question(client, server, *door)
        for client, server in edges.pairs(edges.ours())
        for door in open_doors(policies, ends[client], ends[server], edges.DOORS)
    }

    difference = edges.difference(found, edges.meant(row))
    assert not difference, difference


def test_every_kind_of_pod_is_in_the_table() -> None:
    silent = {"postgres", "redis-cache", "redis-queue", "newcomer"}
    assert edges.ours().keys() - silent == edges.MEANT.keys() - {
        "operator", "neighbour", "second-HSCJit",
    }  # fmt: skip


def test_policies_can_be_switched_off() -> None:
    assert edges.policies(edges.Row(edges.network(policies=False))) == []


OPEN_TO_NOBODY = edges.network(clientsFrom=[], dns=[], metricsFrom=[])


@pytest.mark.parametrize("spec", [{}, FULL, OPEN_TO_NOBODY], ids=["empty", "full", "nobody"])
def test_no_rule_is_open_to_everybody_by_an_empty_list(spec: dict[str, Any]) -> None:
    for policy in edges.policies(edges.Row(spec)):
        for rule in policy["spec"].get("ingress", []):
            assert rule["from"]
            assert rule["ports"]
        for rule in policy["spec"].get("egress", []):
            assert rule["to"]
            assert rule["ports"]


def test_a_policy_that_opens_nothing_says_so_by_its_types_alone() -> None:
    """The API server drops empty lists; writing them would look like a drift for ever."""
    for policy in edges.policies(edges.Row({})):
        assert policy["spec"].get("ingress") != []
        assert policy["spec"].get("egress") != []


def test_every_policy_selects_pods_that_exist() -> None:
    spec = hscjit().name
    components = {p.component for p in children(stopped=True, restore="s").pods()}
    for policy in edges.policies(edges.Row({})):
        selector = policy["spec"]["podSelector"]
        named = {selector["matchLabels"].get(names.LABEL_COMPONENT)} - {None}
        assert selector["matchLabels"][names.LABEL_INSTANCE] == spec
        assert named <= components
