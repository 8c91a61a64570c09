"""Run the operator: `python -m hscjit_operator`, in a pod or with a kubeconfig on a laptop."""

import asyncio
import os
import signal
import sys

from hscjit_operator import logs
from hscjit_operator.assembly import Operator
from hscjit_operator.cluster import client
from hscjit_operator.settings import Settings, SettingsError


async def serve(settings: Settings, kubeconfig: str | None) -> None:
    """Serve until SIGTERM or SIGINT."""
    stop = asyncio.Event()

    def take_signals() -> None:
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)

    take_signals()
    reached = await client.configuration(kubeconfig)
    await Operator(settings, reached, take_signals=take_signals).run(stop)


def main() -> int:
    """Read the environment, then serve; returns the exit code."""
    try:
        settings = Settings.from_env(os.environ)
    except SettingsError as error:
        print(error, file=sys.stderr)  # noqa: T201  logs are not set up yet
        return 2
    logs.configure(settings.log_level, settings.log_format)
    # In a pod its own account; elsewhere the kubeconfig that kubectl would use.
    default = os.path.expanduser("~/.kube/config")
    kubeconfig = None if settings.in_cluster else os.environ.get("KUBECONFIG", default)
    asyncio.run(serve(settings, kubeconfig))
    return 0


if __name__ == "__main__":
    sys.exit(main())
