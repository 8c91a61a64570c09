"""Our operator as in production, but that /ready is asked where BENCH_DOOR says."""

import asyncio
import os
import signal

from hscjit_operator import logs
from hscjit_operator.assembly import Operator
from hscjit_operator.cluster import client
from hscjit_operator.settings import Settings


async def serve() -> None:
    """Serve until SIGTERM."""
    stop = asyncio.Event()

    def take_signals() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)

    take_signals()
    settings = Settings.from_env(os.environ)
    logs.configure(settings.log_level, settings.log_format)
    configuration = await client.configuration(os.environ["KUBECONFIG"])
    door = os.environ.get("BENCH_DOOR", "http://127.0.0.1:9")
    ours = Operator(
        settings,
        configuration,
        door_url=lambda _ip: f"{door}/ready",
        take_signals=take_signals,
    )
    await ours.run(stop)


if __name__ == "__main__":
    asyncio.run(serve())
