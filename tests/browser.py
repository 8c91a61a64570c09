"""How does a test get a real browser? A tab of the distribution's Chromium."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Page, sync_playwright

from tests.cluster import debian
from tests.cluster.progress import say

_FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
]  # fmt: skip


@contextmanager
def tab() -> Iterator[Page]:
    """A fresh tab; the browser ends with it."""
    chromium = debian.program("chromium", "chromium", say)
    with sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=_FLAGS)
        yield browser.new_page()
        browser.close()
