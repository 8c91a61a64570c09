"""What stories of a broken way to the API server have in common."""

import logging
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def no_traceback(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Nothing that a network does is worth a traceback."""
    yield
    found = [r for r in caplog.get_records("call") if r.exc_info or r.levelno >= logging.CRITICAL]
    assert [r.getMessage() for r in found if r.name != "aiohttp.server"] == []  # the proxy's own
