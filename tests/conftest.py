"""Which tests share a lane when the suite runs in several processes (`pytest -n 3`)."""

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

ONE_CLUSTER = "tests/e2e/"


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
