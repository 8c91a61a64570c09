"""Jobs that share the claim for backups never work on it at the same time."""

from datetime import datetime
from typing import Any

from tests.e2e.conftest import Support
from tests.e2e.kubectl import Kubectl

JOBS = ("turn-backup", "turn-cleanup")


def worked(pod: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return from when to when a pod's steps ran; the sidecar that waits is none of them."""
    sidecars = {c["name"] for c in pod["spec"]["initContainers"] if "restartPolicy" in c}
    status = pod["status"]
    ended = [
        container["state"]["terminated"]
        for container in [*status["initContainerStatuses"], *status["containerStatuses"]]
        if container["name"] not in sidecars
    ]
    assert {one["exitCode"] for one in ended} == {0}
    times = [
        (datetime.fromisoformat(one["startedAt"]), datetime.fromisoformat(one["finishedAt"]))
        for one in ended
    ]
    return min(start for start, _ in times), max(end for _, end in times)


def test_backup_and_cleanup_begun_together_take_turns(kubectl: Kubectl, support: Support) -> None:
    try:
        for name in JOBS:
            source = f"--from=cronjob/{support.name}-{name.removeprefix('turn-')}"
            kubectl.run("create", "job", name, source)
        jobs = [f"job/{name}" for name in JOBS]
        kubectl.run("wait", "--for=condition=Complete", *jobs, "--timeout=120s", timeout_s=130)

        pods = [
            pod
            for name in JOBS
            for pod in kubectl.find("pods", f"batch.kubernetes.io/job-name={name}")
        ]
        assert len(pods) == 2
        (_, first_end), (second_start, _) = sorted(worked(pod) for pod in pods)
        assert first_end <= second_start
    finally:
        kubectl.run("delete", "job", *JOBS, "--ignore-not-found", "--wait=false")
