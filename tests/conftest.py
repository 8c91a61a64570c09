"""Which tests share a lane when the suite runs in several processes (`pytest -n 3`)."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests of a file together, and all that use the one kind cluster.

    A file shares its servers and fixtures; two stories at once on one cluster would see each
    other's load.
    """
    for item in items:
        place = item.path.relative_to(HERE)
        group = "cluster" if place.parts[0] == "e2e" else str(place.with_suffix(""))
        item.add_marker(pytest.mark.xdist_group(group))
