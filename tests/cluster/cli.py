"""What can be asked of the cluster on the command line? `python -m tests.cluster --help`."""

import argparse
import json
import shutil
import signal
import sys
from dataclasses import asdict

from tests.cluster import (
    binaries,
    cache,
    control_plane,
    docker,
    engine,
    images,
    kind,
    node,
    tools,
    up,
    venv,
)
from tests.cluster.progress import Progress, say
from tests.cluster.shell import CommandFailed, Unavailable


def main() -> int:
    """Run one command; 1 and one clear line on failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    commands = parser.add_subparsers(required=True, metavar="command")
    for function, text in _COMMANDS.items():
        name = function.__name__.strip("_").replace("_", "-")
        command = commands.add_parser(name, help=text, description=text)
        command.set_defaults(run=function)
        if function is _up:
            command.add_argument("--json", action="store_true", help="print what is up as JSON")
            command.add_argument("--without-operator", action="store_true", help="stop before it")
    arguments = parser.parse_args()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # clean up as after Ctrl-C
    try:
        arguments.run(arguments)
    except (Unavailable, CommandFailed) as error:
        say(f"Failed: {error}")
        return 1
    except KeyboardInterrupt:
        say("Interrupted; the next run goes on from here")
        return 130
    return 0


def _up(arguments: argparse.Namespace) -> None:
    cluster = up.ensure(with_operator=not arguments.without_operator)
    if arguments.json:
        print(json.dumps(asdict(cluster), indent=2, default=str))
    else:
        say(f"To look around: export KUBECONFIG={cluster.kubeconfig}")
        say(f"kubectl of a fitting version: {cluster.kubectl}")


def _down(_: argparse.Namespace) -> None:
    with Progress(1).step("cluster", f'kind "{kind.NAME}"') as step:
        if not engine.running():
            step.result = "no engine"
            return
        with cache.lock("up", lambda: step.note("waiting for a run that brings it up")):
            kind.delete(tools.ensure(step.note).kind)
        step.result = "deleted"


def _images(_: argparse.Namespace) -> None:
    progress = Progress(3)
    with progress.step("engine", "Docker") as step:
        step.subject = f"Docker {engine.ensure(step.note)}"
    with progress.step("node", "Kubernetes") as step:
        built = node.ensure(step.note).built
    with progress.step("images", "app, operator, redis, postgres, prometheus") as step:
        found = images.ensure(step.note, published=not built)
    for name in found.all():
        print(f"{name:<36} {docker.image_mb(name):>5} MB")


def _status(_: argparse.Namespace) -> None:
    print(f"cache     {cache.root()}")
    print(f"engine    {'running' if engine.running() else 'not running'}")
    if engine.running():
        print(f"node      {docker.state(kind.CONTAINER) or 'none'}")
        print("images    " + " ".join(docker.tagged("hscjit-*")))
    state = kind.read_state()
    if state:
        print(f"page      http://127.0.0.1:{state.page_port} when a HSCJit has NodePort 30080")
        print(f"kubectl   export KUBECONFIG={kind.kubeconfig()}")


def _control_plane(_: argparse.Namespace) -> None:
    with control_plane.control_plane(binaries.control_plane_binaries()) as running:
        print(f"export KUBECONFIG={running.kubeconfig}", flush=True)
        say("An API server without a cluster; Ctrl-C ends it")
        signal.pause()


def _venv(_: argparse.Namespace) -> None:
    """Silent when there is nothing to do: every target of the Makefile asks for it."""
    venv.ensure(lambda text: say(f"[venv] {text}"))


def _venv_bench(_: argparse.Namespace) -> None:
    print(venv.bench(lambda text: say(f"[bench] {text}")) / "bin" / "python")


def _uv(_: argparse.Namespace) -> None:
    print(venv.uv(lambda text: say(f"[uv] {text}")))


def _clean(_: argparse.Namespace) -> None:
    if engine.running():
        docker.remove_container(kind.CONTAINER)
        names = docker.tagged("hscjit-*")
        say(f"Removing the cluster and {len(names)} images")
        docker.untag(names)
    say(f"Removing {cache.root()}, but for what a running engine needs")
    for path in cache.root().iterdir():
        if path.name not in engine.KEPT:
            shutil.rmtree(path) if path.is_dir() else path.unlink()


_COMMANDS = {
    _up: "bring cluster, images and operator up, from whatever state they are in",
    _down: "delete the cluster; images and cached builds stay",
    _images: "build the images, without a cluster, and print their sizes",
    _status: "say what is there, changing nothing",
    _control_plane: "run an API server alone until Ctrl-C",
    _venv: "make the Python environment that runs the tests; `.venv` points to it",
    _venv_bench: "make the environment with what benches compare us to; print its Python",
    _uv: "print where the program is that writes the locks",
    _clean: "delete the cluster, our images and everything cached",
}
