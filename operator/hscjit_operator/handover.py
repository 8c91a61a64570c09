"""Who holds the number of API pods from this pass on, and did it change hands?"""

from dataclasses import dataclass

from hscjit_operator import components, names, sight
from hscjit_operator.cluster.apply import Applier
from hscjit_operator.cluster.errors import ApiError
from hscjit_operator.decisions import replicas
from hscjit_operator.decisions.readiness import Problem
from hscjit_operator.model.autopilot import Targets
from hscjit_operator.model.observed import Observed
from hscjit_operator.model.spec import HSCJit
from hscjit_operator.refusals import problem_of


@dataclass(frozen=True, slots=True)
class Hold:
    """What came of it."""

    main: int | None
    """What the API's main apply holds; None: no number."""
    problem: Problem | None = None
    wrote: bool = False


async def settle(
    applier: Applier,
    app: HSCJit,
    observed: Observed,
    targets: Targets,
    *,
    stopped: bool,
    still: bool,
) -> Hold:
    """Return what the API's main apply holds, after the number was handed over if need be.

    `stopped`: a restore wants no pod; `still`: everything is paused, so nothing is written.
    """
    if stopped:
        return Hold(0)
    deployment = observed.get(("Deployment", names.child(app.name, names.API)))
    api = components.scaled(observed, app.name, names.API)
    held = replicas.decide(
        api=api,
        autoscaling=app.api.autoscaling.enabled,
        autoscaler=sight.autoscaler(observed, app.name),
        start=app.api.replicas,
        floor=targets.api_floor,
        ceiling=targets.api_ceiling,
    )
    if held.handover is None or deployment is None or api is None or still:
        return Hold(held.main)
    try:
        await applier.hand_over(deployment, app.namespace, held.handover)
    except ApiError as error:
        # Letting go now would drop the number to 1: hold on, and try again.
        wrong = problem_of(error, (deployment.kind, deployment.name))
        return Hold(api.desired if api.owns_replicas else None, wrong)
    return Hold(held.main, wrote=True)
