"""How does all of it come up? Six steps, each of which finds its work done or does it."""

from dataclasses import asdict, dataclass
from pathlib import Path

from tests.cluster import addons, cache, engine, images, kind, node, operator, tools
from tests.cluster.progress import Progress, Step, say


@dataclass(frozen=True)
class Cluster:
    """A running cluster: how to reach it, and what is on it."""

    kubeconfig: Path
    """Of an administrator."""
    kubectl: Path
    helm: Path
    kind: Path
    node: str
    """The name of the node's container in Docker."""
    page_port: int
    """The port of 127.0.0.1 behind which NodePort 30080 answers."""
    prometheus_port: int
    """The port of 127.0.0.1 behind which NodePort 30090 answers."""
    images: dict[str, str]
    """Names with tags of: app, operator, redis, postgres, prometheus."""
    enforces_policies: bool
    """Whether NetworkPolicies have an effect."""


def ensure(*, with_operator: bool = True) -> Cluster:
    """Bring everything up, from whatever state it is in; seconds when all of it runs already."""
    engine.check()
    with cache.lock("up", lambda: say("Another run is bringing the cluster up: waiting for it")):
        return _ensure(Progress(6 if with_operator else 5), with_operator)


def _ensure(progress: Progress, with_operator: bool) -> Cluster:
    with progress.step("tools", "kind, kubectl, helm") as step:
        found = tools.ensure(step.note)
        step.result = found.source
    with progress.step("engine", "Docker") as step:
        step.subject = f"Docker {engine.ensure(step.note)}"
        step.result = "running"
    with progress.step("node", "Kubernetes") as step:
        image = _node(step)
    with progress.step("cluster", f'kind "{kind.NAME}"') as step:
        state, step.result = kind.ensure(found, image, step.note)
        enforces = addons.ensure(found, image, step.note)
        step.remark = f"kubeconfig: {kind.kubeconfig()}"
    with progress.step("images", "app, operator, redis, postgres, prometheus") as step:
        ours = images.ensure(step.note, published=not image.built)
        missing = kind.lacking(ours.all())
        if missing:
            kind.load(found, missing, step.note)
        step.result = "loaded" if missing else "present"
    if with_operator:
        with progress.step("operator", "helm release") as step:
            step.result = operator.ensure(found, ours, state, step.note)
    return Cluster(
        kubeconfig=kind.kubeconfig(),
        kubectl=found.kubectl,
        helm=found.helm,
        kind=found.kind,
        node=kind.CONTAINER,
        page_port=state.page_port,
        prometheus_port=state.prometheus_port,
        images=asdict(ours),
        enforces_policies=enforces,
    )


def _node(step: Step) -> node.Node:
    image = node.ensure(step.note)
    where = "built here" if image.built else "published"
    step.subject = f"Kubernetes {node.kubernetes_of(image)} {where}"
    step.result = image.source
    step.remark = "no registry reachable; the first time takes about 10 min" if image.built else ""
    return image
