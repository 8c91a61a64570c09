"""Every route does as /openapi.json says, whatever it is sent: schemathesis asks a real pod."""

import subprocess
import sys
from pathlib import Path

import pytest

from hscjit_app.sessions import SessionSigner

ADMIN_TOKEN = "let-me-in"  # noqa: S105 a test's own


@pytest.fixture
def env(env):
    return env | {"HSCJIT_ADMIN_TOKEN": ADMIN_TOKEN}


@pytest.mark.parametrize("who", ["administrator", "customer"])
def test_every_route_answers_as_it_is_described(who, pod, env, worker, tmp_path):
    worker()
    url = pod("api").url
    secret = SessionSigner(env["HSCJIT_SESSION_KEY"]).new().secret
    bearer = {"administrator": ADMIN_TOKEN, "customer": secret}[who]
    command = [
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{url}/openapi.json", "--checks", "all", "--max-examples", "10", "--no-color"),
        *("--generation-deterministic", "--header", f"Authorization: Bearer {bearer}"),
        # Which of the two secrets opens a route is what we ask; the other half answers 401.
        *("--warnings", "off"),
    ]

    asked = subprocess.run(
        command, cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
    )

    assert asked.returncode == 0, asked.stdout[-6000:] + asked.stderr[-2000:]
