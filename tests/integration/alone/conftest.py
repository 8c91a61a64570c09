"""The app with no server at all, as `make dev` runs it: one for the tests that talk to it."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.integration.alone import asgi

from hscjit_app.settings import Settings

ADMIN_TOKEN = "let-me-in"  # noqa: S105 a test's own


def settings_in(folder: Path) -> Settings:
    """Settings as `make dev` has them, with a database of the test's own."""
    return Settings.from_env(
        {
            "HSCJIT_DATABASE_URL": f"sqlite+aiosqlite:///{folder}/app.db",
            "HSCJIT_ADMIN_TOKEN": ADMIN_TOKEN,
            "HSCJIT_SESSION_KEY": "one key for all pods",
            "HSCJIT_ALLOWED_ORIGINS": '["https://shop.example"]',
            "HSCJIT_TRUSTED_PROXIES": '["10.1.0.0/16"]',
        }
    )


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    """Settings for one test."""
    return settings_in(tmp_path)


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def app(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[asgi.App]:
    """An app shared by the tests of a module, for what leaves it as it was."""
    async with asgi.running(settings_in(tmp_path_factory.mktemp("app"))) as app:
        yield app


@pytest_asyncio.fixture(loop_scope="module")
async def own_app(settings: Settings) -> AsyncIterator[asgi.App]:
    """An app for one test that changes it."""
    async with asgi.running(settings) as app:
        yield app
