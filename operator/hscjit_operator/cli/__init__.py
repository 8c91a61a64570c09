"""`kubectl hscjit …`: what does a user type, and which verb answers? One verb a file.

Exit codes: 0 done, 1 it failed, 2 wrong usage, 3 there is no such thing, 4 the API server refused
or was not reached, 5 it took longer than `--timeout`.
"""

import argparse
import asyncio
import os
import sys
from collections.abc import Mapping, Sequence

from hscjit_operator.cli import backup, backups, restore
from hscjit_operator.cli.connection import connect
from hscjit_operator.cli.failures import Failure
from hscjit_operator.cli.output import Output
from hscjit_operator.cluster.errors import UNREACHED, ApiError

_VERBS = (backup, backups, restore)


def main(argv: Sequence[str] | None = None) -> int:
    """Run one verb; return the exit code."""
    args = _parser().parse_args(argv)
    output = Output(sys.stdout, sys.stderr, as_json=args.output == "json", env=os.environ)
    try:
        asyncio.run(_run(args, output, os.environ))
    except Failure as failure:
        output.error(str(failure))
        return failure.code
    except ApiError as error:
        output.error(_said(error))
        return 4
    except KeyboardInterrupt:
        return 130
    return 0


async def _run(args: argparse.Namespace, output: Output, env: Mapping[str, str]) -> None:
    connection = await connect(args.kubeconfig, args.context, args.namespace, env)
    try:
        await args.verb(connection, args, output)
    finally:
        await connection.api.close()


def _said(error: ApiError) -> str:
    if error.code == UNREACHED:
        return f"the API server was not reached: {error.message}"
    return f"the API server refused: {error.message or error.reason}"


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="kubectl hscjit",
        description="Look after HSCJit resources.",
        epilog="Exit codes: 0 done, 1 failed, 2 wrong usage, 3 no such thing, 4 refused or not "
        "reached by the API server, 5 timed out.",
    )
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("-n", "--namespace", help="the HSCJit's namespace [the context's]")
    common.add_argument("-o", "--output", choices=["json"], help="one JSON object, for scripts")
    common.add_argument("--kubeconfig", help="the kubeconfig to use [$KUBECONFIG, ~/.kube/config]")
    common.add_argument("--context", help="the kubeconfig's context to use [the current one]")
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    for verb in _VERBS:
        verb.add_to(verbs, common)
    return parser
