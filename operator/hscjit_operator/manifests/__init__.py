"""Which objects does a HSCJit consist of? One kind of child per file; None = not wanted."""

from hscjit_operator.manifests import (
    api,
    autoscaling,
    backup,
    beat,
    config,
    credentials,
    disruption,
    edge,
    identities,
    migration,
    monitoring,
    network_policy,
    postgres,
    redis,
    restore,
    rotation,
    secret,
    services,
    storage,
    worker,
)
from hscjit_operator.manifests.meta import Manifest
from hscjit_operator.model.inputs import Inputs
from hscjit_operator.model.spec import HSCJit

__all__ = ["Manifest", "complete", "desired", "rotation", "secret"]


def desired(app: HSCJit, inputs: Inputs) -> list[Manifest]:
    """Return every child the HSCJit is to have now, in the order of their making.

    A pure function: the same two values give the same list, in the same order. What must wait for
    something (see `complete`) is left out until then.
    """
    optional = [
        *identities.service_accounts(app),
        config.config(app, inputs),
        redis.config(app),
        *services.services(app),
        storage.backup_claim(app, inputs),
        postgres.stateful_set(app, inputs),
        *redis.stateful_sets(app, inputs),
        migration.migration(app, inputs),
        restore.restore(app, inputs),
        rotation.rotation(app, inputs),
        *(_workload(app, inputs) if complete(app, inputs) else []),
        *disruption.disruption_budgets(app),
        *network_policy.network_policies(app, inputs),
        edge.ingress(app),
        edge.http_route(app, inputs),
        *monitoring.monitoring(app, inputs),
        *(_recurring(app, inputs) if complete(app, inputs) else []),
    ]
    return [child for child in optional if child is not None]


def complete(app: HSCJit, inputs: Inputs) -> bool:
    """Return whether nothing waits: only then does a child's absence mean that it is not wanted.

    Before, absence may also mean "not yet", and nothing may be deleted for it. So what runs goes on
    as it is, too, while the Secret of an external store is missing or says nothing usable.
    """
    known = credentials.reachable(app, inputs, app.outside)
    return inputs.manuals_ip is not None and known and (inputs.workload or inputs.stopped)


def _workload(app: HSCJit, inputs: Inputs) -> list[Manifest | None]:
    return [
        api.api(app, inputs),
        worker.worker(app, inputs),
        beat.beat(app, inputs),
        autoscaling.autoscaler(app, inputs),
    ]


def _recurring(app: HSCJit, inputs: Inputs) -> list[Manifest | None]:
    return [backup.backup(app, inputs), backup.cleanup(app, inputs)]
