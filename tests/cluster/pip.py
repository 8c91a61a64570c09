"""How does this machine reach its Python packages? Passed on to builds, never written down."""

import os
import re
import sys
from pathlib import Path

from tests.cluster.shell import CommandFailed, output

_BUILD_ARGS = {
    "index-url": "PIP_INDEX_URL",
    "extra-index-url": "PIP_EXTRA_INDEX_URL",
    "trusted-host": "PIP_TRUSTED_HOST",
}
_PROXIES = ("HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy")
_CA_VARIABLES = ("PIP_CERT", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")


def parse_config(listing: str) -> dict[str, str]:
    """The settings in the output of `pip config list`: {option: value}; the environment wins."""
    settings: dict[str, str] = {}
    lines = re.findall(r"^(\S+?)\.([a-z-]+)='(.*)'$", listing, re.MULTILINE)
    for _, option, value in sorted(lines, key=lambda line: line[0] == ":env:"):
        settings[option] = value
    return settings


def build_args() -> dict[str, str]:
    """The arguments of a docker build that let pip inside find the packages as it does here."""
    settings = _settings()
    args = {name: settings[option] for option, name in _BUILD_ARGS.items() if option in settings}
    return args | {name: os.environ[name] for name in _PROXIES if os.environ.get(name)}


def ca_bundle() -> Path | None:
    """The file with the authorities that this machine trusts for packages, where one is set."""
    named = [_settings().get("cert", ""), *(os.environ.get(name, "") for name in _CA_VARIABLES)]
    return next((Path(name) for name in named if name and Path(name).is_file()), None)


def _settings() -> dict[str, str]:
    try:
        return parse_config(output(sys.executable, "-m", "pip", "config", "list"))
    except (CommandFailed, OSError):
        return {}
