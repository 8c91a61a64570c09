"""Who may talk to whom, computed by a policy engine from what manifests and chart hold."""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from tests import chart
from tests.cluster import judge, operator, progress, tools
from tests.cluster.judge import Case, End, Judge, Question
from tests.cluster.shell import Unavailable
from tests.unit.operator.manifests import edges
from tests.unit.operator.manifests.reach import open_doors

# Without a cache the engine is compiled first: some minutes on a small machine.
pytestmark = pytest.mark.timeout(900)


@pytest.fixture(scope="module")
def engine() -> Judge:
    """The engine, or the reason why it can't be had on this machine."""
    try:
        return judge.ensure(progress.say)
    except Unavailable as lacking:
        pytest.skip(str(lacking))


@pytest.fixture(scope="module")
def found(engine: Judge) -> dict[str, set[Question]]:
    """What the engine says is open under each row of the table, all asked at once."""
    asked = edges.questions(edges.ours())
    cases = [Case(edges.policies(row), edges.ends(), asked) for row in edges.ROWS.values()]
    answered = engine.verdicts(cases)
    return dict(zip(edges.ROWS, map(allowed, answered), strict=True))


def allowed(verdicts: Mapping[Question, judge.Verdict]) -> set[Question]:
    return {question for question, verdict in verdicts.items() if verdict.allowed}


@pytest.mark.parametrize("name", edges.ROWS)
def test_what_is_open_is_what_is_meant(name: str, found: dict[str, set[Question]]) -> None:
    difference = edges.difference(found[name], edges.meant(edges.ROWS[name]))
    assert not difference, difference


def test_without_policies_everything_is_open(engine: Judge) -> None:
    """The engine says no only where a policy does: a table that no policy closes is all open."""
    asked = edges.questions(edges.ours())
    row = edges.Row(edges.network(policies=False))

    (answer,) = engine.verdicts([Case(edges.policies(row), edges.ends(), asked)])

    assert allowed(answer) == set(asked)


def test_our_own_reading_of_policies_is_the_engines(found: dict[str, set[Question]]) -> None:
    """The unit tests' quick reading earns its trust here."""
    ends = edges.ends()
    for name, row in edges.ROWS.items():
        policies = edges.policies(row)
        ours = {
            Question(client, server, *door)
            for client, server in edges.pairs(edges.ours())
            for door in open_doors(policies, ends[client], ends[server], edges.DOORS)
        }
        assert not edges.difference(ours, found[name]), name


@pytest.fixture(scope="module")
def helm() -> str:
    try:
        return str(tools.ensure(progress.say).helm)
    except Unavailable as lacking:
        pytest.skip(str(lacking))


@pytest.mark.parametrize("row", edges.CHARTS.values(), ids=edges.CHARTS)
def test_the_release_reaches_what_it_needs_and_nobody_it(
    engine: Judge, helm: str, row: edges.Row, tmp_path: Path
) -> None:
    objects = chart.render(helm, row.spec, tmp_path)
    pods = {
        name: pod_of(one, edges.ends()[name])
        for name, suffix in RELEASED.items()
        for one in objects
        if one["kind"] == "Deployment" and one["metadata"]["name"] == operator.RELEASE + suffix
    }
    policies = [one for one in objects if one["kind"] == "NetworkPolicy"]
    policies += edges.policies(edges.Row({}, inputs=row.inputs))

    asked = edges.questions(pods)
    (answer,) = engine.verdicts([Case(policies, edges.ends() | pods, asked)])

    difference = edges.difference(allowed(answer), edges.meant(row, edges.RELEASE))
    assert not difference, difference


RELEASED = {"operator": "", "own-prometheus": "-prometheus"}
"""Ends that the chart brings, and what their Deployments' names end in."""


def pod_of(deployment: Mapping[str, Any], end: End) -> End:
    """Return the end as the Deployment's own template makes it."""
    template = deployment["spec"]["template"]
    ports = [port for c in template["spec"]["containers"] for port in c.get("ports", [])]
    return replace(
        end,
        labels=template["metadata"]["labels"],
        port_names={port["containerPort"]: port["name"] for port in ports},
    )


def test_a_policy_that_no_api_server_takes_is_an_error(engine: Judge) -> None:
    wrong = {"metadata": {"name": "wrong", "namespace": "shop"}, "spec": {"podSelektor": {}}}

    with pytest.raises(judge.CommandFailed, match="podSelektor"):
        engine.verdicts([Case([wrong], {}, [])])
