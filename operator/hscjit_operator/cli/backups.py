"""`kubectl hscjit backups NAME`: which backups could be restored?"""

import argparse
from typing import Any

from hscjit_operator import names
from hscjit_operator.cli.connection import Connection
from hscjit_operator.cli.output import Output
from hscjit_operator.cluster import kinds
from hscjit_operator.model.backups import KnownBackup, from_index


def add_to(verbs: "argparse._SubParsersAction[Any]", common: argparse.ArgumentParser) -> None:
    """Add the verb to the command line."""
    parser = verbs.add_parser(
        "backups", parents=[common], help="list the complete backups of an HSCJit"
    )
    parser.add_argument("name", metavar="NAME", help="the HSCJit")
    parser.set_defaults(verb=run)


async def run(connection: Connection, args: argparse.Namespace, output: Output) -> None:
    """List the backups, the newest first."""
    body = await connection.hscjit(args.name)
    found = await known(connection, body)
    if found:
        rows = [(b.name, f"{b.begun:%Y-%m-%d %H:%M:%S} UTC", _size(b.size)) for b in found]
        output.table(("BACKUP", "BEGUN", "SIZE"), rows)
    else:
        output.line(f"{args.name} has no complete backup yet")
    output.result([{"name": b.name, "begun": b.begun.isoformat(), "size": b.size} for b in found])


async def known(connection: Connection, body: dict[str, Any]) -> list[KnownBackup]:
    """Return the backups of an HSCJit, the newest first: the index's, or the last in its status."""
    metadata, status = body["metadata"], body.get("status", {}).get("backup", {})
    name = status.get("index", names.child(metadata["name"], names.BACKUPS))
    index = await connection.api.get(kinds.CONFIG_MAP, metadata["namespace"], name)
    found = from_index((index or {}).get("data") or {})
    if not found and status.get("lastName"):
        return [KnownBackup(status["lastName"], int(status.get("lastSize", 0)))]
    return found


def _size(size: int) -> str:
    amount, unit = float(size), "B"
    for unit in ("B", "KiB", "MiB", "GiB"):  # noqa: B007  the last one tried is the one shown
        if amount < 1024:  # noqa: PLR2004  the next unit's size
            break
        amount /= 1024
    else:
        unit = "TiB"
    return f"{amount:.0f} {unit}" if unit == "B" else f"{amount:.1f} {unit}"
