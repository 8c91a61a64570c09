"""What is true of an HSCJit, in the words that users and their scripts read?

Every condition is set on the first pass. A reason is a constant that a script may match; each has
its sentence here. There is no phase.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final, Literal

Status = Literal["True", "False", "Unknown"]

READY: Final = "Ready"
AVAILABLE: Final = "Available"
PROGRESSING: Final = "Progressing"
DEGRADED: Final = "Degraded"
RECONCILING: Final = "Reconciling"
STALLED: Final = "Stalled"
SPEC_VALID: Final = "SpecValid"
DATABASE_MIGRATED: Final = "DatabaseMigrated"
METRICS_AVAILABLE: Final = "MetricsAvailable"
SCALING_ACTIVE: Final = "ScalingActive"
REMEDIATION_ALLOWED: Final = "RemediationAllowed"
BACKUP_SUCCEEDED: Final = "BackupSucceeded"
PAUSED: Final = "Paused"

TYPES: Final[Mapping[str, str]] = {
    READY: "The assistant answers through its Service, and is what the spec asks for.",
    AVAILABLE: "At least one API pod is ready.",
    PROGRESSING: "Something is being made, rolled out or restored.",
    DEGRADED: "Something is not as it should be; the message says what.",
    RECONCILING: "The cluster is still on its way to the newest spec (kstatus).",
    STALLED: "Nothing moves until somebody changes something; the message says what (kstatus).",
    SPEC_VALID: "The spec can be acted on.",
    DATABASE_MIGRATED: "The database has the schema of the wanted image.",
    METRICS_AVAILABLE: "The autopilot gets the figures it decides by.",
    SCALING_ACTIVE: "The number of pods follows the load.",
    REMEDIATION_ALLOWED: "The autopilot may replace pods.",
    BACKUP_SUCCEEDED: "The newest backup ended well.",
    PAUSED: "The operator was told to hold still.",
}
"""Every condition, in the order of `kubectl describe`."""

REASONS: Final[Mapping[str, str]] = {
    "Answering": "A 200 came from /ready through the Service.",
    "Degraded": "It answers, but not everything behind it does.",
    "Progressing": "It is on its way.",
    "NotAnswering": "No 200 comes from /ready through the Service.",
    "NotReachableFromHere": "The operator runs outside the cluster and cannot ask.",
    "InvalidSpec": "The spec cannot be acted on; SpecValid names the field.",
    "Valid": "Every field can be acted on.",
    "Refused": "The API server refused a child; the message names field and cause.",
    "NameConflict": "An object that is not ours has the name of a child; it was left alone.",
    "VolumesLeftBehind": "Volumes of a former resource of this name are still here.",
    "UpgradeRequired": "The template version in use is no longer carried by this operator.",
    "Forbidden": "The operator lacks a permission; the message names verb and resource.",
    "Failing": "A step of the last pass failed and is tried again.",
    "SecretLost": "The generated Secret is gone while the database still has its password.",
    "ReferenceMissing": "An object that the spec names, or a key of it, does not exist.",
    "ReferenceInvalid": "A Secret that the spec names holds something that cannot be used.",
    "KindNotServed": "The spec asks for an object of a kind that the cluster does not serve.",
    "Immutable": "A child differs in a field that never changes; the message says the way out.",
    "StorageFixed": "A volume's size or class in the spec differs from what was made.",
    "MigrationFailed": "The migration Job failed; the message is its last word.",
    "Migrating": "The migration Job has not ended.",
    "Migrated": "The migration is recorded with the image's hash.",
    "RestoreFailed": "The restore ended badly; the message says how.",
    "Restoring": "A restore is under way.",
    "ComponentsNotReady": "Pods of a component are missing or not ready.",
    "RollingOut": "Pods of a new template replace those of the old.",
    "RolloutStuck": "A rollout makes no progress; the message is its controller's.",
    "Creating": "Children are made for the first time.",
    "Leaving": "What a former resource of this name owned is still being deleted.",
    "Waiting": "What is asked for begins later; the message says when.",
    "InvalidRestart": "The annotation hscjit.dev/restarted-at cannot be read; nothing restarts.",
    "RotatingPassword": "The database's password is being exchanged; the message says how far.",
    "PasswordNotRotated": "The database's password was not exchanged; the message says why.",
    "Settled": "Nothing is left to do.",
    "AllReady": "Every component has its pods.",
    "PodsReady": "API pods are ready.",
    "NoPodReady": "No API pod is ready.",
    "NotYetKnown": "Nobody has looked yet.",
    "NeverMade": "There is no backup yet.",
    "BackupDisabled": "The spec asks for no backups.",
    "BackupComplete": "A backup with its manifest is there.",
    "PostgresOnly": "The same, without the queue: the external Redis refuses to be dumped.",
    "BackupFailed": "The newest backup ended badly; the message is its last word.",
    "AutoscalerInactive": "The HPA gets no metrics; the message is its own.",
    "Running": "Nothing is paused.",
    "PausedByAnnotation": "The annotation hscjit.dev/paused is set.",
    "InvalidPause": "The annotation hscjit.dev/paused cannot be read; nothing is paused by it.",
}
"""Every reason that a pass gives; the autopilot's own are listed with its decisions."""

_MESSAGE_AT_MOST: Final = 1024


@dataclass(frozen=True, slots=True)
class Condition:
    """One condition. `since` is RFC 3339 and moves only with the status."""

    type: str
    status: Status
    reason: str
    message: str
    observed_generation: int = 0
    since: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return it as Kubernetes writes it."""
        return {
            "type": self.type,
            "status": self.status,
            "reason": self.reason,
            "message": self.message[:_MESSAGE_AT_MOST],
            "observedGeneration": self.observed_generation,
            "lastTransitionTime": self.since,
        }


def read(status: Mapping[str, Any], name: str) -> Condition:
    """Return a condition out of a status; Unknown and NotYetKnown when it is not there."""
    for found in status.get("conditions") or ():
        if found.get("type") == name:
            return Condition(
                name,
                found.get("status", "Unknown"),
                found.get("reason", ""),
                found.get("message", ""),
                found.get("observedGeneration", 0),
                found.get("lastTransitionTime", ""),
            )
    return Condition(name, "Unknown", "NotYetKnown", "")


def merge(
    old: Mapping[str, Any], new: Iterable[Condition], generation: int, now: str
) -> list[dict[str, Any]]:
    """Return all conditions for a status, in their order; each clock stands while its status does.

    A condition that `new` lacks stays as it is in `old`.
    """
    given = {condition.type: condition for condition in new}
    merged = []
    for name in TYPES:
        before = read(old, name)
        condition = given.get(name, before)
        since = before.since if before.since and before.status == condition.status else now
        merged.append(replace(condition, observed_generation=generation, since=since).as_dict())
    return merged
