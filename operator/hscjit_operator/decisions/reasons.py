"""What do the autopilot's words mean? Every reason it gives, with a sentence for the reader."""

from collections.abc import Mapping
from typing import Final

DECISIONS: Final[Mapping[str, str]] = {
    "Unresponsive": "Neither /metrics nor /health answers while other pods do, or the kubelet has "
    "called the pod not ready for long after it had been ready.",
    "ServerErrors": "Too large a share of the pod's answers are 5xx.",
    "SlowPredictions": "The pod's predictions are too slow, though the API is not overloaded.",
    "EventLoopLag": "The pod's event loop is held up again and again, without overload.",
    "WorkerStalled": "The worker consumes nothing though tasks wait, and no task excuses it.",
    "DependencyNotReady": "A pod of our own Redis or Postgres was ready and no longer is.",
    "InFlightAboveTarget": "More requests are in flight than the pods are meant to carry.",
    "ConnectionsAboveTarget": "More WebSockets are open than the pods are meant to hold.",
    "LatencyAboveTarget": "Predictions take longer than their target.",
    "LoadFell": "The highest load of the hold needs fewer pods.",
    "QueueAgeAboveTarget": "The oldest task waits longer than its target.",
    "QueueShort": "Fewer workers would have done for all of the hold.",
    "OffPeak": "A quiet time has begun.",
    "OffPeakFloor": "The quiet time's own floor is higher than what is left.",
    "OffPeakOver": "The quiet time is over: the spec's own numbers hold again.",
}
"""Why something is wanted."""

REFUSALS: Final[Mapping[str, str]] = {
    "Paused": "The annotation hscjit.dev/paused holds it still.",
    "DependencyDown": "Redis or Postgres is down, or was a moment ago: no pod is to blame for it.",
    "DependencyStarting": "Redis or Postgres has not been up yet: its users wait for it.",
    "TooManyUnhealthy": "More than maxUnhealthyPercent of a component's pods are bad at once.",
    "RolloutInProgress": "Pods of a rollout that is not finished are not judged.",
    "DisruptionBudget": "A PodDisruptionBudget refused the last eviction: it backs off.",
    "BudgetSpent": "maxPerHour is reached.",
    "CoolingDown": "The component's last replacement is younger than cooldownSeconds.",
    "HelpedNothing": "The like of it helped nothing a while ago.",
}
"""Why it is not done."""

FINDINGS: Final[Mapping[str, str]] = {
    "Scraped": "Numbers come from each API and worker pod.",
    "SomeMissing": "An API pod that is ready answers no /metrics: nothing is lowered.",
    "NobodyAnswers": "No pod answers any more: nothing is concluded from it.",
    "NotReachableFromHere": "The operator runs where no pod can be reached.",
    "NotAskedYet": "Pods are up and none has answered yet.",
    "NoPods": "No pod is up yet.",
    "Scaling": "Floor and workers follow the load.",
    "WorkersOnly": "The API's number is fixed by the spec.",
    "AtMaximum": "The API's floor has reached maxReplicas.",
    "NoData": "Without metrics the targets stand still.",
    "WithinBudget": "A bad pod would be replaced.",
    "ObserveOnly": "The mode is Observe: decisions are only recorded.",
    "Off": "The mode is Off.",
    "Restoring": "A restore has stopped the workload.",
}
"""What conditions say besides the refusals."""
