"""Prometheus' own tool takes rules and configuration, and the rules fire when they shall."""

import subprocess
from pathlib import Path

import pytest
import yaml
from tests.cluster import binaries
from tests.cluster.images import ROOT

FILES = ROOT / "charts" / "hscjit-operator" / "files"

WHO = 'namespace="shop",name="support"'

STORIES: dict[str, tuple[dict[str, str], str, str | None]] = {
    "down, just short of the time": (
        {f'hscjit_condition{{{WHO},condition="Available",reason="NoPodReady"}}': "0x10"},
        "1m",
        None,
    ),
    "down for long enough": (
        {f'hscjit_condition{{{WHO},condition="Available",reason="NoPodReady"}}': "0x10"},
        "3m",
        "HSCJitDown",
    ),
    "pods there, no answer": (
        {
            f'hscjit_condition{{{WHO},condition="Available",reason="PodsReady"}}': "1x10",
            f'hscjit_condition{{{WHO},condition="Ready",reason="NotAnswering"}}': "0x10",
        },
        "3m",
        "HSCJitDown",
    ),
    "a rollout that lasts is not down": (
        {
            f'hscjit_condition{{{WHO},condition="Available",reason="PodsReady"}}': "1x10",
            f'hscjit_condition{{{WHO},condition="Ready",reason="Progressing"}}': "0x10",
        },
        "5m",
        None,
    ),
    "not ready for ten minutes": (
        {f'hscjit_condition{{{WHO},condition="Ready",reason="NameConflict"}}': "0x20"},
        "11m",
        "HSCJitNotReady",
    ),
    "unknown is not false": (
        {f'hscjit_condition{{{WHO},condition="Ready",reason="NotReachableFromHere"}}': "-1x20"},
        "15m",
        None,
    ),
    "a dependency away on one pod": (
        {
            f'dependency_up{{{WHO},pod="a",dependency="redis"}}': "1x10",
            f'dependency_up{{{WHO},pod="b",dependency="redis"}}': "0x10",
        },
        "3m",
        "HSCJitDependencyDown",
    ),
    "one request in ten fails": (
        {
            f'http_requests_total{{{WHO},pod="a",code="2xx"}}': "0+90x20",
            f'http_requests_total{{{WHO},pod="a",code="5xx"}}': "0+10x20",
        },
        "12m",
        "HSCJitErrors",
    ),
    "one request in fifty fails": (
        {
            f'http_requests_total{{{WHO},pod="a",code="2xx"}}': "0+98x20",
            f'http_requests_total{{{WHO},pod="a",code="5xx"}}': "0+2x20",
        },
        "12m",
        None,
    ),
    "no request at all": (
        {f'http_requests_total{{{WHO},pod="a",code="{code}"}}': "0x20" for code in ("2xx", "5xx")},
        "12m",
        None,
    ),
    "slow predictions": (
        {
            f'prediction_latency_seconds_bucket{{{WHO},le="0.25"}}': "0+50x30",
            f'prediction_latency_seconds_bucket{{{WHO},le="1"}}': "0+100x30",
            f'prediction_latency_seconds_bucket{{{WHO},le="+Inf"}}': "0+100x30",
        },
        "17m",
        "HSCJitPredictionsSlow",
    ),
    "nobody types": (
        {
            f'prediction_latency_seconds_bucket{{{WHO},le="{le}"}}': "100x30"
            for le in ("0.25", "1", "+Inf")
        },
        "17m",
        None,
    ),
    "slow answers": (
        {
            f'answer_generation_seconds_bucket{{{WHO},le="10"}}': "0+5x30",
            f'answer_generation_seconds_bucket{{{WHO},le="30"}}': "0+10x30",
            f'answer_generation_seconds_bucket{{{WHO},le="+Inf"}}': "0+10x30",
        },
        "17m",
        "HSCJitAnswersSlow",
    ),
    "an old task": (
        {f'task_queue_oldest_age_seconds{{{WHO},queue="celery"}}': "61x10"},
        "6m",
        "HSCJitQueueOld",
    ),
    "a task that is old enough to wait": (
        {f'task_queue_oldest_age_seconds{{{WHO},queue="celery"}}': "60x10"},
        "6m",
        None,
    ),
    "a backup failed": (
        {f'hscjit_condition{{{WHO},condition="BackupSucceeded",reason="BackupFailed"}}': "0x10"},
        "6m",
        "HSCJitBackupFailed",
    ),
    "a backup due for more than an hour": (
        {f"hscjit_backup_due_timestamp_seconds{{{WHO}}}": "0x90"},
        "66m",
        "HSCJitBackupTooOld",
    ),
    "a backup due for less": (
        {f"hscjit_backup_due_timestamp_seconds{{{WHO}}}": "0x90"},
        "59m",
        None,
    ),
    "a refusal": (
        {
            f'hscjit_condition{{{WHO},condition="RemediationAllowed",reason="DependencyDown"}}': (
                "0x10"
            )
        },
        "6m",
        "HSCJitRemediationRefused",
    ),
    "many evictions": (
        {
            f'hscjit_autopilot_decisions_total{{{WHO},action="Evict",reason="Unresponsive",'
            'verdict="acted"}': "0+1x60"
        },
        "20m",
        "HSCJitRestartsFrequent",
    ),
    "many refusals are no restarts": (
        {
            f'hscjit_autopilot_decisions_total{{{WHO},action="Evict",reason="DependencyDown",'
            'verdict="refused"}': "0+1x60"
        },
        "20m",
        None,
    ),
}
"""Series by the minute, when it is looked, and which alert fires then; None: none does."""


@pytest.fixture(scope="module")
def promtool() -> Path:
    """Prometheus' tool, of the release that the cluster runs."""
    return binaries.promtool()


def run(promtool: Path, *words: str | Path) -> None:
    done = subprocess.run(
        [promtool, *words], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_rules_are_taken(promtool: Path) -> None:
    run(promtool, "check", "rules", FILES / "alerts.yaml")


def test_the_configuration_is_taken(promtool: Path, tmp_path: Path) -> None:
    config = (FILES / "prometheus.yml").read_text()
    whole = tmp_path / "prometheus.yml"
    whole.write_text(config.replace("/etc/prometheus", str(FILES)))

    run(promtool, "check", "config", whole)


def test_each_alert_fires_when_it_shall_and_not_before(promtool: Path, tmp_path: Path) -> None:
    """All stories in one run of the tool; the operator's own alert looks on in each."""
    alive = {
        "hscjit_operator_last_pass_timestamp_seconds": "0+60x120",
        'hscjit_operator_leader{instance="a"}': "1x60 0x60",
        'hscjit_operator_leader{instance="b"}': "0x60 1x60",
    }
    rules = yaml.safe_load((FILES / "alerts.yaml").read_text())
    names = [rule["alert"] for group in rules["groups"] for rule in group["rules"]]
    assert {fired for _, _, fired in STORIES.values() if fired} == {*names} - {
        "HSCJitOperatorSilent"
    }
    tests = []
    for story, (series, at, fired) in STORIES.items():
        tests.append(_test(story, {**alive, **series}, at, {fired: 1} if fired else {}, names))
    silent = {"hscjit_operator_last_pass_timestamp_seconds": "0x20"}
    tests.append(_test("passes stopped", silent, "7m", {"HSCJitOperatorSilent": 1}, names))
    idle = {
        "hscjit_operator_last_pass_timestamp_seconds": "0+60x20",
        "hscjit_operator_leader": "0x20",
    }
    tests.append(_test("nobody acts", idle, "7m", {"HSCJitOperatorSilent": 1}, names))
    tests.append(_test("passes go on", alive, "7m", {}, names))
    tests.append(_test("nobody is scraped", {}, "7m", {"HSCJitOperatorSilent": 1}, names))
    file = tmp_path / "stories.yaml"
    file.write_text(yaml.safe_dump({"rule_files": [str(FILES / "alerts.yaml")], "tests": tests}))

    run(promtool, "test", "rules", file)


def _test(
    story: str, series: dict[str, str], at: str, fires: dict[str, int], names: list[str]
) -> dict[str, object]:
    """Return one story for the tool: how many alerts of each name fire at a moment."""
    return {
        "name": story,
        "interval": "1m",
        "input_series": [{"series": name, "values": found} for name, found in series.items()],
        "promql_expr_test": [
            {
                "expr": f'count(ALERTS{{alertname="{name}",alertstate="firing"}})',
                "eval_time": at,
                "exp_samples": [{"value": fires[name]}] if name in fires else [],
            }
            for name in names
        ],
    }
