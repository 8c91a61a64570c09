"""The plugin against a real API server; the operator's part is played by a thread."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from tests.cluster.control_plane import ControlPlane
from tests.integration.operator.user import COLLECTION, MERGE, User

from hscjit_operator.cli import main
from hscjit_operator.names import ANNOTATION_RESTORE_FROM

NAME = "restored"
OBJECT = f"{COLLECTION}/{NAME}"
CONFIG_MAPS = "/api/v1/namespaces/default/configmaps"
CRON_JOBS = "/apis/batch/v1/namespaces/default/cronjobs"
JOBS = "/apis/batch/v1/namespaces/default/jobs"

OLD, NEW = "20260101T020000Z", "20260102T020000Z"
INDEX = {
    "index.json": json.dumps([{"stamp": NEW, "size": 2621440}, {"stamp": OLD, "size": 900}]),
}

Kubectl = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def user(api_server: ControlPlane) -> User:
    """A user of an API server that knows HSCJits."""
    return User(api_server).with_schema()


@pytest.fixture
def hscjit(user: User) -> Iterator[str]:
    """An HSCJit with two backups in its index."""
    user.create(NAME, {})
    index = {"metadata": {"name": f"{NAME}-backups"}, "data": INDEX}
    user.call("POST", CONFIG_MAPS, index)
    yield NAME
    user.call("DELETE", OBJECT)
    user.call("DELETE", f"{CONFIG_MAPS}/{NAME}-backups")


@pytest.fixture
def kubectl(user: User, capsys: pytest.CaptureFixture[str]) -> Kubectl:
    """Run the plugin as `kubectl hscjit …`; return exit code, output, errors."""

    def run(*words: str) -> tuple[int, str, str]:
        code = main([*words, "--kubeconfig", str(user.server.kubeconfig)])
        out, err = capsys.readouterr()
        return code, out, err

    return run


def asked_for(user: User) -> str | None:
    found: str | None = (
        user.call("GET", OBJECT)["metadata"].get("annotations", {}).get(ANNOTATION_RESTORE_FROM)
    )
    return found


class Operator(threading.Thread):
    """Goes through the given steps when a restore is asked for; forgets one no longer asked for."""

    def __init__(self, user: User, last: dict[str, Any], done: int = 1) -> None:
        super().__init__(daemon=True)
        self.user, self.last, self.left = user, last, done
        self.stop = threading.Event()

    def run(self) -> None:
        while not self.stop.is_set() and self.left:
            body = self.user.call("GET", OBJECT)
            stamp = body["metadata"].get("annotations", {}).get(ANNOTATION_RESTORE_FROM)
            recorded = body.get("status", {}).get("restore", {}).get("from")
            if stamp is None and recorded:
                self.user.report(NAME, {"restore": None})
            elif stamp and stamp != recorded:
                for step in ("Stopping", "Restoring", "Starting"):
                    message = f"{step} it"
                    report = {"from": stamp, "step": step, "message": message}
                    self.user.report(NAME, {"restore": report})
                    time.sleep(1.2)
                self.user.report(NAME, {"restore": {"from": stamp, **self.last}})
                self.left -= 1
            time.sleep(0.05)


@pytest.fixture
def operator(user: User, hscjit: str) -> Iterator[Callable[..., Operator]]:
    """Start an operator that ends a restore as told."""
    started: list[Operator] = []

    def start(last: dict[str, Any], done: int = 1) -> Operator:
        started.append(Operator(user, last, done))
        started[-1].start()
        return started[-1]

    yield start
    for thread in started:
        thread.stop.set()
        thread.join(timeout=20)


DONE = {"step": "Done", "message": "Restored, and answering again"}


def test_the_backups_are_listed_the_newest_first(kubectl: Kubectl, hscjit: str):
    code, out, _ = kubectl("backups", hscjit)

    lines = out.splitlines()
    assert code == 0
    assert lines[0].split() == ["BACKUP", "BEGUN", "SIZE"]
    assert lines[1].split() == [NEW, "2026-01-02", "02:00:00", "UTC", "2.5", "MiB"]
    assert lines[2].split() == [OLD, "2026-01-01", "02:00:00", "UTC", "900", "B"]


def test_the_backups_as_json(kubectl: Kubectl, hscjit: str):
    code, out, err = kubectl("backups", hscjit, "-o", "json")

    assert (code, [entry["name"] for entry in json.loads(out)]) == (0, [NEW, OLD])
    assert NEW in err


def test_without_waiting_the_newest_backup_is_asked_for(kubectl: Kubectl, user: User, hscjit: str):
    code, out, _ = kubectl("restore", hscjit)

    assert code == 0
    assert asked_for(user) == NEW
    assert NEW in out
    managers = {entry["manager"] for entry in user.call("GET", OBJECT)["metadata"]["managedFields"]}
    assert "kubectl-hscjit" in managers


def test_each_step_is_shown_until_it_is_done(
    kubectl: Kubectl, hscjit: str, operator: Callable[..., Operator]
):
    operator(DONE)
    code, out, _ = kubectl("restore", hscjit, "--from", OLD, "--wait", "--timeout", "60")

    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [
        "Stopping", "Restoring", "Starting", "Done",
    ]  # fmt: skip
    assert "\x1b[" not in out, "colour belongs on a terminal only"


def test_a_failed_restore_fails_with_its_reason(
    kubectl: Kubectl, hscjit: str, operator: Callable[..., Operator]
):
    operator({"step": "Failed", "message": "postgres.dump: wrong checksum"})
    code, out, err = kubectl("restore", hscjit, "--wait", "--timeout", "60", "-o", "json")

    assert code == 1
    assert json.loads(out) == {
        "name": hscjit, "namespace": "default", "from": NEW,
        "step": "Failed", "message": "postgres.dump: wrong checksum",
    }  # fmt: skip
    assert "the restore failed: postgres.dump: wrong checksum" in err


def test_the_same_backup_can_be_restored_again(
    kubectl: Kubectl, user: User, hscjit: str, operator: Callable[..., Operator]
):
    operator(DONE, done=2)
    words = ("restore", hscjit, "--from", OLD, "--wait", "--timeout", "60")
    first, _, _ = kubectl(*words)
    second, out, _ = kubectl(*words)

    assert (first, second) == (0, 0)
    assert "Stopping" in out, "the second one truly ran"
    assert asked_for(user) == OLD


def test_another_restore_is_not_cut_off(kubectl: Kubectl, user: User, hscjit: str):
    user.report(hscjit, {"restore": {"from": OLD, "step": "Restoring", "message": "Loading"}})
    code, _, err = kubectl("restore", hscjit, "--from", NEW)

    assert code == 1
    assert f"is being restored from {OLD} (Restoring)" in err
    assert asked_for(user) is None


def test_waiting_ends_in_time(kubectl: Kubectl, user: User, hscjit: str):
    code, _, err = kubectl("restore", hscjit, "--wait", "--timeout", "0.5")

    assert (code, "took longer than 0.5 s" in err) == (5, True)
    assert asked_for(user) == NEW, "what was asked for goes on"


def test_what_is_not_there(kubectl: Kubectl, user: User, hscjit: str):
    assert kubectl("restore", "nobody")[::2] == (
        3, "kubectl hscjit: there is no HSCJit nobody in namespace default\n",
    )  # fmt: skip
    code, _, err = kubectl("restore", hscjit, "--from", "yesterday")
    assert (code, "'yesterday' is no backup's name" in err) == (3, True)
    user.call("PATCH", f"{CONFIG_MAPS}/{NAME}-backups", {"data": None}, MERGE)
    code, _, err = kubectl("restore", hscjit)
    assert (code, "has no complete backup" in err) == (3, True)
    assert asked_for(user) is None


def test_the_status_knows_the_last_backup_when_the_index_is_lost(
    kubectl: Kubectl, user: User, hscjit: str
):
    user.call("PATCH", f"{CONFIG_MAPS}/{NAME}-backups", {"data": None}, MERGE)
    user.report(hscjit, {"backup": {"lastName": OLD, "lastSize": 7}})

    assert kubectl("restore", hscjit)[0] == 0
    assert asked_for(user) == OLD


def test_a_server_that_is_not_there(kubectl: Kubectl, tmp_path: Any):
    config = tmp_path / "config"
    config.write_text(
        "{apiVersion: v1, kind: Config, current-context: a, users: [{name: u, user: {}}], "
        "clusters: [{name: c, cluster: {server: 'https://127.0.0.1:9'}}], "
        "contexts: [{name: a, context: {cluster: c, user: u}}]}"
    )
    assert main(["backups", "x", "--kubeconfig", str(config)]) == 4
    assert main(["backups", "x", "--kubeconfig", str(tmp_path / "none")]) == 4


# --- a backup by hand -----------------------------------------------------------------------------


@pytest.fixture
def cron_job(user: User, hscjit: str) -> Iterator[str]:
    """The CronJob that makes the backups."""
    container = {"name": "seal", "image": "hscjit/app:0.1.0"}
    pod = {"restartPolicy": "Never", "containers": [container]}
    template = {"metadata": {"labels": {"team": "care"}}, "spec": {"template": {"spec": pod}}}
    spec = {"schedule": "0 2 * * *", "jobTemplate": template}
    user.call("POST", CRON_JOBS, {"metadata": {"name": f"{hscjit}-backup"}, "spec": spec})
    yield f"{hscjit}-backup"
    user.call("DELETE", f"{CRON_JOBS}/{hscjit}-backup")


def test_a_backup_is_made_as_the_schedule_would(
    kubectl: Kubectl, user: User, hscjit: str, cron_job: str
):
    code, out, _ = kubectl("backup", hscjit, "-o", "json")

    assert code == 0
    job = user.call("GET", f"{JOBS}/{json.loads(out)['job']}")
    assert job["metadata"]["ownerReferences"][0]["name"] == cron_job
    assert job["metadata"]["labels"]["team"] == "care"
    assert job["spec"]["template"]["spec"]["containers"][0]["image"] == "hscjit/app:0.1.0"


def test_no_backup_while_a_restore_runs(kubectl: Kubectl, user: User, hscjit: str, cron_job: str):
    user.report(hscjit, {"restore": {"from": OLD, "step": "Restoring"}})
    code, _, err = kubectl("backup", hscjit)

    assert (code, "is being restored (Restoring)" in err) == (1, True)


def test_no_backup_where_none_is_wanted(kubectl: Kubectl, hscjit: str):
    code, _, err = kubectl("backup", hscjit)

    assert (code, "set spec.backup.enabled to true" in err) == (3, True)


def test_the_namespace_can_be_named(kubectl: Kubectl):
    code, _, err = kubectl("restore", "nobody", "-n", "elsewhere")

    assert (code, "in namespace elsewhere" in err) == (3, True)
