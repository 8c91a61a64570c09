"""What is the same in every Job, once or recurring: an end, few retries, a word to say at it?"""

from collections.abc import Iterable, Sequence
from typing import Any

from hscjit_operator import names
from hscjit_operator.manifests import credentials, pods
from hscjit_operator.manifests.identities import JOB
from hscjit_operator.manifests.meta import Manifest, metadata
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.model.workload import Resources, resources

_RESOURCES = resources(("25m", "128Mi"), ("1", "512Mi"))
"""What a job's container takes. It asks for little, so that a full node does not keep it waiting:
its work is moving files and asking the database."""
_HOLDER_RESOURCES = resources(("5m", "32Mi"), ("200m", "64Mi"))
_PATIENCE_S = 7200
"""Longer than any job may take: how long a pod may wait is said by its own Job's deadline."""
_HELD = pods.scratch("held", "/run/hscjit/held", "1Mi")
_MARK = f"{_HELD.path}/yes"

CLAIM_USERS = (names.BACKUP, names.CLEANUP, names.RESTORE)
"""The components whose pods mount the claim for backups."""


def job_spec(
    app: HSCJit,
    component: str,
    volumes: Iterable[pods.Volume],
    *,
    deadline_s: int,
    retries: int,
    containers: list[Manifest],
    init_containers: Sequence[Manifest] = (),
    holder: Manifest | None = None,
) -> Manifest:
    """Return a Job's spec. There is no TTL: who reads the outcome also removes the Job.

    `holder` is the claim's, see `claim_holder`; None for a job that shares no claim.
    """
    fields: dict[str, Any] = {"containers": containers}
    if holder is not None:
        init_containers = [holder, *init_containers]
        volumes = [*volumes, _HELD]
    if init_containers:
        fields["initContainers"] = list(init_containers)
    if component in CLAIM_USERS:
        fields["affinity"] = _beside_claim_users(app)
    return {
        "activeDeadlineSeconds": deadline_s,
        "backoffLimit": retries,
        # A new pod only when the old one is gone: two must never write to one claim.
        "podReplacementPolicy": "Failed",
        "template": {
            "metadata": {"labels": names.labels(app.name, component, app.uid)},
            "spec": pods.spec(
                app,
                volumes,
                serviceAccountName=names.child(app.name, JOB),
                # A failed pod stays, with its last words, for the operator and for people.
                restartPolicy="Never",
                **fields,
            ),
        },
    }


def app_container(
    app: HSCJit,
    name: str,
    image: str,
    *,
    volumes: Sequence[pods.Volume],
    command: list[str],
    keys: Sequence[str] = (),
    env: Sequence[Manifest] = (),
) -> Manifest:
    """Return a container that runs one of the app's jobs; `keys` of the Secret it reads."""
    return pods.container(
        name,
        image,
        volumes=volumes,
        resources=pods.with_disk(_RESOURCES, "256Mi"),
        imagePullPolicy=app.image.pull_policy,
        command=command,
        env=[*env, *pods.app_variables(app, JOB), *credentials.variables(app, keys)],
        # A job that died before it could speak still says its last lines.
        terminationMessagePolicy="FallbackToLogsOnError",
    )


def tool_container(
    name: str,
    image: str,
    *,
    volumes: Sequence[pods.Volume],
    script: str,
    env: Sequence[Manifest] = (),
    wanted: Resources | None = None,
) -> Manifest:
    """Return a container that runs a short script with the tools of a database's image."""
    return pods.container(
        name,
        image,
        volumes=volumes,
        resources=pods.with_disk(wanted or _RESOURCES, "256Mi"),
        imagePullPolicy="IfNotPresent",
        command=pods.shell(script),
        **({"env": list(env)} if env else {}),
        terminationMessagePolicy="FallbackToLogsOnError",
    )


def claim_holder(app: HSCJit, image: str, claim: pods.Volume) -> Manifest:
    """Return the container that lets one pod at a time work on a claim.

    A sidecar, listed first: what comes after it starts only when it has the lock, and it holds the
    lock until the last of them has ended. The lock is the kernel's, on a file of the claim: it goes
    with the process, however that ends, so a job that crashed keeps nobody out.
    """
    holder = app_container(
        app,
        "claim",
        image,
        volumes=[claim, _HELD, pods.tmp("16Mi")],
        command=[
            "python",
            "-m",
            "hscjit_app.jobs.hold_claim",
            f"{claim.path}/.lock",
            _MARK,
        ],
    )
    return {
        **holder,
        "restartPolicy": "Always",
        "resources": pods.with_disk(_HOLDER_RESOURCES, "64Mi"),
        "startupProbe": {
            **pods.script_probe(f"test -e {_MARK}", period_s=1, failures=_PATIENCE_S, timeout_s=2),
            "initialDelaySeconds": 1,
        },
    }


def cron_job(
    app: HSCJit,
    component: str,
    *,
    schedule: str,
    time_zone: str,
    suspend: bool,
    spec: Manifest,
) -> Manifest:
    """Return a recurring Job; its Jobs carry the labels too, also one that a person makes of it."""
    return {
        "apiVersion": "batch/v1",
        "kind": "CronJob",
        "metadata": metadata(app, component),
        "spec": {
            "schedule": schedule,
            "timeZone": time_zone,
            "suspend": suspend,
            "concurrencyPolicy": "Forbid",
            # A run that the cluster slept through is made up for within the hour, not later.
            "startingDeadlineSeconds": 3600,
            "successfulJobsHistoryLimit": 1,
            "failedJobsHistoryLimit": 3,
            "jobTemplate": {
                "metadata": {"labels": names.labels(app.name, component, app.uid)},
                "spec": spec,
            },
        },
    }


def _beside_claim_users(app: HSCJit) -> Manifest:
    """Return a wish for the node of whoever has the claim: most claims mount on one node only."""
    users = {
        "matchLabels": {names.LABEL_INSTANCE: app.name},
        "matchExpressions": [
            {"key": names.LABEL_COMPONENT, "operator": "In", "values": list(CLAIM_USERS)}
        ],
    }
    term = {"labelSelector": users, "topologyKey": "kubernetes.io/hostname"}
    return {
        "podAffinity": {
            "preferredDuringSchedulingIgnoredDuringExecution": [
                {"podAffinityTerm": term, "weight": 100}
            ]
        }
    }
