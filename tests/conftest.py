"""Which tests share a lane when the suite runs in several processes (`pytest -n 3`)."""

from pathlib import Path

import pytest

E2E = Path(__file__).parent / "e2e"


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, and all that use the one kind cluster.

    A file shares its servers and fixtures; two stories at once on one cluster would see each
    other's load.
    """
    for item in items:
        group = "the cluster" if E2E in item.path.parents else str(item.path)
        item.add_marker(pytest.mark.xdist_group(group))
