"""`kubectl hscjit restore NAME`: put a backup's data in the place of what is there.

The verb only sets the annotation that asks for it; the operator does the work and survives its own
crash at any step. So may this verb: what was asked for goes on, and asking again joins in.
"""

import argparse
import time
from typing import Any, Final

from hscjit_operator import names
from hscjit_operator.cli import backups, waiting
from hscjit_operator.cli.connection import MANAGER, Connection
from hscjit_operator.cli.failures import Failure, NoSuchThing
from hscjit_operator.cli.output import Output
from hscjit_operator.cluster import kinds
from hscjit_operator.model.backups import NAME

LATEST: Final = "latest"
_OVER: Final = ("Done", "Failed")
_FORGET_S: Final = 60.0
"""How long the operator may take to forget a former restore of the same backup."""


def add_to(verbs: "argparse._SubParsersAction[Any]", common: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "restore",
        parents=[common],
        help="replace an HSCJit's data by a backup",
        description="Replace all data of an HSCJit by that of a backup. API, workers and queue "
        "stop meanwhile.",
    )
    parser.add_argument("name", metavar="NAME", help="the HSCJit")
    parser.add_argument(
        "--from",
        dest="backup",
        default=LATEST,
        metavar="BACKUP",
        help="the backup's name, such as 20260131T020000Z, or latest [latest]",
    )
    waiting.add_to(parser, "the restored HSCJit answers again")
    parser.set_defaults(verb=run)


async def run(connection: Connection, args: argparse.Namespace, output: Output) -> None:
    """Ask for the restore and, if wanted, follow it to its end."""
    body = await connection.hscjit(args.name)
    backup = await _chosen(connection, body, args.backup)
    under_way = _restore(body)
    if under_way and under_way["step"] not in _OVER:
        if under_way["from"] != backup:
            raise Failure(
                f"{args.name} is being restored from {under_way['from']} ({under_way['step']}); "
                "wait until that is over"
            )
        output.line(f"{args.name} is being restored from {backup} already")
    else:
        await _ask(connection, body, backup)
        output.line(f"{args.name}: all data is being replaced by backup {backup}")
    answer = {"name": args.name, "namespace": connection.namespace, "from": backup}
    if args.wait:
        answer |= await _follow(connection, args, backup, output)
    output.result(answer)
    if answer.get("step") == "Failed":
        raise Failure(f"the restore failed: {answer['message']}")


async def _chosen(connection: Connection, body: dict[str, Any], asked: str) -> str:
    """Return the backup's name. A name that no index lists is tried: the volume knows better."""
    if asked != LATEST:
        if not NAME.fullmatch(asked):
            raise NoSuchThing(
                f"{asked!r} is no backup's name; write one such as 20260131T020000Z, or {LATEST}"
            )
        return asked
    found = await backups.known(connection, body)
    if not found:
        raise NoSuchThing(
            f"{body['metadata']['name']} has no complete backup to be restored from; "
            "name one with --from if its volume holds some"
        )
    return found[0].name


async def _ask(connection: Connection, body: dict[str, Any], backup: str) -> None:
    """Set the annotation; first take it away where the same backup was restored before."""
    name = body["metadata"]["name"]
    before = _restore(body)
    if before and before["from"] == backup:
        await _annotate(connection, name, None)

        async def forgotten() -> bool | None:
            return True if _restore(await connection.hscjit(name)) is None else None

        await waiting.until(forgotten, _FORGET_S, "to forget the former restore")
    await _annotate(connection, name, backup)


async def _annotate(connection: Connection, name: str, value: str | None) -> None:
    patch = {"metadata": {"annotations": {names.ANNOTATION_RESTORE_FROM: value}}}
    await connection.api.merge(
        kinds.HSCJIT, connection.namespace, name, patch, reason="restore", manager=MANAGER
    )


async def _follow(
    connection: Connection, args: argparse.Namespace, backup: str, output: Output
) -> dict[str, Any]:
    """Show each step as it comes; return the last one."""
    started = time.monotonic()
    shown = ""

    async def look() -> dict[str, Any] | None:
        nonlocal shown
        restore = _restore(await connection.hscjit(args.name))
        if restore is None or restore["from"] != backup:
            return None  # the operator has not seen the annotation yet
        step = restore["step"]
        if step != shown:
            shown = step
            mood = {"Done": "good", "Failed": "bad"}.get(step, "busy")
            took = f"{time.monotonic() - started:.0f} s"
            said = restore.get("message", "")
            output.line(f"{output.painted(step.ljust(9), mood)}  {took.rjust(5)}  {said}".rstrip())
        return restore if step in _OVER else None

    restore = await waiting.until(look, args.timeout, "the restore")
    return {"step": restore["step"], "message": restore.get("message", "")}


def _restore(body: dict[str, Any]) -> dict[str, Any] | None:
    """Return `status.restore` of an HSCJit, if it tells of one."""
    found: dict[str, Any] = body.get("status", {}).get("restore", {})
    return found if {"from", "step"} <= found.keys() else None
