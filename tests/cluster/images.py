"""Which images run on the cluster? Ours, built from the source; the stores, published or Debian's.

A tag is a hash of all that went in, so that a rebuilt image never hides behind an old name.
"""

import re
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.cluster import bases, cache, docker, gomodules, pip

ROOT = Path(__file__).parents[2]
_DEBIAN_ONES = Path(__file__).parent / "images"
PYTHON = "python:3.11-slim-bookworm"
_VALUES = ROOT / "charts" / "hscjit-operator" / "values.yaml"


@dataclass(frozen=True)
class Images:
    """The names of the images, with tags."""

    app: str
    operator: str
    redis: str
    postgres: str
    prometheus: str

    def all(self) -> list[str]:
        """All of them, in a fixed order."""
        return [self.app, self.operator, self.redis, self.postgres, self.prometheus]


@dataclass(frozen=True)
class _Base:
    run: str
    build: str
    identity: str
    """What the images' tags know of the base."""


def ensure(note: Callable[[str], None], *, published: bool) -> Images:
    """Build or find all images; `published` = a registry may be asked for those of others."""
    base = _base(note, published)
    official = published_stores(_VALUES.read_text())
    stores = {
        name: _store(name, image if published else None, base, note)
        for name, image in official.items()
    }
    return Images(app=_own("app", base, note), operator=_own("operator", base, note), **stores)


def prometheus(note: Callable[[str], None], *, published: bool) -> str:
    """Build or find the image of Prometheus alone, for its promtool."""
    official = published_stores(_VALUES.read_text())["prometheus"]
    return _store("prometheus", official if published else None, _base(note, published), note)


def prometheus_key() -> str:
    """Changes with what the image of Prometheus is made of."""
    official = published_stores(_VALUES.read_text())["prometheus"]
    return cache.digest(official, _DEBIAN_ONES / "prometheus")


def published_stores(values: str) -> dict[str, str]:
    """The official images of Redis, Postgres and Prometheus, as the chart's values name them."""
    names = dict(re.findall(r"^  (redis|postgres): *(\S+)$", values, re.MULTILINE))
    prometheus = re.search(r"^prometheus:$.*?^  image: *(\S+)$", values, re.MULTILINE | re.DOTALL)
    assert prometheus is not None, "the chart's values name no image of Prometheus"
    return {**names, "prometheus": prometheus[1]}


def metrics_server(note: Callable[[str], None]) -> str:
    """The image of the metrics-server, which is built from its Go module everywhere."""
    packages = (gomodules.METRICS_SERVER,)
    key = gomodules.key(packages)
    name = f"hscjit-metrics-server:{key}"
    if not docker.has_image(name):
        fill = lambda folder: gomodules.build(packages, folder, note)  # noqa: E731
        program = cache.ensure("metrics-server", key, fill) / "metrics-server"
        docker.image_of_program(name, program)
    return name


def network_policies(note: Callable[[str], None]) -> str:
    """The image of what puts NetworkPolicies into effect on a node that was built here.

    Raises Unavailable where its modules can't be had.
    """
    packages, module = (gomodules.OWN,), gomodules.POLICIES_MODULE

    def build(folder: Path) -> None:
        gomodules.fetch(module)
        gomodules.build(packages, folder, note, module)

    base, dockerfile = _base(note, published=False), module / "Dockerfile"
    key = gomodules.key(packages, module)
    name = f"hscjit-network-policies:{cache.digest(key, base.identity, dockerfile)}"
    if not docker.has_image(name):
        program = cache.ensure("network-policies", key, build) / "cluster-netpol"
        with tempfile.TemporaryDirectory() as context:
            shutil.copy2(program, context)
            shutil.copy2(dockerfile, context)
            docker.build(name, Path(context), {"BASE": base.run}, note, "image of the firewall")
    return name


def _base(note: Callable[[str], None], published: bool) -> _Base:
    if published and (docker.has_image(PYTHON) or docker.pull(PYTHON)):
        return _Base(PYTHON, PYTHON, docker.image_id(PYTHON))
    run, build = bases.python(note)
    return _Base(run, build, build)


def _own(side: str, base: _Base, note: Callable[[str], None]) -> str:
    """The image of one of our two sides; a changed file costs seconds, a changed lock a minute."""
    source = ROOT / side
    name = f"hscjit-{side}:{cache.digest(base.identity, source)}"
    if docker.has_image(name):
        return name
    note(f"building the image of the {side}")
    args = {"BASE": base.run, "BUILD_BASE": base.build, **pip.build_args()}
    with tempfile.TemporaryDirectory() as temporary:
        context = Path(temporary) / side
        shutil.copytree(source, context, ignore=shutil.ignore_patterns(*cache.IGNORED))
        bundle = pip.ca_bundle()
        if bundle:
            shutil.copyfile(bundle, context / "ca-bundle.crt")
            args["PIP_CERT"] = "/build/ca-bundle.crt"
        docker.build(name, context, args, note, f"image of the {side}")
    return name


def _store(name: str, official: str | None, base: _Base, note: Callable[[str], None]) -> str:
    """The official image where it can be had, else Debian's program on our base."""
    if official and (docker.has_image(official) or docker.pull(official)):
        return official
    context = _DEBIAN_ONES / name
    image = f"hscjit-{name}:{cache.digest(base.identity, context)}"
    if not docker.has_image(image):
        note(f"building an image of Debian's {name}")
        docker.build(image, context, {"BASE": base.run}, note, f"image of {name}")
    return image
