"""`kubectl hscjit backup NAME`: make a backup now, as the schedule would."""

import argparse
import json
from datetime import UTC, datetime
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.cli import waiting
from hscjit_operator.cli.connection import Connection
from hscjit_operator.cli.failures import Failure, NoSuchThing
from hscjit_operator.cli.output import Output
from hscjit_operator.cluster import kinds

_MANUAL: Final = {"cronjob.kubernetes.io/instantiate": "manual"}
"""What kubectl marks a Job with that was made from a CronJob by hand."""


def add_to(verbs: "argparse._SubParsersAction[Any]", common: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser("backup", parents=[common], help="make a backup now")
    parser.add_argument("name", metavar="NAME", help="the HSCJit")
    waiting.add_to(parser, "the backup is complete or has failed")
    parser.set_defaults(verb=run)


async def run(connection: Connection, args: argparse.Namespace, output: Output) -> None:
    """Make the Job that the CronJob would make."""
    body = await connection.hscjit(args.name)
    step = body.get("status", {}).get("restore", {}).get("step", "Done")
    if step not in ("Done", "Failed"):
        raise Failure(f"{args.name} is being restored ({step}); back up when that is over")
    cron_job = await connection.api.get(
        kinds.by_name("CronJob"), connection.namespace, names.child(args.name, names.BACKUP)
    )
    if cron_job is None:
        raise NoSuchThing(f"{args.name} makes no backups; set spec.backup.enabled to true")
    job = _job(cron_job, datetime.now(UTC))
    name = job["metadata"]["name"]
    await connection.api.create(kinds.JOB, connection.namespace, job)
    output.line(f"job {name} makes a backup of {args.name}")
    answer = {"name": args.name, "namespace": connection.namespace, "job": name}
    if args.wait:
        answer["state"] = await _outcome(connection, name, args.timeout, output)
    output.result(answer)
    if answer.get("state") == "Failed":
        raise Failure(
            "the backup failed; its log says why: "
            f"kubectl -n {connection.namespace} logs job/{name} --all-containers"
        )


def _job(cron_job: dict[str, Any], now: datetime) -> dict[str, Any]:
    template, metadata = cron_job["spec"]["jobTemplate"], cron_job["metadata"]
    made_of = template.get("metadata", {})
    return {
        "apiVersion": kinds.JOB.api_version,
        "kind": kinds.JOB.kind,
        "metadata": {
            "name": f"{metadata['name']}-{now:%Y%m%d%H%M%S}",
            "namespace": metadata["namespace"],
            "labels": made_of.get("labels", {}),
            "annotations": {**made_of.get("annotations", {}), **_MANUAL},
            "ownerReferences": [
                {
                    "apiVersion": cron_job["apiVersion"],
                    "kind": cron_job["kind"],
                    "name": metadata["name"],
                    "uid": metadata["uid"],
                    "controller": True,
                }
            ],
        },
        "spec": json.loads(json.dumps(template["spec"])),
    }


async def _outcome(connection: Connection, name: str, timeout_s: float, output: Output) -> str:
    async def look() -> str | None:
        job = await connection.api.get(kinds.JOB, connection.namespace, name)
        if job is None:
            raise Failure(f"job {name} was deleted before it ended")
        conditions = job.get("status", {}).get("conditions", [])
        ended = {c["type"] for c in conditions if c["status"] == "True"}
        return next((state for state in ("Complete", "Failed") if state in ended), None)

    state = await waiting.until(look, timeout_s, "the backup")
    output.line(output.painted(state, "good" if state == "Complete" else "bad"))
    return state
