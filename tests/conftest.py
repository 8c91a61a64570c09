"""What holds for every test: plain tracebacks in logs, and who shares a lane (`pytest -n 3`)."""

import gc

import pytest
import structlog
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

# Until all tests are collected: what that makes stays.
gc.disable()

ONE_CLUSTER = "tests/e2e/"

# Where the library rich is installed an error's traceback is drawn with every frame's locals, which
# takes seconds where one of them is large.
structlog.configure(
    processors=[
        *structlog.get_config()["processors"][:-1],
        structlog.dev.ConsoleRenderer(exception_formatter=structlog.dev.plain_traceback),
    ]
)


class Lanes(LoadScopeScheduling):
    """Keeps the tests of a file together, and all that use the one kind cluster.

    A file shares its servers and fixtures; two stories at once on one cluster would see each
    other's load. (The `xdist_group` mark says nothing under pytest 9.2.)
    """

    def _split_scope(self, nodeid: str) -> str:
        return ONE_CLUSTER if nodeid.startswith(ONE_CLUSTER) else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> Lanes:
    """Take our lanes for any way of distribution."""
    return Lanes(config, log)


def pytest_collection_finish() -> None:
    """Let what lives until the end anyway be looked through by no collection of garbage."""
    gc.freeze()
    gc.enable()
    gc.set_threshold(20_000, 20, 20)
