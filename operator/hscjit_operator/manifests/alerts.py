"""When does somebody have to look? Every alert, once for all: the chart's Prometheus takes them.

Series of the operator and of the pods carry `namespace` and `name` of their HSCJit; whoever scrapes
them sees to that. Critical is only what keeps customers from an answer. The section of
docs/operations.md that bears an alert's name says what to do.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

RUNBOOK: Final = "docs/operations.md"
_SCOPE: Final = "$scope"


@dataclass(frozen=True, slots=True)
class Alert:
    """One alert. `$scope` in its expression becomes the labels of one HSCJit, or nothing."""

    name: str
    expr: str
    held: str
    """How long it must be true, such as 5m."""
    summary: str
    """What is wrong, in Prometheus' template language."""
    severity: Literal["critical", "warning"] = "warning"


_WHO: Final = "HSCJit {{ $labels.namespace }}/{{ $labels.name }}"
_CONDITION: Final = "max by (namespace, name) (hscjit_condition{$scope condition="

OF_AN_HSCJIT: Final[Sequence[Alert]] = (
    Alert(
        "HSCJitDown",
        f'{_CONDITION}"Available"}}) == 0 or {_CONDITION}"Ready",reason="NotAnswering"}}) == 0',
        "2m",
        f"{_WHO} answers nobody",
        severity="critical",
    ),
    Alert(
        "HSCJitNotReady",
        f'{_CONDITION}"Ready"}}) == 0',
        "10m",
        f"{_WHO} is not Ready for ten minutes",
    ),
    Alert(
        "HSCJitDependencyDown",
        "min by (namespace, name, dependency) (dependency_up{$scope}) == 0",
        "2m",
        f"{_WHO} does without {{{{ $labels.dependency }}}}",
    ),
    Alert(
        "HSCJitErrors",
        'sum by (namespace, name) (rate(http_requests_total{$scope code="5xx"}[5m])) '
        "/ sum by (namespace, name) (rate(http_requests_total{$scope}[5m])) > 0.05",
        "5m",
        f"{_WHO}: {{{{ $value | humanizePercentage }}}} of its requests end in a server error",
    ),
    Alert(
        "HSCJitPredictionsSlow",
        "histogram_quantile(0.95, sum by (namespace, name, le) "
        "(rate(prediction_latency_seconds_bucket{$scope}[5m]))) > 0.25",
        "10m",
        f"{_WHO}: one prediction in twenty takes {{{{ $value | humanizeDuration }}}} or longer",
    ),
    Alert(
        "HSCJitAnswersSlow",
        "histogram_quantile(0.95, sum by (namespace, name, le) "
        "(rate(answer_generation_seconds_bucket{$scope}[5m]))) > 10",
        "10m",
        f"{_WHO}: one answer in twenty takes {{{{ $value | humanizeDuration }}}} or longer",
    ),
    Alert(
        "HSCJitQueueOld",
        "max by (namespace, name) (task_queue_oldest_age_seconds{$scope}) > 60",
        "5m",
        f"{_WHO}: a task has waited for {{{{ $value | humanizeDuration }}}}",
    ),
    Alert(
        "HSCJitBackupFailed",
        f'{_CONDITION}"BackupSucceeded"}}) == 0',
        "5m",
        f"{_WHO}: the newest backup failed",
    ),
    Alert(
        "HSCJitBackupTooOld",
        "time() - max by (namespace, name) (hscjit_backup_due_timestamp_seconds{$scope}) > 3600",
        "5m",
        f"{_WHO}: a good backup is overdue for {{{{ $value | humanizeDuration }}}}",
    ),
    Alert(
        "HSCJitRemediationRefused",
        f'{_CONDITION}"RemediationAllowed"}}) == 0',
        "5m",
        f"{_WHO}: the autopilot would replace pods and may not",
    ),
    Alert(
        "HSCJitRestartsFrequent",
        "sum by (namespace, name) (increase(hscjit_autopilot_decisions_total"
        '{$scope action="Evict",verdict="acted"}[1h])) > 3',
        "1m",
        f"{_WHO}: the autopilot replaced pods {{{{ $value | humanize }}}} times within an hour",
    ),
)
OF_THE_OPERATOR: Final[Sequence[Alert]] = (
    Alert(
        "HSCJitOperatorSilent",
        "time() - max(hscjit_operator_last_pass_timestamp_seconds) > 120 "
        "or absent(hscjit_operator_last_pass_timestamp_seconds) "
        "or max(hscjit_operator_leader) == 0",
        "3m",
        "No pass of the operator ended for two minutes, no pod of it acts, or nobody hears of it",
    ),
)


def group(name: str, alerts: Sequence[Alert], scope: str = "") -> dict[str, Any]:
    """Return alerts as a group of rules; `scope` as `within` returns it, empty for all HSCJits."""
    return {"name": name, "rules": [_rule(alert, scope) for alert in alerts]}


def within(namespace: str, name: str) -> str:
    """Return the scope of one HSCJit, to stand inside the braces of a selector."""
    return f'namespace="{namespace}",name="{name}",'


def scoped(expr: str, scope: str) -> str:
    """Return an expression with its `$scope` filled in."""
    return expr.replace(f"{_SCOPE} ", scope).replace(_SCOPE, scope)


def everything() -> dict[str, Any]:
    """Return a whole rule file: all alerts, for all HSCJits."""
    groups = [group("hscjit", OF_AN_HSCJIT), group("hscjit-operator", OF_THE_OPERATOR)]
    return {"groups": groups}


def _rule(alert: Alert, scope: str) -> dict[str, Any]:
    return {
        "alert": alert.name,
        "expr": scoped(alert.expr, scope),
        "for": alert.held,
        "labels": {"severity": alert.severity},
        "annotations": {
            "summary": alert.summary,
            "runbook": f"{RUNBOOK}#{alert.name.lower()}",
        },
    }
