"""The version is written where pip reads it and where the app reads it, and is the same."""

import tomllib
from pathlib import Path

from hscjit_app.version import VERSION

PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


def test_the_app_knows_its_distributions_version():
    assert tomllib.loads(PYPROJECT.read_text())["project"]["version"] == VERSION
