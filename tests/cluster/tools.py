"""Where are kind, kubectl and helm? On this machine in a right version, else built once."""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import cache, gomodules
from tests.cluster.shell import CommandFailed, output

_ASK = {
    "kind": (("version", "--quiet"), ("0.33.",)),
    "kubectl": (("version", "--client"), ("v1.36.", "v1.37.", "v1.38.")),
    "helm": (("version", "--template={{.Version}}"), ("v4.",)),
}
"""How each tells its version, and what must be in the answer."""


@dataclass(frozen=True)
class Tools:
    """The programs to use, and whether any of them had to be built now."""

    kind: Path
    kubectl: Path
    helm: Path
    source: str


def ensure(note: Callable[[str], None]) -> Tools:
    """Find the three tools, or build all of them."""
    present = {name: _present(name) for name in _ASK}
    kind, kubectl, helm = (present[name] for name in ("kind", "kubectl", "helm"))
    if kind and kubectl and helm:
        return Tools(kind, kubectl, helm, "present")
    key = gomodules.key(gomodules.TOOLS)
    source = "cached" if cache.find("tools", key) else "built"
    folder = cache.ensure("tools", key, lambda new: gomodules.build(gomodules.TOOLS, new, note))
    return Tools(folder / "kind", folder / "kubectl", folder / "helm", source)


def _present(name: str) -> Path | None:
    path = shutil.which(name)
    options, wanted = _ASK[name]
    try:
        answer = output(path, *options, timeout_s=10) if path else ""
    except (CommandFailed, OSError):
        return None
    return Path(path) if path and any(version in answer for version in wanted) else None
